/* The queue: one subscription of one script to one device.
 *
 * A ring with what makes it useful: a filter, an overflow policy, the ledger, a
 * state, and the word that arms a waker. The reader of the device is its only
 * producer; one consumer at a time takes from it (in Python, whoever holds the
 * GIL).
 *
 * Who sees whom. The consumer arms, by an exchange, and then looks at the ring
 * once more; the reader publishes and then takes the armed word, by an exchange
 * as well. One of the two comes first. If the consumer's does, the reader finds
 * the waker. If the reader's does, the consumer's acquires what the reader
 * released before it, and finds the frame. So a frame is either found by the
 * consumer or announced by the reader, and no store needs to be more than a
 * release.
 *
 * Not in here: threads, devices, Python. */
#ifndef AW_QUEUE_H
#define AW_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/filter.h"
#include "devices/queue/key.h"
#include "devices/queue/latest.h"
#include "devices/queue/ring.h"
#include "devices/queue/roles.h"
#include "devices/queue/runs.h"
#include "devices/queue/waker.h"

/* What a full queue does. */
enum aw_overflow {
    AW_OVERFLOW_DROP_NEWEST, /* loses what comes */
    AW_OVERFLOW_DROP_OLDEST, /* loses its oldest frame: the newest are there */
    AW_OVERFLOW_LATEST,      /* one frame a key, the newest; depth: keys */
    AW_OVERFLOW_BLOCK,       /* loses nothing: its device is not read on */
};

/* What became of the queue. Once it is no longer open no frame comes in; what
 * is pending can still be taken. */
enum aw_queue_state {
    AW_QUEUE_OPEN,
    AW_QUEUE_END,     /* the device has no more frames: a replay's end */
    AW_QUEUE_CLOSED,  /* by its owner */
    AW_QUEUE_STOPPED, /* the device was closed */
    AW_QUEUE_LOST,    /* the device failed; see aw_queue_failure() */
};

struct aw_queue_config {
    const char *name;   /* copied; for messages and the ledger */
    const char *device; /* copied */
    const char *owner;  /* copied: the script's name, or NULL */
    uint32_t depth;     /* frames, 1..AW_RING_SLOTS_MAX */
    uint32_t payload_bytes;
    enum aw_overflow overflow;
    uint64_t budget_ns; /* how long a wake may be put off to be one for many */
    const struct aw_filter *filters; /* copied; at most AW_FILTERS_MAX */
    size_t filter_count;
    bool filters_joined; /* a frame must pass all of them, not any */
    bool events;         /* it gets the device's events, too */
    bool observer;       /* see aw_queue.observer */
};

/* Frames that the consumer has taken and not yet released: `count` from `index`
 * on. */
struct aw_claim {
    uint64_t index;
    uint64_t count;
};

struct aw_queue {
    /* Set once. */
    char name[64];
    char device[64];
    char owner[64]; /* "" outside the daemon */
    enum aw_overflow overflow;
    bool events;   /* gets events: payload_bytes is 8 at least */
    bool observer; /* an onlooker's, of no script: may be held up by blocking
                      queues, and its losses are nobody's: no warning */
    uint64_t budget_ns;
    _Atomic(unsigned) references;
    int room_bell; /* our own fd of a paced reader's bell, or -1; at attach */
    void *user;    /* its Python object; NULL when gone. Only with the GIL. */

    /* The reader's. */
    _Alignas(64) struct aw_filter *filters;
    size_t filter_count;
    bool filters_joined;
    uint64_t received, filtered, dropped_kernel, dropped_overflow;
    uint64_t high_water, wakes, stalls, stalled_ns;
    uint64_t evicted;    /* of ring.evicted, counted so far */
    struct aw_sums lost; /* what frames are told, since the queue was made */
    struct aw_sums told; /* of it, up to the last frame that was pushed */
    bool loss_reported;  /* the one warning has been given */
    bool dirty;          /* something to publish in this batch */
    bool put_off;        /* a wake is due at woken_ns + budget_ns */
    uint64_t woken_ns;   /* CLOCK_MONOTONIC of the last wake */
    uint64_t stalled_at; /* since when it holds its device up, or 0 */
    uint64_t loss_base;  /* the device's kernel losses before it was attached */

    /* The consumer's. */
    _Alignas(64) uint64_t delivered;
    uint64_t dropped_cleared, dropped_closed;
    uint64_t next_index;  /* behind the last frame claimed from the ring */
    struct aw_sums heard; /* evicting: told to that frame, and all before */
    uint64_t superseded;  /* of the store's, counted so far */
    bool damaged;         /* the ring holds what no reader of ours wrote */
    uint64_t unmeasured;  /* frames given since one was measured, */
    uint64_t measured_ns; /* which was at that time (CLOCK_MONOTONIC); */
    uint64_t measure_at;  /* and how many there may be before the next is */

    /* Both sides. */
    _Alignas(64) _Atomic(struct aw_waker *) armed;
    _Atomic(uint32_t) outcome; /* enum aw_queue_state, or-ed failure << 8 */
    atomic_bool room_wanted;   /* the reader waits for room_bell */
    atomic_bool listed;        /* on a waker's ready list */
    struct aw_queue *ready_next;

    /* The ledgers are the ring's under each policy. */
    struct aw_ring ring;
    /* Policy latest: the reader writes here, and the ring is the consumer's on
     * both sides: it holds what has been claimed. */
    struct aw_latest latest;
    struct aw_runs runs; /* the consumer's */
};

/* ---- any thread ---- */

/* Makes a queue, attached to nothing, with one reference. Returns 0, -EINVAL,
 * -ENOMEM or why the ring could not be had. */
int aw_queue_new(const struct aw_queue_config *config,
                 struct aw_queue **ret_queue);

/* Ends a queue that no reader has, as AW_QUEUE_CLOSED. */
void aw_queue_end(struct aw_queue *queue);

struct aw_queue *aw_queue_ref(struct aw_queue *queue);

/* Frees the queue with its last reference. Accepts NULL. */
void aw_queue_unref(struct aw_queue *queue);

/* A consistent snapshot of the ledger: the sum is exact, however busy both
 * sides are. What is claimed counts as pending, and `pending` is at most the
 * depth; under drop-oldest and latest, which take frames beside those that are
 * claimed, it is at most the depth and the frames claimed (under latest,
 * replaced frames count until the reader has published the batch that replaced
 * them). Returns 0, or -EAGAIN when they overtook it 1,000 times in a row. */
int aw_queue_stats(const struct aw_queue *queue, struct aw_stats *ret_stats);

/* Look at the state first and at the ring after it: if the queue was no longer
 * open and then nothing is pending, nothing will ever be. */
static inline enum aw_queue_state aw_queue_state(const struct aw_queue *queue)
{
    /* Acquire: with the state comes everything pushed before it. Partner: the
     * compare-exchange in aw_queue_set_outcome(). */
    return (enum aw_queue_state)(
        atomic_load_explicit(&queue->outcome, memory_order_acquire) & 0xff);
}

/* Why the device was lost: a positive errno, 0 if it was not. */
static inline int aw_queue_failure(const struct aw_queue *queue)
{
    /* Relaxed: one word with the state that the caller has seen. */
    return (int)(atomic_load_explicit(&queue->outcome, memory_order_relaxed) >>
                 8);
}

/* ---- the reader ---- */

/* Offers one frame: counts it, filters it, and copies it into the ring, or
 * drops it, or what its policy gives up for it. A payload longer than the slot
 * is cut and flagged AW_FRAME_TRUNCATED. An event is nothing to a queue that
 * has not asked for events, and passes every filter of one that has. Visible to
 * the consumer with the next publish. True if it is in the ring. */
bool aw_queue_offer(struct aw_queue *queue, const struct aw_frame *frame)
    AW_ON(reader);

/* Charges `count` frames lost in the kernel to the ledger. */
void aw_queue_charge(struct aw_queue *queue, uint64_t count) AW_ON(reader);

/* Says that `count` frames are missing at this place of the stream, for the
 * next frame's `lost_before`; or, with AW_LOSS_AWAY, that the device was away
 * so often. */
void aw_queue_gap(struct aw_queue *queue, uint64_t count, enum aw_loss cause)
    AW_ON(reader);

/* Ends a batch: publishes frames and ledger, and announces the frames if the
 * consumer has armed a waker. A batch of which the filter let nothing pass
 * wakes nobody; where nothing was offered or charged nothing happens.
 *
 * With a latency budget, and if the last wake is less than that ago, the wake
 * is put off until aw_queue_due_ns(), unless the queue is half full: a stream
 * that is sparser than its budget is never delayed. */
void aw_queue_publish(struct aw_queue *queue) AW_ON(reader);

/* When a wake that was put off is due (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t aw_queue_due_ns(const struct aw_queue *queue) AW_ON(reader);

/* How many frames may come before anybody has to be told of the first: while a
 * wake is put off, as many as leave the queue half empty. 0 else, and under
 * latest, where others look for the newest frame beside those who wait. */
uint64_t aw_queue_patience(const struct aw_queue *queue) AW_ON(reader);

/* Makes up for a wake that was put off, if it is due. */
void aw_queue_wake_due(struct aw_queue *queue, uint64_t now_ns) AW_ON(reader);

/* The last thing a reader does with a queue: no frame will come. Publishes, and
 * wakes a waiter. The first call decides; `failure` is a positive errno for
 * AW_QUEUE_LOST, else 0. */
void aw_queue_finish(struct aw_queue *queue, enum aw_queue_state state,
                     int failure) AW_ON(reader);

/* Puts `queue`, which is new, in the place of `old`, which has no consumer any
 * more: what pends in `old`, claimed frames included, is offered to it in
 * order, and its ledger goes on from the old one's, so that what does not pass
 * or fit is counted. A ledger that was tampered with begins anew. */
void aw_queue_succeed(struct aw_queue *queue, struct aw_queue *old)
    AW_ON(reader);

/* Replaces the filters by `filters`, allocated with malloc and now owned by the
 * queue; NULL and 0: everything passes. Frees the old ones. */
void aw_queue_set_filters(struct aw_queue *queue, struct aw_filter *filters,
                          size_t count) AW_ON(reader);

/* Once, at attach, on a paced device: the eventfd to ring when there is room
 * again. The queue keeps a descriptor of its own, as it may outlive the reader.
 * Returns 0, or -EMFILE and the like: then the queue must not be attached. */
int aw_queue_set_bell(struct aw_queue *queue, int bell) AW_ON(reader);

/* Free slots; as many as there are under drop-oldest and latest, which hold
 * nobody up. If there are none, the consumer's next release rings the bell
 * that was set; look again after that. A queue that is no longer open holds
 * nobody up: all its slots count as free, what is offered may be dropped. The
 * time without room is counted as a stall. */
uint64_t aw_queue_room(struct aw_queue *queue) AW_ON(reader);

/* ---- the consumer ---- */

/* Frames that can be claimed now, if not too many claims are held. There may be
 * fewer a moment later under drop-oldest, and some fewer under latest; but 0
 * means none. A ring that was tampered with counts as empty and its queue as
 * lost (EPROTO). */
uint64_t aw_queue_pending(struct aw_queue *queue);

/* How many frames it holds at most, as it was asked for: the ring of a queue
 * with the policy `latest` is longer. Any thread. */
static inline uint64_t aw_queue_depth(const struct aw_queue *queue)
{
    return queue->overflow == AW_OVERFLOW_LATEST ? queue->latest.depth
                                                 : queue->ring.depth;
}

/* Claims at most `count` of the oldest frames: they are the caller's until it
 * releases or returns them; under drop-oldest they are not thrown away
 * meanwhile, and under latest not replaced. Returns how many, 0 if there are
 * none. Fewer than are pending where returned frames lie before them: call it
 * again. At most AW_RUNS_HELD_MAX claims can be held at once, and fewer where
 * they are scattered over many small returned ones; then 0, until one is let
 * go. Whoever holds claims for long leaves one for those who do not. */
uint64_t aw_queue_claim(struct aw_queue *queue, uint64_t count,
                        struct aw_claim *ret_claim);

/* The `index`-th claimed frame, of a known kind, its length within the slot and
 * no shorter than the kind's head; NULL if it is no such frame (then the queue
 * is lost: EPROTO). Good until released. */
const struct aw_frame *aw_queue_at(struct aw_queue *queue,
                                   const struct aw_claim *claim,
                                   uint64_t index);

/* The claimed frames have been delivered; their slots are free as soon as those
 * of older claims are. */
void aw_queue_release(struct aw_queue *queue, const struct aw_claim *claim);

/* The claimed frames are pending again, in their place before later ones. */
void aw_queue_return(struct aw_queue *queue, const struct aw_claim *claim);

/* Claims held at this moment. */
static inline unsigned aw_queue_claims(const struct aw_queue *queue)
{
    return queue->runs.held;
}

/* False while so many claims are held that aw_queue_claim() takes nothing. */
static inline bool aw_queue_can_claim(const struct aw_queue *queue)
{
    return aw_runs_open(&queue->runs);
}

/* Throws away what is pending and not claimed, as dropped.cleared; returns how
 * many. What comes meanwhile may stay. */
uint64_t aw_queue_clear(struct aw_queue *queue);

/* Counts what is pending, and what is claimed, as dropped.closed: nobody can
 * take it any more. For the last consumer, after the queue was detached.
 * Returns how many. */
uint64_t aw_queue_abandon(struct aw_queue *queue);

/* Policy latest: copies the newest frame with this key into `buffer`, with room
 * for aw_slot_bytes(payload_bytes), and takes nothing. Returns enum aw_peek;
 * -EPROTO if the queue is damaged; -EINVAL under another policy. */
int aw_queue_peek(struct aw_queue *queue, const struct aw_key *key,
                  struct aw_frame *buffer);

/* The same for each key in turn, in order of their first frames. `*place` is 0
 * at first and moves on; AW_PEEK_NONE: that was all. */
int aw_queue_peek_next(struct aw_queue *queue, uint32_t *place,
                       struct aw_frame *buffer);

/* Asks to be announced by `waker` at the next frame or at the end. Returns true
 * if so; false, and not armed, if there is something to look at already: the
 * waker may ring for it all the same, so a ring is a hint to look again. */
bool aw_queue_arm(struct aw_queue *queue, struct aw_waker *waker);

/* The same for who has looked at `seen` pending frames and waits for more of
 * them: false, and not armed, if more are pending than that. */
bool aw_queue_arm_at(struct aw_queue *queue, struct aw_waker *waker,
                     uint64_t seen);

/* Takes the request back. A reader that has seen it may still be about to ring,
 * once: see aw_waker_deinit(). */
void aw_queue_disarm(struct aw_queue *queue);

#endif
