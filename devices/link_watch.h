/* Watches one network interface by rtnetlink: a second descriptor for drivers
 * whose own socket does not say what becomes of their interface.
 *
 * Keeps `state` and `carrier` of a device's status, and makes each change of
 * them an event. */
#ifndef AW_LINK_WATCH_H
#define AW_LINK_WATCH_H

#include "devices/device.h"
#include "devices/queue/roles.h"

struct aw_link_watch {
    int fd;
    int index; /* the interface */
};

/* Begins to watch the interface `index` of this thread's network namespace, and
 * fills in how it is now. Returns 0, -ENODEV if there is none, or another
 * negative errno; then nothing is open. open(). */
int aw_link_watch_init(struct aw_link_watch *watch, int index,
                       struct aw_link_status *status);

/* Says why a network interface cannot be used or watched: `code`, a positive
 * errno, is ENODEV where there is none of that name. Returns -code. */
int aw_link_watch_explain(const char *device, const char *interface, int code,
                          struct aw_error *error);

/* Ends it; of one whose `fd` is -1 as well. */
void aw_link_watch_deinit(struct aw_link_watch *watch);

/* Reads what has been told, as far as the batch has room for events. Does not
 * block. Returns 0, or -ENODEV: the interface is gone. */
int aw_link_watch_read(struct aw_link_watch *watch,
                       struct aw_link_status *status, struct aw_batch *batch,
                       uint16_t channel) AW_ON(reader);

#endif
