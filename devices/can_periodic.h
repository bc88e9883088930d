/* Cyclic transmission of CAN frames by the kernel (its broadcast manager,
 * CAN_BCM): the bus gets them in time whatever the script, or Python, does.
 *
 * Each transmission has a socket of its own, which the driver `can` owns: so
 * it ends when it is stopped, with the device, and with the process, even if
 * that is killed. Frames sent so are not in the device's send ledger: the
 * kernel counts them nowhere. */
#ifndef AW_CAN_PERIODIC_H
#define AW_CAN_PERIODIC_H

#include <stdint.h>

#include "devices/queue/frame.h"
#include "devices/queue/roles.h"

/* What aw_device_control() asks of a `can` device. Numbers of the driver's. */
enum aw_can_request {
    AW_CAN_PERIODIC_START = 1, /* returns the transmission's number, above 0 */
    AW_CAN_PERIODIC_MODIFY = 2,
    AW_CAN_PERIODIC_STOP = 3,
};

/* At once, on one device. */
#define AW_CAN_PERIODIC_MAX 256u

/* Less is more than a bus of 1 Mbit/s carries, and keeps the kernel busy. */
#define AW_CAN_PERIOD_MIN_NS (100u * 1000u)
#define AW_CAN_PERIOD_MAX_NS (UINT64_C(86400) * 1000000000u)

/* The argument of these requests. */
struct aw_can_periodic {
    int32_t number;     /* MODIFY, STOP */
    uint64_t period_ns; /* START: AW_CAN_PERIOD_MIN_NS to _MAX_NS */
    /* START, MODIFY: what is sent; one of the same id and kind to modify it. */
    _Alignas(8) unsigned char frame[sizeof(struct aw_frame) + AW_PAYLOAD_FD];
};

struct aw_can_periodics; /* those of one device */

/* Carries out a request for the interface of this index, of those in
 * `*periodics` (NULL: none yet). Returns 0 or a number, -EINVAL, -ENOENT (no
 * such transmission, any more), -ENOSPC (there are AW_CAN_PERIODIC_MAX),
 * -EPROTONOSUPPORT (no CAN_BCM in this kernel), -EOPNOTSUPP (an FD frame where
 * `fd` is false) or what else the kernel says. Short. */
int aw_can_periodic_control(struct aw_can_periodics **periodics, int index,
                            bool fd, uint32_t request,
                            const struct aw_can_periodic *argument)
    AW_ON(reader);

/* Ends them all. Accepts NULL. */
void aw_can_periodics_free(struct aw_can_periodics *periodics);

#endif
