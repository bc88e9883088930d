/* The reader's half of a queue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/probes.h"
#include "devices/queue/queue_sides.h"

/* The first loss of a queue is worth one line; the rest is in the ledger. */
static const char *remedy(const struct aw_queue *queue, enum aw_loss cause)
{
    if (cause == AW_LOSS_KERNEL)
        return "the kernel could not keep them; for a socket raise "
               "net.core.rmem_max and the device's receive_buffer";
    if (aw_queue_keyed(queue))
        return "there are more ids than its depth; raise it, or filter";
    return "it was full; take frames faster, or raise its depth";
}

static void report_loss(struct aw_queue *queue, enum aw_loss cause)
{
    if (queue->loss_reported)
        return;
    queue->loss_reported = true;
    aw_log(AW_LOG_WARNING, "%s%squeue %s of device %s loses frames: %s",
           queue->owner, queue->owner[0] ? ": " : "", queue->name,
           queue->device, remedy(queue, cause));
}

static void probe_drop(const struct aw_queue *queue, uint64_t count,
                       enum aw_loss cause)
{
    AW_PROBE4(drop, queue->device, queue->name, count, (int)cause);
    (void)queue;
    (void)count;
    (void)cause;
}

static void probe_enqueue(const struct aw_queue *queue,
                          const struct aw_frame *frame)
{
    AW_PROBE4(enqueue, queue->device, queue->name, frame->seq,
              frame->monotonic_ns);
    (void)queue;
    (void)frame;
}

void aw_queue_gap(struct aw_queue *queue, uint64_t count, enum aw_loss cause)
{
    AW_ASSERT_ROLE(READER);
    if (cause == AW_LOSS_KERNEL)
        queue->lost.kernel += count;
    else if (cause == AW_LOSS_AWAY)
        queue->lost.away += count;
    else
        queue->lost.overflow += count;
}

void aw_queue_charge(struct aw_queue *queue, uint64_t count)
{
    AW_ASSERT_ROLE(READER);
    queue->received += count;
    queue->dropped_kernel += count;
    queue->dirty = true;
    probe_drop(queue, count, AW_LOSS_KERNEL);
    report_loss(queue, AW_LOSS_KERNEL);
}

static void publish_ledger(struct aw_queue *queue)
{
    bool keyed = aw_queue_keyed(queue);
    const uint64_t fields[AW_PRODUCER_FIELDS] = {
        [AW_RECEIVED] = queue->received,
        [AW_FILTERED] = queue->filtered,
        [AW_DROPPED_KERNEL] = queue->dropped_kernel,
        [AW_DROPPED_OVERFLOW] = queue->dropped_overflow,
        [AW_HEAD] = keyed ? queue->latest.pushed : queue->ring.head,
        [AW_EVICTED] = queue->evicted,
        [AW_HIGH_WATER] = queue->high_water,
        [AW_WAKES] = queue->wakes,
        [AW_STALLS] = queue->stalls,
        [AW_STALLED_NS] = queue->stalled_ns,
    };

    aw_ledger_publish(&queue->ring.shared->producer, fields,
                      AW_PRODUCER_FIELDS);
}

/* A hint: relaxed, what counts is the exchange below. */
static bool is_armed(const struct aw_queue *queue)
{
    return atomic_load_explicit(&queue->armed, memory_order_relaxed) != NULL;
}

/* Acquire-release: the reader's half of the promise at the head of queue.h; an
 * exchange even where nobody waits, since a load could miss who is about to.
 * Partner: aw_queue_arm_at(). */
static struct aw_waker *take_armed(struct aw_queue *queue)
{
    return atomic_exchange_explicit(&queue->armed, NULL, memory_order_acq_rel);
}

/* Disarmed before it rings: whoever is woken may arm again at once. */
static void announce(struct aw_queue *queue)
{
    struct aw_waker *waker = take_armed(queue);

    queue->put_off = false;
    if (!waker)
        return;
    if (queue->budget_ns > 0)
        queue->woken_ns = aw_clock_monotonic_ns();
    queue->wakes++;
    publish_ledger(queue);
    AW_PROBE3(wake, queue->device, queue->name, queue->wakes);
    aw_waker_announce(waker, queue);
}

/* As much of the payload as there is room for, and the hardware's timestamp
 * rather than the last of it. */
static void copy_cut(struct aw_queue *queue, struct aw_frame *slot,
                     const struct aw_frame *frame)
{
    uint32_t room = queue->ring.payload_bytes;
    bool stamped =
        aw_frame_has_hw_timestamp(frame) && room >= AW_HW_STAMP_BYTES;

    if (stamped)
        room = room / 8 * 8 - AW_HW_STAMP_BYTES;
    if (room > frame->length)
        room = frame->length;
    memcpy(slot, frame, sizeof(*slot) + room);
    slot->flags &= (uint16_t)~AW_FRAME_HW_STAMP;
    if (room < frame->length)
        slot->flags |= AW_FRAME_TRUNCATED;
    slot->length = (uint16_t)room;
    if (stamped)
        aw_frame_set_hw_timestamp(slot, aw_frame_hw_timestamp(frame));
}

static void copy(struct aw_queue *queue, struct aw_frame *slot,
                 const struct aw_frame *frame)
{
    if (aw_frame_fits(frame, queue->ring.payload_bytes))
        memcpy(slot, frame, aw_frame_bytes(frame));
    else
        copy_cut(queue, slot, frame);
}

/* What was lost since the last frame that was pushed. */
static struct aw_sums take_gap(struct aw_queue *queue)
{
    struct aw_sums gap = {queue->lost.kernel - queue->told.kernel,
                          queue->lost.overflow - queue->told.overflow,
                          queue->lost.away - queue->told.away};

    queue->told = queue->lost;
    return gap;
}

/* The consumer learns of these by their indices, and tells the frame behind
 * them (queue_consumer.c). */
static void count_evicted(struct aw_queue *queue)
{
    uint64_t count = queue->ring.evicted - queue->evicted;

    queue->dropped_overflow += count;
    queue->evicted = queue->ring.evicted;
    probe_drop(queue, count, AW_LOSS_OVERFLOW);
    report_loss(queue, AW_LOSS_OVERFLOW);
}

static bool push_to_ring(struct aw_queue *queue, const struct aw_frame *frame,
                         int *ret_error)
{
    struct aw_ring *ring = &queue->ring;
    struct aw_frame *slot = aw_ring_reserve(ring, ret_error);
    struct aw_sums gap;

    if (ring->evicted != queue->evicted)
        count_evicted(queue);
    if (!slot)
        return false;
    copy(queue, slot, frame);
    gap = take_gap(queue);
    aw_frame_tell(slot, gap.kernel, gap.overflow, gap.away);
    if (ring->evicting)
        *aw_ring_sums(ring, ring->head) = queue->lost;
    aw_ring_commit(ring);
    return true;
}

/* Replaced frames are what the policy is for: they are counted, and no cause
 * for a warning. */
static void count_replaced(struct aw_queue *queue)
{
    uint64_t count = queue->latest.replaced - queue->evicted;

    if (count == 0)
        return;
    queue->dropped_overflow += count;
    queue->evicted = queue->latest.replaced;
    probe_drop(queue, count, AW_LOSS_OVERFLOW);
}

static bool push_to_store(struct aw_queue *queue, const struct aw_frame *frame,
                          int *ret_error)
{
    struct aw_key key = aw_key_of(frame);
    struct aw_sums gap;
    struct aw_frame *slot;
    uint32_t entry;

    slot = aw_latest_reserve(&queue->latest, &key, &entry, ret_error);
    if (!slot)
        return false;
    copy(queue, slot, frame);
    gap = take_gap(queue);
    aw_latest_commit(&queue->latest, entry, &gap);
    count_replaced(queue);
    return true;
}

/* No slot for a frame: the queue is full, or was tampered with. The consumer
 * learns of the latter with the next publish. */
static void drop(struct aw_queue *queue, int error)
{
    queue->dropped_overflow++;
    probe_drop(queue, 1, AW_LOSS_OVERFLOW);
    if (error)
        aw_queue_set_outcome(queue, AW_QUEUE_LOST, -error);
    else
        report_loss(queue, AW_LOSS_OVERFLOW);
    queue->lost.overflow++;
}

/* What happened to the device is told to whoever asked, past all filters. */
static bool wants(const struct aw_queue *queue, const struct aw_frame *frame)
{
    if (frame->kind == AW_KIND_EVENT)
        return true;
    if (queue->filters_joined)
        return aw_filter_pass_all(queue->filters, queue->filter_count, frame);
    return aw_filter_pass(queue->filters, queue->filter_count, frame);
}

bool aw_queue_offer(struct aw_queue *queue, const struct aw_frame *frame)
{
    bool pushed;
    int error = 0;

    AW_ASSERT_ROLE(READER);
    if (frame->kind == AW_KIND_EVENT && !queue->events)
        return false;
    queue->received++;
    queue->dirty = true;
    if (!wants(queue, frame)) {
        queue->filtered++;
        return false;
    }
    if (aw_queue_keyed(queue))
        pushed = push_to_store(queue, frame, &error);
    else
        pushed = push_to_ring(queue, frame, &error);
    if (pushed)
        probe_enqueue(queue, frame);
    else
        drop(queue, error);
    return pushed;
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
        aw_queue_set_outcome(queue, AW_QUEUE_LOST, (int)-slots);
    if (slots < 0 || aw_queue_state(queue) != AW_QUEUE_OPEN)
        return queue->ring.depth;
    return (uint64_t)slots;
}

/* Told at once: a reader that is held up publishes nothing. */
static void begin_stall(struct aw_queue *queue)
{
    if (queue->stalled_at != 0)
        return;
    queue->stalled_at = aw_clock_monotonic_ns();
    queue->stalls++;
    publish_ledger(queue);
}

static void end_stall(struct aw_queue *queue)
{
    if (queue->stalled_at == 0)
        return;
    queue->stalled_ns += aw_clock_monotonic_ns() - queue->stalled_at;
    queue->stalled_at = 0;
    publish_ledger(queue);
}

uint64_t aw_queue_room(struct aw_queue *queue)
{
    uint64_t slots;

    AW_ASSERT_ROLE(READER);
    if (aw_queue_keyed(queue))
        return queue->latest.depth;
    if (queue->ring.evicting)
        return queue->ring.depth;
    slots = room(queue);
    if (slots == 0 && queue->room_bell >= 0) {
        /* Acquire-release: either the consumer's exchange in offer_room() comes
         * later and finds the wish, or it came before and then so did its
         * release of slots, or its finding the ring damaged, which the second
         * look sees. */
        atomic_exchange_explicit(&queue->room_wanted, true,
                                 memory_order_acq_rel);
        slots = room(queue);
    }
    if (slots == 0)
        begin_stall(queue);
    else
        end_stall(queue);
    return slots;
}

/* Frames that wait; under drop-oldest and latest without those claimed. */
static uint64_t used(struct aw_queue *queue)
{
    int64_t slots;

    if (aw_queue_keyed(queue))
        return aw_latest_used(&queue->latest);
    slots = aw_ring_room(&queue->ring);
    return slots < 0 ? 0 : queue->ring.depth - (uint64_t)slots;
}

/* With a latency budget: is this too soon after the last wake? Then it is put
 * off, unless a ring fills up. Where nobody waits there is nothing to put off:
 * who comes to wait from now on finds the frames. */
static bool put_off(struct aw_queue *queue)
{
    if (queue->budget_ns == 0 || !is_armed(queue))
        return false;
    if (!aw_queue_keyed(queue) && used(queue) >= (queue->ring.depth + 1) / 2)
        return false;
    return aw_clock_monotonic_ns() - queue->woken_ns < queue->budget_ns;
}

/* True if there is news in it. */
static bool note_high_water(struct aw_queue *queue)
{
    uint64_t waiting = used(queue);

    if (waiting <= queue->high_water)
        return false;
    queue->high_water = waiting;
    return true;
}

/* Only now do we know what was replaced, and so what waits. */
static void publish_store(struct aw_queue *queue)
{
    int result = aw_latest_publish(&queue->latest);
    bool news = queue->latest.replaced != queue->evicted;

    if (result < 0)
        aw_queue_set_outcome(queue, AW_QUEUE_LOST, -result);
    count_replaced(queue);
    if (note_high_water(queue) || news)
        publish_ledger(queue);
}

/* Makes what was pushed visible. False if nothing was. */
static bool publish_frames(struct aw_queue *queue)
{
    if (aw_queue_keyed(queue)) {
        if (queue->latest.batch_count == 0)
            return false;
        publish_store(queue);
    } else {
        if (queue->ring.published == queue->ring.head)
            return false;
        aw_ring_publish(&queue->ring);
    }
    return true;
}

void aw_queue_publish(struct aw_queue *queue)
{
    bool pushed;

    AW_ASSERT_ROLE(READER);
    if (!queue->dirty)
        return;
    queue->dirty = false;
    if (!aw_queue_keyed(queue))
        note_high_water(queue);
    /* Ahead of the frames: see read_sides() in queue.c. */
    publish_ledger(queue);
    pushed = publish_frames(queue);
    if (pushed && put_off(queue))
        queue->put_off = true;
    else if (pushed || aw_queue_state(queue) != AW_QUEUE_OPEN)
        announce(queue);
}

uint64_t aw_queue_due_ns(const struct aw_queue *queue)
{
    AW_ASSERT_ROLE(READER);
    if (!queue->put_off || queue->budget_ns > UINT64_MAX - queue->woken_ns)
        return UINT64_MAX;
    return queue->woken_ns + queue->budget_ns;
}

uint64_t aw_queue_patience(const struct aw_queue *queue)
{
    uint64_t half = (queue->ring.depth + 1) / 2, waiting;

    AW_ASSERT_ROLE(READER);
    if (!queue->put_off || !is_armed(queue) || aw_queue_keyed(queue))
        return 0;
    waiting = queue->ring.head - queue->ring.tail_seen;
    return waiting < half ? half - waiting : 0;
}

void aw_queue_wake_due(struct aw_queue *queue, uint64_t now_ns)
{
    AW_ASSERT_ROLE(READER);
    if (queue->put_off && now_ns >= aw_queue_due_ns(queue))
        announce(queue);
}

void aw_queue_finish(struct aw_queue *queue, enum aw_queue_state state,
                     int failure)
{
    AW_ASSERT_ROLE(READER);
    end_stall(queue);
    queue->dirty = true;
    aw_queue_publish(queue);
    aw_queue_set_outcome(queue, state, failure);
    announce(queue);
}
