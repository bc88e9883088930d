/* The last lines that awaitd has logged, in memory, for `awaitctl log`.
 *
 * Lines come from every thread, readers among them, and are read by main alone.
 * A mutex that lends its holder's priority guards a copy of one line; nothing
 * else happens under it. */
#ifndef AW_LOG_RING_H
#define AW_LOG_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/log.h"

#define AW_LOG_RING_LINES 512u

struct aw_log_line {
    uint64_t number;  /* from 0, without gaps */
    uint64_t time_ns; /* CLOCK_REALTIME */
    enum aw_log_level level;
    char text[AW_LOG_LINE_MAX]; /* without "awaitd: LEVEL: " and line end */
};

struct aw_log_ring;

/* Makes a ring that takes every line that is logged from here on; one at a
 * time in a process. Returns 0 or a negative errno. */
int aw_log_ring_new(struct aw_log_ring **ret_ring);

/* Once no other thread can log any more. Accepts NULL. */
void aw_log_ring_free(struct aw_log_ring *ring);

/* Readable when lines have come since aw_log_ring_clear(). Any thread. */
int aw_log_ring_fd(const struct aw_log_ring *ring);
void aw_log_ring_clear(struct aw_log_ring *ring);

/* The number of the oldest line that is kept, and of the next one to come. */
void aw_log_ring_span(struct aw_log_ring *ring, uint64_t *ret_oldest,
                      uint64_t *ret_next);

/* Copies a line; false if it is not there (any more, or yet). */
bool aw_log_ring_get(struct aw_log_ring *ring, uint64_t number,
                     struct aw_log_line *ret_line);

#endif
