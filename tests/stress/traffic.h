/* Traffic that both ends can work out for themselves: what unit number `seq` of
 * a device is (a frame, or a loss in the kernel), its id and its payload follow
 * from the seed alone. So a consumer that is given a frame knows what lies
 * between it and the one before, and what its `lost_before` must say. */
#ifndef AW_STRESS_TRAFFIC_H
#define AW_STRESS_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/queue/filter.h"
#include "devices/queue/frame.h"

#define STRESS_PAYLOAD_BYTES 8u

/* Ends the process at once, so that no thread goes on with what is broken. */
#define CHECK(condition)                                                       \
    ((condition) ? (void)0                                                     \
                 : (fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, \
                            #condition),                                       \
                    abort()))

struct dice {
    uint64_t state;
};

uint64_t dice_roll(struct dice *dice);

/* A number from 0 to `sides` - 1. */
static inline uint32_t dice_below(struct dice *dice, uint32_t sides)
{
    return (uint32_t)(dice_roll(dice) % sides);
}

struct traffic {
    uint64_t seed;
};

/* True if the kernel loses unit `seq`. */
bool traffic_lost(const struct traffic *traffic, uint64_t seq);

/* Makes unit `seq`, with room for STRESS_PAYLOAD_BYTES. */
void traffic_frame(const struct traffic *traffic, uint64_t seq,
                   struct aw_frame *frame);

/* Checks that a frame is as it was made, whatever it was told about losses. */
void check_frame(const struct traffic *traffic, const struct aw_frame *frame);

#define STRESS_IDS (AW_CAN_SFF_MASK + 1)

/* What a queue of policy `latest` must make of the traffic. */
struct store {
    /* For each unit: the unit before it with its id that went in, plus one; and
     * what the queue told it about losses, itself included that went before. */
    uint32_t *before;
    uint32_t *told;
    bool *accepted;
    uint64_t taken[STRESS_IDS]; /* the last one taken of each id, plus one */
    bool vague[STRESS_IDS];     /* some may have been thrown away since */
};

/* What a consumer has seen of one queue. */
struct account {
    const struct traffic *traffic;
    const struct aw_filter *filters;
    size_t filter_count;
    uint64_t next;       /* the first unit not accounted for */
    bool cleared;        /* frames were thrown away since the last one */
    struct store *store; /* NULL under other policies */
};

/* Prepares for policy `latest`: the first `depth` ids of `units` go in. */
void account_open_store(struct account *account, uint64_t units,
                        uint32_t depth);

void account_close(struct account *account);

/* Checks a frame that is taken for the first time: as it was made, wanted, in
 * order (under `latest`: within its id), and told exactly the losses that there
 * were. */
void account_frame(struct account *account, const struct aw_frame *frame);

/* Checks a frame that is only looked at. */
void account_peek(struct account *account, const struct aw_frame *frame);

/* What was pending has been thrown away. */
void account_cleared(struct account *account);

/* What a queue with these filters must have received of the first `end` units.
 */
struct totals {
    uint64_t lost, filtered, wanted;
};

struct totals account_totals(const struct account *account, uint64_t from,
                             uint64_t end);

#endif
