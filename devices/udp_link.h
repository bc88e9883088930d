/* The interface that a device of UDP was told to use: watched, since the socket
 * itself never says that it is gone. One that is made anew has another index;
 * neither a socket bound to the old one nor its groups follow. */
#ifndef AW_UDP_LINK_H
#define AW_UDP_LINK_H

#include <errno.h>

#include "devices/device.h"
#include "devices/link_watch.h"

struct aw_udp_link {
    struct aw_link_watch watch; /* its fd -1: there is none to watch */
};

/* Begins to watch `interface`; NULL: none. Fills in link->aux_fd and its
 * status. Returns 0 or a negative errno with a sentence, -ENODEV where there is
 * none of that name; then nothing is open. open(). */
int aw_udp_link_init(struct aw_udp_link *udp_link, struct aw_link *link,
                     const char *interface, struct aw_error *error);

/* Ends it; also of one whose `watch.fd` is -1. */
void aw_udp_link_deinit(struct aw_udp_link *udp_link);

/* What the driver's aux() does: takes the link's state into link->status, and
 * adds an event for each change. Returns 0, or -ENODEV: the interface is gone.
 * Does not block. */
int aw_udp_link_read(struct aw_udp_link *udp_link, struct aw_link *link,
                     struct aw_batch *batch) AW_ON(reader);

/* What a send has failed of: a link that is down takes its routes with it, and
 * is what a script can wait for. Reader. */
static inline int aw_udp_link_blame(const struct aw_link *link, int result)
{
    return result == -ENETUNREACH && link->status.state == AW_LINK_DOWN
               ? -ENETDOWN
               : result;
}

#endif
