/* How long a queue's frames take, from their moment to the ring and to the
 * script: two histograms (latency.h) that lie with the ring.
 *
 * The reader measures every frame, against one reading of the clock for a
 * batch. The consumer measures the first frame that a wake has brought, and of
 * the others one in AW_LATENCY_SAMPLE, which counts for all of those: a
 * reading of the clock costs a good part of what a frame costs there.
 *
 * A hardware's stamp is of another clock, and a frame that has one unplaced. */
#ifndef AW_QUEUE_LATENCY_H
#define AW_QUEUE_LATENCY_H

#include "devices/queue/queue.h"

#define AW_LATENCY_SAMPLE 64u

/* aw_queue_offer(), and the frame, if it lies in the ring, measured at `now_ns`
 * (CLOCK_MONOTONIC); 0: its moment is not known. */
void aw_queue_offer_at(struct aw_queue *queue, const struct aw_frame *frame,
                       uint64_t now_ns) AW_ON(reader);

/* What aw_queue_note_given() leaves to do when a frame is to be measured. */
void aw_queue_measure_given(struct aw_queue *queue,
                            const struct aw_claim *claim, bool woken);

/* The consumer: the claimed frames are the script's now. `woken`: it slept
 * until they came. Before they are released. */
static inline void aw_queue_note_given(struct aw_queue *queue,
                                       const struct aw_claim *claim, bool woken)
{
    if (woken || queue->unmeasured + claim->count >= AW_LATENCY_SAMPLE)
        aw_queue_measure_given(queue, claim, woken);
    else
        queue->unmeasured += claim->count;
}

/* Both histograms. Any thread. */
void aw_queue_latency(const struct aw_queue *queue,
                      struct aw_latency_counts ret_counts[AW_LATENCY_STAGES]);

#endif
