/* Runs: which frames the consumer has claimed, and what became of them.
 *
 * Frames leave a ring in order, but need not be done with in order: a lease is
 * held while later frames are taken, and what a lease gives back is the next to
 * be taken again. A run is a stretch of claimed frames in one state; runs are
 * sorted, oldest first, and the oldest leave as soon as they are settled. In
 * the common case there is one run, for the moment between claim and release.
 *
 * Settled neighbours become one run, whatever became of their frames, and
 * returned ones where no evicted frames lie between them. So between held and
 * returned runs there is one settled run at most, and only an append and the
 * splitting of a returned run make the list longer. Both are refused when the
 * list is full but for one, which is kept for when nothing is held: then the
 * oldest returned run is the first of all, and splitting it is undone when its
 * first half is settled or returned.
 *
 * The consumer's alone; no atomics, no allocation. */
#ifndef AW_RUNS_H
#define AW_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#define AW_RUNS_HELD_MAX 32u /* held at once */
#define AW_RUNS_MAX      (6u * AW_RUNS_HELD_MAX)

enum aw_run_state {
    AW_RUN_HELD,     /* claimed, and its owner has not decided yet */
    AW_RUN_RETURNED, /* claimed, and to be taken again */
    AW_RUN_SETTLED,  /* to be released in order */
};

/* How a run was settled. */
enum aw_run_end {
    AW_RUN_DELIVERED,
    AW_RUN_CLEARED,
    AW_RUN_CLOSED,
    AW_RUN_ENDS
};

struct aw_run {
    uint64_t start; /* index of its first frame */
    uint64_t end;   /* index behind its last frame */
    uint64_t count; /* frames; fewer than end - start where some were evicted */
    uint64_t settled[AW_RUN_ENDS]; /* of them, once settled */
    enum aw_run_state state;
};

struct aw_runs {
    struct aw_run runs[AW_RUNS_MAX];
    unsigned count;
    unsigned held;
    uint64_t returned; /* frames that can be taken again */
};

/* True if frames can be claimed at all: not too many claims are held, and the
 * list is not full. */
bool aw_runs_open(const struct aw_runs *runs);

/* Appends frames just claimed, as held. Only where aw_runs_open(). */
void aw_runs_append(struct aw_runs *runs, uint64_t start, uint64_t count);

/* Takes at most `count` returned frames, the oldest first and without a gap
 * between them: they are held again. Returns how many, 0 if there are none.
 * Only where aw_runs_open(). */
uint64_t aw_runs_reclaim(struct aw_runs *runs, uint64_t count,
                         uint64_t *ret_start);

/* Settles the held run that begins at `start`. */
void aw_runs_settle(struct aw_runs *runs, uint64_t start, enum aw_run_end how);

/* Returns the held run that begins at `start`. */
void aw_runs_return(struct aw_runs *runs, uint64_t start);

/* Returns every held run: their owners are gone. */
void aw_runs_return_all(struct aw_runs *runs);

/* The common case, settled and taken out in one: true if the held run that
 * begins at `start` is the only one. `*ret_end` is the index behind it. */
bool aw_runs_drop_only(struct aw_runs *runs, uint64_t start, uint64_t *ret_end);

/* Takes the oldest run out if it is settled. False if it is not, or there is
 * none. */
bool aw_runs_pop(struct aw_runs *runs, struct aw_run *ret_run);

#endif
