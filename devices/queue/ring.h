/* The ring: frames from one producer thread to one consumer, wait-free.
 *
 * Slots of one size lie in a memfd behind a header of indices and ledgers, with
 * no pointer anywhere, so that a ring can be handed to another process and can
 * outlive the one that made it. Indices count frames and never wrap in
 * practice (64 bits); a slot is `index % slot_count`. What the other side wrote
 * is checked before it is used: an index that went backwards, or further than
 * it could, gives -EPROTO, never a wild access. Each side keeps the other's
 * index cached and reads it again only when the cache says full, or empty.
 *
 * Not in here: filters, overflow policies and counting (queue.h), waking
 * (waker.h). */
#ifndef AW_RING_H
#define AW_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/frame.h"
#include "devices/queue/ledger.h"

#define AW_RING_SLOTS_MAX (UINT32_C(1) << 24)

/* What lies at the start of the memfd. */
struct aw_ring_shared {
    char magic[8]; /* "awring1" */
    uint32_t slot_count;
    uint32_t payload_bytes;
    _Alignas(64) _Atomic uint64_t head; /* frames published; the producer's */
    _Alignas(64) _Atomic uint64_t tail; /* frames released; the consumer's */
    struct aw_ledger_side producer;
    struct aw_ledger_side consumer;
};

struct aw_ring {
    /* Set once. The counts are our own copies: the shared ones are not
     * trusted again. */
    struct aw_ring_shared *shared;
    unsigned char *slots;
    size_t slot_bytes;
    size_t mapped_bytes;
    uint64_t mask;  /* slots in memory less one; a power of two */
    uint64_t depth; /* slots in use, at most mask + 1 */
    uint32_t payload_bytes;
    int fd;
    /* The producer's own cache line. */
    _Alignas(64) uint64_t head; /* next to reserve, published or not */
    uint64_t tail_seen;
    /* The consumer's own cache line. */
    _Alignas(64) uint64_t tail;
    uint64_t head_seen;
};

/* Makes an empty ring of `depth` slots (1..AW_RING_SLOTS_MAX) with room for
 * `payload_bytes` (at most AW_PAYLOAD_MAX) each. Returns 0, -EINVAL, or why the
 * memory could not be had. Any thread. */
int aw_ring_init(struct aw_ring *ring, const char *name, uint32_t depth,
                 uint32_t payload_bytes);

/* Unmaps it. Neither side may use it any more. */
void aw_ring_deinit(struct aw_ring *ring);

/* ---- producer ---- */

/* The next free slot, to be filled and committed; NULL when all `depth` slots
 * hold frames. Sets `*ret_error` to -EPROTO (else leaves it) when the
 * consumer's index is impossible. */
struct aw_frame *aw_ring_reserve(struct aw_ring *ring, int *ret_error);

/* The reserved slot holds a frame: it goes out with the next publish. */
static inline void aw_ring_commit(struct aw_ring *ring)
{
    assert(ring->head - ring->tail_seen < ring->depth);
    ring->head++;
}

/* Makes all committed frames visible to the consumer, in one store. The store
 * is sequentially consistent: see aw_queue_publish() for what it orders. */
static inline void aw_ring_publish(struct aw_ring *ring)
{
    atomic_store_explicit(&ring->shared->head, ring->head,
                          memory_order_seq_cst);
}

/* Free slots, reading the consumer's index afresh; there may be more a moment
 * later. Or -EPROTO. */
int64_t aw_ring_room(struct aw_ring *ring);

/* ---- consumer ---- */

/* Frames that can be taken now, reading the producer's index afresh, or
 * -EPROTO. */
int64_t aw_ring_pending(struct aw_ring *ring);

/* The `index`-th pending frame (0: the oldest), or NULL if it is not there. The
 * pointer is good until the frame is released. `length` and `kind` come from
 * memory that another process may share: bound them before use, as
 * aw_queue_at() does. */
const struct aw_frame *aw_ring_at(struct aw_ring *ring, uint64_t index);

/* Gives the `count` oldest slots back to the producer, in one store; `count`
 * must not exceed what aw_ring_pending() or aw_ring_at() have shown. */
static inline void aw_ring_release(struct aw_ring *ring, uint64_t count)
{
    assert(count <= ring->head_seen - ring->tail);
    ring->tail += count;
    /* Release: our reads of the slots end before the producer may refill them.
     * Partner: the acquire of `tail` in aw_ring_reserve(). */
    atomic_store_explicit(&ring->shared->tail, ring->tail,
                          memory_order_release);
}

#endif
