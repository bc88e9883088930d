/* What most scenarios are made of: a queue, a reader that offers numbered
 * frames, and a consumer that accounts for them. */
#ifndef AW_EXPLORE_RIG_H
#define AW_EXPLORE_RIG_H

#include "devices/queue/queue.h"
#include "tests/explore/explore.h"

#define RIG_PAYLOAD 8u

struct plan {
    uint32_t depth;
    uint32_t next_depth; /* of the queue that is put in its place */
    enum aw_overflow next_overflow;
    enum aw_overflow overflow;
    unsigned batches; /* that the reader offers and publishes */
    unsigned batch;   /* frames in each */
    unsigned claim;   /* frames that the consumer claims at a time; 0: one */
    unsigned keys;    /* ids, in turn; 0: each frame has its own */
    bool observed;    /* ledgers are read meanwhile */
    uint64_t budget_ns;
    enum aw_queue_state outcome;
};

#define KEYS_MAX 2u

/* One queue with both its ends. */
struct rig {
    struct plan plan;
    struct aw_queue *queue;
    struct aw_waker waker;
    unsigned offered;
    /* The consumer's account. */
    unsigned next;              /* the number behind the last frame taken */
    unsigned next_of[KEYS_MAX]; /* the same for each key */
    unsigned delivered;         /* frames */
    unsigned told;              /* sum of lost_before */
    unsigned cleared;
};

extern struct rig rig;

/* Makes the queue and an empty account. */
void rig_open(struct rig *new_rig, const struct plan *plan);

/* Checks that everything offered is accounted for; frees. */
void rig_close(struct rig *old_rig);

/* scenario.end for one rig: rig_close(&rig). */
void rig_end(void);

/* ---- the reader ---- */

void rig_offer(struct rig *to, unsigned count) AW_ON(reader);

/* Fibers, given the rig: the plan's batches, then the end. The second stops at
 * the plan's last batch. */
void rig_reader(void *argument);
void rig_offer_batches(struct rig *to) AW_ON(reader);

/* ---- the consumer ---- */

/* Reads a frame, slowly: it must be whole, and later than those before. */
void rig_account(struct rig *of, const struct aw_frame *frame);

/* Reads all frames of a claim. */
void rig_account_claim(struct rig *of, const struct aw_claim *claim);

/* Claims, reads and releases; false if nothing is there. */
bool rig_take(struct rig *from);

/* Arms and sleeps until the bell rings. */
void rig_wait(struct rig *on);

/* A fiber: takes and waits until the queue has ended and is empty. */
void rig_consumer(void *argument);

/* ---- an observer ---- */

/* A fiber: two snapshots of the ledger, each exact. */
void rig_observer(void *argument);

#endif
