/* What rtnetlink says of a CAN interface, and what is asked of it: the messages
 * alone. The socket they pass is can_route.h's; so recorded messages test this.
 *
 * The layout is that of rtnetlink(7) and linux/can/netlink.h. A message that
 * contradicts its own lengths ends where it does so; attributes of a wrong size
 * are left out. No function here blocks or allocates: any thread. */
#ifndef AW_CAN_NETLINK_H
#define AW_CAN_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/frame.h"

/* Of an alternative name, its end included: ALTIFNAMSIZ of linux/if.h, which
 * does not go together with net/if.h. */
#define AW_CAN_NAME_BYTES 128u

/* An interface, as one message describes it. */
struct aw_can_facts {
    int index;
    char name[IFNAMSIZ];
    uint16_t type; /* ARPHRD_CAN, … */
    bool gone;     /* the message says that it was removed */
    bool up;       /* IFF_UP: not taken down */
    bool carrier;
    uint32_t mtu; /* CAN_MTU or CANFD_MTU */
    /* Is it a controller, with bit rates and a state? A virtual interface is
     * none, and has nothing of what follows. */
    bool controller;
    bool counted; /* its error counters are known */
    enum aw_bus_state bus_state;
    uint16_t tx_errors, rx_errors;
    uint32_t bitrate, dbitrate; /* bit/s; 0: not set */
    uint32_t restart_ms;        /* 0: no automatic restart */
    uint32_t modes;             /* CAN_CTRLMODE_* */
    uint32_t bus_offs;          /* since the interface was made */
    uint32_t restarts;
};

/* What the next message of a datagram is. */
enum aw_can_news {
    AW_CAN_NEWS_NONE, /* there is none */
    AW_CAN_NEWS_LINK, /* `ret` is filled in */
    AW_CAN_NEWS_DONE, /* a request was carried out */
    AW_CAN_NEWS_OTHER,
};

/* Takes the next message off the datagram `*bytes` of `*size`. Returns an enum
 * aw_can_news, or the negative errno that the kernel answers a request with. */
int aw_can_netlink_next(const unsigned char **bytes, size_t *size,
                        struct aw_can_facts *ret);

/* Room for any request made here. */
#define AW_CAN_REQUEST_BYTES 256u

/* Asks for the interface of this `index` or, with 0, of this name or
 * alternative name (less than AW_CAN_NAME_BYTES). Returns the request's bytes.
 */
size_t aw_can_netlink_ask(unsigned char request[AW_CAN_REQUEST_BYTES],
                          int index, const char *name);

/* Sets the bit rate, and with `dbitrate` that of the data phase, which turns
 * FD on. The interface must be down. Returns the request's bytes. */
size_t aw_can_netlink_set(unsigned char request[AW_CAN_REQUEST_BYTES],
                          int index, uint32_t bitrate, uint32_t dbitrate);

/* Takes the interface up. Returns the request's bytes. */
size_t aw_can_netlink_up(unsigned char request[AW_CAN_REQUEST_BYTES],
                         int index);

#endif
