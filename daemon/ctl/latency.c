#include "daemon/ctl/latency.h"

#include <stdio.h>

/* How many frames a histogram has in the bucket that ends there. */
static uint64_t count_of(const json_t *buckets, const json_t *end)
{
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i);

        if (json_equal(json_array_get(bucket, 0), end))
            return (uint64_t)json_integer_value(json_array_get(bucket, 1));
    }
    return 0;
}

/* Of the `i`-th bucket of `now`: the frames that came since `then`. One that
 * has begun anew, as another queue of that name, counts from nothing. */
static uint64_t came(const json_t *now, const json_t *then, size_t i)
{
    const json_t *bucket = json_array_get(now, i);
    uint64_t count = (uint64_t)json_integer_value(json_array_get(bucket, 1));
    uint64_t old = count_of(then, json_array_get(bucket, 0));

    return count < old ? count : count - old;
}

uint64_t aw_ctl_quantile(const json_t *now, const json_t *then,
                         unsigned permille)
{
    const json_t *buckets = json_object_get(now, "buckets");
    const json_t *old = json_object_get(then, "buckets"), *end;
    uint64_t total = 0, below = 0, wanted;
    size_t i;

    for (i = 0; i < json_array_size(buckets); i++)
        total += came(buckets, old, i);
    if (total == 0)
        return 0;
    wanted = (total * permille + 999) / 1000;
    for (i = 0; i < json_array_size(buckets) && below < wanted; i++)
        below += came(buckets, old, i);
    end = json_array_get(json_array_get(buckets, i - 1), 0);
    return json_is_null(end) ? UINT64_MAX : (uint64_t)json_integer_value(end);
}

void aw_ctl_cell_time(char cell[AW_CTL_CELL_MAX], uint64_t ns)
{
    static const char *const units[] = {"us", "ms", "s"};
    double value = (double)ns / 1e3;
    size_t unit = 0;

    if (ns == 0 || ns == UINT64_MAX) {
        aw_ctl_cell(cell, ns == 0 ? "-" : ">206s");
        return;
    }
    for (; value >= 999.5 && unit < 2; unit++)
        value /= 1e3;
    if (value < 0.95 && unit == 0)
        aw_ctl_cell(cell, "<1us");
    else
        snprintf(cell, AW_CTL_CELL_MAX, value < 9.95 ? "%.1f%s" : "%.0f%s",
                 value, units[unit]);
}
