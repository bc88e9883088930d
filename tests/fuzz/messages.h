/* The drivers whose messages are read by recvmmsg(), each as it is after a
 * successful open(): that takes a kernel with its protocol, so their state is
 * made here. One file includes each driver's source, as the state is its own.
 */
#ifndef FUZZ_MESSAGES_H
#define FUZZ_MESSAGES_H

#include "devices/device.h"
#include "devices/socket.h"

struct fuzz_messages {
    const struct aw_driver *driver;
    /* The state, with `socket` in it; for free(). */
    void *(*make)(struct aw_socket *socket, const struct aw_value *values);
};

extern const struct fuzz_messages fuzz_bcm, fuzz_isotp, fuzz_j1939;

#endif
