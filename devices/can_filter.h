/* Which frames the kernel may keep back, so that a device whose queues want
 * little is not woken for the rest.
 *
 * Our filters and the kernel's (CAN_RAW_FILTER) mean the same with frames that
 * are no error frames, but for what is said in the code. Error frames reach a
 * socket by a mask of their own, so here nothing is asked of them. */
#ifndef AW_CAN_FILTER_H
#define AW_CAN_FILTER_H

#include <linux/can.h>
#include <linux/can/raw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/filter.h"

struct aw_can_filter {
    bool active;    /* the kernel keeps something back */
    bool joined;    /* a frame must pass all of them: then no error frame comes,
                       and none is wanted */
    uint32_t count; /* 0, if active: no frame is wanted but error frames */
    struct can_filter entries[CAN_RAW_FILTER_MAX];
};

/* Makes the kernel's filter of those of all queues (the meaning of the three is
 * that of aw_driver.filter): it passes every frame that is wanted, and, where
 * it is active, no other, but for error frames. Not active where that cannot
 * be. Any thread; does not block. */
void aw_can_filter_make(struct aw_can_filter *filter,
                        const struct aw_filter *wanted, size_t count,
                        bool joined);

#endif
