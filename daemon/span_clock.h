/* The clock of main's own spans: how long a client is silent, a script runs,
 * the daemon is up. ev_now() will not do: it is the wall clock, which may be
 * set in between. libev's timers go by this one too. */
#ifndef AW_SPAN_CLOCK_H
#define AW_SPAN_CLOCK_H

#include "devices/queue/clock.h"

/* Seconds; only differences mean anything. Any thread; cannot fail. */
static inline double aw_span_clock_s(void)
{
    return (double)aw_clock_monotonic_ns() / (double)AW_NS_PER_S;
}

#endif
