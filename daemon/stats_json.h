/* The report as one JSON object, every number in it: `--stats-json`. */
#ifndef AW_STATS_JSON_H
#define AW_STATS_JSON_H

#include <stdio.h>

#include "daemon/report.h"

/* Writes the object and a newline, and flushes. `status` is the exit status
 * that the process is about to end with. Returns 0, -EIO or -ENOMEM. */
int aw_stats_json_write(const struct aw_report *report, int status, FILE *to);

#endif
