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

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int aw_ring_init(struct aw_ring *ring, const char *name, uint32_t depth,
                 uint32_t payload_bytes, bool evicting)
{
    uint64_t slot_count =
        power_of_two_from((uint64_t)depth + (evicting ? AW_RING_SPARE : 0));
    size_t slot_bytes =
        aw_slot_bytes(payload_bytes) + (evicting ? sizeof(struct aw_sums) : 0);
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
     * cursor, for which step 3 of ring.h needs the acquire as well; partner:
     * the compare-exchange in swap_cursor(). */
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

/* May the next frame be written into its slot? Steps 3 and 4 of ring.h. */
static bool slot_is_free(struct aw_ring *ring)
{
    uint64_t tail;

    if (ring->head - ring->free_until <= ring->mask)
        return true;
    /* Acquire: the consumer's reads of the slots it released are done before
     * we write there. Behind the acquire that showed the cursor. Partners: the
     * stores in announce_claim(), settle_tail() and aw_ring_release(). */
    tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
    ring->free_until = least(tail, ring->tail_seen);
    return ring->head - ring->free_until <= ring->mask;
}

/* Throws the oldest frame away, unless the consumer has just claimed it: either
 * way there is room. */
static int evict(struct aw_ring *ring)
{
    uint64_t oldest = ring->tail_seen;

    /* Acquire: step 3 of ring.h. Release: nothing of ours, but the consumer's
     * claims before it stay visible to whoever acquires the cursor. Failure
     * needs no order: aw_ring_room() looks again. */
    if (!atomic_compare_exchange_strong_explicit(
            &ring->shared->cursor, &oldest, oldest + 1, memory_order_acq_rel,
            memory_order_relaxed))
        return aw_ring_room(ring) > 0 ? 0 : -EPROTO;
    ring->evicted++;
    ring->tail_seen++;
    return 0;
}

/* The slot is looked at first: nothing is evicted for a frame that is refused.
 * If there is no room, the cursor is behind the slot's old frame already. */
static struct aw_frame *reserve_evicting(struct aw_ring *ring, int *ret_error)
{
    int64_t room = 1;
    int result = 0;

    if (ring->head - ring->tail_seen >= ring->depth)
        room = aw_ring_room(ring);
    if (room < 0)
        result = (int)room;
    else if (!slot_is_free(ring))
        return NULL;
    else if (room == 0)
        result = evict(ring);
    if (result < 0) {
        *ret_error = result;
        return NULL;
    }
    return aw_ring_slot(ring, ring->head);
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

static int64_t check_pending(struct aw_ring *ring, uint64_t head,
                             uint64_t cursor)
{
    uint64_t oldest = ring->evicting ? cursor : ring->tail;

    /* Both only move on, and the head never past a full ring. */
    if (head < ring->head_seen || cursor < ring->cursor ||
        (oldest <= head && head - oldest > ring->depth))
        return -EPROTO;
    ring->head_seen = head;
    ring->cursor = cursor;
    return cursor < head ? (int64_t)(head - cursor) : 0;
}

int64_t aw_ring_pending(struct aw_ring *ring)
{
    /* Acquire: the frames are complete before we read them. Partner:
     * aw_ring_publish(). */
    uint64_t head =
        atomic_load_explicit(&ring->shared->head, memory_order_acquire);
    uint64_t cursor = ring->cursor;

    while (ring->evicting) {
        /* Acquire: keeps the second look at the head behind it. Partner: the
         * compare-exchange in evict(). */
        cursor =
            atomic_load_explicit(&ring->shared->cursor, memory_order_acquire);
        if (cursor <= head)
            break;
        /* The producer has evicted past the head we saw. If it has not
         * published more than it evicted, there is nothing at this moment;
         * else it got on, and we look again. As above for the order. */
        head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
        if (head <= cursor)
            break;
    }
    return check_pending(ring, head, cursor);
}

/* Step 3 of ring.h, for a consumer that has no claim. */
static void announce_claim(struct aw_ring *ring)
{
    if (ring->claimed > 0)
        return;
    ring->tail = ring->cursor;
    /* Release: our reads of what was claimed before are done. That the producer
     * sees it, if it sees the cursor moved, is by the release of the
     * compare-exchange that moves it. Partner: slot_is_free(). */
    atomic_store_explicit(&ring->shared->tail, ring->tail,
                          memory_order_release);
}

/* What was announced was cautious: now we know what we have claimed. */
static void settle_tail(struct aw_ring *ring, uint64_t tail)
{
    if (ring->claimed > 0 || ring->tail == tail)
        return;
    ring->tail = tail == AW_RING_NONE ? ring->cursor : tail;
    /* Release: as in aw_ring_release(). Partner: slot_is_free(). */
    atomic_store_explicit(&ring->shared->tail, tail, memory_order_release);
}

/* Moves the cursor over at most `count` frames. Returns how many; 0 if the
 * producer has evicted all that had been seen. */
static uint64_t swap_cursor(struct aw_ring *ring, uint64_t count)
{
    uint64_t cursor = ring->cursor;

    while (cursor < ring->head_seen) {
        uint64_t claimed = least(count, ring->head_seen - cursor);
        /* Release: the announcement before it. Acquire on failure: we go on
         * with what the producer wrote. Partner: evict(), aw_ring_room(). */
        bool moved = atomic_compare_exchange_strong_explicit(
            &ring->shared->cursor, &cursor, cursor + claimed,
            memory_order_acq_rel, memory_order_acquire);

        if (moved) {
            ring->cursor = cursor;
            return claimed;
        }
        if (cursor < ring->cursor)
            break; /* backwards: the next look at it says so */
    }
    return 0;
}

static int64_t claim_evicting(struct aw_ring *ring, uint64_t count,
                              uint64_t *ret_index)
{
    int64_t pending = aw_ring_pending(ring);
    uint64_t claimed = 0;

    if (pending <= 0)
        return pending;
    announce_claim(ring);
    /* Ends, since an announced claim stops the producer: see ring.h. */
    while (pending > 0) {
        claimed = swap_cursor(ring, count);
        if (claimed > 0)
            break;
        pending = aw_ring_pending(ring);
    }
    settle_tail(ring, claimed > 0 ? ring->cursor : AW_RING_NONE);
    if (claimed == 0)
        return pending;
    *ret_index = ring->cursor;
    ring->cursor += claimed;
    ring->claimed += claimed;
    return (int64_t)claimed;
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
