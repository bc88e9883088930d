/* The pacer: when the frames of a log are due.
 *
 * The log's times are laid on a timeline that starts at 0 with the log's first
 * frame and never runs backwards: a frame whose time lies before that of its
 * predecessor is due at once. In a loop the next pass follows the last one on
 * the same timeline. A timer rings when the next frame is due; at full speed a
 * bell rings all the time.
 *
 * Belongs to one driver; used by open() and then by the reader. Never blocks.
 * Not in here: files and frames (replay.c). */
#ifndef AW_PACER_H
#define AW_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/error.h"

struct aw_pacer {
    double factor; /* of real time; 0: full speed */
    int fd;        /* readable when there is something to play; ours */

    uint64_t first_ns; /* time of the log's first frame: the timeline's 0 */
    uint64_t pass_ns;  /* where this pass began on the timeline */
    uint64_t at_ns;    /* how far it has come; never decreases within it */
    uint64_t records;  /* frames in this pass, whether played or not */
    uint64_t passes;   /* passes that are through */
    uint64_t start_ns; /* when the timeline began (CLOCK_MONOTONIC) */
};

/* Parses the option `speed`: a factor of real time, or "max", which gives 0.
 * Returns 0 or -EINVAL. Allocates for a moment. */
int aw_pacer_parse_speed(const char *text, double *ret_factor,
                         struct aw_error *error);

/* Returns 0 or why there is no timer, a negative errno. */
int aw_pacer_init(struct aw_pacer *pacer, double factor);

/* Accepts a pacer that is all zero. */
void aw_pacer_deinit(struct aw_pacer *pacer);

/* The next frame of the log bears this time (CLOCK_REALTIME, ns). */
void aw_pacer_advance(struct aw_pacer *pacer, uint64_t timestamp_ns);

/* The log begins anew. The pass that ends is as long as the time to its last
 * frame and, once more, the average between two frames; a log without any time
 * in it takes a second. */
void aw_pacer_next_pass(struct aw_pacer *pacer);

/* When the frame advanced to last is due (CLOCK_MONOTONIC); 0 at full speed. */
uint64_t aw_pacer_due_ns(const struct aw_pacer *pacer);

/* Starts the clock; at full speed `fd` is readable from here on. */
void aw_pacer_start(struct aw_pacer *pacer);

/* Has `fd` poll readable when the frame advanced to last is due, */
void aw_pacer_arm(struct aw_pacer *pacer);
/* at once, */
void aw_pacer_arm_now(struct aw_pacer *pacer);
/* or never again. */
void aw_pacer_disarm(struct aw_pacer *pacer);

static inline bool aw_pacer_full_speed(const struct aw_pacer *pacer)
{
    return pacer->factor <= 0;
}

#endif
