/* How long a queue's frames take, from their moment to the ring and to the
 * script: two histograms (latency.h) that lie with the ring.
 *
 * The reader measures every frame, against one reading of the clock for a
 * batch. The consumer has to read the clock for what it takes, which costs a
 * good part of what taking a frame does. So it measures the first frame that a
 * wake has brought; and of those that were there already each, unless they are
 * taken faster than AW_LATENCY_FAST_NS a frame: then fewer and fewer, down to
 * one in AW_LATENCY_SAMPLE. What is measured counts for those before it that
 * were not. Of frames that are taken together only one in AW_LATENCY_SAMPLE is
 * looked at, which counts for those behind it.
 *
 * A hardware's stamp is of another clock, and a frame that has one unplaced. */
#ifndef AW_QUEUE_LATENCY_H
#define AW_QUEUE_LATENCY_H

#include "devices/queue/queue.h"

#define AW_LATENCY_SAMPLE  64u
#define AW_LATENCY_FAST_NS UINT64_C(2500)

/* aw_queue_offer(), and the frame, if it lies in the ring, measured at `now_ns`
 * (CLOCK_MONOTONIC); 0: its moment is not known. */
void aw_queue_offer_at(struct aw_queue *queue, const struct aw_frame *frame,
                       uint64_t now_ns) AW_ON(reader);

/* What aw_queue_note_given() leaves to do when a frame is to be measured. */
void aw_queue_measure_given(struct aw_queue *queue,
                            const struct aw_claim *claim);

/* The consumer: the claimed frames are the script's now. `woken`: it slept
 * until they came. Before they are released. */
static inline void aw_queue_note_given(struct aw_queue *queue,
                                       const struct aw_claim *claim, bool woken)
{
    queue->unmeasured += claim->count;
    if (woken || queue->unmeasured > queue->measure_at)
        aw_queue_measure_given(queue, claim);
}

/* Both histograms. Any thread. */
void aw_queue_latency(const struct aw_queue *queue,
                      struct aw_latency_counts ret_counts[AW_LATENCY_STAGES]);

#endif
