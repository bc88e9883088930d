/* Wake-ups between threads: an eventfd as a binary doorbell.
 *
 * The only file of the leaf that knows of eventfd and poll. */
#ifndef AW_EVENTFD_H
#define AW_EVENTFD_H

#include <stdbool.h>
#include <stdint.h>

/* A non-blocking, close-on-exec eventfd. Returns the fd or a negative errno. */
int aw_eventfd_new(void);

/* A second descriptor of the same bell, close-on-exec too. Returns the fd or a
 * negative errno. */
int aw_eventfd_dup(int fd);

/* A negative `fd` is skipped. */
void aw_eventfd_close(int fd);

/* Rings the bell. Any thread; never blocks; coalesces. */
void aw_eventfd_ring(int fd);

/* Silences the bell; true if it had rung. */
bool aw_eventfd_clear(int fd);

/* Waits until the bell rings, leaving it ringing. `timeout_ns` < 0: for ever.
 * Returns 1 when it rings, 0 at the timeout, -EINTR at a signal. */
int aw_eventfd_wait(int fd, int64_t timeout_ns);

#endif
