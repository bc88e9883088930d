#include "devices/queue/latency.h"

#include <stddef.h>

/* Relaxed, and no read-modify-write: there is one writer, and the words order
 * nothing. Partner: aw_latency_read(). */
static void raise_by(_Atomic uint64_t *word, uint64_t by)
{
    atomic_store_explicit(word,
                          atomic_load_explicit(word, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* Relaxed: as above. */
static void raise_to(_Atomic uint64_t *word, uint64_t to)
{
    if (atomic_load_explicit(word, memory_order_relaxed) < to)
        atomic_store_explicit(word, to, memory_order_relaxed);
}

uint64_t aw_latency_bound(unsigned bucket)
{
    unsigned next = bucket + 1;

    if (next >= AW_LATENCY_BUCKETS)
        return UINT64_MAX;
    return next < 2 ? next : (UINT64_C(2) + (next & 1)) << (next / 2 - 1);
}

void aw_latency_add(struct aw_latency *latency, uint64_t from_ns,
                    uint64_t to_ns, uint64_t weight)
{
    uint64_t ns = to_ns - from_ns;

    if (from_ns > to_ns) {
        aw_latency_add_unplaced(latency, weight);
        return;
    }
    raise_by(&latency->counts[aw_latency_bucket(ns)], weight);
    raise_by(&latency->sum_ns, ns * weight);
    raise_to(&latency->max_ns, ns);
}

void aw_latency_add_unplaced(struct aw_latency *latency, uint64_t weight)
{
    raise_by(&latency->unplaced, weight);
}

void aw_latency_continue(struct aw_latency *latency,
                         const struct aw_latency_counts *from)
{
    for (size_t i = 0; i < AW_LATENCY_BUCKETS; i++)
        raise_by(&latency->counts[i], from->counts[i]);
    raise_by(&latency->sum_ns, from->sum_ns);
    raise_to(&latency->max_ns, from->max_ns);
    raise_by(&latency->unplaced, from->unplaced);
}

/* Relaxed: each word is read as it is. Partners: raise_by(), raise_to(). */
static uint64_t look(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

void aw_latency_read(const struct aw_latency *latency,
                     struct aw_latency_counts *ret_counts)
{
    for (size_t i = 0; i < AW_LATENCY_BUCKETS; i++)
        ret_counts->counts[i] = look(&latency->counts[i]);
    ret_counts->sum_ns = look(&latency->sum_ns);
    ret_counts->max_ns = look(&latency->max_ns);
    ret_counts->unplaced = look(&latency->unplaced);
}

void aw_latency_merge(struct aw_latency_counts *to,
                      const struct aw_latency_counts *from)
{
    for (size_t i = 0; i < AW_LATENCY_BUCKETS; i++)
        to->counts[i] += from->counts[i];
    to->sum_ns += from->sum_ns;
    to->unplaced += from->unplaced;
    if (to->max_ns < from->max_ns)
        to->max_ns = from->max_ns;
}

uint64_t aw_latency_total(const struct aw_latency_counts *counts)
{
    uint64_t total = 0;

    for (size_t i = 0; i < AW_LATENCY_BUCKETS; i++)
        total += counts->counts[i];
    return total;
}

uint64_t aw_latency_quantile(const struct aw_latency_counts *counts,
                             unsigned permille)
{
    uint64_t total = aw_latency_total(counts), below = 0, bound;
    /* Rounded up, and without overflow: so many frames took at most that. */
    uint64_t wanted =
        total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
    unsigned bucket = 0;

    if (total == 0)
        return 0;
    while ((below += counts->counts[bucket]) < wanted)
        bucket++;
    /* The end of a bucket is the first value beyond it. */
    bound = aw_latency_bound(bucket) - 1;
    return bound < counts->max_ns ? bound : counts->max_ns;
}
