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

/* The more often the clock would be read, the less often it is. */
static void adapt(struct aw_queue *queue, uint64_t now_ns)
{
    uint64_t took_ns = now_ns - queue->measured_ns;

    queue->measured_ns = now_ns;
    if (took_ns > queue->unmeasured * AW_LATENCY_FAST_NS)
        queue->measure_at = 0;
    else if (queue->measure_at < AW_LATENCY_SAMPLE - 1)
        queue->measure_at = 2 * queue->measure_at + 1;
}

void aw_queue_measure_given(struct aw_queue *queue,
                            const struct aw_claim *claim)
{
    struct aw_latency *latency =
        &queue->ring.shared->latency[AW_LATENCY_SCRIPT];
    uint64_t now_ns = aw_clock_monotonic_ns();
    uint64_t before = queue->unmeasured - claim->count;

    adapt(queue, now_ns);
    for (uint64_t i = 0; i < claim->count; i += AW_LATENCY_SAMPLE) {
        uint64_t weight = claim->count - i;

        if (weight > AW_LATENCY_SAMPLE)
            weight = AW_LATENCY_SAMPLE;
        note(latency, aw_ring_slot(&queue->ring, claim->index + i), now_ns,
             before + weight);
        before = 0;
    }
    queue->unmeasured = 0;
}

void aw_queue_latency(const struct aw_queue *queue,
                      struct aw_latency_counts ret_counts[AW_LATENCY_STAGES])
{
    for (int i = 0; i < AW_LATENCY_STAGES; i++)
        aw_latency_read(&queue->ring.shared->latency[i], &ret_counts[i]);
}
