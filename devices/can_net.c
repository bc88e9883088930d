#include "devices/can_net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/can_find.h"
#include "devices/can_route.h"
#include "devices/queue/log.h"

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

/* Returns its index or a negative errno with a sentence. */
static int find_interface(struct aw_can_net *net, const char *device,
                          const char *text, struct aw_error *error)
{
    int route = aw_can_route_open(false), result;
    struct aw_can_facts facts;

    if (route < 0)
        return aw_error_set(error, -route,
                            "device %s: cannot ask about interfaces: %s (under "
                            "systemd, RestrictAddressFamilies= must allow "
                            "AF_NETLINK)",
                            device, strerror(-route));
    result = aw_can_find_facts(route, device, text, &facts, error);
    close(route);
    if (result < 0)
        return result;
    snprintf(net->interface, sizeof(net->interface), "%s", facts.name);
    return facts.index;
}

int aw_can_net_open(struct aw_can_net *net, struct aw_link *link,
                    const char *interface, struct aw_error *error)
{
    int result = find_interface(net, link->name, interface, error);

    if (result < 0)
        return result;
    result = aw_link_watch_init(&net->watch, result, &link->status);
    if (result == -ENODEV)
        return aw_can_find_missing(link->name, net->interface, error);
    if (result < 0)
        return aw_link_watch_explain(link->name, net->interface, -result,
                                     error);
    link->aux_fd = net->watch.fd;
    (void)aw_channels_index(link->channels, net->interface);
    return 0;
}

void aw_can_net_close(struct aw_can_net *net)
{
    aw_link_watch_deinit(&net->watch);
}

/* ---- what becomes of it ---- */

int aw_can_net_aux(struct aw_can_net *net, struct aw_link *link,
                   struct aw_batch *batch)
{
    return aw_link_watch_read(&net->watch, &link->status, batch, 0);
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
