#include "daemon/latency_json.h"

static void add_bucket(json_t *buckets, json_t *end, uint64_t count)
{
    json_array_append_new(buckets, json_pack("[o, I]", end, (json_int_t)count));
}

static json_t *buckets_json(const struct aw_latency_counts *counts)
{
    json_t *buckets = json_array();

    for (unsigned i = 0; i < AW_LATENCY_BUCKETS; i++) {
        uint64_t bound = aw_latency_bound(i);

        if (counts->counts[i] > 0)
            add_bucket(buckets,
                       bound < INT64_MAX ? json_integer((json_int_t)bound)
                                         : json_null(),
                       counts->counts[i]);
    }
    return buckets;
}

static json_t *stage_json(const struct aw_latency_counts *counts)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "count",
                     (json_int_t)aw_latency_total(counts), "unplaced",
                     (json_int_t)counts->unplaced, "sum_ns",
                     (json_int_t)counts->sum_ns, "max_ns",
                     (json_int_t)counts->max_ns, "p50_ns",
                     (json_int_t)aw_latency_quantile(counts, 500), "p99_ns",
                     (json_int_t)aw_latency_quantile(counts, 990), "buckets",
                     buckets_json(counts));
}

json_t *aw_latency_json(const struct aw_latency_counts stages[])
{
    return json_pack("{s:o, s:o}", "ring", stage_json(&stages[AW_LATENCY_RING]),
                     "script", stage_json(&stages[AW_LATENCY_SCRIPT]));
}

json_t *aw_turns_json(const struct aw_turns *turns, uint64_t now_ns)
{
    json_t *buckets = json_array();
    double now_s = 0;

    for (unsigned i = 0; i < AW_TURN_BUCKETS; i++)
        if (turns->buckets[i] > 0)
            add_bucket(buckets,
                       i + 1 < AW_TURN_BUCKETS
                           ? json_integer((json_int_t)2000 << i)
                           : json_null(),
                       turns->buckets[i]);
    if (turns->began_ns > 0 && turns->began_ns < now_ns)
        now_s = (double)(now_ns - turns->began_ns) / 1e9;
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:f, s:o}", "count", (json_int_t)turns->turns,
        "stalls", (json_int_t)turns->stalls, "busy_ns",
        (json_int_t)turns->busy_ns, "longest_ns", (json_int_t)turns->longest_ns,
        "now_s", now_s, "buckets", buckets);
}
