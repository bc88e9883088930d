#include "daemon/report.h"

#include <errno.h>
#include <stdlib.h>

int aw_report_collect(struct aw_device *const *devices, size_t count,
                      struct aw_report *ret_report)
{
    struct aw_report report = {.device_count = count};

    AW_ASSERT_ROLE(MAIN);
    report.devices = calloc(count + 1, sizeof(*report.devices));
    if (!report.devices)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct aw_device_report *device = &report.devices[i];
        int queues = aw_device_reports(devices[i], &device->queues);

        if (queues < 0) {
            aw_report_deinit(&report);
            return queues;
        }
        device->queue_count = (size_t)queues;
        device->name = aw_device_name(devices[i]);
        device->driver = aw_device_driver(devices[i])->name;
        aw_device_send_stats(devices[i], &device->send);
        aw_device_status(devices[i], &device->status);
        device->has_source =
            aw_device_source_account(devices[i], &device->source);
    }
    *ret_report = report;
    return 0;
}

void aw_report_deinit(struct aw_report *report)
{
    for (size_t i = 0; report->devices && i < report->device_count; i++)
        free(report->devices[i].queues);
    free(report->devices);
    *report = (struct aw_report){0};
}

bool aw_report_send_exact(const struct aw_send_stats *send)
{
    return send->submitted == send->sent + send->expired + send->timed_out +
                                  send->failed + send->pending;
}

static bool device_exact(const struct aw_device_report *device)
{
    for (size_t i = 0; i < device->queue_count; i++)
        if (!aw_stats_exact(&device->queues[i].stats))
            return false;
    return aw_report_send_exact(&device->send);
}

bool aw_report_exact(const struct aw_report *report)
{
    for (size_t i = 0; i < report->device_count; i++)
        if (!device_exact(&report->devices[i]))
            return false;
    return true;
}

static bool device_lossless(const struct aw_device_report *device)
{
    for (size_t i = 0; i < device->queue_count; i++) {
        const struct aw_stats *stats = &device->queues[i].stats;

        if (device->queues[i].observer)
            continue;
        if (stats->dropped_kernel > 0 || stats->dropped_overflow > 0)
            return false;
    }
    return true;
}

bool aw_report_lossless(const struct aw_report *report)
{
    for (size_t i = 0; i < report->device_count; i++)
        if (!device_lossless(&report->devices[i]))
            return false;
    return true;
}
