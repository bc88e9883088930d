/* What the variants of ring_bench have in common. */
#ifndef AW_BENCH_HANDOVER_H
#define AW_BENCH_HANDOVER_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* ThreadSanitizer does not see what ck orders in assembly. */
#if __has_include(<ck_ring.h>) && !defined(__SANITIZE_THREAD__)
#define HAVE_CK 1
#else
#define HAVE_CK 0
#endif

#define LINE_BYTES 64u

#define CHECK(condition)                                                       \
    ((condition) ? (void)0                                                     \
                 : (fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, \
                            #condition),                                       \
                    abort()))

/* As large as a classic CAN frame in its slot. */
struct record {
    uint64_t words[6];
};

struct run {
    uint64_t frames;
    uint32_t depth; /* a power of two */
    unsigned batch; /* frames published, and claimed, at a time */
    int cpus[2];    /* -1: not pinned */
    void *state;    /* the variant's */
    atomic_uint ready;
};

struct variant {
    const char *name;
    void *(*open)(uint32_t depth);
    void (*close)(void *state);
    void (*produce)(struct run *run);
    void (*consume)(struct run *run);
    unsigned batch;
};

/* ---- both threads ---- */

/* Let the other thread run where they share a processor. */
static inline void relax(unsigned *spins)
{
    if (++*spins % 1024 == 0)
        sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline struct record make_record(uint64_t number)
{
    return (struct record){{number, ~number, number, number, number, number}};
}

static inline void check_record(const struct record *record, uint64_t number)
{
    /* All of it is read. */
    uint64_t sum = record->words[0] ^ record->words[1] ^ record->words[2] ^
                   record->words[3] ^ record->words[4] ^ record->words[5];

    CHECK(sum == ~(uint64_t)0 && record->words[0] == number);
}

#if HAVE_CK
/* ck_ring (ring_bench_ck.c), of records by value and of pointers to them. */
void *ck_open(uint32_t depth);
void ck_close(void *state);
void ck_produce_pointers(struct run *run);
void ck_consume_pointers(struct run *run);
void ck_produce_records(struct run *run);
void ck_consume_records(struct run *run);
#endif

#endif
