/* The report as one JSON object, every number in it: `--stats-json`. */
#ifndef AW_STATS_JSON_H
#define AW_STATS_JSON_H

#include <stdio.h>

#include <jansson.h>

#include "daemon/report.h"

/* A queue's ledger, and what a device has sent, as JSON objects, the caller's;
 * NULL: no memory. */
json_t *aw_stats_json_queue(const struct aw_queue_report *queue);
json_t *aw_stats_json_send(const struct aw_send_stats *send);

/* Writes the object and a newline, and flushes. `status` is the exit status
 * that the process is about to end with. Returns 0, or what
 * write() has failed with, -EIO or -ENOMEM. */
int aw_stats_json_write(const struct aw_report *report, int status, FILE *to);

#endif
