#include "devices/queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/queue_sides.h"

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

/* Under policy latest the ring is as deep as the claims may be together. */
static int make_memory(struct aw_queue *queue,
                       const struct aw_queue_config *config)
{
    uint32_t depth = config->depth;
    uint32_t payload_bytes = config->payload_bytes;

    if (queue->events && payload_bytes < sizeof(struct aw_event))
        payload_bytes = sizeof(struct aw_event);
    if (aw_queue_keyed(queue)) {
        int result =
            aw_latest_init(&queue->latest, queue->name, depth, payload_bytes);

        if (result < 0)
            return result;
        if (depth <= AW_RING_SLOTS_MAX - AW_RING_SPARE)
            depth += AW_RING_SPARE;
    }
    return aw_ring_init(&queue->ring, queue->name, depth, payload_bytes,
                        config->overflow == AW_OVERFLOW_DROP_OLDEST);
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
    queue->budget_ns = config->budget_ns;
    queue->events = config->events;
    queue->observer = config->observer;
    queue->loss_reported = config->observer;
    queue->filters_joined = config->filters_joined;
    queue->room_bell = -1;
    atomic_init(&queue->references, 1);
    queue->ring.fd = -1;
    result = copy_filters(queue, config);
    if (result == 0)
        result = make_memory(queue, config);
    if (result < 0) {
        aw_queue_unref(queue);
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
    if (aw_queue_keyed(queue))
        aw_latest_deinit(&queue->latest);
    aw_ring_deinit(&queue->ring);
    free(queue->filters);
    free(queue);
}

/* The consumer's side is read before and after the producer's, and must be the
 * same. Before: the reader publishes its ledger ahead of the ring's head, so
 * what a consumer has released is never ahead of the head we read after it.
 * After: a consumer publishes its ledger ahead of the ring's tail, so if the
 * head we read used room that a later release gave, the second look shows that
 * release. Hence 0 <= pending, and on a ring that neither evicts nor replaces
 * pending <= depth. */
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
        .received = in[AW_RECEIVED],
        .filtered = in[AW_FILTERED],
        .delivered = out[AW_DELIVERED],
        .pending = in[AW_HEAD] - in[AW_EVICTED] - out[AW_RELEASED] -
                   out[AW_SUPERSEDED],
        .dropped_kernel = in[AW_DROPPED_KERNEL],
        .dropped_overflow = in[AW_DROPPED_OVERFLOW] + out[AW_SUPERSEDED],
        .dropped_cleared = out[AW_DROPPED_CLEARED],
        .dropped_closed = out[AW_DROPPED_CLOSED],
        .high_water = in[AW_HIGH_WATER],
        .wakes = in[AW_WAKES],
        .stalls = in[AW_STALLS],
        .stalled_ns = in[AW_STALLED_NS],
    };
    return 0;
}

/* Release, as the publish is: an armed waiter is seen by whoever announces
 * after this, or sees this. Relaxed on failure: nothing is read. */
void aw_queue_set_outcome(struct aw_queue *queue, enum aw_queue_state state,
                          int failure)
{
    uint32_t open = AW_QUEUE_OPEN;

    atomic_compare_exchange_strong_explicit(
        &queue->outcome, &open, (uint32_t)state | (uint32_t)failure << 8,
        memory_order_release, memory_order_relaxed);
}

void aw_queue_end(struct aw_queue *queue)
{
    aw_queue_set_outcome(queue, AW_QUEUE_CLOSED, 0);
}
