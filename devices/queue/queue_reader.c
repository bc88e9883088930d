/* The reader's half of a queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/queue_sides.h"

/* The first loss of a queue is worth one line; the rest is in the ledger. */
static void report_loss(struct aw_queue *queue, enum aw_loss cause)
{
    if (queue->loss_reported)
        return;
    queue->loss_reported = true;
    aw_log(AW_LOG_WARNING, "%s%squeue %s of device %s loses frames: %s",
           queue->owner, queue->owner[0] ? ": " : "", queue->name,
           queue->device,
           cause == AW_LOSS_KERNEL
               ? "the kernel's receive buffer was full; raise "
                 "net.core.rmem_max and the device's receive_buffer"
               : "it was full; take frames faster, or raise its depth");
}

void aw_queue_gap(struct aw_queue *queue, uint64_t count, enum aw_loss cause)
{
    AW_ASSERT_ROLE(READER);
    queue->gap += count;
    queue->gap_cause |= (uint8_t)cause;
}

void aw_queue_charge(struct aw_queue *queue, uint64_t count)
{
    AW_ASSERT_ROLE(READER);
    queue->received += count;
    queue->dropped_kernel += count;
    queue->dirty = true;
    report_loss(queue, AW_LOSS_KERNEL);
}

static void publish_ledger(struct aw_queue *queue)
{
    const uint64_t fields[AW_LEDGER_FIELDS] = {
        [AW_RECEIVED] = queue->received,
        [AW_FILTERED] = queue->filtered,
        [AW_DROPPED_KERNEL] = queue->dropped_kernel,
        [AW_DROPPED_OVERFLOW] = queue->dropped_overflow,
        [AW_HEAD] = queue->ring.head,
        [AW_EVICTED] = queue->ring.evicted,
        [AW_HIGH_WATER] = queue->high_water,
        [AW_WAKES] = queue->wakes,
        [AW_STALLS] = queue->stalls,
        [AW_STALLED_NS] = queue->stalled_ns,
    };

    aw_ledger_publish(&queue->ring.shared->producer, fields);
}

/* Sequentially consistent load and exchange: the reader's half of the promise
 * at the head of queue.h. The load keeps the common case, nobody waiting, off
 * the bus. */
static struct aw_waker *take_armed(struct aw_queue *queue)
{
    if (!atomic_load_explicit(&queue->armed, memory_order_seq_cst))
        return NULL;
    return atomic_exchange_explicit(&queue->armed, NULL, memory_order_seq_cst);
}

/* Disarmed before it rings: whoever is woken may arm again at once. */
static void announce(struct aw_queue *queue)
{
    struct aw_waker *waker = take_armed(queue);

    queue->put_off = false;
    if (!waker)
        return;
    queue->wakes++;
    publish_ledger(queue);
    aw_waker_announce(waker, queue);
}

static void push(struct aw_queue *queue, struct aw_frame *slot,
                 const struct aw_frame *frame)
{
    size_t bytes = aw_frame_bytes(frame);
    size_t capacity = sizeof(*slot) + queue->ring.payload_bytes;

    memcpy(slot, frame, bytes < capacity ? bytes : capacity);
    if (bytes > capacity) {
        slot->length = (uint16_t)queue->ring.payload_bytes;
        slot->flags |= AW_FRAME_TRUNCATED;
    }
    slot->lost_before =
        queue->gap < UINT32_MAX ? (uint32_t)queue->gap : UINT32_MAX;
    slot->lost_cause = queue->gap_cause;
    queue->gap = 0;
    queue->gap_cause = AW_LOSS_NONE;
    aw_ring_commit(&queue->ring);
}

/* No slot for a frame: the ring is full, or its tail was tampered with. The
 * consumer learns of the latter with the next publish. */
static void drop(struct aw_queue *queue, int error)
{
    queue->dropped_overflow++;
    if (error)
        aw_queue_settle(queue, AW_QUEUE_LOST, -error);
    else
        report_loss(queue, AW_LOSS_OVERFLOW);
}

/* The consumer learns of these by their indices, and tells the frame behind
 * them (queue_consumer.c). */
static void count_evicted(struct aw_queue *queue)
{
    queue->dropped_overflow += queue->ring.evicted - queue->evicted;
    queue->evicted = queue->ring.evicted;
    report_loss(queue, AW_LOSS_OVERFLOW);
}

void aw_queue_offer(struct aw_queue *queue, const struct aw_frame *frame)
{
    struct aw_frame *slot;
    int error = 0;

    AW_ASSERT_ROLE(READER);
    queue->received++;
    queue->dirty = true;
    if (!aw_filter_pass(queue->filters, queue->filter_count, frame)) {
        queue->filtered++;
        return;
    }
    slot = aw_ring_reserve(&queue->ring, &error);
    if (queue->ring.evicted != queue->evicted)
        count_evicted(queue);
    if (slot) {
        push(queue, slot, frame);
        return;
    }
    drop(queue, error);
    aw_queue_gap(queue, 1, AW_LOSS_OVERFLOW);
}

void aw_queue_set_filters(struct aw_queue *queue, struct aw_filter *filters,
                          size_t count)
{
    AW_ASSERT_ROLE(READER);
    free(queue->filters);
    queue->filters = filters;
    queue->filter_count = count;
}

int aw_queue_set_bell(struct aw_queue *queue, int bell)
{
    int copy;

    AW_ASSERT_ROLE(READER);
    assert(queue->room_bell < 0);
    copy = aw_eventfd_dup(bell);
    if (copy < 0)
        return copy;
    queue->room_bell = copy;
    return 0;
}

/* Free slots; all of them where nobody will take a frame any more. */
static uint64_t room(struct aw_queue *queue)
{
    int64_t slots = aw_ring_room(&queue->ring);

    if (slots < 0)
        aw_queue_settle(queue, AW_QUEUE_LOST, (int)-slots);
    if (slots < 0 || aw_queue_state(queue) != AW_QUEUE_OPEN)
        return queue->ring.depth;
    return (uint64_t)slots;
}

/* From the first look that finds no room to the first that finds some. */
static uint64_t count_stall(struct aw_queue *queue, uint64_t slots)
{
    if (slots == 0 && queue->stalled_at == 0) {
        queue->stalled_at = aw_clock_monotonic_ns();
        queue->stalls++;
        queue->dirty = true;
    } else if (slots > 0 && queue->stalled_at != 0) {
        queue->stalled_ns += aw_clock_monotonic_ns() - queue->stalled_at;
        queue->stalled_at = 0;
        queue->dirty = true;
    }
    return slots;
}

uint64_t aw_queue_room(struct aw_queue *queue)
{
    uint64_t slots;

    AW_ASSERT_ROLE(READER);
    slots = room(queue);
    if (slots > 0 || queue->room_bell < 0)
        return count_stall(queue, slots);
    /* Acquire-release: either the consumer's exchange in offer_room() comes
     * later and finds the wish, or it came before and then so did its release
     * of slots, or its finding the ring damaged, which the second look sees. */
    atomic_exchange_explicit(&queue->room_wanted, true, memory_order_acq_rel);
    return count_stall(queue, room(queue));
}

static void note_high_water(struct aw_queue *queue)
{
    int64_t slots = aw_ring_room(&queue->ring);
    uint64_t used = slots < 0 ? 0 : queue->ring.depth - (uint64_t)slots;

    if (used > queue->high_water)
        queue->high_water = used;
}

/* With a latency budget: is this too soon after the last wake? Then it is put
 * off, unless the queue fills up. */
static bool put_off(struct aw_queue *queue)
{
    uint64_t now_ns;

    if (queue->budget_ns == 0)
        return false;
    now_ns = aw_clock_monotonic_ns();
    if (now_ns - queue->woken_ns >= queue->budget_ns ||
        (uint64_t)aw_ring_room(&queue->ring) <= queue->ring.depth / 2) {
        queue->woken_ns = now_ns;
        return false;
    }
    queue->put_off = true;
    return true;
}

void aw_queue_publish(struct aw_queue *queue)
{
    AW_ASSERT_ROLE(READER);
    if (!queue->dirty)
        return;
    queue->dirty = false;
    note_high_water(queue);
    /* Ahead of the ring: see read_sides() in queue.c. */
    publish_ledger(queue);
    if (queue->ring.published != queue->ring.head) {
        aw_ring_publish(&queue->ring);
        if (!put_off(queue))
            announce(queue);
    } else if (aw_queue_state(queue) != AW_QUEUE_OPEN) {
        announce(queue);
    }
}

uint64_t aw_queue_due_ns(const struct aw_queue *queue)
{
    return queue->put_off ? queue->woken_ns + queue->budget_ns : UINT64_MAX;
}

void aw_queue_wake_due(struct aw_queue *queue, uint64_t now_ns)
{
    AW_ASSERT_ROLE(READER);
    if (now_ns < aw_queue_due_ns(queue))
        return;
    queue->woken_ns = now_ns;
    announce(queue);
}

void aw_queue_finish(struct aw_queue *queue, enum aw_queue_state state,
                     int failure)
{
    AW_ASSERT_ROLE(READER);
    queue->dirty = true;
    aw_queue_publish(queue);
    aw_queue_settle(queue, state, failure);
    announce(queue);
}
