/* The devices there are, in the order of the configuration; and those that it
 * has no more, until no script uses them and they are closed. */
#ifndef AW_DEVICE_TABLE_H
#define AW_DEVICE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/queue/roles.h"

struct aw_leaving_device {
    struct aw_device *device;
    uint64_t number; /* as the host knows it */
    bool replaced;   /* there is another one of its name */
    bool told;       /* its users are known */
};

/* Its owner's: all of it is main's. */
struct aw_device_table {
    struct aw_device **devices; /* a reference each */
    size_t count;
    struct aw_leaving_device *leaving; /* a reference each */
    size_t leaving_count;
    uint64_t numbered;
    /* Of those that were closed before the end: */
    bool lossy;   /* one lost a frame */
    bool inexact; /* a sum of one did not add up */
};

/* Makes room for so many devices, and so many more that leave. Returns 0 or
 * -ENOMEM. After this aw_device_table_add() and _leave() do not fail. */
int aw_device_table_reserve(struct aw_device_table *table, size_t count)
    AW_ON(main);

/* Takes over the reference. */
void aw_device_table_add(struct aw_device_table *table,
                         struct aw_device *device) AW_ON(main);

/* The index of the device of this name, or -ENOENT. */
int aw_device_table_find(const struct aw_device_table *table, const char *name)
    AW_ON(main);

/* The device at `index` is not configured any more; `successor`, whose
 * reference it takes over, is in its place, or NULL: none is. Returns the
 * number by which it leaves, not 0. */
uint64_t aw_device_table_leave(struct aw_device_table *table, size_t index,
                               struct aw_device *successor) AW_ON(main);

/* The one that leaves by this number, or NULL. */
struct aw_leaving_device *aw_device_table_leaving(struct aw_device_table *table,
                                                  uint64_t number) AW_ON(main);

/* Closes it, remembers what it lost, and lets go of it. May block while what
 * was accepted for sending is sent (send_timeout_s at most). With `report` its
 * ledger is printed. */
void aw_device_table_close(struct aw_device_table *table,
                           struct aw_leaving_device *leaving, bool report)
    AW_ON(main) AW_NO_GIL;

/* Closes all of them, those that leave too. Blocks as above. */
void aw_device_table_close_all(struct aw_device_table *table)
    AW_ON(main) AW_NO_GIL;

/* Lets go of all. */
void aw_device_table_deinit(struct aw_device_table *table) AW_ON(main);

#endif
