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

/* What a consumer has seen of one queue. */
struct account {
    const struct traffic *traffic;
    const struct aw_filter *filters;
    size_t filter_count;
    uint64_t next; /* the first unit not accounted for */
    uint64_t delivered;
    bool cleared; /* frames were thrown away since the last one */
};

/* Checks a frame: as it was made, wanted, in order, none twice, and exactly the
 * losses before it that there were. */
void account_frame(struct account *account, const struct aw_frame *frame);

/* What a queue with these filters must have received of the first `end` units.
 */
struct totals {
    uint64_t lost, filtered, wanted;
};

struct totals account_totals(const struct account *account, uint64_t from,
                             uint64_t end);

#endif
