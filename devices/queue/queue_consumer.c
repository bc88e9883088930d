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
    aw_queue_set_outcome(queue, AW_QUEUE_LOST, EPROTO);
    offer_room(queue);
}

static void publish_ledger(struct aw_queue *queue, uint64_t released)
{
    const uint64_t fields[AW_CONSUMER_FIELDS] = {
        [AW_DELIVERED] = queue->delivered,
        [AW_DROPPED_CLEARED] = queue->dropped_cleared,
        [AW_DROPPED_CLOSED] = queue->dropped_closed,
        [AW_RELEASED] = queue->ring.released + released,
        [AW_SUPERSEDED] = queue->latest.superseded,
    };

    aw_ledger_publish(&queue->ring.shared->consumer, fields,
                      AW_CONSUMER_FIELDS);
}

void aw_queue_publish_delivered(struct aw_queue *queue)
{
    publish_ledger(queue, 0);
}

/* A look at the store may have replaced frames that were only looked at. */
static void note_superseded(struct aw_queue *queue)
{
    if (queue->superseded == queue->latest.superseded)
        return;
    queue->superseded = queue->latest.superseded;
    publish_ledger(queue, 0);
}

/* In the ring, or in the store as far as the ring has room for it. */
static int64_t unclaimed(struct aw_queue *queue)
{
    int64_t pending, room;

    if (!aw_queue_keyed(queue))
        return aw_ring_pending(&queue->ring);
    pending = aw_latest_pending(&queue->latest);
    note_superseded(queue);
    room = aw_ring_room(&queue->ring);
    return room < pending ? room : pending;
}

uint64_t aw_queue_pending(struct aw_queue *queue)
{
    int64_t pending = unclaimed(queue);

    if (pending < 0 && !queue->damaged)
        give_up(queue);
    return queue->damaged ? 0 : (uint64_t)pending + queue->runs.returned;
}

/* On a ring that evicts: the first frame claimed is told what was lost since
 * the last one that was, that is the frames between them and what those were
 * told. Its slot is ours now. */
static void tell_evicted(struct aw_queue *queue, uint64_t index, uint64_t count)
{
    const struct aw_sums *sums = aw_ring_sums(&queue->ring, index);

    if (index != queue->next_index)
        aw_frame_tell(aw_ring_slot(&queue->ring, index),
                      sums->kernel - queue->heard.kernel,
                      sums->overflow - queue->heard.overflow +
                          (index - queue->next_index),
                      sums->away - queue->heard.away);
    queue->heard = *aw_ring_sums(&queue->ring, index + count - 1);
    queue->next_index = index + count;
}

/* Takes at most `count` frames from the store into the ring, whose producer we
 * are as well. Returns how many, or -EPROTO if there are none of them. */
static int64_t take_latest(struct aw_queue *queue, uint64_t count)
{
    uint64_t taken = 0;
    int result = 1;

    while (taken < count && result > 0) {
        struct aw_frame *slot = aw_ring_reserve(&queue->ring, &result);

        if (slot)
            result = aw_latest_take(&queue->latest, slot);
        else if (result > 0)
            result = 0;
        if (result > 0) {
            aw_ring_commit(&queue->ring);
            taken++;
        }
    }
    aw_ring_publish(&queue->ring);
    note_superseded(queue);
    return taken > 0 ? (int64_t)taken : result;
}

/* Returns how many, 0 if there are none, or -EPROTO. */
static int64_t claim_new(struct aw_queue *queue, uint64_t count,
                         uint64_t *ret_index)
{
    int64_t claimed = 1;

    if (aw_queue_keyed(queue)) {
        claimed = take_latest(queue, count);
        count = (uint64_t)claimed;
    }
    if (claimed > 0)
        claimed = aw_ring_claim(&queue->ring, count, ret_index);
    if (claimed <= 0)
        return claimed;
    if (queue->ring.evicting)
        tell_evicted(queue, *ret_index, (uint64_t)claimed);
    aw_runs_append(&queue->runs, *ret_index, (uint64_t)claimed);
    return claimed;
}

static uint64_t claim(struct aw_queue *queue, uint64_t count,
                      struct aw_claim *ret_claim)
{
    uint64_t index;
    int64_t claimed;

    if (count == 0 || !aw_runs_open(&queue->runs))
        return 0;
    if (queue->runs.returned > 0)
        claimed = (int64_t)aw_runs_reclaim(&queue->runs, count, &index);
    else
        claimed = queue->damaged ? 0 : claim_new(queue, count, &index);
    if (claimed < 0)
        give_up(queue);
    if (claimed <= 0)
        return 0;
    *ret_claim = (struct aw_claim){index, (uint64_t)claimed};
    return (uint64_t)claimed;
}

uint64_t aw_queue_claim(struct aw_queue *queue, uint64_t count,
                        struct aw_claim *ret_claim)
{
    return queue->damaged ? 0 : claim(queue, count, ret_claim);
}

const struct aw_frame *aw_queue_at(struct aw_queue *queue,
                                   const struct aw_claim *claim, uint64_t index)
{
    const struct aw_frame *frame =
        aw_ring_slot(&queue->ring, claim->index + index);

    assert(index < claim->count);
    if (!queue->damaged && aw_frame_plausible(frame, queue->ring.payload_bytes))
        return frame;
    if (!queue->damaged)
        give_up(queue);
    return NULL;
}

static void release(struct aw_queue *queue, uint64_t end, uint64_t count)
{
    /* Ahead of the ring: see read_sides() in queue.c. */
    publish_ledger(queue, count);
    aw_ring_release(&queue->ring, end, count);
    offer_room(queue);
}

/* What is settled with nothing older before it leaves. */
static void release_settled(struct aw_queue *queue)
{
    uint64_t end = 0, released = 0;
    struct aw_run run;

    while (aw_runs_pop(&queue->runs, &run)) {
        queue->delivered += run.settled[AW_RUN_DELIVERED];
        queue->dropped_cleared += run.settled[AW_RUN_CLEARED];
        queue->dropped_closed += run.settled[AW_RUN_CLOSED];
        released += run.count;
        end = run.end;
    }
    if (released == 0)
        return;
    /* What was evicted before the next claim holds up nothing either. */
    if (queue->runs.count > 0)
        end = queue->runs.runs[0].start;
    release(queue, end, released);
}

static void settle(struct aw_queue *queue, const struct aw_claim *claim,
                   enum aw_run_end how)
{
    aw_runs_settle(&queue->runs, claim->index, how);
    release_settled(queue);
}

void aw_queue_release(struct aw_queue *queue, const struct aw_claim *claim)
{
    uint64_t end;

    if (aw_runs_drop_only(&queue->runs, claim->index, &end)) {
        queue->delivered += claim->count;
        release(queue, end, claim->count);
        return;
    }
    settle(queue, claim, AW_RUN_DELIVERED);
}

void aw_queue_return(struct aw_queue *queue, const struct aw_claim *claim)
{
    aw_runs_return(&queue->runs, claim->index);
}

/* Settles at most `limit` frames of those that can be claimed. */
static uint64_t settle_pending(struct aw_queue *queue, uint64_t limit,
                               enum aw_run_end how)
{
    struct aw_claim frames;
    uint64_t settled = 0;

    while (claim(queue, limit - settled, &frames) > 0) {
        settled += frames.count;
        settle(queue, &frames, how);
    }
    return settled;
}

uint64_t aw_queue_clear(struct aw_queue *queue)
{
    /* Bounded, or a busy reader would keep us here. */
    return settle_pending(queue, aw_queue_pending(queue), AW_RUN_CLEARED);
}

uint64_t aw_queue_abandon(struct aw_queue *queue)
{
    aw_runs_return_all(&queue->runs);
    return settle_pending(queue, UINT64_MAX, AW_RUN_CLOSED);
}

/* What was found in the store: is it fit to be shown? */
static int show(struct aw_queue *queue, int result,
                const struct aw_frame *buffer)
{
    note_superseded(queue);
    if (result > 0 && !aw_frame_plausible(buffer, queue->ring.payload_bytes))
        result = -EPROTO;
    if (result < 0)
        give_up(queue);
    return result;
}

int aw_queue_peek(struct aw_queue *queue, const struct aw_key *key,
                  struct aw_frame *buffer)
{
    if (!aw_queue_keyed(queue))
        return -EINVAL;
    if (queue->damaged)
        return -EPROTO;
    return show(queue, aw_latest_peek(&queue->latest, key, buffer), buffer);
}

int aw_queue_peek_next(struct aw_queue *queue, uint32_t *place,
                       struct aw_frame *buffer)
{
    if (!aw_queue_keyed(queue))
        return -EINVAL;
    if (queue->damaged)
        return -EPROTO;
    return show(queue, aw_latest_peek_next(&queue->latest, place, buffer),
                buffer);
}

bool aw_queue_arm(struct aw_queue *queue, struct aw_waker *waker)
{
    return aw_queue_arm_at(queue, waker, 0);
}

bool aw_queue_arm_at(struct aw_queue *queue, struct aw_waker *waker,
                     uint64_t seen)
{
    /* Armed first, then the second look: the consumer's half of the promise at
     * the head of queue.h. */
    atomic_exchange_explicit(&queue->armed, waker, memory_order_acq_rel);
    if (aw_queue_pending(queue) <= seen &&
        atomic_load_explicit(&queue->outcome, memory_order_acquire) ==
            AW_QUEUE_OPEN)
        return true;
    aw_queue_disarm(queue);
    return false;
}

void aw_queue_disarm(struct aw_queue *queue)
{
    /* Acquire-release: one in the order of exchanges, see aw_queue_arm_at(). */
    atomic_exchange_explicit(&queue->armed, NULL, memory_order_acq_rel);
}
