#include "devices/queue/ring.h"

#include <errno.h>
#include <string.h>

#include "devices/queue/memfd.h"

static uint64_t power_of_two_from(uint64_t count)
{
    uint64_t power = 1;

    while (power < count)
        power <<= 1;
    return power;
}

int aw_ring_init(struct aw_ring *ring, const char *name, uint32_t depth,
                 uint32_t payload_bytes, bool evicting)
{
    uint64_t slot_count =
        power_of_two_from((uint64_t)depth + (evicting ? AW_RING_SPARE : 0));
    size_t slot_bytes = aw_slot_bytes(payload_bytes);
    size_t bytes = sizeof(struct aw_ring_shared) + slot_count * slot_bytes;
    void *memory;
    int fd, result;

    /* The bounds keep `bytes` far from overflow. */
    if (depth == 0 || depth > AW_RING_SLOTS_MAX ||
        payload_bytes > AW_PAYLOAD_MAX)
        return -EINVAL;
    result = aw_memfd_map(name, bytes, &fd, &memory);
    if (result < 0)
        return result;
    *ring = (struct aw_ring){
        .shared = memory,
        .slots = (unsigned char *)memory + sizeof(struct aw_ring_shared),
        .slot_bytes = slot_bytes,
        .mapped_bytes = bytes,
        .mask = slot_count - 1,
        .depth = depth,
        .payload_bytes = payload_bytes,
        .evicting = evicting,
        .fd = fd,
    };
    memcpy(ring->shared->magic, "awring1", 8);
    ring->shared->slot_count = (uint32_t)slot_count;
    ring->shared->payload_bytes = payload_bytes;
    atomic_init(&ring->shared->tail, evicting ? AW_RING_NONE : 0);
    return 0;
}

void aw_ring_deinit(struct aw_ring *ring)
{
    aw_memfd_unmap(ring->fd, ring->shared, ring->mapped_bytes);
    ring->shared = NULL;
    ring->fd = -1;
}

/* ---- producer ---- */

int64_t aw_ring_room(struct aw_ring *ring)
{
    /* Acquire: the consumer's reads of the slots it released are done before
     * we write there. Partner: aw_ring_release(). On an evicting ring the
     * cursor, for which step 3 of ring.h needs the acquire as well. */
    uint64_t tail = atomic_load_explicit(ring->evicting ? &ring->shared->cursor
                                                        : &ring->shared->tail,
                                         memory_order_acquire);
    uint64_t used = ring->head - tail;

    /* It only moves towards the head. By unsigned difference: one beyond the
     * head is a huge `used`, one that went backwards is more than before. */
    if (used > ring->head - ring->tail_seen)
        return -EPROTO;
    ring->tail_seen = tail;
    return (int64_t)(ring->depth - used);
}

/* May frame `head` be written into its slot? Step 2 of ring.h: the cursor has
 * been seen beyond the slot's frame, since head - tail_seen <= depth < slots.
 */
static bool slot_is_free(const struct aw_ring *ring)
{
    uint64_t slots = ring->mask + 1, tail;

    if (ring->head < slots)
        return true;
    /* Sequentially consistent, behind the load or exchange that showed the
     * cursor. Partner: the store in claim_evicting(). */
    tail = atomic_load_explicit(&ring->shared->tail, memory_order_seq_cst);
    return tail == AW_RING_NONE || tail > ring->head - slots;
}

/* Throws the oldest frame away, unless the consumer has just claimed it: either
 * way there is room. */
static int evict(struct aw_ring *ring)
{
    uint64_t oldest = ring->tail_seen;

    if (atomic_compare_exchange_strong_explicit(
            &ring->shared->cursor, &oldest, oldest + 1, memory_order_seq_cst,
            memory_order_seq_cst)) {
        ring->evicted++;
        ring->tail_seen++;
        /* Relaxed: a sum for `lost_before`, in no order with anything. */
        atomic_fetch_add_explicit(&ring->shared->evicted_lost,
                                  aw_ring_slot(ring, oldest)->lost_before,
                                  memory_order_relaxed);
        return 0;
    }
    return aw_ring_room(ring) > 0 ? 0 : -EPROTO;
}

static struct aw_frame *reserve_evicting(struct aw_ring *ring, int *ret_error)
{
    if (ring->head - ring->tail_seen >= ring->depth) {
        int64_t room = aw_ring_room(ring);
        int result = room < 0 ? (int)room : 0;

        if (!slot_is_free(ring))
            return NULL;
        if (room == 0)
            result = evict(ring);
        if (result < 0) {
            *ret_error = result;
            return NULL;
        }
    }
    return slot_is_free(ring) ? aw_ring_slot(ring, ring->head) : NULL;
}

struct aw_frame *aw_ring_reserve(struct aw_ring *ring, int *ret_error)
{
    if (ring->evicting)
        return reserve_evicting(ring, ret_error);
    if (ring->head - ring->tail_seen >= ring->depth) {
        int64_t room = aw_ring_room(ring);

        if (room < 0)
            *ret_error = (int)room;
        if (room <= 0)
            return NULL;
    }
    return aw_ring_slot(ring, ring->head);
}

/* ---- consumer ---- */

int64_t aw_ring_pending(struct aw_ring *ring)
{
    /* Sequentially consistent, which includes acquire: the frames are complete
     * before we read them. Partners: aw_ring_publish() for the data, and the
     * `armed` word in queue.h for who sees whom when both sides meet. */
    uint64_t head =
        atomic_load_explicit(&ring->shared->head, memory_order_seq_cst);
    uint64_t cursor = ring->cursor;

    /* Sequentially consistent: see step 3 of ring.h. */
    if (ring->evicting)
        cursor =
            atomic_load_explicit(&ring->shared->cursor, memory_order_seq_cst);
    /* Both only move on, and the head never past a full ring. */
    if (head < ring->head_seen || cursor < ring->cursor ||
        (cursor <= head && head - cursor > ring->mask + 1))
        return -EPROTO;
    ring->head_seen = head;
    ring->cursor = cursor;
    /* The producer may evict frames that it has not published yet. */
    return cursor < head ? (int64_t)(head - cursor) : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Steps 1 and 3 of ring.h. A try that fails has lost frames to the producer,
 * which evicts only to push newer ones: somebody always gets on. */
static int64_t claim_evicting(struct aw_ring *ring, uint64_t count,
                              uint64_t *ret_index)
{
    bool first = ring->claimed == 0;

    for (;;) {
        int64_t pending = aw_ring_pending(ring);
        uint64_t cursor = ring->cursor;

        if (first)
            ring->tail = cursor;
        if (pending <= 0) {
            if (first)
                atomic_store_explicit(&ring->shared->tail, AW_RING_NONE,
                                      memory_order_release);
            return pending;
        }
        count = least(count, (uint64_t)pending);
        if (first)
            atomic_store_explicit(&ring->shared->tail, cursor,
                                  memory_order_seq_cst);
        if (atomic_compare_exchange_strong_explicit(
                &ring->shared->cursor, &cursor, cursor + count,
                memory_order_seq_cst, memory_order_seq_cst)) {
            *ret_index = cursor;
            ring->cursor = cursor + count;
            ring->claimed += count;
            return (int64_t)count;
        }
    }
}

int64_t aw_ring_claim(struct aw_ring *ring, uint64_t count, uint64_t *ret_index)
{
    uint64_t there;

    if (ring->evicting)
        return claim_evicting(ring, count, ret_index);
    there = ring->head_seen - ring->cursor;
    if (there < count) {
        int64_t pending = aw_ring_pending(ring);

        if (pending <= 0)
            return pending;
        there = (uint64_t)pending;
    }
    count = least(count, there);
    *ret_index = ring->cursor;
    ring->cursor += count;
    ring->claimed += count;
    return (int64_t)count;
}

void aw_ring_release(struct aw_ring *ring, uint64_t index, uint64_t count)
{
    bool none;

    assert(index >= ring->tail && index <= ring->cursor);
    assert(count <= ring->claimed);
    ring->tail = index;
    ring->claimed -= count;
    ring->released += count;
    none = ring->evicting && ring->claimed == 0;
    /* Release: our reads of the slots end before the producer may refill them.
     * Partner: aw_ring_room(), or slot_is_free(). */
    atomic_store_explicit(&ring->shared->tail, none ? AW_RING_NONE : index,
                          memory_order_release);
}
