#include "daemon/ledger_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/log.h"
#include "devices/queue/stderr.h"

#define PRINT_TIMEOUT_MS 1000 /* for whoever reads stderr */

enum {
    COLUMN_DEVICE,
    COLUMN_QUEUE,
    COLUMN_SCRIPT,
    COLUMN_NUMBERS, /* from here on right-aligned */
    COLUMN_COUNT = COLUMN_NUMBERS + 5,
};

struct row {
    char cells[COLUMN_COUNT][64];
    char verdict[128];
};

struct cause {
    const char *name;
    uint64_t count;
};

/* Appends " (3 kernel, 4 overflow)": the causes that occurred. */
static void append_causes(char *text, size_t size, const struct cause *causes,
                          size_t count)
{
    const char *separator = " (";
    size_t length = strlen(text);

    for (size_t i = 0; i < count; i++) {
        if (causes[i].count == 0)
            continue;
        snprintf(text + length, size - length, "%s%" PRIu64 " %s", separator,
                 causes[i].count, causes[i].name);
        length = strlen(text);
        separator = ", ";
    }
    if (separator[0] == ',')
        snprintf(text + length, size - length, ")");
}

/* Appends ", stalled 3 times, 0.012 s" for a queue that held up its device. */
static void append_stalls(char *text, size_t size, const struct aw_stats *stats)
{
    size_t length = strlen(text);

    if (stats->stalls > 0)
        snprintf(text + length, size - length,
                 ", stalled %" PRIu64 " time%s, %.3f s", stats->stalls,
                 stats->stalls == 1 ? "" : "s",
                 (double)stats->stalled_ns / 1e9);
}

static void fill_row(struct row *row, const char *device,
                     const struct aw_queue_report *queue)
{
    const struct aw_stats *stats = &queue->stats;
    const uint64_t numbers[] = {stats->received, stats->filtered,
                                stats->delivered, aw_stats_dropped(stats),
                                stats->pending};
    const struct cause causes[] = {{"kernel", stats->dropped_kernel},
                                   {"overflow", stats->dropped_overflow},
                                   {"cleared", stats->dropped_cleared},
                                   {"closed", stats->dropped_closed}};

    snprintf(row->cells[COLUMN_DEVICE], sizeof(row->cells[0]), "%s", device);
    snprintf(row->cells[COLUMN_QUEUE], sizeof(row->cells[0]), "%s",
             queue->name);
    snprintf(row->cells[COLUMN_SCRIPT], sizeof(row->cells[0]), "%s",
             queue->owner[0] ? queue->owner : "-");
    for (size_t i = 0; i < COLUMN_COUNT - COLUMN_NUMBERS; i++)
        snprintf(row->cells[COLUMN_NUMBERS + i], sizeof(row->cells[0]),
                 "%" PRIu64, numbers[i]);
    snprintf(row->verdict, sizeof(row->verdict), "%s",
             aw_stats_exact(stats) ? "exact" : "NOT EXACT");
    append_causes(row->verdict, sizeof(row->verdict), causes, 4);
    append_stalls(row->verdict, sizeof(row->verdict), stats);
}

static void print_rows(const struct row *rows, size_t count, FILE *to)
{
    int widths[COLUMN_COUNT] = {0};

    for (size_t i = 0; i < count; i++)
        for (size_t column = 0; column < COLUMN_COUNT; column++) {
            int width = (int)strlen(rows[i].cells[column]);

            if (width > widths[column])
                widths[column] = width;
        }
    for (size_t i = 0; i < count; i++) {
        for (size_t column = 0; column < COLUMN_COUNT; column++)
            fprintf(to, "  %*s",
                    column < COLUMN_NUMBERS ? -widths[column] : widths[column],
                    rows[i].cells[column]);
        fprintf(to, "  %s\n", rows[i].verdict);
    }
}

static size_t count_queues(const struct aw_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->device_count; i++)
        count += report->devices[i].queue_count;
    return count;
}

static int print_queues(const struct aw_report *report, FILE *to)
{
    static const struct row head = {
        .cells = {"device", "queue", "script", "received", "filtered",
                  "delivered", "dropped", "pending"},
        .verdict = "ledger",
    };
    struct row *rows = calloc(count_queues(report) + 1, sizeof(*rows));
    size_t used = 0;

    if (!rows)
        return -ENOMEM;
    rows[used++] = head;
    for (size_t i = 0; i < report->device_count; i++)
        for (size_t j = 0; j < report->devices[i].queue_count; j++)
            fill_row(&rows[used++], report->devices[i].name,
                     &report->devices[i].queues[j]);
    print_rows(rows, used, to);
    free(rows);
    return 0;
}

static void print_send(const struct aw_device_report *device, FILE *to)
{
    const struct aw_send_stats *send = &device->send;
    const struct cause causes[] = {{"expired", send->expired},
                                   {"timed out", send->timed_out},
                                   {"failed", send->failed},
                                   {"pending", send->pending}};
    char verdict[160];

    snprintf(verdict, sizeof(verdict), "%s",
             aw_report_send_exact(send) ? "exact" : "NOT EXACT");
    append_causes(verdict, sizeof(verdict), causes, 4);
    fprintf(to, "  %s: sent %" PRIu64 " of %" PRIu64 " submitted  %s\n",
            device->name, send->sent, send->submitted, verdict);
}

/* "lost 2 times" */
static const char *print_times(FILE *to, const char *separator,
                               const char *what, uint64_t count)
{
    if (count == 0)
        return separator;
    fprintf(to, "%s%s %" PRIu64 " time%s", separator, what, count,
            count == 1 ? "" : "s");
    return ", ";
}

/* "overran" and "missed" say of what. */
static const char *print_count(FILE *to, const char *separator, uint64_t count,
                               const char *one, const char *many)
{
    if (count == 0)
        return separator;
    fprintf(to, "%s%" PRIu64 " %s", separator, count, count == 1 ? one : many);
    return ", ";
}

/* What happened to the device; nothing where nothing did. */
static void print_status(const struct aw_device_report *device, FILE *to)
{
    const struct aw_link_status *status = &device->status;
    const char *separator = "";
    bool happened = status->lost > 0 || status->reopened > 0 ||
                    status->bus_offs > 0 || status->restarts > 0 ||
                    status->overruns > 0 || status->missed > 0 ||
                    status->failure != 0;

    if (!happened)
        return;
    fprintf(to, "  %s: ", device->name);
    separator = print_times(to, separator, "lost", status->lost);
    separator = print_times(to, separator, "back", status->reopened);
    separator = print_times(to, separator, "bus-off", status->bus_offs);
    separator = print_times(to, separator, "restarted", status->restarts);
    separator = print_count(to, separator, status->overruns, "sample too late",
                            "samples too late");
    separator = print_count(to, separator, status->missed, "edge missed",
                            "edges missed");
    if (status->failure != 0)
        fprintf(to, "%snot there at the end: %s", separator,
                strerror(status->failure));
    fputc('\n', to);
}

static void print_device(const struct aw_device_report *device, FILE *to)
{
    if (device->send.submitted > 0)
        print_send(device, to);
    else if (device->queue_count == 0)
        fprintf(to, "  %s: no queue, nothing sent\n", device->name);
    print_status(device, to);
}

int aw_ledger_table_write(const struct aw_report *report, FILE *to)
{
    int result = 0;

    if (count_queues(report) > 0)
        result = print_queues(report, to);
    for (size_t i = 0; result == 0 && i < report->device_count; i++)
        print_device(&report->devices[i], to);
    if (result == 0 && fflush(to) != 0)
        result = -EIO;
    return result;
}

/* In one write where that is possible, so that the table stays whole; and not
 * for ever into a pipe that nobody reads. */
static void write_patiently(const char *text, size_t length)
{
    int fd = aw_stderr_enter();
    ssize_t taken = -EAGAIN;

    while (length > 0 && (taken > 0 || taken == -EINTR || taken == -EAGAIN)) {
        taken = aw_stderr_write(fd, text, length, PRINT_TIMEOUT_MS);
        text += taken > 0 ? taken : 0;
        length -= taken > 0 ? (size_t)taken : 0;
    }
    aw_stderr_leave(fd);
}

void aw_ledger_table_print(const struct aw_report *report, const char *device)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    bool written = false;

    if (to) {
        fprintf(to, "awaitd: ledger%s%s\n", device ? " of device " : "",
                device ? device : "");
        written = aw_ledger_table_write(report, to) == 0;
        written = fclose(to) == 0 && written;
    }
    if (written)
        write_patiently(text, length);
    else
        aw_log(AW_LOG_ERROR, "no memory for the ledger's table");
    free(text);
}
