#include "devices/can_net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/can_find.h"
#include "devices/can_route.h"
#include "devices/queue/log.h"

/* Messages of rtnetlink thrown away before anything else has its turn. */
#define DRAIN_MAX 64

int aw_can_net_check(const char *interface, struct aw_error *error)
{
    if (interface && strcmp(interface, "any") == 0)
        return aw_error_set(error, EINVAL,
                            "interface: this driver takes one, not any");
    return aw_can_find_check(interface, error);
}

/* ---- the socket ---- */

int aw_can_net_socket(const char *device, int protocol, const char *module,
                      struct aw_socket **ret_socket, struct aw_error *error)
{
    int result = aw_socket_new(PF_CAN, SOCK_DGRAM, protocol, ret_socket);

    switch (-result) {
    case 0:
        return 0;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
        return aw_error_set(error, -result,
                            "device %s: this kernel has no such CAN sockets: "
                            "load them with `modprobe %s`; under systemd, "
                            "RestrictAddressFamilies= must allow AF_CAN",
                            device, module);
    case EPERM:
    case EACCES:
        return aw_error_set(error, -result,
                            "device %s: this process may not open CAN "
                            "sockets: a security module or a seccomp filter "
                            "refuses (no capability is needed for it)",
                            device);
    default:
        return aw_error_set(error, -result,
                            "device %s: cannot open a socket of %s: %s", device,
                            module, strerror(-result));
    }
}

/* ---- the interface ---- */

/* The interface's flags (IFF_*), or -ENODEV. Any socket will do to ask. */
static int ask_flags(const struct aw_can_net *net)
{
    struct ifreq ask = {.ifr_ifindex = net->index};

    /* By its index: one of the same name may have taken its place. */
    if (ioctl(net->watch_fd, SIOCGIFNAME, &ask) < 0 ||
        ioctl(net->watch_fd, SIOCGIFFLAGS, &ask) < 0)
        return -ENODEV;
    return (unsigned short)ask.ifr_flags;
}

static int find_interface(struct aw_can_net *net, const char *device,
                          const char *text, struct aw_error *error)
{
    int route = aw_can_route_open(false), result;
    struct aw_can_facts facts;

    if (route < 0)
        return aw_error_set(error, -route,
                            "device %s: cannot ask about interfaces: %s",
                            device, strerror(-route));
    result = aw_can_find_facts(route, device, text, &facts, error);
    close(route);
    if (result < 0)
        return result;
    net->index = facts.index;
    snprintf(net->interface, sizeof(net->interface), "%s", facts.name);
    return 0;
}

static void note_flags(struct aw_can_net *net, struct aw_link *link, int flags)
{
    bool running = (flags & IFF_UP) && (flags & IFF_RUNNING);

    net->up = running;
    link->status.state = running ? AW_LINK_UP : AW_LINK_DOWN;
    link->status.carrier = running            ? AW_CARRIER_YES
                           : (flags & IFF_UP) ? AW_CARRIER_NO
                                              : AW_CARRIER_UNKNOWN;
}

/* The watch comes before the look, so that no change falls between. */
int aw_can_net_open(struct aw_can_net *net, struct aw_link *link,
                    const char *interface, struct aw_error *error)
{
    int result;

    net->watch_fd = aw_can_route_open(true);
    if (net->watch_fd < 0)
        return aw_error_set(error, -net->watch_fd,
                            "device %s: cannot hear of interfaces: %s (under "
                            "systemd, RestrictAddressFamilies= must allow "
                            "AF_NETLINK)",
                            link->name, strerror(-net->watch_fd));
    result = find_interface(net, link->name, interface, error);
    if (result == 0) {
        result = ask_flags(net);
        if (result < 0)
            result = aw_can_find_missing(link->name, net->interface, error);
    }
    if (result < 0) {
        aw_can_net_close(net);
        return result;
    }
    note_flags(net, link, result);
    link->aux_fd = net->watch_fd;
    (void)aw_channels_index(link->channels, net->interface);
    return 0;
}

void aw_can_net_close(struct aw_can_net *net)
{
    if (net->watch_fd >= 0)
        close(net->watch_fd);
    net->watch_fd = -1;
}

/* ---- what becomes of it ---- */

static void drain(int fd)
{
    char message;

    /* An overrun (ENOBUFS) is told once, like a message: it is one, too. */
    for (int i = 0; i < DRAIN_MAX; i++) {
        if (recv(fd, &message, sizeof(message), MSG_DONTWAIT) < 0 &&
            errno != ENOBUFS)
            return;
    }
}

int aw_can_net_aux(struct aw_can_net *net, struct aw_link *link,
                   struct aw_batch *batch)
{
    bool was_up = net->up;
    int flags;

    AW_ASSERT_ROLE(READER);
    drain(net->watch_fd);
    flags = ask_flags(net);
    if (flags < 0)
        return flags;
    note_flags(net, link, flags);
    if (net->up == was_up)
        return 0;
    /* There is room: aux() is called with room for one at least. */
    if (net->up)
        aw_batch_add_event(batch, AW_EVENT_LINK_UP, 0, 0, 0);
    else
        aw_batch_add_event(batch, AW_EVENT_LINK_DOWN,
                           flags & IFF_UP ? AW_DOWN_CARRIER : AW_DOWN_ADMIN, 0,
                           0);
    return 0;
}

int aw_can_net_judge(struct aw_can_net *net, const struct aw_link *link,
                     int result)
{
    switch (-result) {
    case ENODEV:
    case ENXIO:
    case EBADF:
    case ENOTSOCK:
        return result;
    case EADDRNOTAVAIL: /* unbound, since the interface is gone */
        return -ENODEV;
    default:
        break;
    }
    if (-result != net->reported)
        aw_log(AW_LOG_WARNING, "device %s: interface %s: %s%s", link->name,
               net->interface,
               result == -ENETDOWN ? "" : "a message was not transferred: ",
               strerror(-result));
    net->reported = -result;
    return 0;
}

static ssize_t try_to_send(int fd, const void *data, size_t bytes,
                           const union aw_socket_address *address)
{
    ssize_t taken = sendto(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
                           address ? &address->any : NULL,
                           address ? sizeof(address->can) : 0);

    return taken < 0 ? -errno : taken;
}

ssize_t aw_can_net_send(struct aw_can_net *net, const struct aw_link *link,
                        int fd, const void *data, size_t bytes,
                        const union aw_socket_address *address)
{
    ssize_t first = try_to_send(fd, data, bytes, address), second;

    if (first >= 0 || first == -EAGAIN || first == -ENOBUFS || first == -EBUSY)
        return first;
    second = try_to_send(fd, data, bytes, address);
    if (second != first)
        (void)aw_can_net_judge(net, link, (int)first);
    return second;
}
