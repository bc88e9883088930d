#include "daemon/device_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ledger_table.h"
#include "daemon/report.h"

int aw_device_table_reserve(struct aw_device_table *table, size_t count)
{
    struct aw_device **devices = reallocarray(
        table->devices, table->count + count + 1, sizeof(struct aw_device *));
    struct aw_leaving_device *leaving;

    if (!devices)
        return -ENOMEM;
    table->devices = devices;
    leaving =
        reallocarray(table->leaving, table->leaving_count + table->count + 1,
                     sizeof(*leaving));
    if (!leaving)
        return -ENOMEM;
    table->leaving = leaving;
    return 0;
}

void aw_device_table_add(struct aw_device_table *table,
                         struct aw_device *device)
{
    table->devices[table->count++] = device;
}

int aw_device_table_find(const struct aw_device_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(aw_device_name(table->devices[i]), name) == 0)
            return (int)i;
    return -ENOENT;
}

uint64_t aw_device_table_leave(struct aw_device_table *table, size_t index,
                               struct aw_device *successor)
{
    struct aw_leaving_device *leaving = &table->leaving[table->leaving_count++];

    *leaving = (struct aw_leaving_device){
        .device = table->devices[index],
        .number = ++table->numbered,
        .replaced = successor != NULL,
    };
    if (successor) {
        table->devices[index] = successor;
        return leaving->number;
    }
    table->count--;
    memmove(&table->devices[index], &table->devices[index + 1],
            (table->count - index) * sizeof(struct aw_device *));
    return leaving->number;
}

struct aw_leaving_device *aw_device_table_leaving(struct aw_device_table *table,
                                                  uint64_t number)
{
    for (size_t i = 0; i < table->leaving_count; i++)
        if (table->leaving[i].number == number)
            return &table->leaving[i];
    return NULL;
}

/* Its last words: nobody reads them later. */
static void settle(struct aw_device_table *table, struct aw_device *device,
                   bool report) AW_ON(main) AW_NO_GIL
{
    struct aw_report found;

    if (aw_report_collect(&device, 1, &found) < 0) {
        table->inexact = true;
        return;
    }
    table->lossy |= !aw_report_lossless(&found);
    table->inexact |= !aw_report_exact(&found);
    if (report)
        aw_ledger_table_print(&found, aw_device_name(device));
    aw_report_deinit(&found);
}

void aw_device_table_close(struct aw_device_table *table,
                           struct aw_leaving_device *leaving, bool report)
{
    size_t index = (size_t)(leaving - table->leaving);

    aw_device_close(leaving->device);
    settle(table, leaving->device, report);
    aw_device_unref(leaving->device);
    table->leaving_count--;
    memmove(leaving, leaving + 1,
            (table->leaving_count - index) * sizeof(*leaving));
}

void aw_device_table_close_all(struct aw_device_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        aw_device_close(table->devices[i]);
    for (size_t i = 0; i < table->leaving_count; i++)
        aw_device_close(table->leaving[i].device);
}

void aw_device_table_deinit(struct aw_device_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        aw_device_unref(table->devices[i]);
    for (size_t i = 0; i < table->leaving_count; i++)
        aw_device_unref(table->leaving[i].device);
    free(table->devices);
    free(table->leaving);
    *table = (struct aw_device_table){.count = 0};
}
