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
                 uint32_t payload_bytes)
{
    uint64_t slot_count = power_of_two_from(depth);
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
        .fd = fd,
    };
    memcpy(ring->shared->magic, "awring1", 8);
    ring->shared->slot_count = (uint32_t)slot_count;
    ring->shared->payload_bytes = payload_bytes;
    return 0;
}

void aw_ring_deinit(struct aw_ring *ring)
{
    aw_memfd_unmap(ring->fd, ring->shared, ring->mapped_bytes);
    ring->shared = NULL;
    ring->fd = -1;
}

static struct aw_frame *slot_at(const struct aw_ring *ring, uint64_t index)
{
    void *slot = ring->slots + (index & ring->mask) * ring->slot_bytes;

    return slot;
}

int64_t aw_ring_room(struct aw_ring *ring)
{
    /* Acquire: the consumer's reads of the slots it released are done before
     * we write there. Partner: aw_ring_release(). */
    uint64_t tail =
        atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
    uint64_t used = ring->head - tail;

    /* The tail only moves towards the head. By unsigned difference: one beyond
     * the head is a huge `used`, one that went backwards is more than before.
     */
    if (used > ring->head - ring->tail_seen)
        return -EPROTO;
    ring->tail_seen = tail;
    return (int64_t)(ring->depth - used);
}

struct aw_frame *aw_ring_reserve(struct aw_ring *ring, int *ret_error)
{
    if (ring->head - ring->tail_seen >= ring->depth) {
        int64_t room = aw_ring_room(ring);

        if (room < 0)
            *ret_error = (int)room;
        if (room <= 0)
            return NULL;
    }
    return slot_at(ring, ring->head);
}

int64_t aw_ring_pending(struct aw_ring *ring)
{
    /* Sequentially consistent, which includes acquire: the frames are complete
     * before we read them. Partners: aw_ring_publish() for the data, and the
     * `armed` word in queue.c for who sees whom when both sides meet. */
    uint64_t head =
        atomic_load_explicit(&ring->shared->head, memory_order_seq_cst);
    uint64_t pending = head - ring->tail;

    /* The head only moves on, and never past a full ring. */
    if (pending > ring->depth || pending < ring->head_seen - ring->tail)
        return -EPROTO;
    ring->head_seen = head;
    return (int64_t)pending;
}

const struct aw_frame *aw_ring_at(struct aw_ring *ring, uint64_t index)
{
    if (index >= ring->head_seen - ring->tail) {
        int64_t pending = aw_ring_pending(ring);

        if (pending < 0 || index >= (uint64_t)pending)
            return NULL;
    }
    return slot_at(ring, ring->tail + index);
}
