/* The ledger of every device at one moment: what the table, the JSON and
 * --fail-on-drop are made of, so that they cannot disagree. */
#ifndef AW_REPORT_H
#define AW_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/device.h"
#include "devices/queue/roles.h"

struct aw_device_report {
    const char *name;   /* the device's */
    const char *driver; /* static */
    struct aw_queue_report *queues;
    size_t queue_count;
    struct aw_send_stats send;
    struct aw_link_status status;
    bool has_source; /* `source` is known */
    struct aw_source_account source;
};

struct aw_report {
    struct aw_device_report *devices;
    size_t device_count;
    uint64_t dropped_lines; /* of scripts' output; whoever collects, adds it */
};

/* Collects it. The devices must outlive the report. Returns 0 or -ENOMEM. */
int aw_report_collect(struct aw_device *const *devices, size_t count,
                      struct aw_report *ret_report) AW_ON(main) AW_NO_GIL;

/* Accepts zeroes. */
void aw_report_deinit(struct aw_report *report);

/* True when what was submitted for sending is accounted for. */
bool aw_report_send_exact(const struct aw_send_stats *send);

/* True when every sum of the report adds up. */
bool aw_report_exact(const struct aw_report *report);

/* True when no queue lost a frame that it was meant to keep: in the kernel, or
 * because its ring was full. Frames that a script cleared, or left behind when
 * it ended, were its own to throw away; and what an observer did not see,
 * others did. */
bool aw_report_lossless(const struct aw_report *report);

#endif
