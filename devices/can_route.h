/* The way to rtnetlink: a socket that asks about CAN interfaces, and one that
 * hears of their changes. What is said on them is can_netlink.h's. */
#ifndef AW_CAN_ROUTE_H
#define AW_CAN_ROUTE_H

#include <stdbool.h>

#include "devices/can_netlink.h"

/* Opens a non-blocking, close-on-exec socket; with `listens` it gets the
 * changes of every link. Returns its descriptor, the caller's to close, or a
 * negative errno. Any thread. */
int aw_can_route_open(bool listens);

/* Asks for one interface, by index or, with 0, by name. Returns 0, -ENODEV if
 * there is none, or another negative errno. Any thread, with a socket of its
 * own that does not listen; the kernel answers before it returns, so it does
 * not block but for another's change of a link (milliseconds). */
int aw_can_route_ask(int fd, int index, const char *name,
                     struct aw_can_facts *ret);

/* Has one request carried out, as made by can_netlink.h. Returns 0 or what the
 * kernel says: -EPERM, -EBUSY, -EINVAL, … */
int aw_can_route_do(int fd, const unsigned char *request, size_t bytes);

/* Takes the next datagram of a socket that listens, and the last that it says
 * of the interface `index`. Returns an enum aw_can_news (AW_CAN_NEWS_OTHER: it
 * was about others), or a negative errno: -ENOBUFS says that changes were lost,
 * so that the interface has to be asked for. Does not block. */
int aw_can_route_hear(int fd, int index, struct aw_can_facts *ret);

#endif
