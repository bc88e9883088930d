/* What there is: the daemon, its devices, their queues. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control_internal.h"
#include "daemon/json_text.h"
#include "daemon/metrics.h"
#include "daemon/report.h"
#include "daemon/span_clock.h"
#include "daemon/stats_json.h"
#include "devices/queue/clock.h"

static bool collect(struct aw_control_request *request,
                    struct aw_report *ret_report) AW_ON(main)
{
    const struct aw_device_table *table = request->control->config.devices;

    if (aw_report_collect(table->devices, table->count, ret_report) == 0)
        return true;
    aw_control_refuse(request->client, request->id, "no-memory",
                      "not enough memory for the ledger");
    return false;
}

static size_t count_queues(const struct aw_report *report)
{
    size_t count = 0;

    for (size_t i = 0; i < report->device_count; i++)
        for (size_t j = 0; j < report->devices[i].queue_count; j++)
            count += report->devices[i].queues[j].open;
    return count;
}

/* None once the last has ended. */
static void count_scripts(const struct aw_control *control, size_t *ret_scripts,
                          size_t *ret_running) AW_ON(main)
{
    const struct aw_supervisor *supervisor =
        aw_runtime_supervisor(control->config.runtime);

    *ret_scripts = supervisor ? aw_supervisor_count(supervisor) : 0;
    *ret_running = 0;
    for (size_t i = 0; i < *ret_scripts; i++) {
        struct aw_script_status status;

        aw_supervisor_status(supervisor, i, &status);
        *ret_running += status.state == AW_SCRIPT_RUNNING;
    }
}

void aw_control_status(struct aw_control_request *request)
{
    const struct aw_control *control = request->control;
    double up_s = aw_span_clock_s() - control->begun_s;
    size_t scripts, running;
    struct aw_report report;

    if (!collect(request, &report))
        return;
    count_scripts(control, &scripts, &running);
    aw_control_answer(
        request->client, request->id,
        json_pack("{s:i, s:s, s:i, s:f, s:o, s:I, s:I, s:b, s:b, s:I, s:I,"
                  " s:I, s:I}",
                  "protocol", AW_CONTROL_PROTOCOL, "version", AW_VERSION, "pid",
                  (int)getpid(), "up_s", up_s > 0 ? up_s : 0., "socket",
                  aw_json_text(control->path), "devices",
                  (json_int_t)report.device_count, "queues",
                  (json_int_t)count_queues(&report), "exact",
                  (int)aw_report_exact(&report), "lossless",
                  (int)aw_report_lossless(&report), "clients",
                  (json_int_t)control->client_count, "dropped_clients",
                  (json_int_t)control->dropped_clients, "scripts",
                  (json_int_t)scripts, "running", (json_int_t)running));
    aw_report_deinit(&report);
}

/* ---- metrics ---- */

void aw_control_metrics(struct aw_control_request *request)
{
    const struct aw_control_config *config = &request->control->config;
    const struct aw_metrics_source source = {config->devices, config->runtime};
    json_t *wanted = json_object_get(request->object, "openmetrics");
    bool openmetrics = json_is_true(wanted);
    size_t length;
    char *text;

    if (wanted && !json_is_boolean(wanted)) {
        aw_control_refuse(request->client, request->id, "bad-request",
                          "\"openmetrics\" is true or false");
        return;
    }
    if (aw_metrics_text(&source, openmetrics, &text, &length) < 0) {
        aw_control_refuse(request->client, request->id, "no-memory",
                          "not enough memory for the metrics");
        return;
    }
    aw_control_answer(
        request->client, request->id,
        json_pack("{s:s, s:o}", "type",
                  openmetrics ? AW_METRICS_TYPE_OPEN : AW_METRICS_TYPE, "text",
                  aw_json_text_n(text, length)));
    free(text);
}

/* ---- devices ---- */

static const char *state_name(unsigned state)
{
    static const char *const names[] = {
        [AW_LINK_UP] = "up",         [AW_LINK_DOWN] = "down",
        [AW_LINK_LOST] = "lost",     [AW_LINK_WAITING] = "waiting",
        [AW_LINK_CLOSED] = "closed",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static const char *bus_name(unsigned state)
{
    static const char *const names[] = {
        [AW_BUS_UNKNOWN] = "",
        [AW_BUS_ERROR_ACTIVE] = "error-active",
        [AW_BUS_WARNING] = "error-warning",
        [AW_BUS_PASSIVE] = "error-passive",
        [AW_BUS_OFF] = "bus-off",
        [AW_BUS_STOPPED] = "stopped",
        [AW_BUS_SLEEPING] = "sleeping",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static json_t *link_json(const struct aw_link_status *status)
{
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
        state_name(status->state), "failure",
        status->failure > 0 ? strerrordesc_np(status->failure) : "", "bus",
        bus_name(status->bus_state), "kernel_filter",
        (int)status->kernel_filter, "bitrate", (json_int_t)status->bitrate,
        "dbitrate", (json_int_t)status->dbitrate, "tx_errors",
        (json_int_t)status->tx_errors, "rx_errors",
        (json_int_t)status->rx_errors, "bus_offs", (json_int_t)status->bus_offs,
        "lost", (json_int_t)status->lost, "reopened",
        (json_int_t)status->reopened, "missed", (json_int_t)status->missed);
}

static json_t *device_json(const struct aw_device *device,
                           const struct aw_device_report *report)
{
    struct aw_link_status status;
    json_int_t open = 0;

    aw_device_status(device, &status);
    for (size_t i = 0; i < report->queue_count; i++)
        open += report->queues[i].open;
    return json_pack("{s:s, s:s, s:I, s:o, s:o}", "name", report->name,
                     "driver", report->driver, "queues", open, "link",
                     link_json(&status), "send",
                     aw_stats_json_send(&report->send));
}

void aw_control_devices(struct aw_control_request *request)
{
    const struct aw_device_table *table = request->control->config.devices;
    json_t *devices = json_array();
    struct aw_report report;

    if (!collect(request, &report)) {
        json_decref(devices);
        return;
    }
    for (size_t i = 0; i < report.device_count; i++)
        json_array_append_new(
            devices, device_json(table->devices[i], &report.devices[i]));
    aw_control_answer(request->client, request->id,
                      json_pack("{s:o}", "devices", devices));
    aw_report_deinit(&report);
}

/* ---- queues ---- */

static const char *overflow_name(enum aw_overflow overflow)
{
    static const char *const names[] = {
        [AW_OVERFLOW_DROP_NEWEST] = "drop-newest",
        [AW_OVERFLOW_DROP_OLDEST] = "drop-oldest",
        [AW_OVERFLOW_LATEST] = "latest",
        [AW_OVERFLOW_BLOCK] = "block",
    };

    return names[overflow];
}

static void add_queue(json_t *queues, const char *device,
                      const struct aw_queue_report *report)
{
    json_t *more =
        json_pack("{s:s, s:s, s:I, s:b}", "device", device, "overflow",
                  overflow_name(report->overflow), "depth",
                  (json_int_t)report->depth, "observer", (int)report->observer);
    json_t *queue = aw_stats_json_queue(report);

    /* Either may be NULL, for want of memory: then the line is missing. */
    if (more && queue && json_object_update(queue, more) == 0)
        json_array_append(queues, queue);
    json_decref(more);
    json_decref(queue);
}

/* The clock with it: who asks again can tell rates. */
void aw_control_queues(struct aw_control_request *request)
{
    json_t *queues = json_array();
    struct aw_report report;

    if (!collect(request, &report)) {
        json_decref(queues);
        return;
    }
    for (size_t i = 0; i < report.device_count; i++)
        for (size_t j = 0; j < report.devices[i].queue_count; j++)
            add_queue(queues, report.devices[i].name,
                      &report.devices[i].queues[j]);
    aw_control_answer(request->client, request->id,
                      json_pack("{s:I, s:o}", "monotonic_ns",
                                (json_int_t)aw_clock_monotonic_ns(), "queues",
                                queues));
    aw_report_deinit(&report);
}
