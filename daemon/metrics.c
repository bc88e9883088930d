#include "daemon/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics_scripts.h"
#include "daemon/metrics_text.h"
#include "daemon/report.h"

/* A queue's line, or several of the same name, added up. */
struct row {
    const char *device;
    struct aw_queue_report queue;
    uint64_t open;
};

struct page {
    struct aw_metrics_page text;
    const struct aw_metrics_source *from;
    struct aw_report report;
    struct row *rows;
    size_t row_count;
};

/* ---- rows ---- */

static struct row *find_row(struct page *page, const char *device,
                            const struct aw_queue_report *queue)
{
    for (size_t i = 0; i < page->row_count; i++) {
        struct row *row = &page->rows[i];

        if (row->device == device && !strcmp(row->queue.name, queue->name) &&
            !strcmp(row->queue.owner, queue->owner))
            return row;
    }
    return NULL;
}

static void add_up(struct row *row, const struct aw_queue_report *queue)
{
    struct aw_stats *sum = &row->queue.stats;
    const struct aw_stats *stats = &queue->stats;
    uint64_t high_water = sum->high_water > stats->high_water
                              ? sum->high_water
                              : stats->high_water;
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)stats;

    _Static_assert(sizeof(*sum) == 12 * sizeof(uint64_t), "counts alone");
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        to[i] += from[i];
    sum->high_water = high_water;
    row->queue.depth = queue->depth; /* of the latest */
    for (size_t i = 0; i < AW_LATENCY_STAGES; i++)
        aw_latency_merge(&row->queue.latency[i], &queue->latency[i]);
}

static void add_queue(struct page *page, const char *device,
                      const struct aw_queue_report *queue)
{
    struct row *row = find_row(page, device, queue);

    if (queue->observer)
        return;
    if (row) {
        add_up(row, queue);
    } else {
        row = &page->rows[page->row_count++];
        *row = (struct row){.device = device, .queue = *queue};
    }
    row->open += queue->open;
}

static int make_rows(struct page *page)
{
    const struct aw_report *report = &page->report;
    size_t count = 1;

    for (size_t i = 0; i < report->device_count; i++)
        count += report->devices[i].queue_count;
    page->rows = calloc(count, sizeof(*page->rows));
    if (!page->rows)
        return -ENOMEM;
    for (size_t i = 0; i < report->device_count; i++)
        for (size_t j = 0; j < report->devices[i].queue_count; j++)
            add_queue(page, report->devices[i].name,
                      &report->devices[i].queues[j]);
    return 0;
}

/* ---- queues ---- */

#define STATS(field)                                                           \
    (offsetof(struct row, queue) + offsetof(struct aw_queue_report, stats) +   \
     offsetof(struct aw_stats, field))
#define UNPLACED(stage)                                                        \
    (offsetof(struct row, queue) +                                             \
     offsetof(struct aw_queue_report, latency[stage].unplaced))

static const struct aw_metrics_family queue_families[] = {
    {"queue_received_frames",
     "counter",
     "Frames that reached the reader, or were lost before.",
     NULL,
     0,
     {{NULL, STATS(received)}}},
    {"queue_filtered_frames",
     "counter",
     "Frames that the queue's filter did not want.",
     NULL,
     0,
     {{NULL, STATS(filtered)}}},
    {"queue_delivered_frames",
     "counter",
     "Frames that the script has taken.",
     NULL,
     0,
     {{NULL, STATS(delivered)}}},
    {"queue_dropped_frames",
     "counter",
     "Frames that were lost, by cause.",
     "cause",
     0,
     {{"kernel", STATS(dropped_kernel)},
      {"overflow", STATS(dropped_overflow)},
      {"cleared", STATS(dropped_cleared)},
      {"closed", STATS(dropped_closed)}}},
    {"queue_pending_frames",
     "gauge",
     "Frames in the ring.",
     NULL,
     0,
     {{NULL, STATS(pending)}}},
    {"queue_high_water_frames",
     "gauge",
     "The most that was ever pending.",
     NULL,
     0,
     {{NULL, STATS(high_water)}}},
    {"queue_depth_frames",
     "gauge",
     "Frames that the queue holds at most.",
     NULL,
     0,
     {{NULL,
       offsetof(struct row, queue) + offsetof(struct aw_queue_report, depth)}}},
    {"queue_open",
     "gauge",
     "Queues of this name that are attached.",
     NULL,
     0,
     {{NULL, offsetof(struct row, open)}}},
    {"queue_wakes",
     "counter",
     "How often a waiter was woken.",
     NULL,
     0,
     {{NULL, STATS(wakes)}}},
    {"queue_stalls",
     "counter",
     "How often a queue that blocks held up its device.",
     NULL,
     0,
     {{NULL, STATS(stalls)}}},
    {"queue_stalled_seconds",
     "counter",
     "For how long it did.",
     NULL,
     1e-9,
     {{NULL, STATS(stalled_ns)}}},
    {"queue_unplaced_frames",
     "counter",
     "Frames whose age nobody knows, by where they were looked at.",
     "stage",
     0,
     {{"ring", UNPLACED(AW_LATENCY_RING)},
      {"script", UNPLACED(AW_LATENCY_SCRIPT)}}},
};

static void put_queue_labels(FILE *to, const void *base)
{
    const struct row *row = base;

    aw_metrics_put_label(to, "device", row->device);
    fputc(',', to);
    aw_metrics_put_label(to, "queue", row->queue.name);
    fputc(',', to);
    aw_metrics_put_label(to, "script", row->queue.owner);
}

/* ---- how long frames took ---- */

/* Ranges of the histogram: up to 1 us, and to 17 s by twos; the rest. */
#define RANGES       26u
#define FIRST_OCTAVE 10u

static const char *const stage_names[AW_LATENCY_STAGES] = {
    [AW_LATENCY_RING] = "ring", [AW_LATENCY_SCRIPT] = "script"};

static const struct aw_metrics_family latency_family = {
    .name = "queue_latency_seconds",
    .type = "histogram",
    .help = "How old frames were in the ring, and when the script had them."};

static double range_end_s(size_t index)
{
    return (double)(UINT64_C(1) << (FIRST_OCTAVE + index)) / 1e9;
}

/* Two buckets make an octave. */
static size_t range_of(size_t bucket)
{
    size_t octave = bucket / 2;

    if (octave < FIRST_OCTAVE)
        return 0;
    octave -= FIRST_OCTAVE - 1;
    return octave < RANGES ? octave : RANGES - 1;
}

static void put_latency(const struct page *page, const struct row *row)
{
    for (size_t stage = 0; stage < AW_LATENCY_STAGES; stage++) {
        const struct aw_latency_counts *latency = &row->queue.latency[stage];
        uint64_t counts[RANGES] = {0};

        for (size_t i = 0; i < AW_LATENCY_BUCKETS; i++)
            counts[range_of(i)] += latency->counts[i];
        aw_metrics_put_histogram(&page->text, &latency_family,
                                 &(struct aw_metrics_histogram){
                                     .label = "stage",
                                     .label_value = stage_names[stage],
                                     .count = RANGES,
                                     .end_s = range_end_s,
                                     .counts = counts,
                                     .sum_s = (double)latency->sum_ns / 1e9},
                                 row, put_queue_labels);
    }
}

static void put_queues(const struct page *page)
{
    size_t count = sizeof(queue_families) / sizeof(queue_families[0]);

    for (size_t i = 0; page->row_count > 0 && i < count; i++) {
        aw_metrics_put_head(&page->text, &queue_families[i]);
        for (size_t j = 0; j < page->row_count; j++)
            aw_metrics_put_series(&page->text, &queue_families[i],
                                  &page->rows[j], put_queue_labels);
    }
    if (page->row_count > 0)
        aw_metrics_put_head(&page->text, &latency_family);
    for (size_t j = 0; j < page->row_count; j++)
        put_latency(page, &page->rows[j]);
}

/* ---- devices ---- */

struct device_row {
    const char *name, *driver;
    struct aw_send_stats send;
    uint64_t up, lost, reopened, bus_offs;
};

#define SEND(field)                                                            \
    (offsetof(struct device_row, send) + offsetof(struct aw_send_stats, field))

static const struct aw_metrics_family device_families[] = {
    {"device_up",
     "gauge",
     "1 if the device can carry frames, as far as it knows.",
     NULL,
     0,
     {{NULL, offsetof(struct device_row, up)}}},
    {"device_lost",
     "counter",
     "How often the device went away.",
     NULL,
     0,
     {{NULL, offsetof(struct device_row, lost)}}},
    {"device_reopened",
     "counter",
     "How often it came back.",
     NULL,
     0,
     {{NULL, offsetof(struct device_row, reopened)}}},
    {"device_bus_offs",
     "counter",
     "How often its controller went bus-off since it was opened.",
     NULL,
     0,
     {{NULL, offsetof(struct device_row, bus_offs)}}},
    {"device_submitted_frames",
     "counter",
     "Frames that were accepted for sending.",
     NULL,
     0,
     {{NULL, SEND(submitted)}}},
    {"device_sent_frames",
     "counter",
     "What became of them.",
     "result",
     0,
     {{"sent", SEND(sent)},
      {"expired", SEND(expired)},
      {"timed_out", SEND(timed_out)},
      {"failed", SEND(failed)}}},
    {"device_sending_frames",
     "gauge",
     "Frames that wait to be sent.",
     NULL,
     0,
     {{NULL, SEND(pending)}}},
};

static void put_device_labels(FILE *to, const void *base)
{
    const struct device_row *row = base;

    aw_metrics_put_label(to, "device", row->name);
    fputc(',', to);
    aw_metrics_put_label(to, "driver", row->driver);
}

static struct device_row device_row(const struct page *page, size_t index)
{
    const struct aw_device_report *report = &page->report.devices[index];
    struct aw_link_status status;

    aw_device_status(page->from->devices->devices[index], &status);
    return (struct device_row){
        .name = report->name,
        .driver = report->driver,
        .send = report->send,
        .up = status.state == AW_LINK_UP,
        .lost = status.lost,
        .reopened = status.reopened,
        .bus_offs = status.bus_offs,
    };
}

static void put_devices(const struct page *page)
{
    size_t count = sizeof(device_families) / sizeof(device_families[0]);

    for (size_t i = 0; page->report.device_count > 0 && i < count; i++) {
        aw_metrics_put_head(&page->text, &device_families[i]);
        for (size_t j = 0; j < page->report.device_count; j++) {
            struct device_row row = device_row(page, j);

            aw_metrics_put_series(&page->text, &device_families[i], &row,
                                  put_device_labels);
        }
    }
}

/* ---- the page ---- */

static void put_daemon(const struct page *page)
{
    static const struct aw_metrics_family build = {
        .name = "build_info", .type = "gauge", .help = "Which awaitd this is."};
    static const struct aw_metrics_family exact = {
        .name = "ledger_exact",
        .type = "gauge",
        .help = "1 if every frame is accounted for."};

    aw_metrics_put_head(&page->text, &build);
    fprintf(page->text.to, "awaitd_build_info{version=\"" AW_VERSION "\"} 1\n");
    aw_metrics_put_head(&page->text, &exact);
    fprintf(page->text.to, "awaitd_ledger_exact %d\n",
            aw_report_exact(&page->report));
}

static int put_page(struct page *page) AW_ON(main)
{
    struct aw_supervisor *supervisor =
        page->from->runtime ? aw_runtime_supervisor(page->from->runtime) : NULL;
    int result = make_rows(page);

    if (result < 0)
        return result;
    put_daemon(page);
    put_devices(page);
    put_queues(page);
    if (supervisor)
        aw_metrics_put_scripts(&page->text, supervisor);
    if (page->text.openmetrics)
        fputs("# EOF\n", page->text.to);
    return 0;
}

int aw_metrics_text(const struct aw_metrics_source *from, bool openmetrics,
                    char **ret_text, size_t *ret_length)
{
    struct page page = {.text.openmetrics = openmetrics, .from = from};
    char *text = NULL;
    size_t length = 0;
    int result = aw_report_collect(from->devices->devices, from->devices->count,
                                   &page.report);

    AW_ASSERT_ROLE(MAIN);
    if (result < 0)
        return result;
    page.text.to = open_memstream(&text, &length);
    result = page.text.to ? put_page(&page) : -ENOMEM;
    if (page.text.to && fclose(page.text.to) != 0)
        result = -ENOMEM;
    free(page.rows);
    aw_report_deinit(&page.report);
    if (result < 0) {
        free(text);
        return result;
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}
