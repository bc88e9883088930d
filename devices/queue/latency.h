/* The latency histogram: how long frames took, in fixed memory.
 *
 * Two buckets an octave: a value is told to within half of itself, from a
 * nanosecond to minutes. One thread adds, any may read; so an addition is a few
 * plain instructions. The figures of a histogram that is being added to belong
 * together but for the last additions: what has to add up is in the ledger, not
 * here.
 *
 * Frames are told by how far back their moment lies on CLOCK_MONOTONIC. One
 * whose moment is not known, or lies ahead, as after a step of the clock that
 * stamped it, is in no bucket: it counts as *unplaced*.
 *
 * Lies in shared memory, free of pointers. */
#ifndef AW_LATENCY_H
#define AW_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

/* 0 ns, 1 ns, and two for each octave up to 2^38 ns; the last has no end. */
#define AW_LATENCY_BUCKETS 76u

/* Where a frame was when it was looked at. Both count from the frame's own
 * moment: the kernel's stamp, or that of its making. */
enum aw_latency_stage {
    AW_LATENCY_RING,   /* put into the ring, by the reader */
    AW_LATENCY_SCRIPT, /* given to the script, by the consumer */
    AW_LATENCY_STAGES,
};

struct aw_latency {
    _Alignas(64) _Atomic uint64_t counts[AW_LATENCY_BUCKETS];
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t max_ns;
    _Atomic uint64_t unplaced;
};

/* What a histogram held at some moment: plain memory. */
struct aw_latency_counts {
    uint64_t counts[AW_LATENCY_BUCKETS];
    uint64_t sum_ns;
    uint64_t max_ns;
    uint64_t unplaced; /* frames in no bucket */
};

/* The bucket that `ns` belongs to. */
static inline unsigned aw_latency_bucket(uint64_t ns)
{
    unsigned octave, bucket;

    if (ns < 2)
        return (unsigned)ns;
    octave = 63u - (unsigned)__builtin_clzll(ns);
    bucket = 2 * octave + (unsigned)(ns >> (octave - 1) & 1);
    return bucket < AW_LATENCY_BUCKETS ? bucket : AW_LATENCY_BUCKETS - 1;
}

/* The first value beyond a bucket, in ns; UINT64_MAX for the last one. */
uint64_t aw_latency_bound(unsigned bucket);

/* Adds `weight` frames that took from `from_ns` to `to_ns` on one clock.
 * Called by its one writer. */
void aw_latency_add(struct aw_latency *latency, uint64_t from_ns,
                    uint64_t to_ns, uint64_t weight);

/* Adds `weight` frames of which nobody knows. Called by its one writer. */
void aw_latency_add_unplaced(struct aw_latency *latency, uint64_t weight);

/* Adds what another histogram held. Called by its one writer. */
void aw_latency_continue(struct aw_latency *latency,
                         const struct aw_latency_counts *from);

/* Any thread. */
void aw_latency_read(const struct aw_latency *latency,
                     struct aw_latency_counts *ret_counts);

/* Adds `from` to `to`. */
void aw_latency_merge(struct aw_latency_counts *to,
                      const struct aw_latency_counts *from);

/* Frames in buckets. */
uint64_t aw_latency_total(const struct aw_latency_counts *counts);

/* What `permille` of 1000 frames took at most: the end of their bucket, or the
 * longest of all where that is less. 0 where there are none. In ns. */
uint64_t aw_latency_quantile(const struct aw_latency_counts *counts,
                             unsigned permille);

#endif
