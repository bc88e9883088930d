/* The clock of main's own spans: how long a client is silent, a script runs,
 * the daemon is up. ev_now() will not do: it is the wall clock, which may be
 * set in between. libev's timers go by this one too. */
#ifndef AW_SPAN_CLOCK_H
#define AW_SPAN_CLOCK_H

/* Seconds; only differences mean anything. Any thread; cannot fail. */
double aw_span_clock_s(void);

#endif
