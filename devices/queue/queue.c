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
    aw_ring_deinit(&queue->ring);
    free(queue->filters);
    free(queue);
}

int aw_queue_stats(const struct aw_queue *queue, struct aw_stats *ret_stats)
{
    const struct aw_ring_shared *shared = queue->ring.shared;
    uint64_t in[AW_LEDGER_FIELDS], out[AW_LEDGER_FIELDS];
    /* The consumer's side first: see ledger.h. */
    int result = aw_ledger_read(&shared->consumer, out);

    if (result == 0)
        result = aw_ledger_read(&shared->producer, in);
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

static void push(struct aw_queue *queue, struct aw_frame *slot,
                 const struct aw_frame *frame)
{
    size_t bytes = aw_frame_bytes(frame);
    size_t room = sizeof(*slot) + queue->ring.payload_bytes;

    memcpy(slot, frame, bytes < room ? bytes : room);
    if (bytes > room) {
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

static void fail(struct aw_queue *queue, int failure)
{
    int open = AW_QUEUE_OPEN;

    atomic_store_explicit(&queue->failure, failure, memory_order_relaxed);
    /* Release: the failure before the state. Partner: aw_queue_state(). */
    atomic_compare_exchange_strong_explicit(&queue->state, &open,
                                            AW_QUEUE_LOST, memory_order_seq_cst,
                                            memory_order_relaxed);
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
    if (error)
        fail(queue, -error);
    queue->dropped_overflow++;
    aw_queue_gap(queue, 1, AW_LOSS_OVERFLOW);
    report_loss(queue, AW_LOSS_OVERFLOW);
}

void aw_queue_set_bell(struct aw_queue *queue, int bell)
{
    queue->room_bell = bell;
}

static uint64_t room(struct aw_queue *queue)
{
    int64_t slots = aw_ring_room(&queue->ring);

    return slots < 0 ? 0 : (uint64_t)slots;
}

uint64_t aw_queue_room(struct aw_queue *queue)
{
    uint64_t slots = room(queue);

    if (slots > 0 || queue->room_bell < 0)
        return slots;
    /* Acquire-release: either the consumer's exchange in offer_room() comes
     * later and finds the wish, or it came before and then so did its release
     * of slots, which the second look sees. */
    atomic_exchange_explicit(&queue->room_wanted, true, memory_order_acq_rel);
    return room(queue);
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

static void announce(struct aw_queue *queue)
{
    struct aw_waker *waker = take_armed(queue);

    if (!waker)
        return;
    queue->wakes++;
    aw_waker_announce(waker, queue);
}

void aw_queue_publish(struct aw_queue *queue)
{
    uint64_t used;

    AW_ASSERT_ROLE(READER);
    if (!queue->dirty)
        return;
    queue->dirty = false;
    used = queue->ring.depth - room(queue);
    if (used > queue->high_water)
        queue->high_water = used;
    publish_ledger(queue);
    aw_ring_publish(&queue->ring);
    announce(queue);
}

void aw_queue_finish(struct aw_queue *queue, enum aw_queue_state state,
                     int failure)
{
    int open = AW_QUEUE_OPEN;

    AW_ASSERT_ROLE(READER);
    queue->dirty = true;
    aw_queue_publish(queue);
    if (state == AW_QUEUE_LOST) {
        fail(queue, failure);
    } else {
        /* Sequentially consistent, as the publish: an armed waiter must be
         * seen, or see this. */
        atomic_compare_exchange_strong_explicit(
            &queue->state, &open, (int)state, memory_order_seq_cst,
            memory_order_relaxed);
    }
    announce(queue);
}

/* ---- the consumer ---- */

uint64_t aw_queue_pending(struct aw_queue *queue)
{
    int64_t pending = aw_ring_pending(&queue->ring);

    if (pending < 0) {
        fail(queue, (int)-pending);
        return 0;
    }
    return (uint64_t)pending;
}

const struct aw_frame *aw_queue_at(struct aw_queue *queue, uint64_t index)
{
    const struct aw_frame *frame = aw_ring_at(&queue->ring, index);

    if (frame && frame->length > queue->ring.payload_bytes) {
        fail(queue, EPROTO);
        return NULL;
    }
    return frame;
}

/* The reader of a paced device may be waiting for the room just made. Partner:
 * the exchange in aw_queue_room(). */
static void offer_room(struct aw_queue *queue)
{
    if (queue->room_bell >= 0 &&
        atomic_exchange_explicit(&queue->room_wanted, false,
                                 memory_order_acq_rel))
        aw_eventfd_ring(queue->room_bell);
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
        atomic_load_explicit(&queue->state, memory_order_seq_cst) ==
            AW_QUEUE_OPEN)
        return true;
    aw_queue_disarm(queue);
    return false;
}

void aw_queue_disarm(struct aw_queue *queue)
{
    atomic_exchange_explicit(&queue->armed, NULL, memory_order_seq_cst);
}
