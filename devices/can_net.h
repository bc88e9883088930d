/* What the drivers of CAN's other protocols share (bcm, isotp, j1939): their
 * socket, the interface as can_find.h has it, and its link, watched. An
 * interface that is removed and made anew has another index: it is lost. */
#ifndef AW_CAN_NET_H
#define AW_CAN_NET_H

#include <net/if.h>
#include <sys/types.h>

#include "devices/device.h"
#include "devices/link_watch.h"
#include "devices/socket.h"

/* The options of all of them that mean the same. */
#define AW_CAN_NET_INTERFACE                                                   \
    {                                                                          \
        .name = "interface", .type = AW_OPTION_TEXT, .required = true,         \
        .help = "the CAN interface, as can0, serial=NUMBER or path=PORT",      \
    }

struct aw_can_net {
    char interface[IFNAMSIZ];
    struct aw_link_watch watch; /* of the interface; its fd -1: none */
    int reported;               /* the error of a transfer last told, or 0 */
};

/* Can `interface` be one, as aw_can_find_check() has it, and not `any`? Returns
 * 0 or -EINVAL with a sentence. */
int aw_can_net_check(const char *interface, struct aw_error *error);

/* Makes a socket of CAN's protocol `protocol`, which the kernel's module
 * `module` brings. Returns 0 or a negative errno with a sentence. */
int aw_can_net_socket(const char *device, int protocol, const char *module,
                      struct aw_socket **ret_socket, struct aw_error *error);

/* Finds the interface and begins to watch it; fills in link->aux_fd, its
 * status and channel 0. Returns 0 or a negative errno with a sentence, -ENODEV
 * where it is missing; then nothing is left open. */
int aw_can_net_open(struct aw_can_net *net, struct aw_link *link,
                    const char *interface, struct aw_error *error);

/* Harmless on one that is not open, but has watch.fd -1. */
void aw_can_net_close(struct aw_can_net *net);

/* What a driver's aux() does: takes the link's state into link->status, and
 * adds an event for each change. Returns 0, or -ENODEV: it is gone. */
int aw_can_net_aux(struct aw_can_net *net, struct aw_link *link,
                   struct aw_batch *batch) AW_ON(reader);

/* What a pending error of the socket means: 0, or why the device is to be lost,
 * -ENODEV where the interface is gone. What
 * a transfer failed of is told once, until aw_can_net_received(). */
int aw_can_net_judge(struct aw_can_net *net, const struct aw_link *link,
                     int result) AW_ON(reader);

/* Sends a message, to `address` if that is not NULL. A failure may be that of
 * an earlier message, which the socket tells by the next call: then it is told
 * as above, and the message sent all the same. Returns the bytes taken or a
 * negative errno, which is this message's own. */
ssize_t aw_can_net_send(struct aw_can_net *net, const struct aw_link *link,
                        int fd, const void *data, size_t bytes,
                        const union aw_socket_address *address) AW_ON(reader);

static inline void aw_can_net_received(struct aw_can_net *net)
{
    net->reported = 0;
}

#endif
