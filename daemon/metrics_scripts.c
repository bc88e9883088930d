#include "daemon/metrics_scripts.h"

/* A turn's ranges: up to 2 us, and to 17 s by twos; longer ones have no end. */
#define RANGES 25u

struct script_row {
    struct aw_script_status status;
    uint64_t running;
};

#define STATUS(field)                                                          \
    (offsetof(struct script_row, status) +                                     \
     offsetof(struct aw_script_status, field))

static const struct aw_metrics_family families[] = {
    {"script_running",
     "gauge",
     "1 while the script runs.",
     NULL,
     0,
     {{NULL, offsetof(struct script_row, running)}}},
    {"script_restarts",
     "counter",
     "How often its policy has started it again.",
     NULL,
     0,
     {{NULL, STATUS(restarts)}}},
    {"script_reloads",
     "counter",
     "Reloads, by what became of them.",
     "result",
     0,
     {{"done", STATUS(reloads)}, {"failed", STATUS(failed_reloads)}}},
    {"script_stalls",
     "counter",
     "Turns of its event loop that were as long as stall_ms.",
     NULL,
     0,
     {{NULL, STATUS(turns.stalls)}}},
};

static const struct aw_metrics_family turn_family = {
    .name = "script_turn_seconds",
    .type = "histogram",
    .help = "Turns of its event loop, from one wait for events to the next."};

static void put_labels(FILE *to, const void *base)
{
    const struct script_row *row = base;

    aw_metrics_put_label(to, "script", row->status.name);
}

static struct script_row row_of(const struct aw_supervisor *supervisor,
                                size_t index) AW_ON(main)
{
    struct script_row row;

    aw_supervisor_status(supervisor, index, &row.status);
    row.running = row.status.state == AW_SCRIPT_RUNNING;
    return row;
}

/* aw_turns.buckets[i] ends at 2^(i + 1) us. */
static double end_s(size_t index)
{
    return (double)(UINT64_C(2) << index) / 1e6;
}

static void put_turns(const struct aw_metrics_page *page,
                      const struct script_row *row)
{
    const struct aw_turns *turns = &row->status.turns;
    uint64_t counts[RANGES] = {0};

    for (size_t i = 0; i < AW_TURN_BUCKETS; i++)
        counts[i < RANGES ? i : RANGES - 1] += turns->buckets[i];
    aw_metrics_put_histogram(
        page, &turn_family,
        &(struct aw_metrics_histogram){.count = RANGES,
                                       .end_s = end_s,
                                       .counts = counts,
                                       .sum_s = (double)turns->busy_ns / 1e9},
        row, put_labels);
}

void aw_metrics_put_scripts(const struct aw_metrics_page *page,
                            const struct aw_supervisor *supervisor)
{
    size_t scripts = aw_supervisor_count(supervisor);

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        aw_metrics_put_head(page, &families[i]);
        for (size_t j = 0; j < scripts; j++) {
            struct script_row row;

            if (!aw_supervisor_has(supervisor, j))
                continue;
            row = row_of(supervisor, j);
            aw_metrics_put_series(page, &families[i], &row, put_labels);
        }
    }
    aw_metrics_put_head(page, &turn_family);
    for (size_t j = 0; j < scripts; j++) {
        struct script_row row;

        if (!aw_supervisor_has(supervisor, j))
            continue;
        row = row_of(supervisor, j);
        put_turns(page, &row);
    }
}
