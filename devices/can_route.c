#include "devices/can_route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link's message takes 1 to 2 KiB; the kernel's own buffer for one is 8 KiB
 * or, where pages are larger, a page. */
#define DATAGRAM_BYTES 16384

union datagram {
    struct nlmsghdr head; /* its alignment */
    unsigned char bytes[DATAGRAM_BYTES];
};

int aw_can_route_open(bool listens)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = listens ? RTMGRP_LINK : 0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);
    int result;

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    result = -errno;
    close(fd);
    return result;
}

/* Returns the bytes received, 0 if there are none, or a negative errno. */
static int receive(int fd, union datagram *datagram)
{
    ssize_t bytes =
        recv(fd, datagram->bytes, sizeof(datagram->bytes), MSG_TRUNC);

    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    /* A cut message says less than there is: ask for it. */
    return bytes > DATAGRAM_BYTES ? -ENOBUFS : (int)bytes;
}

/* Sends a request, and returns what its answer is. */
static int transact(int fd, const unsigned char *request, size_t bytes,
                    struct aw_can_facts *ret)
{
    union datagram datagram;
    const unsigned char *at = datagram.bytes;
    size_t size;
    int result;

    if (send(fd, request, bytes, 0) < 0)
        return -errno;
    result = receive(fd, &datagram);
    if (result < 0)
        return result;
    size = (size_t)result;
    return aw_can_netlink_next(&at, &size, ret);
}

int aw_can_route_ask(int fd, int index, const char *name,
                     struct aw_can_facts *ret)
{
    unsigned char request[AW_CAN_REQUEST_BYTES];
    size_t bytes = aw_can_netlink_ask(request, index, name);
    int result = transact(fd, request, bytes, ret);

    if (result < 0)
        return result;
    return result == AW_CAN_NEWS_LINK ? 0 : -EPROTO;
}

int aw_can_route_do(int fd, const unsigned char *request, size_t bytes)
{
    struct aw_can_facts unused;
    int result = transact(fd, request, bytes, &unused);

    if (result < 0)
        return result;
    return result == AW_CAN_NEWS_DONE ? 0 : -EPROTO;
}

int aw_can_route_hear(int fd, int index, struct aw_can_facts *ret)
{
    union datagram datagram;
    const unsigned char *at = datagram.bytes;
    int result = receive(fd, &datagram), news = AW_CAN_NEWS_OTHER, next;
    size_t size;

    if (result <= 0)
        return result == 0 ? AW_CAN_NEWS_NONE : result;
    size = (size_t)result;
    do {
        struct aw_can_facts facts;

        next = aw_can_netlink_next(&at, &size, &facts);
        if (next == AW_CAN_NEWS_LINK && facts.index == index) {
            *ret = facts;
            news = AW_CAN_NEWS_LINK;
        }
    } while (next != AW_CAN_NEWS_NONE);
    return news;
}
