/* What it costs to hand frames from one thread to another, each pinned to a
 * processor of its own: our ring, ck_ring moving the same 48 bytes, a copy of
 * those bytes within one thread, and the floor, a stream of cache lines.
 *
 *     ring_bench [ROUNDS [FRAMES [DEPTH]]]
 *     ring_bench --verify        a short run that checks each frame
 *
 * Every variant runs in every round, one after the other; each figure is the
 * median of the rounds. Where ck is not installed its rows are left out. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/log.h"
#include "devices/queue/queue.h"
#include "tests/bench/handover.h"

#define ROUNDS_MAX 101u
_Static_assert(sizeof(struct record) == sizeof(struct aw_frame) + 8, "same");

/* A frame's header has fields of its own; the bytes are the same. */
static void check_slot(const struct aw_frame *slot, uint64_t number)
{
    struct record record;

    memcpy(&record, slot, sizeof(record));
    check_record(&record, number);
}

/* ---- our ring ---- */

/* The kernel's work at the first touch of a page is not what is measured. */
static void fault_in(struct aw_ring *ring)
{
    memset(ring->slots, 0, (ring->mask + 1) * ring->slot_bytes);
}

static void *ring_open(uint32_t depth)
{
    struct aw_ring *ring =
        aligned_alloc(_Alignof(struct aw_ring), sizeof(*ring));

    CHECK(ring &&
          aw_ring_init(ring, "bench", depth, AW_PAYLOAD_CAN, false) == 0);
    fault_in(ring);
    return ring;
}

static void ring_close(void *state)
{
    aw_ring_deinit(state);
    free(state);
}

static void ring_push(struct aw_ring *ring, uint64_t number)
{
    const struct record record = make_record(number);
    struct aw_frame *slot;
    unsigned spins = 0;
    int error = 0;

    while (!(slot = aw_ring_reserve(ring, &error))) {
        CHECK(error == 0);
        /* What is committed must be seen, or nobody makes room. */
        if (ring->published != ring->head)
            aw_ring_publish(ring);
        relax(&spins);
    }
    memcpy(slot, &record, sizeof(record));
    aw_ring_commit(ring);
}

static void ring_produce(struct run *run)
{
    for (uint64_t i = 0; i < run->frames;) {
        for (unsigned j = 0; j < run->batch && i < run->frames; j++)
            ring_push(run->state, i++);
        aw_ring_publish(run->state);
    }
}

static void ring_consume(struct run *run)
{
    struct aw_ring *ring = run->state;
    unsigned spins = 0;

    for (uint64_t taken = 0; taken < run->frames;) {
        uint64_t index;
        int64_t count = aw_ring_claim(ring, run->batch, &index);

        CHECK(count >= 0);
        if (count == 0) {
            relax(&spins);
            continue;
        }
        for (uint64_t i = 0; i < (uint64_t)count; i++)
            check_slot(aw_ring_slot(ring, index + i), taken++);
        aw_ring_release(ring, index + (uint64_t)count, (uint64_t)count);
    }
}

/* ---- the whole queue: filter, ledger, armed word ---- */

static void *queue_open(uint32_t depth)
{
    const struct aw_queue_config config = {
        .name = "bench",
        .device = "bench",
        .depth = depth,
        .payload_bytes = AW_PAYLOAD_CAN,
    };
    struct aw_queue *queue;

    CHECK(aw_queue_new(&config, &queue) == 0);
    fault_in(&queue->ring);
    return queue;
}

static void queue_close(void *state)
{
    aw_queue_unref(state);
}

static void queue_produce(struct run *run)
{
    struct aw_queue *queue = run->state;
    _Alignas(8) unsigned char bytes[sizeof(struct record)] = {0};
    void *memory = bytes;
    struct aw_frame *frame = memory;
    unsigned spins = 0;

    aw_role_assume(&aw_role_reader);
    frame->kind = AW_KIND_CAN;
    frame->length = AW_PAYLOAD_CAN;
    for (uint64_t i = 0; i < run->frames;) {
        uint64_t room = aw_queue_room(queue);

        for (uint64_t j = 0; j < run->batch && j < room && i < run->frames;
             j++) {
            frame->seq = i++;
            aw_queue_offer(queue, frame);
        }
        if (room > 0)
            aw_queue_publish(queue);
        else
            relax(&spins);
    }
}

static void queue_consume(struct run *run)
{
    struct aw_queue *queue = run->state;
    unsigned spins = 0;

    for (uint64_t taken = 0; taken < run->frames;) {
        struct aw_claim claim;

        if (aw_queue_claim(queue, run->batch, &claim) == 0) {
            relax(&spins);
            continue;
        }
        for (uint64_t i = 0; i < claim.count; i++)
            CHECK(aw_queue_at(queue, &claim, i)->seq == taken++);
        aw_queue_release(queue, &claim);
    }
}

/* ---- the floor: lines that cross from one cache to the other ---- */

struct line {
    _Alignas(LINE_BYTES) struct record record;
    _Atomic uint64_t number; /* 1: the first */
};

struct lines {
    struct line *lines;
    uint64_t mask;
    _Alignas(LINE_BYTES) _Atomic uint64_t taken;
};

static void *lines_open(uint32_t depth)
{
    struct lines *lines = aligned_alloc(LINE_BYTES, sizeof(*lines));

    CHECK(lines);
    lines->mask = depth - 1;
    lines->lines = aligned_alloc(LINE_BYTES, depth * sizeof(struct line));
    CHECK(lines->lines);
    memset(lines->lines, 0, depth * sizeof(struct line));
    atomic_init(&lines->taken, 0);
    return lines;
}

static void lines_close(void *state)
{
    struct lines *lines = state;

    free(lines->lines);
    free(lines);
}

/* Acquire and release on `number` hand a line over, on `taken` back; that is
 * said once for half the lines. */
static void lines_produce(struct run *run)
{
    struct lines *lines = run->state;
    uint64_t half = (lines->mask + 1) / 2, end = lines->mask + 1;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct line *line = &lines->lines[i & lines->mask];

        while (i == end) {
            end = atomic_load_explicit(&lines->taken, memory_order_acquire) +
                  2 * half;
            relax(&spins);
        }
        line->record = make_record(i);
        atomic_store_explicit(&line->number, i + 1, memory_order_release);
    }
}

static void lines_consume(struct run *run)
{
    struct lines *lines = run->state;
    uint64_t half = (lines->mask + 1) / 2;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct line *line = &lines->lines[i & lines->mask];

        while (atomic_load_explicit(&line->number, memory_order_acquire) !=
               i + 1)
            relax(&spins);
        check_record(&line->record, i);
        if ((i + 1) % half == 0)
            atomic_store_explicit(&lines->taken, i + 1, memory_order_release);
    }
}

/* One line there and back again. */
static void ping(struct run *run)
{
    struct lines *lines = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames / 16; i++) {
        atomic_store_explicit(&lines->taken, 2 * i + 1, memory_order_release);
        while (atomic_load_explicit(&lines->taken, memory_order_acquire) !=
               2 * i + 2)
            relax(&spins);
    }
}

static void pong(struct run *run)
{
    struct lines *lines = run->state;
    unsigned spins = 0;

    for (uint64_t i = 0; i < run->frames / 16; i++) {
        while (atomic_load_explicit(&lines->taken, memory_order_acquire) !=
               2 * i + 1)
            relax(&spins);
        atomic_store_explicit(&lines->taken, 2 * i + 2, memory_order_release);
    }
}

/* ---- a copy of the same bytes, in and out, within one thread ---- */

static void *copy_open(uint32_t depth)
{
    void *records = calloc(depth, sizeof(struct record));

    CHECK(records);
    return records;
}

static void copy_produce(struct run *run)
{
    struct record *records = run->state;

    for (uint64_t i = 0; i < run->frames; i++) {
        struct record record = make_record(i);

        memcpy(&records[i & (run->depth - 1)], &record, sizeof(record));
        /* The compiler must not keep it in registers. */
        __asm__ volatile("" ::: "memory");
        check_record(&records[i & (run->depth - 1)], i);
    }
}

static void copy_consume(struct run *run)
{
    (void)run;
}

/* ---- running ---- */

enum { FLOOR, CK_FIRST = 3 };

static const struct variant variants[] = {
    {"a stream of cache lines", lines_open, lines_close, lines_produce,
     lines_consume, 1},
    {"a cache line there and back", lines_open, lines_close, ping, pong, 1},
    {"copy in one thread", copy_open, free, copy_produce, copy_consume, 1},
#if HAVE_CK
    {"ck_ring of records", ck_open, ck_close, ck_produce_records,
     ck_consume_records, 1},
    {"ck_ring of pointers", ck_open, ck_close, ck_produce_pointers,
     ck_consume_pointers, 1},
#endif
    {"ring, one frame", ring_open, ring_close, ring_produce, ring_consume, 1},
    {"ring, batches of 32", ring_open, ring_close, ring_produce, ring_consume,
     32},
    {"ring, batches of 256", ring_open, ring_close, ring_produce, ring_consume,
     256},
    {"queue, one frame", queue_open, queue_close, queue_produce, queue_consume,
     1},
    {"queue, batches of 32", queue_open, queue_close, queue_produce,
     queue_consume, 32},
    {"queue, batches of 256", queue_open, queue_close, queue_produce,
     queue_consume, 256},
};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

static void pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    CHECK(pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0);
}

/* Both threads begin together. */
static void meet(struct run *run)
{
    unsigned spins = 0;

    atomic_fetch_add(&run->ready, 1);
    while (atomic_load(&run->ready) < 2)
        relax(&spins);
}

struct side {
    struct run *run;
    void (*work)(struct run *run);
    int cpu;
    uint64_t began_ns, ended_ns;
};

static void *side_main(void *argument)
{
    struct side *side = argument;

    pin(side->cpu);
    meet(side->run);
    side->began_ns = aw_clock_monotonic_ns();
    side->work(side->run);
    side->ended_ns = aw_clock_monotonic_ns();
    return NULL;
}

/* Nanoseconds a frame. */
static double measure(const struct variant *variant, const struct run *shape)
{
    struct run run = {
        .frames = shape->frames,
        .depth = shape->depth,
        .batch = variant->batch,
    };
    struct side produce = {&run, variant->produce, shape->cpus[0], 0, 0};
    struct side consume = {&run, variant->consume, shape->cpus[1], 0, 0};
    pthread_t threads[2];
    uint64_t ended;

    run.state = variant->open(run.depth);
    CHECK(pthread_create(&threads[0], NULL, side_main, &produce) == 0);
    CHECK(pthread_create(&threads[1], NULL, side_main, &consume) == 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    variant->close(run.state);
    /* From the first frame given to the last one taken. */
    ended = consume.ended_ns > produce.ended_ns ? consume.ended_ns
                                                : produce.ended_ns;
    return (double)(ended - produce.began_ns) / (double)run.frames;
}

static int compare(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;

    return (first > second) - (first < second);
}

static double median(double *figures, unsigned count)
{
    qsort(figures, count, sizeof(*figures), compare);
    return figures[count / 2];
}

static void find_cpus(int cpus[2])
{
    cpu_set_t set;
    int found = 0;

    cpus[0] = cpus[1] = -1;
    if (sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET((size_t)cpu, &set))
            cpus[found++] = cpu;
}

/* A ping-pong runs for a sixteenth of the frames. */
static double scale(const struct variant *variant)
{
    return variant->produce == ping ? 16 : 1;
}

static void print_table(double medians[VARIANTS])
{
    /* The floor for 48 bytes: three lines carry four frames. */
    double least = medians[FLOOR] * 48 / LINE_BYTES;

    printf("%-28s %9s %9s %9s\n", "", "ns/frame", "x floor",
           HAVE_CK ? "x ck_ring" : "");
    for (size_t i = 0; i < VARIANTS; i++) {
        printf("%-28s %9.2f %9.2f", variants[i].name, medians[i],
               medians[i] / least);
        if (HAVE_CK)
            printf(" %9.2f", medians[i] / medians[CK_FIRST]);
        printf("\n");
    }
    printf(
        "The floor is the stream of lines, for 48 of each line's %u bytes.\n",
        LINE_BYTES);
}

static void bench(struct run *shape, unsigned rounds)
{
    static double figures[VARIANTS][ROUNDS_MAX];
    double medians[VARIANTS];

    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < VARIANTS; i++)
            figures[i][round] = measure(&variants[i], shape);
    for (size_t i = 0; i < VARIANTS; i++)
        medians[i] = median(figures[i], rounds) * scale(&variants[i]);
    print_table(medians);
}

int main(int argument_count, char **arguments)
{
    bool verify = argument_count > 1 && strcmp(arguments[1], "--verify") == 0;
    struct run shape = {.frames = verify ? 20000 : 2000000, .depth = 1024};
    unsigned rounds = verify ? 1 : 11;

    if (!verify && argument_count > 1)
        rounds = (unsigned)strtoul(arguments[1], NULL, 0);
    if (argument_count > 2)
        shape.frames = strtoull(arguments[2], NULL, 0);
    if (argument_count > 3)
        shape.depth = (uint32_t)strtoul(arguments[3], NULL, 0);
    if (rounds < 1 || rounds > ROUNDS_MAX || shape.frames < 16 ||
        shape.depth < 2 || (shape.depth & (shape.depth - 1)) != 0) {
        fprintf(stderr,
                "ring_bench: rounds 1 to %u, at least 16 frames, and "
                "a power of two for the depth\n",
                ROUNDS_MAX);
        return 64;
    }
    find_cpus(shape.cpus);
    printf("%u rounds of %" PRIu64 " frames, depth %u, processors %d and %d\n",
           rounds, shape.frames, shape.depth, shape.cpus[0], shape.cpus[1]);
    bench(&shape, rounds);
    return 0;
}
