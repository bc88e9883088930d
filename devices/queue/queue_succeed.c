/* One queue in the place of another, between two frames.
 *
 * The new queue's ledger goes on where the old one's ends, and so the sum holds
 * for both together: what is pending passes the new filter and policy as if it
 * came now, and is no longer in the old one's figures. */
#include "devices/queue/queue_latency.h"
#include "devices/queue/queue_sides.h"

/* What the frame was told is told again, to it or, where it does not pass, to
 * the next. Of two causes that a slot has added up, the rarer is made one. */
static void pass_gap(struct aw_queue *queue, const struct aw_frame *frame)
    AW_ON(reader)
{
    bool kernel = frame->lost_cause & AW_LOSS_KERNEL;
    bool both = kernel && frame->lost_cause & AW_LOSS_OVERFLOW;
    uint64_t lost = frame->lost_before;

    if (both)
        aw_queue_gap(queue, 1, AW_LOSS_OVERFLOW);
    if (lost > both)
        aw_queue_gap(queue, lost - both,
                     kernel ? AW_LOSS_KERNEL : AW_LOSS_OVERFLOW);
    if (frame->lost_cause & AW_LOSS_AWAY)
        aw_queue_gap(queue, 1, AW_LOSS_AWAY);
}

/* Returns how many frames there were. */
static uint64_t move_frames(struct aw_queue *queue, struct aw_queue *old)
    AW_ON(reader)
{
    struct aw_claim claim;
    uint64_t moved = 0;

    while (aw_queue_claim(old, 1, &claim) > 0) {
        const struct aw_frame *frame = aw_queue_at(old, &claim, 0);

        if (frame) {
            pass_gap(queue, frame);
            aw_queue_offer(queue, frame);
        }
        aw_queue_release(old, &claim);
        moved++;
    }
    return moved;
}

static void continue_ledger(struct aw_queue *queue,
                            const struct aw_stats *stats, uint64_t moved)
{
    /* Each moved frame was received once, and is delivered by the new one. */
    queue->received += stats->received - moved;
    queue->delivered += stats->delivered - moved;
    queue->filtered += stats->filtered;
    queue->dropped_kernel += stats->dropped_kernel;
    queue->dropped_overflow += stats->dropped_overflow;
    queue->dropped_cleared += stats->dropped_cleared;
    queue->dropped_closed += stats->dropped_closed;
    queue->wakes += stats->wakes;
    queue->stalls += stats->stalls;
    queue->stalled_ns += stats->stalled_ns;
    queue->high_water = stats->high_water;
}

/* What was lost behind the last frame of the old one, the next will tell. */
static void pass_last_gap(struct aw_queue *queue, const struct aw_queue *old)
{
    queue->lost.kernel += old->lost.kernel - old->told.kernel;
    queue->lost.overflow += old->lost.overflow - old->told.overflow;
    queue->lost.away += old->lost.away - old->told.away;
}

/* Neither has a consumer now, so that both stages are ours to write. */
static void continue_latency(struct aw_queue *queue, const struct aw_queue *old)
{
    struct aw_latency_counts counts[AW_LATENCY_STAGES];

    aw_queue_latency(old, counts);
    for (int i = 0; i < AW_LATENCY_STAGES; i++)
        aw_latency_continue(&queue->ring.shared->latency[i], &counts[i]);
}

void aw_queue_succeed(struct aw_queue *queue, struct aw_queue *old)
{
    struct aw_stats stats;
    uint64_t moved;

    AW_ASSERT_ROLE(READER);
    aw_runs_return_all(&old->runs);
    moved = move_frames(queue, old);
    pass_last_gap(queue, old);
    queue->loss_reported |= old->loss_reported;
    /* Both its sides are still, so that this cannot be overtaken; but where
     * another process tampers with them, the ledger begins anew. */
    stats = (struct aw_stats){.received = moved, .delivered = moved};
    (void)aw_queue_stats(old, &stats);
    continue_ledger(queue, &stats, moved);
    continue_latency(queue, old);
    aw_queue_publish_delivered(queue);
    queue->dirty = true;
    aw_queue_publish(queue);
}
