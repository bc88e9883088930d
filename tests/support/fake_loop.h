/* libev's timers on a clock that only the test moves; in place of the library's
 * functions, for what uses no other watchers. */
#ifndef AW_FAKE_LOOP_H
#define AW_FAKE_LOOP_H

#include <stddef.h>

struct ev_loop;

/* Time 0 again, and no timer. */
struct ev_loop *fake_loop_new(void);

/* Moves the clock on, and calls what is due on the way, in its order. */
void fake_loop_advance(double seconds);

/* How many timers run. */
size_t fake_loop_timers(void);

#endif
