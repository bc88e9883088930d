/* The driver `can`: frames of a CAN bus, by SocketCAN's raw sockets.
 *
 * One socket takes classic and, where the interface can carry them, FD frames,
 * remote and error frames, of one interface or of all (`interface: any`). An
 * interface that is down is no error: frames come when it is up. One that is
 * removed is lost for good, since the kernel unbinds the socket then.
 *
 * Not in here: bit rates and other settings of an interface, which are
 * iproute2's; filters in the kernel. */
#include <errno.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/can_frame.h"
#include "devices/can_interfaces.h"
#include "devices/drivers.h"
#include "devices/queue/log.h"
#include "devices/socket.h"

/* Interfaces remembered by index for `interface: any`; more than that work,
 * with a system call a frame. */
#define KNOWN_MAX 32

enum option { INTERFACE, FD, ERROR_FRAMES, RECEIVE_OWN, RECEIVE_BUFFER };

static const struct aw_option options[] = {
    [INTERFACE] = {.name = "interface",
                   .type = AW_OPTION_TEXT,
                   .required = true,
                   .help = "the CAN interface, as can0, or any for all"},
    [FD] = {.name = "fd",
            .type = AW_OPTION_BOOL,
            .help = "take CAN FD frames; by default, if the interface can"},
    [ERROR_FRAMES] = {.name = "error_frames",
                      .type = AW_OPTION_BOOL,
                      .fallback = "yes",
                      .help = "take error frames too"},
    [RECEIVE_OWN] = {.name = "receive_own",
                     .type = AW_OPTION_BOOL,
                     .fallback = "no",
                     .help = "take the frames that this device sends"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

struct can {
    struct aw_socket *socket;
    char interface[IFNAMSIZ];
    int index; /* of the interface; 0: all */
    bool fd;
    bool down_reported; /* since the last frame */
    uint32_t known_count;
    struct {
        int index;
        uint16_t channel;
    } known[KNOWN_MAX];
    union aw_can_wire wires[AW_BATCH_FRAMES];
};

/* ---- open ---- */

static int check(const struct aw_value *values, struct aw_error *error)
{
    const char *name = values[INTERFACE].text;

    if (!name || !*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ \t"))
        return aw_error_set(error, EINVAL,
                            "interface \"%s\" is no name of a network "
                            "interface (1 to %d characters, as can0)",
                            name ? name : "", IFNAMSIZ - 1);
    return 0;
}

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

static int explain_missing(const struct aw_link *link, const char *interface,
                           struct aw_error *error)
{
    char names[256];

    if (aw_can_interfaces("/sys/class/net", names, sizeof(names)) > 0)
        return aw_error_set(error, ENODEV,
                            "device %s: there is no interface %s; the CAN "
                            "interfaces of this machine are: %s",
                            link->name, interface, names);
    return aw_error_set(error, ENODEV,
                        "device %s: there is no interface %s, nor any CAN "
                        "interface (`ip link add dev %s type vcan` makes a "
                        "virtual one)",
                        link->name, interface, interface);
}

static int ask_interface(const struct can *can, unsigned long request,
                         struct ifreq *ret_answer)
{
    struct ifreq ask = {0};

    snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", can->interface);
    if (ioctl(can->socket->fd, request, &ask) < 0)
        return -errno;
    *ret_answer = ask;
    return 0;
}

static int find_interface(struct can *can, const struct aw_link *link,
                          struct aw_error *error)
{
    struct ifreq answer;

    if (strcmp(can->interface, "any") == 0)
        return 0;
    if (ask_interface(can, SIOCGIFINDEX, &answer) < 0)
        return explain_missing(link, can->interface, error);
    can->index = answer.ifr_ifindex;
    if (ask_interface(can, SIOCGIFHWADDR, &answer) < 0 ||
        answer.ifr_hwaddr.sa_family != ARPHRD_CAN)
        return aw_error_set(error, ENODEV,
                            "device %s: interface %s is no CAN interface",
                            link->name, can->interface);
    return 0;
}

/* FD when the interface's frames may be as long, unless told otherwise. */
static int choose_fd(struct can *can, const struct aw_link *link,
                     const struct aw_value *option, struct aw_error *error)
{
    struct ifreq answer = {.ifr_mtu = CANFD_MTU};
    bool capable;

    if (can->index != 0 && ask_interface(can, SIOCGIFMTU, &answer) < 0)
        return explain_missing(link, can->interface, error);
    capable = answer.ifr_mtu >= (int)CANFD_MTU;
    if (option->set && option->flag && !capable)
        return aw_error_set(error, EOPNOTSUPP,
                            "device %s: fd: yes, but interface %s carries "
                            "classic frames only: `ip link set %s mtu 72` "
                            "allows FD frames (on a controller, together with "
                            "`ip link set %s type can dbitrate ... fd on`)",
                            link->name, can->interface, can->interface,
                            can->interface);
    can->fd = option->set ? option->flag : capable;
    /* It comes back, and there are queues for classic frames only. */
    if (link->payload_limit > 0 && link->payload_limit < AW_PAYLOAD_FD)
        can->fd = false;
    return 0;
}

static int set_option(const struct can *can, int option, uint32_t value)
{
    return setsockopt(can->socket->fd, SOL_CAN_RAW, option, &value,
                      sizeof(value)) < 0
               ? -errno
               : 0;
}

static int bind_interface(const struct can *can)
{
    union aw_socket_address address = {
        .can = {.can_family = AF_CAN, .can_ifindex = can->index}};

    return bind(can->socket->fd, &address.any, sizeof(address.can)) < 0 ? -errno
                                                                        : 0;
}

/* Every option before bind(): from there on frames arrive. */
static int set_up(const struct can *can, const struct aw_link *link,
                  const struct aw_value *values, struct aw_error *error)
{
    can_err_mask_t errors = values[ERROR_FRAMES].flag ? CAN_ERR_MASK : 0;
    int result = set_option(can, CAN_RAW_ERR_FILTER, errors);

    if (result == 0 && can->fd)
        result = set_option(can, CAN_RAW_FD_FRAMES, 1);
    if (result == 0 && values[RECEIVE_OWN].flag)
        result = set_option(can, CAN_RAW_RECV_OWN_MSGS, 1);
    if (result == 0)
        result = aw_socket_set_buffer(can->socket, link->name,
                                      (int)values[RECEIVE_BUFFER].integer);
    if (result >= 0)
        result = bind_interface(can);
    if (result == -ENODEV)
        return explain_missing(link, can->interface, error);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot use interface %s: %s",
                            link->name, can->interface, strerror(-result));
    return 0;
}

static void fill_link(struct can *can, struct aw_link *link)
{
    link->state = can;
    link->fd = can->socket->fd;
    link->kept_frames = can->socket->kept_frames;
    link->payload_bytes = can->fd ? AW_PAYLOAD_FD : AW_PAYLOAD_CAN;
    link->kind = AW_KIND_CAN;
    link->start = AW_START_OPEN;
    link->can_send = can->index != 0; /* to which one, of all of them? */
    if (can->index != 0) {
        can->known_count = 1;
        can->known[0].index = can->index;
        can->known[0].channel =
            aw_channels_index(link->channels, can->interface);
    }
    for (uint32_t i = 0; i < AW_BATCH_FRAMES; i++)
        aw_socket_place(can->socket, i, &can->wires[i], sizeof(can->wires[i]));
}

/* An interface that is not there may come with FD. */
static void describe(struct aw_link *link, const struct aw_value *values)
{
    bool classic = values[FD].set && !values[FD].flag;

    link->payload_bytes = classic ? AW_PAYLOAD_CAN : AW_PAYLOAD_FD;
    link->kind = AW_KIND_CAN;
    link->start = AW_START_OPEN;
    link->can_send = strcmp(values[INTERFACE].text, "any") != 0;
}

static void free_can(struct can *can)
{
    aw_socket_free(can->socket);
    free(can);
}

static int open_can(struct aw_link *link, const struct aw_value *values,
                    struct aw_error *error)
{
    struct can *can = calloc(1, sizeof(*can));
    int result;

    if (!can)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    snprintf(can->interface, sizeof(can->interface), "%s",
             values[INTERFACE].text);
    result = aw_socket_new(PF_CAN, SOCK_RAW, CAN_RAW, &can->socket);
    if (result < 0)
        result = explain_socket(link->name, -result, error);
    if (result == 0)
        result = find_interface(can, link, error);
    if (result == 0)
        result = choose_fd(can, link, &values[FD], error);
    if (result == 0)
        result = set_up(can, link, values, error);
    if (result < 0) {
        free_can(can);
        return result;
    }
    fill_link(can, link);
    return 0;
}

/* ---- frames ---- */

/* The channel of an interface first met here. */
static uint16_t learn_channel(struct can *can, struct aw_link *link, int index)
{
    struct ifreq ask = {.ifr_ifindex = index};
    uint16_t channel;

    /* It may be gone by now: its number is better than nothing. */
    if (ioctl(can->socket->fd, SIOCGIFNAME, &ask) < 0)
        snprintf(ask.ifr_name, sizeof(ask.ifr_name), "if%d", index);
    channel = aw_channels_index(link->channels, ask.ifr_name);
    if (can->known_count < KNOWN_MAX) {
        can->known[can->known_count].index = index;
        can->known[can->known_count].channel = channel;
        can->known_count++;
    }
    return channel;
}

static uint16_t channel_of(struct can *can, struct aw_link *link, int index)
{
    for (uint32_t i = 0; i < can->known_count; i++) {
        if (can->known[i].index == index)
            return can->known[i].channel;
    }
    return learn_channel(can, link, index);
}

static void import_message(struct can *can, struct aw_link *link,
                           uint32_t index, struct aw_frame *frame) AW_ON(reader)
{
    const struct aw_socket *socket = can->socket;

    aw_can_frame_import(&can->wires[index], aw_socket_bytes(socket, index),
                        frame);
    aw_socket_stamp(can->socket, index, frame);
    frame->channel =
        channel_of(can, link, aw_socket_sender(socket, index)->can.can_ifindex);
    /* DONTROUTE: sent on this host; CONFIRM: by this very socket. */
    if (aw_socket_flags(socket, index) & (MSG_DONTROUTE | MSG_CONFIRM))
        frame->flags |= AW_FRAME_SENT;
}

/* What a pending error of the socket means: 0, or why the device is lost. */
static int judge_error(struct can *can, const struct aw_link *link, int result)
{
    if (result != -ENETDOWN)
        return result;
    if (!can->down_reported)
        aw_log(AW_LOG_WARNING,
               "device %s: interface %s is down; frames come when it is up "
               "(`ip link set %s up`)",
               link->name, can->interface, can->interface);
    can->down_reported = true;
    return 0;
}

static int read_can(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct can *can = link->state;
    int count = aw_socket_receive(can->socket, batch->limit);

    if (count < 0)
        return judge_error(can, link, count);
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        import_message(can, link, i, aw_batch_at(batch, i));
    batch->count = (uint32_t)count;
    if (count > 0)
        can->down_reported = false;
    return 0;
}

static int send_can(struct aw_link *link, struct aw_send *send) AW_ON(reader)
{
    const struct can *can = link->state;
    const void *slot = send->frame;
    union aw_can_wire wire;
    int bytes = aw_can_frame_export(slot, &wire);

    if (bytes < 0)
        return bytes;
    if (bytes == CANFD_MTU && !can->fd)
        return -EOPNOTSUPP;
    return write(can->socket->fd, &wire, (size_t)bytes) < 0 ? -errno : 0;
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct can *can = link->state;

    return aw_socket_losses(can->socket);
}

static void close_can(struct aw_link *link)
{
    free_can(link->state);
}

const struct aw_driver aw_can_driver = {
    AW_DRIVER_HEAD,
    .name = "can",
    .main_option = "interface",
    .help = "a CAN bus, by SocketCAN",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_can,
    .read = read_can,
    .send = send_can,
    .losses = count_losses,
    .close = close_can,
};
