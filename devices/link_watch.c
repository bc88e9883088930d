#include "devices/link_watch.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How an interface is. */
struct facts {
    bool up;      /* not taken down */
    bool carrier; /* something at the other end */
};

static int subscribe(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                  .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int result = -errno;

        close(fd);
        return result;
    }
    return fd;
}

/* As it is now. Returns 0 or a negative errno. */
static int ask(const struct aw_link_watch *watch, struct facts *ret_facts)
{
    struct ifreq request = {.ifr_ifindex = watch->index};

    if (ioctl(watch->fd, SIOCGIFNAME, &request) < 0 ||
        ioctl(watch->fd, SIOCGIFFLAGS, &request) < 0)
        return errno == ENXIO ? -ENODEV : -errno;
    ret_facts->up = (request.ifr_flags & IFF_UP) != 0;
    ret_facts->carrier = (request.ifr_flags & IFF_RUNNING) != 0;
    return 0;
}

static void note(struct aw_link_status *status, const struct facts *facts)
{
    status->state = facts->up && facts->carrier ? AW_LINK_UP : AW_LINK_DOWN;
    status->carrier = facts->up && facts->carrier ? AW_CARRIER_YES
                      : facts->up                 ? AW_CARRIER_NO
                                                  : AW_CARRIER_UNKNOWN;
}

int aw_link_watch_init(struct aw_link_watch *watch, int index,
                       struct aw_link_status *status)
{
    struct facts facts;
    int result;

    *watch = (struct aw_link_watch){.fd = subscribe(), .index = index};
    if (watch->fd < 0)
        return watch->fd;
    result = ask(watch, &facts);
    if (result < 0)
        aw_link_watch_deinit(watch);
    else
        note(status, &facts);
    return result;
}

int aw_link_watch_explain(const char *device, const char *interface, int code,
                          struct aw_error *error)
{
    if (code == ENODEV)
        return aw_error_set(error, code,
                            "device %s: there is no network interface %s "
                            "(`ip link` lists them)",
                            device, interface);
    return aw_error_set(error, code,
                        "device %s: cannot watch interface %s: %s (under "
                        "systemd, RestrictAddressFamilies= must allow "
                        "AF_NETLINK)",
                        device, interface, strerror(code));
}

void aw_link_watch_deinit(struct aw_link_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

/* Takes in one message. Returns 1 if it is about the interface, 0, or -ENODEV.
 */
static int hear(const struct aw_link_watch *watch,
                const struct nlmsghdr *message, struct facts *facts)
{
    const struct ifinfomsg *info = NLMSG_DATA(message);

    /* A bridge tells of its ports in messages of its own family. */
    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) ||
        info->ifi_family != AF_UNSPEC || info->ifi_index != watch->index)
        return 0;
    if (message->nlmsg_type == RTM_DELLINK)
        return -ENODEV;
    if (message->nlmsg_type != RTM_NEWLINK)
        return 0;
    facts->up = (info->ifi_flags & IFF_UP) != 0;
    facts->carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
    return 1;
}

/* Takes in one datagram, of which the last word counts. As hear(), or -EAGAIN
 * if there was none. */
static int receive(const struct aw_link_watch *watch, struct facts *facts)
{
    _Alignas(struct nlmsghdr) unsigned char bytes[16384];
    ssize_t received = recv(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    size_t left = received < 0 ? 0 : (size_t)received;
    const void *place = bytes;
    int found = 0;

    if (received < 0 && errno != ENOBUFS)
        return errno == EINTR ? 0 : -errno;
    /* What was told is lost: how is it now? */
    if (received < 0)
        return ask(watch, facts) < 0 ? -ENODEV : 1;
    while (found >= 0) {
        const struct nlmsghdr *message = place;
        int result;

        if (!NLMSG_OK(message, left))
            break;
        result = hear(watch, message, facts);
        found = result ? result : found;
        place = NLMSG_NEXT(message, left);
    }
    return found;
}

/* The events that make of one status the other. At most one. */
static void tell(const struct aw_link_status *before,
                 const struct aw_link_status *after, struct aw_batch *batch,
                 uint16_t channel)
{
    bool admin = after->carrier == AW_CARRIER_UNKNOWN;

    if (before->state == after->state && before->carrier == after->carrier)
        return;
    if (after->state == AW_LINK_UP)
        aw_batch_add_event(batch, AW_EVENT_LINK_UP, 0, 0, channel);
    else
        aw_batch_add_event(batch, AW_EVENT_LINK_DOWN,
                           admin ? AW_DOWN_ADMIN : AW_DOWN_CARRIER, 0, channel);
}

int aw_link_watch_read(struct aw_link_watch *watch,
                       struct aw_link_status *status, struct aw_batch *batch,
                       uint16_t channel)
{
    AW_ASSERT_ROLE(READER);
    while (batch->count < batch->limit) {
        struct aw_link_status before = *status;
        struct facts facts;
        int result = receive(watch, &facts);

        if (result == -EAGAIN)
            return 0;
        if (result < 0)
            return result;
        if (result == 0)
            continue;
        note(status, &facts);
        tell(&before, status, batch, channel);
    }
    return 0;
}
