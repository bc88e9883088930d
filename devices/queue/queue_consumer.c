/* The consumer's half of a queue. */
#include <errno.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/queue_sides.h"

/* The reader of a paced device may be waiting for the room just made. Partner:
 * the exchange in aw_queue_room(). */
static void offer_room(struct aw_queue *queue)
{
    if (queue->room_bell >= 0 &&
        atomic_exchange_explicit(&queue->room_wanted, false,
                                 memory_order_acq_rel))
        aw_eventfd_ring(queue->room_bell);
}

/* Nothing in the ring can be relied on any more, and nothing more is taken from
 * it: a reader must not wait for that. */
static void give_up(struct aw_queue *queue)
{
    queue->damaged = true;
    aw_queue_settle(queue, AW_QUEUE_LOST, EPROTO);
    offer_room(queue);
}

uint64_t aw_queue_pending(struct aw_queue *queue)
{
    int64_t pending = aw_ring_pending(&queue->ring);

    if (pending < 0 && !queue->damaged)
        give_up(queue);
    return queue->damaged ? 0 : (uint64_t)pending + queue->runs.returned;
}

/* Frames that the reader evicted between the last claim and this one are told
 * to the frame behind them, whose slot is ours now. */
static void tell_evicted(struct aw_queue *queue, uint64_t index)
{
    /* Relaxed: only the sum over the stream has to be right. */
    uint64_t lost = atomic_load_explicit(&queue->ring.shared->evicted_lost,
                                         memory_order_relaxed);
    uint64_t before = index - queue->next_index + (lost - queue->evicted_lost);
    struct aw_frame *frame = aw_ring_slot(&queue->ring, index);

    queue->evicted_lost = lost;
    before += frame->lost_before;
    frame->lost_before = before < UINT32_MAX ? (uint32_t)before : UINT32_MAX;
    frame->lost_cause |= AW_LOSS_OVERFLOW;
}

static uint64_t claim_from_ring(struct aw_queue *queue, uint64_t count,
                                struct aw_claim *ret_claim)
{
    uint64_t index;
    int64_t claimed = aw_ring_claim(&queue->ring, count, &index);

    if (claimed < 0 && !queue->damaged)
        give_up(queue);
    if (claimed <= 0 || queue->damaged)
        return 0;
    if (index != queue->next_index)
        tell_evicted(queue, index);
    queue->next_index = index + (uint64_t)claimed;
    (void)aw_runs_append(&queue->runs, index, (uint64_t)claimed);
    *ret_claim = (struct aw_claim){index, (uint64_t)claimed};
    return (uint64_t)claimed;
}

uint64_t aw_queue_claim(struct aw_queue *queue, uint64_t count,
                        struct aw_claim *ret_claim)
{
    uint64_t index, again;

    if (count == 0 || queue->runs.held == AW_RUNS_HELD_MAX)
        return 0;
    if (queue->runs.returned == 0)
        return claim_from_ring(queue, count, ret_claim);
    again = aw_runs_reclaim(&queue->runs, count, &index);
    *ret_claim = (struct aw_claim){index, again};
    return again;
}

/* Could one of our readers have written this? `payload_bytes` is the slot's. */
static bool plausible(const struct aw_frame *frame, uint32_t payload_bytes)
{
    uint16_t length = frame->length;

    if (length > payload_bytes)
        return false;
    switch (frame->kind) {
    case AW_KIND_BYTES:
        return true;
    case AW_KIND_CAN:
        return length <= AW_PAYLOAD_FD;
    case AW_KIND_CAN_XL:
        return length >= sizeof(struct aw_xl_head);
    case AW_KIND_DATAGRAM:
        return length >= sizeof(struct aw_address);
    default:
        return false;
    }
}

const struct aw_frame *aw_queue_at(struct aw_queue *queue,
                                   const struct aw_claim *claim, uint64_t index)
{
    const struct aw_frame *frame =
        aw_ring_slot(&queue->ring, claim->index + index);

    assert(index < claim->count);
    if (!queue->damaged && plausible(frame, queue->ring.payload_bytes))
        return frame;
    if (!queue->damaged)
        give_up(queue);
    return NULL;
}

static void count(struct aw_queue *queue, const struct aw_run *run)
{
    if (run->state == AW_RUN_DELIVERED)
        queue->delivered += run->count;
    else if (run->state == AW_RUN_CLEARED)
        queue->dropped_cleared += run->count;
    else
        queue->dropped_closed += run->count;
}

static void publish_ledger(struct aw_queue *queue, uint64_t released)
{
    const uint64_t fields[AW_LEDGER_FIELDS] = {
        [AW_DELIVERED] = queue->delivered,
        [AW_DROPPED_CLEARED] = queue->dropped_cleared,
        [AW_DROPPED_CLOSED] = queue->dropped_closed,
        [AW_RELEASED] = queue->ring.released + released,
    };

    aw_ledger_publish(&queue->ring.shared->consumer, fields);
}

/* Settles a claim; what is settled with nothing older before it leaves. */
static void settle_claim(struct aw_queue *queue, const struct aw_claim *claim,
                         enum aw_run_state state)
{
    uint64_t end = queue->ring.tail, released = 0;
    struct aw_run run;

    aw_runs_settle(&queue->runs, claim->index, state);
    while (aw_runs_pop(&queue->runs, &run)) {
        count(queue, &run);
        released += run.count;
        end = run.end;
    }
    if (released == 0)
        return;
    /* Ahead of the ring: see read_sides() in queue.c. */
    publish_ledger(queue, released);
    aw_ring_release(&queue->ring, end, released);
    offer_room(queue);
}

void aw_queue_release(struct aw_queue *queue, const struct aw_claim *claim)
{
    settle_claim(queue, claim, AW_RUN_DELIVERED);
}

void aw_queue_return(struct aw_queue *queue, const struct aw_claim *claim)
{
    settle_claim(queue, claim, AW_RUN_RETURNED);
}

/* Settles everything that can be claimed. */
static uint64_t settle_pending(struct aw_queue *queue, enum aw_run_state state)
{
    struct aw_claim claim;
    uint64_t settled = 0;

    while (aw_queue_claim(queue, UINT64_MAX, &claim) > 0) {
        settled += claim.count;
        settle_claim(queue, &claim, state);
    }
    return settled;
}

uint64_t aw_queue_clear(struct aw_queue *queue)
{
    return settle_pending(queue, AW_RUN_CLEARED);
}

uint64_t aw_queue_abandon(struct aw_queue *queue)
{
    aw_runs_return_all(&queue->runs);
    return settle_pending(queue, AW_RUN_CLOSED);
}

bool aw_queue_arm(struct aw_queue *queue, struct aw_waker *waker)
{
    /* Armed first, then the second look: the consumer's half of the promise at
     * the head of queue.h. */
    atomic_exchange_explicit(&queue->armed, waker, memory_order_seq_cst);
    if (aw_queue_pending(queue) == 0 &&
        atomic_load_explicit(&queue->outcome, memory_order_seq_cst) ==
            AW_QUEUE_OPEN)
        return true;
    aw_queue_disarm(queue);
    return false;
}

void aw_queue_disarm(struct aw_queue *queue)
{
    atomic_exchange_explicit(&queue->armed, NULL, memory_order_seq_cst);
}
