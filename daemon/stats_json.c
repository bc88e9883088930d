#include "daemon/stats_json.h"

#include <errno.h>
#include <jansson.h>

#include "daemon/json_text.h"
#include "daemon/latency_json.h"

json_t *aw_stats_json_queue(const struct aw_queue_report *queue)
{
    const struct aw_stats *stats = &queue->stats;

    json_t *object = json_pack(
        "{s:o, s:o, s:b, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I,"
        " s:b, s:o}",
        "name", aw_json_text(queue->name), "script", aw_json_text(queue->owner),
        "open", (int)queue->open, "received", (json_int_t)stats->received,
        "filtered", (json_int_t)stats->filtered, "delivered",
        (json_int_t)stats->delivered, "dropped", "kernel",
        (json_int_t)stats->dropped_kernel, "overflow",
        (json_int_t)stats->dropped_overflow, "cleared",
        (json_int_t)stats->dropped_cleared, "closed",
        (json_int_t)stats->dropped_closed, "pending",
        (json_int_t)stats->pending, "high_water", (json_int_t)stats->high_water,
        "wakes", (json_int_t)stats->wakes, "exact", (int)aw_stats_exact(stats),
        "latency", aw_latency_json(queue->latency));

    /* Only a queue that blocks stalls. A failure to add is one of the whole. */
    if (object && stats->stalls > 0 &&
        (json_object_set_new(object, "stalls",
                             json_integer((json_int_t)stats->stalls)) < 0 ||
         json_object_set_new(object, "stalled_ns",
                             json_integer((json_int_t)stats->stalled_ns)) <
             0)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

json_t *aw_stats_json_send(const struct aw_send_stats *send)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "submitted",
        (json_int_t)send->submitted, "sent", (json_int_t)send->sent, "expired",
        (json_int_t)send->expired, "timed_out", (json_int_t)send->timed_out,
        "failed", (json_int_t)send->failed, "pending",
        (json_int_t)send->pending, "exact", (int)aw_report_send_exact(send));
}

/* null where it is unknown, or there is none. */
static json_t *number_or_null(uint64_t number)
{
    return number ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *carrier_json(const struct aw_link_status *status)
{
    if (status->carrier == AW_CARRIER_UNKNOWN)
        return json_null();
    return json_boolean(status->carrier == AW_CARRIER_YES);
}

/* By the names that the attributes of a Device have in Python. */
static json_t *status_json(const struct aw_link_status *status)
{
    const char *bus = aw_bus_state_name((enum aw_bus_state)status->bus_state);

    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b,"
        " s:I, s:I, s:I}",
        "state", aw_link_state_name((enum aw_link_state)status->state),
        "failure", number_or_null((uint64_t)status->failure), "carrier",
        carrier_json(status), "bus_state", text_or_null(bus), "bitrate",
        number_or_null(status->bitrate), "dbitrate",
        number_or_null(status->dbitrate), "restart_ms",
        number_or_null(status->restart_ms), "tx_errors",
        (json_int_t)status->tx_errors, "rx_errors",
        (json_int_t)status->rx_errors, "bus_offs", (json_int_t)status->bus_offs,
        "restarts", (json_int_t)status->restarts, "lost",
        (json_int_t)status->lost, "reopened", (json_int_t)status->reopened,
        "kernel_filter", (int)status->kernel_filter, "overruns",
        (json_int_t)status->overruns, "missed", (json_int_t)status->missed,
        "late_max_ns", (json_int_t)status->late_max_ns);
}

/* null where the driver keeps no account of it. */
static json_t *source_json(const struct aw_device_report *device)
{
    if (!device->has_source)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "broken_lines",
                     (json_int_t)device->source.broken_lines, "too_long",
                     (json_int_t)device->source.too_long, "recorded_losses",
                     (json_int_t)device->source.recorded_losses);
}

/* json_array_append_new() and json_pack() take NULL for a failure and pass it
 * on, so one check at the end is enough. */
static json_t *device_json(const struct aw_device_report *device)
{
    json_t *queues = json_array();

    for (size_t i = 0; i < device->queue_count; i++)
        if (json_array_append_new(
                queues, aw_stats_json_queue(&device->queues[i])) < 0) {
            json_decref(queues);
            return NULL;
        }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", device->name,
                     "driver", device->driver, "queues", queues, "send",
                     aw_stats_json_send(&device->send), "source",
                     source_json(device), "status",
                     status_json(&device->status));
}

static json_t *report_json(const struct aw_report *report, int status)
{
    json_t *devices = json_array();

    for (size_t i = 0; i < report->device_count; i++)
        if (json_array_append_new(devices, device_json(&report->devices[i])) <
            0) {
            json_decref(devices);
            return NULL;
        }
    return json_pack("{s:s, s:i, s:b, s:b, s:I, s:o}", "version", AW_VERSION,
                     "status", status, "exact", (int)aw_report_exact(report),
                     "lossless", (int)aw_report_lossless(report),
                     "dropped_lines", (json_int_t)report->dropped_lines,
                     "devices", devices);
}

int aw_stats_json_write(const struct aw_report *report, int status, FILE *to)
{
    json_t *object = report_json(report, status);
    int result = 0;

    if (!object)
        return -ENOMEM;
    errno = 0;
    if (json_dumpf(object, to, JSON_INDENT(2)) < 0 || fputc('\n', to) == EOF ||
        fflush(to) != 0)
        result = errno > 0 ? -errno : -EIO;
    json_decref(object);
    return result;
}
