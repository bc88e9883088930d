/* Opening the driver `can`: which interface, how it is to be, and the sockets.
 *
 * What an interface is like is asked of rtnetlink, whose changes are heard from
 * before that: none is missed in between. Every option of the raw socket comes
 * before bind(): from there on frames arrive. */
#include <errno.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/can_bitrate.h"
#include "devices/can_driver.h"
#include "devices/can_error.h"
#include "devices/can_find.h"
#include "devices/can_route.h"
#include "devices/queue/eventfd.h"
#include "devices/sockopt.h"

/* ---- sentences ---- */

static int explain_socket(const char *device, int code, struct aw_error *error)
{
    switch (code) {
    case EAFNOSUPPORT:
        return aw_error_set(error, code,
                            "device %s: this kernel has no CAN sockets: load "
                            "them with `modprobe can-raw`; under systemd, "
                            "RestrictAddressFamilies= must allow AF_CAN",
                            device);
    case EPROTONOSUPPORT:
        return aw_error_set(error, code,
                            "device %s: this kernel has no raw CAN sockets: "
                            "load them with `modprobe can-raw`",
                            device);
    case EPERM:
    case EACCES:
        return aw_error_set(error, code,
                            "device %s: this process may not open CAN "
                            "sockets: a security module or a seccomp filter "
                            "refuses (no capability is needed for it)",
                            device);
    default:
        return aw_error_set(error, code,
                            "device %s: cannot open a CAN "
                            "socket: %s",
                            device, strerror(code));
    }
}

/* ---- the interface ---- */

static int open_route(struct aw_can *can, const char *device,
                      struct aw_error *error)
{
    can->changes_fd = aw_can_route_open(true);
    can->route_fd =
        can->changes_fd < 0 ? can->changes_fd : aw_can_route_open(false);
    if (can->route_fd >= 0)
        return 0;
    return aw_error_set(error, -can->route_fd,
                        "device %s: cannot ask the kernel about interfaces: %s "
                        "(under systemd, RestrictAddressFamilies= must allow "
                        "AF_NETLINK)",
                        device, strerror(-can->route_fd));
}

static int find_interface(struct aw_can *can, const char *device,
                          const char *text, struct aw_can_facts *ret_facts,
                          struct aw_error *error)
{
    int result =
        aw_can_find_facts(can->route_fd, device, text, ret_facts, error);

    if (result < 0)
        return result;
    can->index = ret_facts->index;
    snprintf(can->interface, sizeof(can->interface), "%s", ret_facts->name);
    return 0;
}

/* Has it timestamps of its own? It need not say so (before Linux 6.0 no CAN
 * driver did): then `hw_timestamps: yes` does. */
static bool has_hw_timestamps(const struct aw_can *can)
{
    const uint32_t needed =
        SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
    struct ethtool_ts_info info = {.cmd = ETHTOOL_GET_TS_INFO};
    struct ifreq ask = {.ifr_data = (void *)&info};

    snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", can->interface);
    return ioctl(can->socket->fd, SIOCETHTOOL, &ask) == 0 &&
           (info.so_timestamping & needed) == needed;
}

/* FD when the interface's frames may be as long, unless told otherwise; and
 * when there is room for them in the slots of a device that comes back. */
static int choose_fd(struct aw_can *can, const struct aw_link *link,
                     const struct aw_value *option, uint32_t mtu,
                     struct aw_error *error)
{
    bool capable = mtu >= CANFD_MTU;
    bool room =
        link->payload_limit == 0 || link->payload_limit >= AW_PAYLOAD_FD;

    if (option->set && option->flag && !capable)
        return aw_error_set(error, EOPNOTSUPP,
                            "device %s: fd: yes, but interface %s carries "
                            "classic frames only: `ip link set %s mtu 72` "
                            "allows FD frames (on a controller, together with "
                            "`ip link set %s type can dbitrate ... fd on`)",
                            link->name, can->interface, can->interface,
                            can->interface);
    can->fd = (option->set ? option->flag : capable) && room;
    return 0;
}

static uint32_t payload_bytes(const struct aw_can *can)
{
    return (can->fd ? AW_PAYLOAD_FD : AW_PAYLOAD_CAN) +
           (can->hw_timestamps ? AW_HW_STAMP_BYTES : 0);
}

static void choose_hw_timestamps(struct aw_can *can, const struct aw_link *link,
                                 const struct aw_value *option)
{
    can->hw_timestamps =
        option->set ? option->flag : can->index != 0 && has_hw_timestamps(can);
    if (link->payload_limit != 0 && payload_bytes(can) > link->payload_limit)
        can->hw_timestamps = false;
}

static int choose(struct aw_can *can, const struct aw_link *link,
                  const struct aw_value *values, uint32_t mtu,
                  struct aw_error *error)
{
    int result = choose_fd(can, link, &values[AW_CAN_FD], mtu, error);

    if (result == 0)
        choose_hw_timestamps(can, link, &values[AW_CAN_HW_TIMESTAMPS]);
    return result;
}

/* ---- the sockets ---- */

int aw_can_set_option(int fd, int option, uint32_t value)
{
    return aw_sockopt_set(fd, SOL_CAN_RAW, option, &value, sizeof(value));
}

int aw_can_choose_errors(const struct aw_can *can)
{
    bool aside = can->errors_aside && can->errors_fd >= 0;
    can_err_mask_t straight = can->error_frames ? CAN_ERR_MASK : 0;
    int result;

    if (can->errors_fd >= 0) {
        result = aw_can_set_option(can->errors_fd, CAN_RAW_ERR_FILTER,
                                   aside ? AW_CAN_ERROR_STATE_CLASSES : 0);
        if (result < 0)
            return result;
    }
    return aw_can_set_option(can->socket->fd, CAN_RAW_ERR_FILTER, straight);
}

static int bind_interface(int fd, int index)
{
    union aw_socket_address address = {
        .can = {.can_family = AF_CAN, .can_ifindex = index}};

    return bind(fd, &address.any, sizeof(address.can)) < 0 ? -errno : 0;
}

/* The socket that gets error frames and nothing else. */
static int open_errors(struct aw_can *can)
{
    can->errors_fd =
        socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW);
    if (can->errors_fd < 0 ||
        setsockopt(can->errors_fd, SOL_CAN_RAW, CAN_RAW_FILTER, NULL, 0) < 0)
        return -errno;
    return bind_interface(can->errors_fd, can->index);
}

static int set_options(struct aw_can *can, const char *device,
                       const struct aw_value *values)
{
    int fd = can->socket->fd;
    int result = aw_can_choose_errors(can);

    if (result == 0 && can->fd)
        result = aw_can_set_option(fd, CAN_RAW_FD_FRAMES, 1);
    if (result == 0 && can->receive_own)
        result = aw_can_set_option(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    if (result == 0 && can->hw_timestamps)
        result = aw_socket_take_hw_timestamps(can->socket);
    if (result == 0)
        result = aw_socket_set_buffer(
            can->socket, device, (int)values[AW_CAN_RECEIVE_BUFFER].integer);
    return result < 0 ? result : 0;
}

static int set_up(struct aw_can *can, const char *device,
                  const struct aw_value *values, struct aw_error *error)
{
    int result = can->index != 0 ? open_errors(can) : 0;

    if (result == 0)
        result = set_options(can, device, values);
    if (result == 0)
        result = bind_interface(can->socket->fd, can->index);
    if (result == -ENODEV)
        return aw_can_find_missing(device, can->interface, error);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot use interface %s: %s", device,
                            can->interface, strerror(-result));
    return 0;
}

/* ---- the second descriptor ---- */

static int watch(const struct aw_can *can, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(can->aux_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_aux(struct aw_can *can, const char *device,
                    struct aw_error *error)
{
    int result = can->bell_fd = aw_eventfd_new();

    if (result >= 0) {
        can->aux_fd = epoll_create1(EPOLL_CLOEXEC);
        result = can->aux_fd < 0 ? -errno : watch(can, can->bell_fd);
    }
    if (result == 0)
        result = watch(can, can->changes_fd);
    if (result == 0)
        result = watch(can, can->errors_fd);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot watch interface %s: %s", device,
                            can->interface, strerror(-result));
    return 0;
}

/* ---- all of it ---- */

static void fill_link(struct aw_can *can, struct aw_link *link)
{
    link->state = can;
    link->fd = can->socket->fd;
    link->aux_fd = can->aux_fd;
    link->kept_frames = can->socket->kept_frames;
    link->payload_bytes = payload_bytes(can);
    link->kind = AW_KIND_CAN;
    link->start = AW_START_OPEN;
    link->can_send = can->index != 0; /* to which one, of all of them? */
    link->can_confirm = link->can_send;
    for (uint32_t i = 0; i < AW_BATCH_FRAMES; i++)
        aw_socket_place(can->socket, i, &can->wires[i], sizeof(can->wires[i]));
}

/* The one interface: its channel is the first, that of its events as well. */
static void know_interface(struct aw_can *can, struct aw_link *link,
                           const struct aw_can_facts *facts)
{
    can->known_count = 1;
    can->known[0].index = can->index;
    can->known[0].channel = aw_channels_index(link->channels, can->interface);
    aw_can_status_begin(&can->status, &link->status, facts);
    can->status.channel = can->known[0].channel;
}

static int open_one(struct aw_can *can, struct aw_link *link,
                    const struct aw_value *values, struct aw_error *error)
{
    struct aw_can_facts facts;
    int result = open_route(can, link->name, error);

    if (result == 0)
        result = find_interface(can, link->name, values[AW_CAN_INTERFACE].text,
                                &facts, error);
    if (result == 0)
        result = aw_can_bitrate_ensure(can->route_fd, link->name, &facts,
                                       (uint32_t)values[AW_CAN_BITRATE].number,
                                       (uint32_t)values[AW_CAN_DBITRATE].number,
                                       error);
    if (result == 0)
        result = choose(can, link, values, facts.mtu, error);
    if (result == 0)
        result = set_up(can, link->name, values, error);
    if (result == 0)
        result = open_aux(can, link->name, error);
    if (result == 0)
        know_interface(can, link, &facts);
    return result;
}

static int open_all(struct aw_can *can, const struct aw_link *link,
                    const struct aw_value *values, struct aw_error *error)
{
    int result;

    snprintf(can->interface, sizeof(can->interface), "any");
    result = choose(can, link, values, CANFD_MTU, error);
    return result < 0 ? result : set_up(can, link->name, values, error);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_can(struct aw_can *can)
{
    aw_can_periodics_free(can->periodics);
    close_fd(can->aux_fd);
    close_fd(can->bell_fd);
    close_fd(can->errors_fd);
    close_fd(can->changes_fd);
    close_fd(can->route_fd);
    aw_socket_free(can->socket);
    free(can);
}

static struct aw_can *new_can(const struct aw_value *values)
{
    struct aw_can *can = calloc(1, sizeof(*can));

    if (!can)
        return NULL;
    can->aux_fd = can->bell_fd = can->errors_fd = -1;
    can->changes_fd = can->route_fd = -1;
    can->error_frames = values[AW_CAN_ERROR_FRAMES].flag;
    can->receive_own = values[AW_CAN_RECEIVE_OWN].flag;
    can->may_filter = values[AW_CAN_KERNEL_FILTER].integer == 0;
    can->errors_aside = !can->error_frames;
    return can;
}

int aw_can_open(struct aw_link *link, const struct aw_value *values,
                struct aw_error *error)
{
    struct aw_can *can = new_can(values);
    int result;

    if (!can)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    result = aw_socket_new(PF_CAN, SOCK_RAW, CAN_RAW, &can->socket);
    if (result < 0)
        result = explain_socket(link->name, -result, error);
    else if (strcmp(values[AW_CAN_INTERFACE].text, "any") == 0)
        result = open_all(can, link, values, error);
    else
        result = open_one(can, link, values, error);
    if (result < 0) {
        free_can(can);
        return result;
    }
    fill_link(can, link);
    return 0;
}

void aw_can_close(struct aw_link *link)
{
    free_can(link->state);
}
