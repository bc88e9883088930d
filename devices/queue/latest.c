#include "devices/queue/latest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "devices/queue/memfd.h"

/* The middle word. */
#define SLOT_MASK UINT32_C(3)
#define FRESH     UINT32_C(4)

/* Of an entry's three slots, who has which at first. The front's is 0, so that
 * the consumer's side of an entry starts as zeros. */
#define FIRST_MIDDLE 1u
#define FIRST_BACK   2u

/* Rounds up to a cache line. */
static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static uint64_t power_of_two_from(uint64_t count)
{
    uint64_t power = 1;

    while (power < count)
        power <<= 1;
    return power;
}

static int map(struct aw_latest *latest, const char *name)
{
    size_t entries_at = lines(sizeof(struct aw_latest_shared));
    size_t cells_at =
        entries_at + lines(latest->depth * sizeof(struct aw_latest_entry));
    size_t fifo_at =
        cells_at + lines((latest->cell_mask + 1) * sizeof(latest->cells[0]));
    size_t slots_at =
        fifo_at + lines((latest->fifo_mask + 1) * sizeof(latest->fifo[0]));
    unsigned char *start;
    void *memory;
    int result;

    latest->mapped_bytes = slots_at + 3 * latest->depth * latest->slot_bytes;
    result = aw_memfd_map(name, latest->mapped_bytes, &latest->fd, &memory);
    if (result < 0)
        return result;
    start = memory;
    latest->shared = memory;
    latest->entries = (void *)(start + entries_at);
    latest->cells = (void *)(start + cells_at);
    latest->fifo = (void *)(start + fifo_at);
    latest->slots = start + slots_at;
    return 0;
}

static void describe(struct aw_latest *latest)
{
    struct aw_latest_shared *shared = latest->shared;

    /* Without a seed it works as well, for senders who mean no harm. */
    if (getrandom(&latest->hash_seed, sizeof(latest->hash_seed),
                  GRND_NONBLOCK) < 0)
        latest->hash_seed = (uintptr_t)shared;
    memcpy(shared->magic, "awlast1", 8);
    shared->depth = latest->depth;
    shared->payload_bytes = latest->payload_bytes;
    shared->hash_seed = latest->hash_seed;
}

int aw_latest_init(struct aw_latest *latest, const char *name, uint32_t depth,
                   uint32_t payload_bytes)
{
    int result;

    if (depth == 0 || depth > AW_RING_SLOTS_MAX ||
        payload_bytes > AW_PAYLOAD_MAX)
        return -EINVAL;
    *latest = (struct aw_latest){
        .slot_bytes =
            aw_slot_bytes(payload_bytes) + sizeof(struct aw_latest_tag),
        .cell_mask = power_of_two_from((uint64_t)depth * 2) - 1,
        .fifo_mask = power_of_two_from(depth) - 1,
        .depth = depth,
        .payload_bytes = payload_bytes,
        .fd = -1,
        .backs = calloc(depth, sizeof(*latest->backs)),
        .batch = calloc(depth, sizeof(*latest->batch)),
        .fronts = calloc(depth, sizeof(*latest->fronts)),
    };
    if (latest->backs && latest->batch && latest->fronts)
        result = map(latest, name);
    else
        result = -ENOMEM;
    if (result < 0)
        aw_latest_deinit(latest);
    else
        describe(latest);
    return result;
}

void aw_latest_deinit(struct aw_latest *latest)
{
    if (latest->shared)
        aw_memfd_unmap(latest->fd, latest->shared, latest->mapped_bytes);
    free(latest->backs);
    free(latest->batch);
    free(latest->fronts);
    *latest = (struct aw_latest){.fd = -1};
}

static struct aw_frame *slot_of(const struct aw_latest *latest, uint32_t entry,
                                uint32_t slot)
{
    void *frame =
        latest->slots + ((size_t)entry * 3 + slot) * latest->slot_bytes;

    return frame;
}

static struct aw_latest_tag *tag_of(const struct aw_latest *latest,
                                    uint32_t entry, uint32_t slot)
{
    void *tag = (unsigned char *)slot_of(latest, entry, slot) +
                latest->slot_bytes - sizeof(struct aw_latest_tag);

    return tag;
}

/* ---- the table ---- */

/* The mixer of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
    return value ^ (value >> 31);
}

static uint64_t hash(const struct aw_latest *latest, const struct aw_key *key)
{
    uint64_t value = latest->hash_seed;

    for (int i = 0; i < 4; i++)
        value = mix(value + key->words[i] + 0x9E3779B97F4A7C15);
    return value;
}

/* The cell that holds the key, or the empty one where it belongs. The table is
 * at most half full, so there is one, unless it was tampered with: then NULL.
 * Either side. */
static _Atomic uint32_t *find(const struct aw_latest *latest,
                              const struct aw_key *key, uint32_t *ret_entry)
{
    uint64_t place = hash(latest, key);

    for (uint64_t i = 0; i <= latest->cell_mask; i++, place++) {
        _Atomic uint32_t *cell = &latest->cells[place & latest->cell_mask];
        /* Acquire: the key, and for the consumer the entry's first state.
         * Partner: the store in add_entry(). */
        uint32_t entry = atomic_load_explicit(cell, memory_order_acquire);

        *ret_entry = entry - 1;
        if (entry == 0)
            return cell;
        if (entry > latest->depth)
            return NULL;
        if (aw_key_equal(&latest->entries[entry - 1].key, key))
            return cell;
    }
    return NULL;
}

/* ---- producer ---- */

static uint32_t add_entry(struct aw_latest *latest, const struct aw_key *key,
                          _Atomic uint32_t *cell)
{
    uint32_t number = latest->entry_count++;
    struct aw_latest_entry *entry = &latest->entries[number];

    entry->key = *key;
    latest->backs[number].slot = FIRST_BACK;
    /* Relaxed: published by the two stores that follow. */
    atomic_store_explicit(&entry->middle, FIRST_MIDDLE, memory_order_relaxed);
    /* Release: the entry is complete before it can be found. Partners: find()
     * and aw_latest_peek_next(). */
    atomic_store_explicit(cell, number + 1, memory_order_release);
    atomic_store_explicit(&latest->shared->entry_count, number + 1,
                          memory_order_release);
    return number;
}

struct aw_frame *aw_latest_reserve(struct aw_latest *latest,
                                   const struct aw_key *key,
                                   uint32_t *ret_entry, int *ret_error)
{
    uint32_t entry;
    _Atomic uint32_t *cell = find(latest, key, &entry);

    if (!cell || (entry != UINT32_MAX && entry >= latest->entry_count)) {
        *ret_error = -EPROTO;
        return NULL;
    }
    if (entry == UINT32_MAX) {
        if (latest->entry_count == latest->depth)
            return NULL;
        entry = add_entry(latest, key, cell);
    }
    *ret_entry = entry;
    return slot_of(latest, entry, latest->backs[entry].slot);
}

void aw_latest_commit(struct aw_latest *latest, uint32_t entry,
                      const struct aw_sums *lost)
{
    struct aw_latest_back *back = &latest->backs[entry];

    back->tag.lost.kernel += lost->kernel;
    back->tag.lost.overflow += lost->overflow;
    back->tag.lost.away += lost->away;
    back->tag.number++;
    *tag_of(latest, entry, back->slot) = back->tag;
    latest->pushed++;
    if (back->filled) {
        latest->replaced++;
        return;
    }
    back->filled = true;
    latest->batch[latest->batch_count++] = entry;
}

static int publish_entry(struct aw_latest *latest, uint32_t number)
{
    struct aw_latest_entry *entry = &latest->entries[number];
    struct aw_latest_back *back = &latest->backs[number];
    /* Release: the frame is complete. Acquire: the consumer's reads of the slot
     * we get are done. Partner: the exchange in pull(). */
    uint32_t middle = atomic_exchange_explicit(
        &entry->middle, back->slot | FRESH, memory_order_acq_rel);

    back->filled = false;
    if ((middle & SLOT_MASK) > 2)
        return -EPROTO;
    back->slot = middle & SLOT_MASK;
    if (middle & FRESH)
        latest->replaced++;
    /* Acquire and release, as the head of latest.h explains. With the acquire
     * comes as well that the consumer has read the FIFO's cells up to where the
     * entry was, and so the one that is written next. Partner: the exchange in
     * pop(). */
    if (!atomic_exchange_explicit(&entry->queued, true, memory_order_acq_rel))
        latest->fifo[latest->head++ & latest->fifo_mask] = number;
    return 0;
}

int aw_latest_publish(struct aw_latest *latest)
{
    int result = 0;

    for (uint32_t i = 0; i < latest->batch_count && result == 0; i++)
        result = publish_entry(latest, latest->batch[i]);
    latest->batch_count = 0;
    /* Release: the entries before the head that counts them. Partner:
     * look_at_fifo(). */
    atomic_store_explicit(&latest->shared->head, latest->head,
                          memory_order_release);
    return result;
}

uint64_t aw_latest_used(const struct aw_latest *latest)
{
    /* Relaxed: a number to show. */
    uint64_t used =
        latest->pushed - latest->replaced -
        atomic_load_explicit(&latest->shared->released, memory_order_relaxed);

    return used <= latest->depth ? used : latest->depth;
}

/* ---- consumer ---- */

/* `lost_before` of the frame in the front slot: all since the last one taken.
 */
static void tell_losses(const struct aw_latest *latest, uint32_t entry)
{
    const struct aw_latest_front *front = &latest->fronts[entry];
    const struct aw_latest_tag *tag = tag_of(latest, entry, front->slot);

    aw_frame_tell(slot_of(latest, entry, front->slot),
                  tag->lost.kernel - front->taken.lost.kernel,
                  tag->lost.overflow - front->taken.lost.overflow +
                      (tag->number - front->taken.number - 1),
                  tag->lost.away - front->taken.lost.away);
}

static void count_released(struct aw_latest *latest)
{
    /* Relaxed: a number to show. Partner: aw_latest_used(). */
    atomic_store_explicit(&latest->shared->released,
                          latest->taken + latest->superseded,
                          memory_order_relaxed);
}

/* Moves a fresh frame to the front slot. Returns 0 or -EPROTO. */
static int pull(struct aw_latest *latest, uint32_t number)
{
    struct aw_latest_front *front = &latest->fronts[number];
    _Atomic uint32_t *word = &latest->entries[number].middle;
    uint32_t middle;

    /* Relaxed: what must not be missed has been made visible by the acquire of
     * the FIFO's head, or of `queued`. */
    if (!(atomic_load_explicit(word, memory_order_relaxed) & FRESH))
        return 0;
    /* Acquire: the frame is complete. Release: our reads of the slot we give
     * are done. Partner: the exchange in publish_entry(). */
    middle = atomic_exchange_explicit(word, front->slot, memory_order_acq_rel);
    if ((middle & SLOT_MASK) > 2)
        return -EPROTO;
    front->slot = middle & SLOT_MASK;
    if (front->pending) {
        latest->superseded++;
        count_released(latest);
    }
    front->pending = true;
    front->known = true;
    tell_losses(latest, number);
    return 0;
}

static void pop(struct aw_latest *latest, uint32_t entry)
{
    latest->tail++;
    /* Relaxed: for whoever inherits the store; the producer does not look. */
    atomic_store_explicit(&latest->shared->tail, latest->tail,
                          memory_order_relaxed);
    /* Acquire and release: see publish_entry() and the head of latest.h. */
    atomic_exchange_explicit(&latest->entries[entry].queued, false,
                             memory_order_acq_rel);
}

static int look_at_fifo(struct aw_latest *latest)
{
    /* Acquire: see the partner, aw_latest_publish(). */
    uint64_t head =
        atomic_load_explicit(&latest->shared->head, memory_order_acquire);

    if (head < latest->head_seen || head - latest->tail > latest->fifo_mask + 1)
        return -EPROTO;
    latest->head_seen = head;
    return 0;
}

/* Finds whose turn it is, unless that is known: entries that have no frame
 * after all leave the FIFO. Returns 1, 0 if there is no frame, or -EPROTO. */
static int find_turn(struct aw_latest *latest)
{
    while (!latest->has_turn && latest->tail != latest->head_seen) {
        uint32_t entry = latest->fifo[latest->tail & latest->fifo_mask];
        int result;

        if (entry >= latest->depth)
            return -EPROTO;
        pop(latest, entry);
        result = pull(latest, entry);
        if (result < 0)
            return result;
        latest->turn = entry;
        latest->has_turn = latest->fronts[entry].pending;
    }
    return latest->has_turn;
}

int64_t aw_latest_pending(struct aw_latest *latest)
{
    int result = look_at_fifo(latest);

    if (result == 0)
        result = find_turn(latest);
    if (result <= 0)
        return result;
    return (int64_t)(latest->head_seen - latest->tail + 1);
}

static void copy_front(const struct aw_latest *latest, uint32_t entry,
                       struct aw_frame *slot)
{
    const struct aw_frame *front =
        slot_of(latest, entry, latest->fronts[entry].slot);
    size_t bytes = aw_frame_bytes(front);
    size_t capacity = aw_slot_bytes(latest->payload_bytes);

    memcpy(slot, front, bytes < capacity ? bytes : capacity);
}

int aw_latest_take(struct aw_latest *latest, struct aw_frame *slot)
{
    int64_t pending = aw_latest_pending(latest);
    struct aw_latest_front *front;
    int result;

    if (pending <= 0)
        return (int)pending;
    /* There may be a newer one since its turn came. */
    result = pull(latest, latest->turn);
    if (result < 0)
        return result;
    front = &latest->fronts[latest->turn];
    copy_front(latest, latest->turn, slot);
    front->taken = *tag_of(latest, latest->turn, front->slot);
    front->pending = false;
    latest->has_turn = false;
    latest->taken++;
    count_released(latest);
    return 1;
}

static int peek_entry(struct aw_latest *latest, uint32_t entry,
                      struct aw_frame *slot)
{
    int result = pull(latest, entry);

    if (result < 0)
        return result;
    if (!latest->fronts[entry].known)
        return AW_PEEK_NONE;
    copy_front(latest, entry, slot);
    return latest->fronts[entry].pending ? AW_PEEK_PENDING : AW_PEEK_TAKEN;
}

int aw_latest_peek(struct aw_latest *latest, const struct aw_key *key,
                   struct aw_frame *slot)
{
    uint32_t entry;

    if (!find(latest, key, &entry))
        return -EPROTO;
    return entry == UINT32_MAX ? AW_PEEK_NONE : peek_entry(latest, entry, slot);
}

int aw_latest_peek_next(struct aw_latest *latest, uint32_t *place,
                        struct aw_frame *slot)
{
    /* Acquire: the entries' first state. Partner: the store in add_entry(). */
    uint32_t count = atomic_load_explicit(&latest->shared->entry_count,
                                          memory_order_acquire);
    int result = AW_PEEK_NONE;

    if (count > latest->depth)
        return -EPROTO;
    while (result == AW_PEEK_NONE && *place < count)
        result = peek_entry(latest, (*place)++, slot);
    return result;
}
