/* Histograms as JSON, for --stats-json and the control socket. */
#ifndef AW_LATENCY_JSON_H
#define AW_LATENCY_JSON_H

#include <jansson.h>

#include "devices/queue/latency.h"
#include "pymod/host.h"

/* {"ring": …, "script": …}, each with count, unplaced, sum_ns, max_ns, p50_ns,
 * p99_ns and `buckets`: [first value beyond it in ns, frames] where there are
 * frames; null has no end. NULL without memory. */
json_t *aw_latency_json(const struct aw_latency_counts stages[]);

/* {"count", "stalls", "busy_ns", "longest_ns", "buckets"}, buckets as above;
 * `now_s`: how long the present turn has lasted, 0 while the loop waits. */
json_t *aw_turns_json(const struct aw_turns *turns, uint64_t now_ns);

#endif
