/* The store of policy `latest`: one frame for each key, the newest.
 *
 * One producer thread, one consumer thread, both wait-free. A table in a memfd,
 * free of pointers, has an *entry* for each key that was ever seen, in order of
 * its first frame, until there are as many as the depth; a key stays for good.
 *
 * Why no frame is torn. An entry has three slots: the producer's back slot, the
 * consumer's front slot, and the middle one, which belongs to whoever swaps it
 * next: one atomic word says which slot that is and whether its frame is fresh,
 * not seen by the consumer. The producer fills its back slot and exchanges it
 * with the middle; the consumer exchanges its front slot with the middle, if
 * that is fresh. Each exchange hands a slot over whole (acquire and release),
 * so at any time each slot has one owner. If the producer gets back a fresh
 * frame, that frame was replaced.
 *
 * Why no frame is forgotten. Entries that became fresh wait in a FIFO, each at
 * most once: the producer puts an entry there if it finds `queued` unset when
 * it exchanges it with set. It does that after making the middle fresh; the
 * consumer, having taken the entry from the FIFO, unsets `queued` before it
 * looks at the middle. Both are read-modify-writes of one word: if the
 * producer's comes first, the consumer sees its frame; if it comes second, the
 * entry is queued again, and may turn out to have nothing fresh.
 *
 * Looking without taking moves the fresh frame to the front slot, where it is
 * still pending; the entry stays in the FIFO. When its turn comes, or at the
 * next look, a fresher frame replaces it: this time the consumer counts it.
 *
 * Each slot carries what was lost before its frame in all and its number among
 * the frames of its key, so that `lost_before` of a frame that is taken counts
 * all that was replaced since the last one taken, and what was told to those.
 *
 * What the other side wrote is checked before it is used (-EPROTO). */
#ifndef AW_LATEST_H
#define AW_LATEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/frame.h"
#include "devices/queue/key.h"
#include "devices/queue/ring.h"

/* What lies at the start of the memfd. */
struct aw_latest_shared {
    char magic[8]; /* "awlast1" */
    uint32_t depth;
    uint32_t payload_bytes;
    uint64_t hash_seed; /* of our own choice: senders choose their addresses */
    _Alignas(64) _Atomic uint64_t head; /* of the FIFO; the producer's */
    _Atomic uint32_t entry_count;
    _Alignas(64) _Atomic uint64_t tail; /* of the FIFO; the consumer's */
    _Atomic uint64_t released; /* frames taken or replaced by the consumer */
};

struct aw_latest_entry {
    struct aw_key key; /* written once, before the entry can be found */
    _Atomic uint32_t middle;
    atomic_bool queued;
};

/* At the end of each slot. */
struct aw_latest_tag {
    struct aw_sums lost; /* told to the frames of this key up to this one */
    uint64_t number;     /* 1: the first frame of its key */
};

/* The producer's side of an entry. */
struct aw_latest_back {
    struct aw_latest_tag tag; /* of the newest frame */
    uint32_t slot;
    bool filled; /* goes out with the next publish */
};

/* The consumer's side of an entry. */
struct aw_latest_front {
    struct aw_latest_tag taken; /* of the last frame taken */
    uint32_t slot;
    bool pending; /* the frame in it was only looked at */
    bool known;   /* there is a frame in it */
};

struct aw_latest {
    /* Set once. */
    struct aw_latest_shared *shared;
    struct aw_latest_entry *entries;
    _Atomic uint32_t *cells; /* the hash table: entry number + 1, 0: none */
    uint32_t *fifo;
    unsigned char *slots;
    size_t slot_bytes;
    size_t mapped_bytes;
    uint64_t cell_mask, fifo_mask;
    uint64_t hash_seed;
    uint32_t depth;
    uint32_t payload_bytes;
    int fd;
    /* The producer's. */
    _Alignas(64) struct aw_latest_back *backs;
    uint32_t *batch; /* entries filled since the last publish */
    uint32_t batch_count;
    uint32_t entry_count;
    uint64_t head;   /* of the FIFO */
    uint64_t pushed; /* frames committed */
    uint64_t
        replaced; /* of them, by a newer one before the consumer saw them */
    /* The consumer's. */
    _Alignas(64) struct aw_latest_front *fronts;
    uint64_t tail;       /* of the FIFO */
    uint64_t head_seen;  /* of the FIFO */
    uint32_t turn;       /* an entry out of the FIFO, next to be taken */
    bool has_turn;       /* there is one */
    uint64_t taken;      /* frames */
    uint64_t superseded; /* frames only looked at and then replaced */
};

/* Makes an empty store for `depth` keys (1..AW_RING_SLOTS_MAX) and payloads of
 * `payload_bytes` (at most AW_PAYLOAD_MAX). Returns 0, -EINVAL, -ENOMEM, or why
 * the memory could not be had. Any thread. */
int aw_latest_init(struct aw_latest *latest, const char *name, uint32_t depth,
                   uint32_t payload_bytes);

/* Frees it. Neither side may use it any more. Accepts a zeroed one. */
void aw_latest_deinit(struct aw_latest *latest);

/* ---- producer ---- */

/* The slot for the next frame with this key, to be filled and committed, and
 * its entry; NULL if there are more keys than the depth. Within a batch the
 * frame replaces an earlier one with its key. Sets `*ret_error` to -EPROTO
 * (else leaves it) when the shared table is impossible; NULL then too. */
struct aw_frame *aw_latest_reserve(struct aw_latest *latest,
                                   const struct aw_key *key,
                                   uint32_t *ret_entry, int *ret_error);

/* The entry's slot holds a frame: it goes out with the next publish. `lost` is
 * what was lost before it, since the last frame of any key. */
void aw_latest_commit(struct aw_latest *latest, uint32_t entry,
                      const struct aw_sums *lost);

/* Makes all committed frames visible to the consumer; then `replaced` is up to
 * date. Returns 0, or -EPROTO. */
int aw_latest_publish(struct aw_latest *latest);

/* Frames committed and neither replaced, as far as is known, nor taken. */
uint64_t aw_latest_used(const struct aw_latest *latest);

/* ---- consumer ---- */

/* Keys whose frames can be taken, reading the FIFO afresh; a few too many where
 * a key is queued again whose newest frame has been taken, but 0 only and
 * always if there is none. Or -EPROTO. */
int64_t aw_latest_pending(struct aw_latest *latest);

/* Copies the newest frame of the key that waits longest into `slot`, which has
 * room for aw_slot_bytes(payload_bytes), and takes it. Returns 1, 0 if there is
 * none, or -EPROTO. `length` and `kind` are not to be trusted. */
int aw_latest_take(struct aw_latest *latest, struct aw_frame *slot);

enum aw_peek {
    AW_PEEK_NONE,    /* no frame with this key was ever seen */
    AW_PEEK_PENDING, /* its newest frame, still to be taken */
    AW_PEEK_TAKEN,   /* its newest frame, taken or cleared before */
};

/* Copies the newest frame of `key` as above, and leaves it where it is. Returns
 * enum aw_peek, or -EPROTO. */
int aw_latest_peek(struct aw_latest *latest, const struct aw_key *key,
                   struct aw_frame *slot);

/* The same for the next key that has a frame, in order of their first frames,
 * from entry `*place` on, which moves behind it. AW_PEEK_NONE: no more. */
int aw_latest_peek_next(struct aw_latest *latest, uint32_t *place,
                        struct aw_frame *slot);

#endif
