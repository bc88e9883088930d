/* What the two halves of a queue share: private to queue.c, queue_reader.c and
 * queue_consumer.c. */
#ifndef AW_QUEUE_SIDES_H
#define AW_QUEUE_SIDES_H

#include "devices/queue/queue.h"

/* The order of fields in a ledger side. */
enum aw_producer_field {
    AW_RECEIVED,
    AW_FILTERED,
    AW_DROPPED_KERNEL,
    AW_DROPPED_OVERFLOW,
    AW_HEAD,    /* the ring's (or the store's) own count of frames pushed */
    AW_EVICTED, /* and of those that it threw away, or replaced */
    AW_HIGH_WATER,
    AW_WAKES,
    AW_STALLS,
    AW_STALLED_NS,
    AW_PRODUCER_FIELDS,
};

enum aw_consumer_field {
    AW_DELIVERED,
    AW_DROPPED_CLEARED,
    AW_DROPPED_CLOSED,
    AW_RELEASED,   /* the ring's own count of frames given back */
    AW_SUPERSEDED, /* frames only looked at, then replaced by newer ones */
    AW_CONSUMER_FIELDS,
};

static inline bool aw_queue_keyed(const struct aw_queue *queue)
{
    return queue->overflow == AW_OVERFLOW_LATEST;
}

/* Publishes the consumer's side of the ledger. The consumer, or the reader
 * while there is none. */
void aw_queue_publish_delivered(struct aw_queue *queue);

/* Ends the queue; the first outcome stands. Either side. */
void aw_queue_set_outcome(struct aw_queue *queue, enum aw_queue_state state,
                          int failure);

#endif
