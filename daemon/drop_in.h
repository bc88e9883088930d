/* The drop-ins of the service: which one a device needs and does not have.
 *
 * The unit allows CAN alone. What else it keeps out would show as a device that
 * is not there, or as an error about a socket; asked for beforehand, the answer
 * names the drop-in. Only for `run --service`: elsewhere the refusals are the
 * kernel's own. */
#ifndef AW_DROP_IN_H
#define AW_DROP_IN_H

#include <stdbool.h>

#include "config/config.h"
#include "devices/device_config.h"

/* What this process may do. */
struct aw_allowed {
    bool inet;     /* AF_INET sockets */
    bool packet;   /* AF_PACKET sockets */
    bool realtime; /* SCHED_FIFO for a thread */
    bool affinity; /* the choice of its processors */
};

/* Asks the kernel, without a trace. */
void aw_allowed_find(struct aw_allowed *ret_allowed);

/* The name of the drop-in that keeps this device from being opened, or NULL.
 * `root` stands before /dev and /sys: "" but for tests. */
const char *aw_drop_in_missing(const struct aw_device_config *device,
                               const struct aw_allowed *allowed,
                               const char *root);

/* The same for an option of its own that would be done without. */
const char *aw_drop_in_wanted(const struct aw_device_config *device,
                              const struct aw_allowed *allowed);

/* Looks at each device of the configuration, and at `metrics`, and says in the
 * log which drop-in is missing and how `unit` (NULL: awaitd.service) gets it.
 * False if something cannot be had without; an option that is only done without
 * does not count. Any thread; before a device is opened. */
bool aw_drop_ins_check(const struct aw_config *config, const char *unit);

#endif
