/* The ledger: every frame of a queue, accounted for.
 *
 *     received = filtered + delivered + dropped + pending
 *
 * Two threads write it, each its own side: the reader what arrived and what
 * became of it up to the ring's head, the consumer what left the ring at its
 * tail. A side is published as a whole, and read as a whole by any thread or
 * process, so each snapshot of a side adds up in itself. aw_queue_stats() puts
 * the two together.
 *
 * A side is kept twice: the writer fills the copy that is not current and then
 * makes it current, so it never waits, and a reader repeats only if a whole
 * publication overtook it. Lies in shared memory, free of pointers. */
#ifndef AW_LEDGER_H
#define AW_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define AW_LEDGER_FIELDS 10

struct aw_ledger_side {
    _Alignas(64) _Atomic uint64_t version;
    _Atomic uint64_t copies[2][AW_LEDGER_FIELDS];
};

/* Makes the first `count` of `fields` the side's current values; always as many
 * on one side. Called by its one writer. */
void aw_ledger_publish(struct aw_ledger_side *side, const uint64_t *fields,
                       unsigned count);

/* Reads one consistent set of values. Any thread. Returns 0, or -EAGAIN when
 * the writer overtook it 1,000 times in a row. */
int aw_ledger_read(const struct aw_ledger_side *side,
                   uint64_t ret_fields[AW_LEDGER_FIELDS]);

/* A queue's ledger at one moment. All counts are frames. */
struct aw_stats {
    uint64_t received;         /* what reached the reader, or was lost before */
    uint64_t filtered;         /* refused by this queue's filter */
    uint64_t delivered;        /* taken by the script, slot released */
    uint64_t pending;          /* in the ring, from its indices */
    uint64_t dropped_kernel;   /* lost in the kernel's receive buffer */
    uint64_t dropped_overflow; /* the queue was full, or had a newer frame */
    uint64_t dropped_cleared;  /* thrown away by clear() */
    uint64_t dropped_closed;   /* pending when the queue was freed */
    uint64_t high_water;       /* the most that was ever pending */
    uint64_t wakes;            /* how often a waiter was woken */
    uint64_t stalls;           /* how often it held up its device (block) */
    uint64_t stalled_ns;       /* for how long, in all */
};

static inline uint64_t aw_stats_dropped(const struct aw_stats *stats)
{
    return stats->dropped_kernel + stats->dropped_overflow +
           stats->dropped_cleared + stats->dropped_closed;
}

/* True when the ledger adds up. */
static inline _Bool aw_stats_exact(const struct aw_stats *stats)
{
    return stats->received == stats->filtered + stats->delivered +
                                  aw_stats_dropped(stats) + stats->pending;
}

#endif
