#include "pymod/heartbeat.h"

#include <stdlib.h>

#include "devices/queue/clock.h"

/* Of a stall, from probe to probe: by so much one may be seen later. */
#define PROBE_SHARE  4
#define PROBE_MIN_NS (20 * AW_NS_PER_MS)

static uint64_t load(const _Atomic(uint64_t) *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* One writer: no locked instruction is needed. */
static void add_one(_Atomic(uint64_t) *word)
{
    store(word, load(word) + 1);
}

static bool is_owner(const struct aw_heartbeat *heartbeat)
{
    return pthread_equal(heartbeat->owner, pthread_self()) != 0;
}

static unsigned bucket_of(uint64_t turn_ns)
{
    uint64_t us = turn_ns / AW_NS_PER_US;
    unsigned bucket = us < 2 ? 0 : 63 - (unsigned)__builtin_clzll(us);

    return bucket < AW_TURN_BUCKETS ? bucket : AW_TURN_BUCKETS - 1;
}

static void count(struct aw_heartbeat *heartbeat, uint64_t turn_ns)
{
    uint64_t stall_ns = load(&heartbeat->stall_ns);

    add_one(&heartbeat->turns);
    store(&heartbeat->busy_ns, load(&heartbeat->busy_ns) + turn_ns);
    add_one(&heartbeat->buckets[bucket_of(turn_ns)]);
    if (stall_ns > 0 && turn_ns >= stall_ns)
        add_one(&heartbeat->stalls);
    if (turn_ns > load(&heartbeat->longest_ns))
        store(&heartbeat->longest_ns, turn_ns);
}

struct aw_heartbeat *aw_heartbeat_new(uint64_t stall_ns)
{
    struct aw_heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));

    if (!heartbeat)
        return NULL;
    atomic_init(&heartbeat->references, 1);
    atomic_init(&heartbeat->stall_ns, stall_ns);
    return heartbeat;
}

void aw_heartbeat_set_stall(struct aw_heartbeat *heartbeat, uint64_t stall_ns)
{
    store(&heartbeat->stall_ns, stall_ns);
}

void aw_heartbeat_ref(struct aw_heartbeat *heartbeat)
{
    /* Relaxed: the caller has one, which keeps it. */
    atomic_fetch_add_explicit(&heartbeat->references, 1, memory_order_relaxed);
}

void aw_heartbeat_unref(struct aw_heartbeat *heartbeat)
{
    /* Both: all that others did with it comes before the free. */
    if (atomic_fetch_sub_explicit(&heartbeat->references, 1,
                                  memory_order_acq_rel) == 1)
        free(heartbeat);
}

void aw_heartbeat_own(struct aw_heartbeat *heartbeat)
{
    heartbeat->owner = pthread_self();
}

void aw_heartbeat_awake(struct aw_heartbeat *heartbeat)
{
    if (!is_owner(heartbeat))
        return;
    (void)aw_heartbeat_asleep(heartbeat);
    store(&heartbeat->began_ns, aw_clock_monotonic_ns());
}

bool aw_heartbeat_asleep(struct aw_heartbeat *heartbeat)
{
    uint64_t began_ns;
    int64_t turn_ns;

    if (!is_owner(heartbeat))
        return false;
    began_ns = load(&heartbeat->began_ns);
    if (began_ns == 0)
        return false;
    turn_ns = (int64_t)(aw_clock_monotonic_ns() - began_ns);
    /* Less: a probe's, which is not due yet. */
    if (turn_ns >= 0)
        count(heartbeat, (uint64_t)turn_ns);
    store(&heartbeat->began_ns, 0);
    return true;
}

double aw_heartbeat_probe(struct aw_heartbeat *heartbeat)
{
    uint64_t stall_ns = load(&heartbeat->stall_ns);
    uint64_t interval_ns = stall_ns / PROBE_SHARE;

    if (!is_owner(heartbeat) || stall_ns == 0)
        return 0;
    if (interval_ns < PROBE_MIN_NS)
        interval_ns = PROBE_MIN_NS;
    (void)aw_heartbeat_asleep(heartbeat);
    store(&heartbeat->began_ns, aw_clock_monotonic_ns() + interval_ns);
    return (double)interval_ns / (double)AW_NS_PER_S;
}

void aw_heartbeat_add(const struct aw_heartbeat *heartbeat, uint64_t generation,
                      struct aw_turns *turns)
{
    uint64_t began_ns = load(&heartbeat->began_ns);
    uint64_t longest_ns = load(&heartbeat->longest_ns);

    if (began_ns != 0 && (turns->began_ns == 0 || began_ns < turns->began_ns)) {
        turns->began_ns = began_ns;
        turns->generation = generation;
    }
    turns->turns += load(&heartbeat->turns);
    turns->stalls += load(&heartbeat->stalls);
    turns->busy_ns += load(&heartbeat->busy_ns);
    if (longest_ns > turns->longest_ns)
        turns->longest_ns = longest_ns;
    for (unsigned i = 0; i < AW_TURN_BUCKETS; i++)
        turns->buckets[i] += load(&heartbeat->buckets[i]);
}
