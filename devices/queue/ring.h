/* The ring: frames from one producer thread to one consumer.
 *
 * Slots of one size lie in a memfd behind a header of indices and ledgers, with
 * no pointer anywhere, so that a ring can be handed to another process and can
 * outlive the one that made it. Indices count frames and never wrap in
 * practice (64 bits); a slot is `index % slot_count`. What the other side wrote
 * is checked before it is used: an index that went backwards, or further than
 * it could, gives -EPROTO, never a wild access. Each side keeps the other's
 * index cached and reads it again only when the cache says full, or empty.
 *
 * An evicting ring always takes the next frame: it throws away its oldest one
 * when `depth` are there. So both sides take from its old end, and no lock
 * keeps them apart. Why no frame is read while it is written:
 *
 *  1. A frame is taken, by either side, with a compare-and-swap that moves
 *     `cursor` over it. So it is claimed or evicted, never both, and what lies
 *     behind the cursor is nobody's to take any more.
 *  2. The ring has more slots than `depth`, and the producer keeps head -
 *     cursor at `depth` at most. So when it comes to write frame h, it has seen
 *     the cursor beyond the frame o = h - slots that lay in this slot before.
 *  3. A consumer with no claim announces in `tail`, before it moves the cursor,
 *     a frame no younger than what it will claim. If o was claimed, the
 *     producer, which has seen the cursor beyond o (acquire) and then looks at
 *     `tail`, finds that announcement or a later one. One that is at o or
 *     older: the claim may last, and the slot is left alone. One that is
 *     younger, or AW_RING_NONE: it was written (release) after o was released,
 *     and the slot is free.
 *  4. If o was not claimed by then it was evicted, and will never be claimed.
 *     Hence all frames older than both the cursor and the `tail` that was read
 *     after it are free for good: the producer looks once for many frames.
 *
 * While a claim holds the slot the producer neither writes nor evicts: the ring
 * then refuses the newest frame. So an announced consumer sees the cursor move
 * at most about once for each slot before its compare-and-swap succeeds: it is
 * wait-free, and the producer, which tries once a frame, is as well.
 *
 * Frames may be evicted before they were published, when a batch is larger than
 * the ring: the cursor is beyond the published head then, and for the consumer
 * the ring is empty.
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
#include "devices/queue/latency.h"
#include "devices/queue/ledger.h"

#define AW_RING_SLOTS_MAX (UINT32_C(1) << 24)

/* Slots that an evicting ring has at least beyond its depth, for the frames of
 * an unfinished claim. The explorer builds with fewer. */
#ifndef AW_RING_SPARE
#define AW_RING_SPARE 64u
#endif

#define AW_RING_NONE UINT64_MAX

/* What lies at the start of the memfd. */
struct aw_ring_shared {
    char magic[8]; /* "awring1" */
    uint32_t slot_count;
    uint32_t payload_bytes;
    _Alignas(64) _Atomic uint64_t head; /* frames published; the producer's */
    /* Frames released, the consumer's. On an evicting ring: the oldest frame
     * that the consumer may be reading, or AW_RING_NONE. */
    _Alignas(64) _Atomic uint64_t tail;
    /* Evicting: the oldest frame that is nobody's; moved by both. */
    _Alignas(64) _Atomic uint64_t cursor;
    struct aw_ledger_side producer;
    struct aw_ledger_side consumer;
    /* By stage: the first is the producer's, the second the consumer's. */
    struct aw_latency latency[AW_LATENCY_STAGES];
};

/* What was lost before a frame in all, since the queue was made: at the end of
 * each slot of an evicting ring, so that the losses told to an evicted frame
 * can be told to the next one that is claimed. */
struct aw_sums {
    uint64_t kernel;
    uint64_t overflow;
    uint64_t away; /* how often the device was: no frames */
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
    bool evicting;
    int fd;
    /* The producer's own cache line. */
    _Alignas(64) uint64_t head; /* next to reserve, published or not */
    uint64_t published;         /* the head as the consumer sees it */
    uint64_t tail_seen;         /* on an evicting ring, the cursor */
    uint64_t free_until; /* evicting: all frames before it are done with */
    uint64_t evicted;    /* frames thrown away by the producer */
    /* The consumer's own cache line. */
    _Alignas(64) uint64_t tail; /* oldest frame not released */
    uint64_t cursor;            /* oldest frame not claimed, as last seen */
    uint64_t head_seen;
    uint64_t claimed;  /* frames claimed and not yet released */
    uint64_t released; /* frames given back, for the ledger */
};

/* Makes an empty ring of `depth` slots (1..AW_RING_SLOTS_MAX) with room for
 * `payload_bytes` (at most AW_PAYLOAD_MAX) each. Returns 0, -EINVAL, or why the
 * memory could not be had. Any thread. */
int aw_ring_init(struct aw_ring *ring, const char *name, uint32_t depth,
                 uint32_t payload_bytes, bool evicting);

/* Unmaps it. Neither side may use it any more. */
void aw_ring_deinit(struct aw_ring *ring);

/* ---- producer ---- */

/* The next free slot, to be filled and committed; NULL when there is none. An
 * evicting ring makes room by throwing away the oldest frame that nobody has
 * claimed, and has none only when a claim holds the slot. Sets `*ret_error` to
 * -EPROTO (else leaves it) when the consumer's index is impossible. */
struct aw_frame *aw_ring_reserve(struct aw_ring *ring, int *ret_error);

/* The reserved slot holds a frame: it goes out with the next publish. */
static inline void aw_ring_commit(struct aw_ring *ring)
{
    assert(ring->head - ring->tail_seen < ring->depth);
    ring->head++;
}

/* Makes all committed frames visible to the consumer, in one store. Release:
 * the frames before the head that counts them. Partner: aw_ring_pending(). */
static inline void aw_ring_publish(struct aw_ring *ring)
{
    ring->published = ring->head;
    atomic_store_explicit(&ring->shared->head, ring->head,
                          memory_order_release);
}

/* Slots free without evicting, reading the consumer's index afresh; there may
 * be more a moment later. Or -EPROTO. */
int64_t aw_ring_room(struct aw_ring *ring);

/* ---- consumer ---- */

/* Frames that can be claimed now, reading the producer's index afresh, or
 * -EPROTO. On an evicting ring there may be fewer a moment later. */
int64_t aw_ring_pending(struct aw_ring *ring);

/* Claims at most `count` of the oldest frames that nobody has: they stay until
 * they are released. `*ret_index` is the first one's. Returns how many, 0 if
 * there are none, or -EPROTO. */
int64_t aw_ring_claim(struct aw_ring *ring, uint64_t count,
                      uint64_t *ret_index);

/* The slot of a claimed frame. `length` and `kind` come from memory that
 * another process may share: bound them before use, as aw_queue_at() does. */
static inline struct aw_frame *aw_ring_slot(const struct aw_ring *ring,
                                            uint64_t index)
{
    void *slot = ring->slots + (index & ring->mask) * ring->slot_bytes;

    return slot;
}

/* Where the sums of a slot of an evicting ring lie. The producer's while the
 * slot is reserved, the consumer's while it is claimed. */
static inline struct aw_sums *aw_ring_sums(const struct aw_ring *ring,
                                           uint64_t index)
{
    void *sums = ring->slots + ((index & ring->mask) + 1) * ring->slot_bytes -
                 sizeof(struct aw_sums);

    assert(ring->evicting);
    return sums;
}

/* Gives every claimed slot before `index` back to the producer, in one store;
 * `count` of them were claimed (on an evicting ring others lay between). What
 * was claimed from `index` on stays claimed. */
void aw_ring_release(struct aw_ring *ring, uint64_t index, uint64_t count);

#endif
