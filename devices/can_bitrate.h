/* The bit rates that the configuration states: held against the interface's,
 * and set where that can be done without disturbing others. */
#ifndef AW_CAN_BITRATE_H
#define AW_CAN_BITRATE_H

#include <stdint.h>

#include "devices/can_netlink.h"
#include "devices/queue/error.h"

/* Makes sure that the interface has these bit rates (0: whatever it has). One
 * that is down is given them and taken up, which CAP_NET_ADMIN permits; one
 * that is up belongs to others as well, and is left as it is. A virtual
 * interface has no bit rate: nothing is done. `facts` is what is known of it
 * and is brought up to date; `route` is a socket as of
 * aw_can_route_open(false). Returns 0, -EPERM or another negative errno with a
 * sentence that has the commands to type. Lasts as long as the driver takes to
 * go up. Any thread. */
int aw_can_bitrate_ensure(int route, const char *device,
                          struct aw_can_facts *facts, uint32_t bitrate,
                          uint32_t dbitrate, struct aw_error *error);

#endif
