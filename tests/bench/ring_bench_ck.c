#include "tests/bench/handover.h"

#if HAVE_CK
#include <ck_ring.h>

CK_RING_PROTOTYPE(record, record)

struct ck_state {
    ck_ring_t ring;
    uint32_t mask; /* of the pool */
    struct record *pool;
    struct record *records;   /* the ring's, by value */
    ck_ring_buffer_t *buffer; /* the ring's, by pointer */
};

/* A pool twice the ring: a slot comes up again only when the consumer has taken
 * the frame behind it. */
void *ck_open(uint32_t depth)
{
    struct ck_state *ck = aligned_alloc(LINE_BYTES, 1024);

    CHECK(ck);
    ck_ring_init(&ck->ring, depth);
    ck->mask = 2 * depth - 1;
    ck->pool = calloc(2 * depth, sizeof(*ck->pool));
    ck->records = calloc(depth, sizeof(*ck->records));
    ck->buffer = calloc(depth, sizeof(*ck->buffer));
    CHECK(ck->pool && ck->records && ck->buffer);
    return ck;
}

void ck_close(void *state)
{
    struct ck_state *ck = state;

    free(ck->pool);
    free(ck->records);
    free(ck->buffer);
    free(ck);
}

void ck_produce_pointers(struct run *run)
{
    struct ck_state *ck = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct record *slot = &ck->pool[i & ck->mask];

        *slot = make_record(i);
        while (!ck_ring_enqueue_spsc(&ck->ring, ck->buffer, slot))
            relax(&spins);
    }
}

void ck_consume_pointers(struct run *run)
{
    struct ck_state *ck = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct record *slot;

        while (!ck_ring_dequeue_spsc(&ck->ring, ck->buffer, (void *)&slot))
            relax(&spins);
        check_record(slot, i);
    }
}

void ck_produce_records(struct run *run)
{
    struct ck_state *ck = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct record record = make_record(i);

        while (!CK_RING_ENQUEUE_SPSC(record, &ck->ring, ck->records, &record))
            relax(&spins);
    }
}

void ck_consume_records(struct run *run)
{
    struct ck_state *ck = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct record record;

        while (!CK_RING_DEQUEUE_SPSC(record, &ck->ring, ck->records, &record))
            relax(&spins);
        check_record(&record, i);
    }
}
#endif
