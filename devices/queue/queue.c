#include "devices/queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"

/* The order of fields in a ledger side. */
enum producer_field {
    RECEIVED,
    FILTERED,
    DROPPED_KERNEL,
    DROPPED_OVERFLOW,
    HEAD,
    HIGH_WATER,
    WAKES,
};

enum consumer_field {
    DELIVERED,
    DROPPED_CLEARED,
    DROPPED_CLOSED,
    TAIL,
};

/* ---- any thread ---- */

static int copy_filters(struct aw_queue *queue,
                        const struct aw_queue_config *config)
{
    if (config->filter_count == 0)
        return 0;
    if (config->filter_count > AW_FILTERS_MAX)
        return -EINVAL;
    queue->filters = calloc(config->filter_count, sizeof(*queue->filters));
    if (!queue->filters)
        return -ENOMEM;
    memcpy(queue->filters, config->filters,
           config->filter_count * sizeof(*queue->filters));
    queue->filter_count = config->filter_count;
    return 0;
}

int aw_queue_new(const struct aw_queue_config *config,
                 struct aw_queue **ret_queue)
{
    struct aw_queue *queue =
        aligned_alloc(_Alignof(struct aw_queue), sizeof(*queue));
    int result;

    if (!queue)
        return -ENOMEM;
    memset(queue, 0, sizeof(*queue));
    snprintf(queue->name, sizeof(queue->name), "%s", config->name);
    snprintf(queue->device, sizeof(queue->device), "%s", config->device);
    snprintf(queue->owner, sizeof(queue->owner), "%s",
             config->owner ? config->owner : "");
    queue->overflow = config->overflow;
    queue->room_bell = -1;
    atomic_init(&queue->references, 1);
    result = copy_filters(queue, config);
    if (result == 0)
        result = aw_ring_init(&queue->ring, queue->name, config->depth,
                              config->payload_bytes);
    if (result < 0) {
        free(queue->filters);
        free(queue);
        return result;
    }
    *ret_queue = queue;
    return 0;
}

struct aw_queue *aw_queue_ref(struct aw_queue *queue)
{
    /* Relaxed: whoever calls this already holds a reference. */
    atomic_fetch_add_explicit(&queue->references, 1, memory_order_relaxed);
    return queue;
}

void aw_queue_unref(struct aw_queue *queue)
{
    /* Acquire-release: all uses by others end before the last one frees. */
    if (!queue || atomic_fetch_sub_explicit(&queue->references, 1,
                                            memory_order_acq_rel) > 1)
        return;
    aw_eventfd_close(queue->room_bell);
    aw_ring_deinit(&queue->ring);
    free(queue->filters);
    free(queue);
}

/* The consumer's side is read before and after the producer's, and must be the
 * same. Before: the reader publishes its ledger ahead of the ring's head, so
 * the tail that a consumer reached is never ahead of the head we read after it.
 * After: a consumer publishes its ledger ahead of the ring's tail, so if the
 * head we read used room that a later tail gave, the second look shows that
 * tail. Hence 0 <= pending <= depth. */
static int read_sides(const struct aw_ring_shared *shared,
                      uint64_t in[AW_LEDGER_FIELDS],
                      uint64_t out[AW_LEDGER_FIELDS])
{
    uint64_t again[AW_LEDGER_FIELDS];

    for (int attempt = 0; attempt < 1000; attempt++) {
        int result = aw_ledger_read(&shared->consumer, out);

        if (result == 0)
            result = aw_ledger_read(&shared->producer, in);
        if (result == 0)
            result = aw_ledger_read(&shared->consumer, again);
        if (result < 0)
            return result;
        if (memcmp(out, again, sizeof(again)) == 0)
            return 0;
    }
    return -EAGAIN;
}

int aw_queue_stats(const struct aw_queue *queue, struct aw_stats *ret_stats)
{
    uint64_t in[AW_LEDGER_FIELDS], out[AW_LEDGER_FIELDS];
    int result = read_sides(queue->ring.shared, in, out);

    if (result < 0)
        return result;
    *ret_stats = (struct aw_stats){
        .received = in[RECEIVED],
        .filtered = in[FILTERED],
        .delivered = out[DELIVERED],
        .pending = in[HEAD] - out[TAIL],
        .dropped_kernel = in[DROPPED_KERNEL],
        .dropped_overflow = in[DROPPED_OVERFLOW],
        .dropped_cleared = out[DROPPED_CLEARED],
        .dropped_closed = out[DROPPED_CLOSED],
        .high_water = in[HIGH_WATER],
        .wakes = in[WAKES],
    };
    return 0;
}

/* The first outcome stands. Sequentially consistent, as the publish is: an
 * armed waiter is seen by whoever announces after this, or sees this. */
static void settle(struct aw_queue *queue, enum aw_queue_state state,
                   int failure)
{
    uint32_t open = AW_QUEUE_OPEN;

    atomic_compare_exchange_strong_explicit(
        &queue->outcome, &open, (uint32_t)state | (uint32_t)failure << 8,
        memory_order_seq_cst, memory_order_relaxed);
}

/* ---- the reader ---- */

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
        [RECEIVED] = queue->received,
        [FILTERED] = queue->filtered,
        [DROPPED_KERNEL] = queue->dropped_kernel,
        [DROPPED_OVERFLOW] = queue->dropped_overflow,
        [HEAD] = queue->ring.head,
        [HIGH_WATER] = queue->high_water,
        [WAKES] = queue->wakes,
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
        settle(queue, AW_QUEUE_LOST, -error);
    else
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
        settle(queue, AW_QUEUE_LOST, (int)-slots);
    if (slots < 0 || aw_queue_state(queue) != AW_QUEUE_OPEN)
        return queue->ring.depth;
    return (uint64_t)slots;
}

uint64_t aw_queue_room(struct aw_queue *queue)
{
    uint64_t slots;

    AW_ASSERT_ROLE(READER);
    slots = room(queue);
    if (slots > 0 || queue->room_bell < 0)
        return slots;
    /* Acquire-release: either the consumer's exchange in offer_room() comes
     * later and finds the wish, or it came before and then so did its release
     * of slots, or its finding the ring damaged, which the second look sees. */
    atomic_exchange_explicit(&queue->room_wanted, true, memory_order_acq_rel);
    return room(queue);
}

static void note_high_water(struct aw_queue *queue)
{
    int64_t slots = aw_ring_room(&queue->ring);
    uint64_t used = slots < 0 ? 0 : queue->ring.depth - (uint64_t)slots;

    if (used > queue->high_water)
        queue->high_water = used;
}

void aw_queue_publish(struct aw_queue *queue)
{
    AW_ASSERT_ROLE(READER);
    if (!queue->dirty)
        return;
    queue->dirty = false;
    note_high_water(queue);
    /* Ahead of the ring: see read_sides(). */
    publish_ledger(queue);
    if (queue->published != queue->ring.head) {
        queue->published = queue->ring.head;
        aw_ring_publish(&queue->ring);
        announce(queue);
    } else if (aw_queue_state(queue) != AW_QUEUE_OPEN) {
        announce(queue);
    }
}

void aw_queue_finish(struct aw_queue *queue, enum aw_queue_state state,
                     int failure)
{
    AW_ASSERT_ROLE(READER);
    queue->dirty = true;
    aw_queue_publish(queue);
    settle(queue, state, failure);
    announce(queue);
}

/* ---- the consumer ---- */

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
    settle(queue, AW_QUEUE_LOST, EPROTO);
    offer_room(queue);
}

uint64_t aw_queue_pending(struct aw_queue *queue)
{
    int64_t pending = aw_ring_pending(&queue->ring);

    if (pending < 0 && !queue->damaged)
        give_up(queue);
    return queue->damaged ? 0 : (uint64_t)pending;
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

const struct aw_frame *aw_queue_at(struct aw_queue *queue, uint64_t index)
{
    const struct aw_frame *frame = aw_ring_at(&queue->ring, index);

    if (!frame || queue->damaged)
        return NULL;
    if (plausible(frame, queue->ring.payload_bytes))
        return frame;
    give_up(queue);
    return NULL;
}

static void release(struct aw_queue *queue, uint64_t count)
{
    struct aw_ring *ring = &queue->ring;
    const uint64_t fields[AW_LEDGER_FIELDS] = {
        [DELIVERED] = queue->delivered,
        [DROPPED_CLEARED] = queue->dropped_cleared,
        [DROPPED_CLOSED] = queue->dropped_closed,
        [TAIL] = ring->tail + count,
    };

    /* Ahead of the ring: see read_sides(). */
    aw_ledger_publish(&ring->shared->consumer, fields);
    aw_ring_release(ring, count);
    offer_room(queue);
}

void aw_queue_release(struct aw_queue *queue, uint64_t count)
{
    queue->delivered += count;
    release(queue, count);
}

uint64_t aw_queue_clear(struct aw_queue *queue)
{
    uint64_t count = aw_queue_pending(queue);

    queue->dropped_cleared += count;
    release(queue, count);
    return count;
}

uint64_t aw_queue_abandon(struct aw_queue *queue)
{
    uint64_t count = aw_queue_pending(queue);

    queue->dropped_closed += count;
    release(queue, count);
    return count;
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
