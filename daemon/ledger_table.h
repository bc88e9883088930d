/* The report as a table for people: the ledger at the end of a run. */
#ifndef AW_LEDGER_TABLE_H
#define AW_LEDGER_TABLE_H

#include <stdio.h>

#include "daemon/report.h"

/* One line a queue, and one a device that was sent to. Nothing for a report
 * without devices. Returns 0, -EIO or -ENOMEM. */
int aw_ledger_table_write(const struct aw_report *report, FILE *to);

/* The same on stderr under a heading, in one write if it can be; `device` is
 * the one that it is of, or NULL: all. Waits a second for whoever reads stderr,
 * and then does without. */
void aw_ledger_table_print(const struct aw_report *report, const char *device);

#endif
