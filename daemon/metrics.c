#include "daemon/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/json_text.h"
#include "daemon/report.h"

/* A queue's line, or several of the same name, added up. */
struct row {
    const char *device;
    struct aw_queue_report queue;
    uint64_t open;
};

struct page {
    FILE *to;
    bool openmetrics;
    struct aw_device *const *devices;
    struct aw_report report;
    struct row *rows;
    size_t row_count;
};

/* One series of a family: the value of its label, and where its number is. */
struct series {
    const char *label_value;
    size_t offset;
};

struct family {
    const char *name; /* counters: without _total */
    const char *type;
    const char *help;
    const char *label; /* NULL: one series */
    double scale;      /* 0: a plain count */
    struct series series[6];
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

/* ---- text ---- */

static void put_label(FILE *to, const char *name, const char *value)
{
    json_t *text = aw_json_text(value);
    const char *letter = text ? json_string_value(text) : "";

    fprintf(to, "%s=\"", name);
    for (; *letter; letter++) {
        if (*letter == '\n')
            fputs("\\n", to);
        else if (*letter == '\\' || *letter == '"')
            fprintf(to, "\\%c", *letter);
        else
            fputc(*letter, to);
    }
    fputc('"', to);
    json_decref(text);
}

static bool is_counter(const struct family *family)
{
    return !strcmp(family->type, "counter");
}

/* OpenMetrics names the family of a counter without _total. */
static void put_head(const struct page *page, const struct family *family)
{
    const char *end = is_counter(family) && !page->openmetrics ? "_total" : "";

    fprintf(page->to, "# HELP awaitd_%s%s %s\n# TYPE awaitd_%s%s %s\n",
            family->name, end, family->help, family->name, end, family->type);
}

static void put_value(FILE *to, const struct family *family, uint64_t value)
{
    if (family->scale > 0)
        fprintf(to, "} %.9f\n", (double)value * family->scale);
    else
        fprintf(to, "} %" PRIu64 "\n", value);
}

/* The series of one row, all of them from `base` on. `put_labels` begins. */
static void put_series(const struct page *page, const struct family *family,
                       const void *base,
                       void (*put_labels)(FILE *to, const void *base))
{
    const char *total = is_counter(family) ? "_total" : "";

    for (size_t i = 0; i < 6; i++) {
        const struct series *series = &family->series[i];
        uint64_t value;

        if (i > 0 && !series->label_value)
            break;
        fprintf(page->to, "awaitd_%s%s{", family->name, total);
        put_labels(page->to, base);
        if (family->label) {
            fputc(',', page->to);
            put_label(page->to, family->label, series->label_value);
        }
        memcpy(&value, (const char *)base + series->offset, sizeof(value));
        put_value(page->to, family, value);
    }
}

/* ---- queues ---- */

#define STATS(field)                                                           \
    (offsetof(struct row, queue) + offsetof(struct aw_queue_report, stats) +   \
     offsetof(struct aw_stats, field))

static const struct family queue_families[] = {
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
};

static void put_queue_labels(FILE *to, const void *base)
{
    const struct row *row = base;

    put_label(to, "device", row->device);
    fputc(',', to);
    put_label(to, "queue", row->queue.name);
    fputc(',', to);
    put_label(to, "script", row->queue.owner);
}

static void put_queues(const struct page *page)
{
    size_t count = sizeof(queue_families) / sizeof(queue_families[0]);

    for (size_t i = 0; page->row_count > 0 && i < count; i++) {
        put_head(page, &queue_families[i]);
        for (size_t j = 0; j < page->row_count; j++)
            put_series(page, &queue_families[i], &page->rows[j],
                       put_queue_labels);
    }
}

/* ---- devices ---- */

struct device_row {
    const char *name, *driver;
    struct aw_send_stats send;
    uint64_t up, lost, reopened, bus_offs;
};

#define SEND(field)                                                            \
    (offsetof(struct device_row, send) + offsetof(struct aw_send_stats, field))

static const struct family device_families[] = {
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

    put_label(to, "device", row->name);
    fputc(',', to);
    put_label(to, "driver", row->driver);
}

static struct device_row device_row(const struct page *page, size_t index)
{
    const struct aw_device_report *report = &page->report.devices[index];
    struct aw_link_status status;

    aw_device_status(page->devices[index], &status);
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
        put_head(page, &device_families[i]);
        for (size_t j = 0; j < page->report.device_count; j++) {
            struct device_row row = device_row(page, j);

            put_series(page, &device_families[i], &row, put_device_labels);
        }
    }
}

/* ---- the page ---- */

static void put_daemon(const struct page *page)
{
    static const struct family build = {
        .name = "build_info", .type = "gauge", .help = "Which awaitd this is."};
    static const struct family exact = {
        .name = "ledger_exact",
        .type = "gauge",
        .help = "1 if every frame is accounted for."};

    put_head(page, &build);
    fprintf(page->to, "awaitd_build_info{version=\"" AW_VERSION "\"} 1\n");
    put_head(page, &exact);
    fprintf(page->to, "awaitd_ledger_exact %d\n",
            aw_report_exact(&page->report));
}

static int put_page(struct page *page)
{
    int result = make_rows(page);

    if (result < 0)
        return result;
    put_daemon(page);
    put_devices(page);
    put_queues(page);
    if (page->openmetrics)
        fputs("# EOF\n", page->to);
    return 0;
}

int aw_metrics_text(struct aw_device *const *devices, size_t count,
                    bool openmetrics, char **ret_text, size_t *ret_length)
{
    struct page page = {.openmetrics = openmetrics, .devices = devices};
    char *text = NULL;
    size_t length = 0;
    int result = aw_report_collect(devices, count, &page.report);

    AW_ASSERT_ROLE(MAIN);
    if (result < 0)
        return result;
    page.to = open_memstream(&text, &length);
    result = page.to ? put_page(&page) : -ENOMEM;
    if (page.to && fclose(page.to) != 0)
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
