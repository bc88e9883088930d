#include "devices/queue/queue_latency.h"

#include "devices/queue/clock.h"

static void note(struct aw_latency *latency, const struct aw_frame *frame,
                 uint64_t now_ns, uint64_t weight)
{
    if (aw_frame_stamp(frame) == AW_STAMP_HARDWARE)
        aw_latency_add_unplaced(latency, weight);
    else
        aw_latency_add(latency, frame->monotonic_ns, now_ns, weight);
}

void aw_queue_offer_at(struct aw_queue *queue, const struct aw_frame *frame,
                       uint64_t now_ns)
{
    struct aw_latency *latency = &queue->ring.shared->latency[AW_LATENCY_RING];

    AW_ASSERT_ROLE(READER);
    if (!aw_queue_offer(queue, frame))
        return;
    if (now_ns > 0)
        note(latency, frame, now_ns, 1);
    else
        aw_latency_add_unplaced(latency, 1);
}

void aw_queue_measure_given(struct aw_queue *queue,
                            const struct aw_claim *claim, bool woken)
{
    struct aw_latency *latency =
        &queue->ring.shared->latency[AW_LATENCY_SCRIPT];
    const struct aw_ring *ring = &queue->ring;
    uint64_t now_ns = aw_clock_monotonic_ns();
    uint64_t end = claim->index + claim->count;
    uint64_t index = claim->index + woken;
    uint64_t more = AW_LATENCY_SAMPLE - queue->unmeasured;

    if (woken)
        note(latency, aw_ring_slot(ring, claim->index), now_ns, 1);
    for (; end - index >= more; more = AW_LATENCY_SAMPLE) {
        index += more;
        note(latency, aw_ring_slot(ring, index - 1), now_ns, AW_LATENCY_SAMPLE);
    }
    queue->unmeasured = AW_LATENCY_SAMPLE - more + (end - index);
}

void aw_queue_latency(const struct aw_queue *queue,
                      struct aw_latency_counts ret_counts[AW_LATENCY_STAGES])
{
    for (int i = 0; i < AW_LATENCY_STAGES; i++)
        aw_latency_read(&queue->ring.shared->latency[i], &ret_counts[i]);
}
