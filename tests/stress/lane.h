/* One queue of a stress round with its consumer. */
#ifndef AW_STRESS_LANE_H
#define AW_STRESS_LANE_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/queue/clock.h"
#include "devices/queue/queue.h"
#include "tests/stress/traffic.h"

#define DEADLINE_NS ((int64_t)(20 * AW_NS_PER_S))
#define LEASES_MAX  8u

/* A frame that was claimed and returned: it comes again. */
struct again {
    uint64_t index; /* of the claim */
    uint64_t seq;
    uint32_t lost_before;
};

struct lane {
    struct aw_queue *queue;
    struct aw_filter filter;
    bool paced;           /* the reader waits for room */
    bool clears;          /* throws pending frames away now and then */
    bool leases;          /* holds claims for a while, and returns some */
    uint64_t close_after; /* frames; 0: never */
    int reader_bell;
    /* The consumer's. */
    pthread_t thread;
    struct dice dice;
    struct account account;
    struct aw_waker waker;     /* its own, */
    struct aw_waker *announce; /* the bridge's, or NULL: then its own */
    int posted;                /* the bell that the bridge rings */
    uint64_t cleared, abandoned, delivered, repeated, peeked;
    struct aw_claim held[LEASES_MAX];
    unsigned held_count;
    struct again *again; /* in order of their indices */
    size_t again_count;
    /* Both sides'. */
    atomic_bool close_wanted;
    /* The reader's. */
    bool open;
    uint64_t end; /* units offered */
    /* The observer's. */
    struct aw_stats last;
};

/* The thread of a lane's consumer; takes the lane. */
void *consumer_main(void *argument);

#endif
