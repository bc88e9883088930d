/* The driver `can`: frames of a CAN bus, by SocketCAN's raw sockets.
 *
 * One socket takes classic and, where the interface can carry them, FD frames,
 * remote and error frames, of one interface or of all (`interface: any`). An
 * interface that is down is no error: frames come when it is up, and the status
 * says how it is. One that is removed is lost, since the kernel unbinds the
 * socket then; opened again, it is looked up anew.
 *
 * The second descriptor has what happens to the interface beside its frames
 * (can_status.h); of `any` nothing is known. Opening is can_open.c's. */
#include <errno.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "devices/can_driver.h"
#include "devices/can_find.h"
#include "devices/can_route.h"
#include "devices/drivers.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/sockopt.h"

/* Messages of rtnetlink, or error frames aside, that one call of aux() reads.
 */
#define AUX_MESSAGES 64

static const char *const filtering[] = {"auto", "off", NULL};

static const struct aw_option options[AW_CAN_OPTIONS] = {
    [AW_CAN_INTERFACE] = {.name = "interface",
                          .type = AW_OPTION_TEXT,
                          .required = true,
                          .help = "the CAN interface, as can0, serial=NUMBER "
                                  "or path=PORT; or any for all"},
    [AW_CAN_BITRATE] = {.name = "bitrate",
                        .type = AW_OPTION_NUMBER,
                        .minimum = 1000,
                        .maximum = 1000000,
                        .help = "bit/s that the bus must have; set if the "
                                "interface is down"},
    [AW_CAN_DBITRATE] = {.name = "dbitrate",
                         .type = AW_OPTION_NUMBER,
                         .minimum = 1000,
                         .maximum = 20000000,
                         .help = "bit/s of CAN FD's data phase, likewise"},
    [AW_CAN_FD] = {.name = "fd",
                   .type = AW_OPTION_BOOL,
                   .help =
                       "take CAN FD frames; by default, if the interface can"},
    [AW_CAN_ERROR_FRAMES] = {.name = "error_frames",
                             .type = AW_OPTION_BOOL,
                             .fallback = "yes",
                             .help = "take error frames too"},
    [AW_CAN_RECEIVE_OWN] = {.name = "receive_own",
                            .type = AW_OPTION_BOOL,
                            .fallback = "no",
                            .help = "take the frames that this device sends"},
    [AW_CAN_KERNEL_FILTER] = {.name = "kernel_filter",
                              .type = AW_OPTION_CHOICE,
                              .fallback = "auto",
                              .choices = filtering,
                              .help = "let the kernel keep back what no queue "
                                      "wants, where that is exact"},
    [AW_CAN_HW_TIMESTAMPS] = {.name = "hw_timestamps",
                              .type = AW_OPTION_BOOL,
                              .help = "take the interface's own timestamps; "
                                      "by default, if it says it has them"},
    [AW_CAN_RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

/* ---- before it is open ---- */

static int check_rate(const struct aw_option *option,
                      const struct aw_value *value, struct aw_error *error)
{
    if (!value->set || (double)(int64_t)value->number == value->number)
        return 0;
    return aw_error_set(error, EINVAL, "%s is in whole bit/s, not \"%.60s\"",
                        option->name, value->text);
}

static int check(const struct aw_value *values, struct aw_error *error)
{
    int result = aw_can_find_check(values[AW_CAN_INTERFACE].text, error);

    for (int i = AW_CAN_BITRATE; i <= AW_CAN_DBITRATE && result == 0; i++)
        result = check_rate(&options[i], &values[i], error);
    if (result < 0)
        return result;
    if (values[AW_CAN_DBITRATE].set && !values[AW_CAN_BITRATE].set)
        return aw_error_set(error, EINVAL, "dbitrate needs bitrate beside it");
    if (values[AW_CAN_BITRATE].set &&
        strcmp(values[AW_CAN_INTERFACE].text, "any") == 0)
        return aw_error_set(error, EINVAL,
                            "bitrate is of one interface, and not of any");
    return 0;
}

static void describe(struct aw_link *link, const struct aw_value *values)
{
    const struct aw_value *fd = &values[AW_CAN_FD];
    const struct aw_value *stamps = &values[AW_CAN_HW_TIMESTAMPS];

    link->kind = AW_KIND_CAN;
    link->payload_bytes =
        (fd->set && !fd->flag ? AW_PAYLOAD_CAN : AW_PAYLOAD_FD) +
        (stamps->set && !stamps->flag ? 0 : AW_HW_STAMP_BYTES);
    link->start = AW_START_OPEN;
    link->can_send = strcmp(values[AW_CAN_INTERFACE].text, "any") != 0;
    link->can_confirm = link->can_send;
}

/* ---- frames in ---- */

/* The channel of an interface first met here. */
static uint16_t learn_channel(struct aw_can *can, struct aw_link *link,
                              int index)
{
    struct ifreq ask = {.ifr_ifindex = index};
    uint16_t channel;

    /* It may be gone by now: its number is better than nothing. */
    if (ioctl(can->socket->fd, SIOCGIFNAME, &ask) < 0)
        snprintf(ask.ifr_name, sizeof(ask.ifr_name), "if%d", index);
    channel = aw_channels_index(link->channels, ask.ifr_name);
    if (can->known_count < AW_CAN_KNOWN_MAX) {
        can->known[can->known_count].index = index;
        can->known[can->known_count].channel = channel;
        can->known_count++;
    }
    return channel;
}

static uint16_t channel_of(struct aw_can *can, struct aw_link *link, int index)
{
    for (uint32_t i = 0; i < can->known_count; i++) {
        if (can->known[i].index == index)
            return can->known[i].channel;
    }
    return learn_channel(can, link, index);
}

static bool is_own(const struct aw_can *can, uint32_t index)
{
    return (aw_socket_flags(can->socket, index) & MSG_CONFIRM) != 0;
}

/* Fills in the next slot of the batch. */
static struct aw_frame *import_message(struct aw_can *can, struct aw_link *link,
                                       uint32_t index, struct aw_batch *batch)
    AW_ON(reader)
{
    struct aw_socket *socket = can->socket;
    uint32_t slot = batch->count++;
    struct aw_frame *frame = aw_batch_at(batch, slot);

    aw_can_frame_import(&can->wires[index], aw_socket_bytes(socket, index),
                        frame);
    aw_socket_stamp(socket, index, frame);
    frame->channel =
        channel_of(can, link, aw_socket_sender(socket, index)->can.can_ifindex);
    /* DONTROUTE: sent on this host; CONFIRM: by this very socket. */
    if (aw_socket_flags(socket, index) & (MSG_DONTROUTE | MSG_CONFIRM))
        frame->flags |= AW_FRAME_SENT;
    if (is_own(can, index))
        batch->marks[slot] =
            (uint8_t)(AW_MARK_ECHO | (can->receive_own ? 0 : AW_MARK_HIDDEN));
    return frame;
}

/* Tells what there is to tell, and has aux() called for the rest. */
static void tell(struct aw_can *can, struct aw_batch *batch)
{
    if (can->index != 0 && !aw_can_status_tell(&can->status, batch))
        aw_eventfd_ring(can->bell_fd);
}

/* Takes in an error frame. If it tells of another state, and has waited while
 * rtnetlink told of one, the interface is asked which it is. */
static void take_state(struct aw_can *can, const struct aw_frame *frame)
{
    unsigned before = can->status.link->bus_state;
    struct aw_can_facts facts;

    aw_can_status_read(&can->status, frame);
    if (can->status.link->bus_state != before &&
        aw_can_status_is_late(&can->status, frame) &&
        aw_can_route_ask(can->route_fd, can->index, "", &facts) == 0)
        aw_can_status_hear(&can->status, &facts);
}

/* An event follows the error frame that it comes of, if `messages` more frames
 * leave room for it. */
static void take_error(struct aw_can *can, const struct aw_frame *frame,
                       struct aw_batch *batch, uint32_t messages)
{
    uint32_t limit = batch->limit;

    if (can->index == 0)
        return;
    take_state(can, frame);
    batch->limit = limit - messages;
    tell(can, batch);
    batch->limit = limit;
}

/* What a pending error of the socket means: 0, or why the device is to be
 * lost. */
static int judge_error(struct aw_can *can, const struct aw_link *link,
                       int result)
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
    struct aw_can *can = link->state;
    int received = aw_socket_receive(can->socket, batch->limit);
    uint32_t count = received > 0 ? (uint32_t)received : 0;

    if (received < 0)
        return aw_socket_judge(can->socket, judge_error(can, link, received));
    for (uint32_t i = 0; i < count; i++) {
        const struct aw_frame *frame = import_message(can, link, i, batch);

        if (frame->id & AW_CAN_ERROR)
            take_error(can, frame, batch, count - i - 1);
    }
    if (count > 0)
        can->down_reported = false;
    return aw_socket_judge(can->socket, 0);
}

/* ---- the second descriptor ---- */

/* Changes were lost, the latest: those before them would only mislead. How the
 * interface is now says enough. */
static int ask_anew(const struct aw_can *can, struct aw_can_facts *ret)
    AW_ON(reader)
{
    int result;

    do
        result = aw_can_route_hear(can->changes_fd, can->index, ret);
    while (result > AW_CAN_NEWS_NONE || result == -ENOBUFS);
    if (result == AW_CAN_NEWS_NONE)
        result = aw_can_route_ask(can->route_fd, can->index, "", ret);
    return result < 0 ? result : AW_CAN_NEWS_LINK;
}

/* Returns 1 if there was something, 0 if not, or why the device is lost. */
static int hear_change(struct aw_can *can) AW_ON(reader)
{
    struct aw_can_facts facts;
    int news = aw_can_route_hear(can->changes_fd, can->index, &facts);

    if (news == -ENOBUFS)
        news = ask_anew(can, &facts);
    if (news == AW_CAN_NEWS_LINK && facts.gone)
        return -ENODEV;
    if (news == AW_CAN_NEWS_LINK)
        aw_can_status_hear(&can->status, &facts);
    return news > AW_CAN_NEWS_NONE ? 1 : news;
}

/* The same for error frames that come aside. */
static int hear_error(struct aw_can *can) AW_ON(reader)
{
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + AW_PAYLOAD_FD];
    void *memory = slot;
    struct aw_frame *frame = memory;
    union aw_can_wire wire;
    ssize_t bytes = recv(can->errors_fd, &wire, sizeof(wire), MSG_DONTWAIT);

    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? 0
               : errno == ENETDOWN               ? 1
                                                 : -errno;
    aw_can_frame_import(&wire, (size_t)bytes, frame);
    frame->timestamp_ns = 0; /* since when it waits is not known */
    take_state(can, frame);
    return 1;
}

/* Reads until there is no more, or no room for what it meant. */
static int hear_all(struct aw_can *can, struct aw_batch *batch,
                    int (*hear)(struct aw_can *can)) AW_ON(reader)
{
    int result = 1;

    for (int i = 0; i < AUX_MESSAGES && result > 0; i++) {
        result = hear(can);
        if (!aw_can_status_tell(&can->status, batch))
            break;
    }
    return result < 0 ? result : 0;
}

static int aux_can(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct aw_can *can = link->state;
    int result = 0;

    aw_eventfd_clear(can->bell_fd);
    if (aw_can_status_tell(&can->status, batch))
        result = hear_all(can, batch, hear_change);
    if (result == 0 && can->status.count == 0)
        result = hear_all(can, batch, hear_error);
    tell(can, batch);
    return aw_socket_judge(can->socket, result);
}

/* ---- frames out ---- */

/* Makes what is sent of the frames, up to one that cannot be. Returns how many,
 * or what is wrong with the first. */
static int export_frames(struct aw_can *can, struct aw_send *const *sends,
                         uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const void *slot = sends[i]->frame;
        int bytes = aw_can_frame_export(slot, &can->sent[i]);

        if (bytes == CANFD_MTU && !can->fd)
            bytes = -EOPNOTSUPP;
        if (bytes < 0)
            return i > 0 ? (int)i : bytes;
        can->sent_places[i] = (struct iovec){&can->sent[i], (size_t)bytes};
        can->sent_messages[i] = (struct mmsghdr){
            .msg_hdr = {.msg_iov = &can->sent_places[i], .msg_iovlen = 1}};
    }
    return (int)count;
}

/* What the status says was true when it was last heard of; a frame that would
 * fail for it deserves that the kernel be asked. */
static bool is_up_now(const struct aw_can *can, const struct aw_link *link)
{
    struct aw_can_facts facts;

    return aw_can_route_ask(can->route_fd, can->index, "", &facts) == 0 &&
           aw_can_status_can_send(&facts, &link->status);
}

static int transmit(struct aw_can *can, uint32_t count)
{
    int sent =
        sendmmsg(can->socket->fd, can->sent_messages, count, MSG_DONTWAIT);

    if (sent >= 0)
        return sent;
    /* An interface that is gone: read() or aux() will say so. */
    return errno == ENXIO || errno == ENODEV ? -ENETDOWN : -errno;
}

static int send_many(struct aw_link *link, struct aw_send *const *sends,
                     uint32_t count) AW_ON(reader)
{
    struct aw_can *can = link->state;
    int made = export_frames(can, sends, count), sent;

    if (made < 0)
        return made;
    /* A controller that is bus-off would take frames, and keep them. */
    if (link->status.state == AW_LINK_DOWN && !is_up_now(can, link))
        return -ENETDOWN;
    sent = transmit(can, (uint32_t)made);
    /* The socket may still have had to say that it was down before. */
    if (sent == -ENETDOWN && is_up_now(can, link))
        sent = transmit(can, (uint32_t)made);
    return sent;
}

/* ---- what the kernel is to let through ---- */

static int set_filter(const struct aw_can *can)
{
    static const struct can_filter everything = {0, 0};
    const struct aw_can_filter *filter = &can->filter;
    const struct can_filter *entries =
        filter->active ? filter->entries : &everything;
    size_t count = filter->active ? filter->count : 1;

    return aw_sockopt_set(can->socket->fd, SOL_CAN_RAW, CAN_RAW_FILTER,
                          count > 0 ? entries : NULL, count * sizeof(*entries));
}

/* Not joined while it changes: so more comes in between rather than less, and
 * nothing twice. Joined filters of the kernel's keep back every error frame. */
static int apply_filter(struct aw_can *can)
{
    int fd = can->socket->fd, result = 0;
    bool joined = can->filter.active && can->filter.joined;

    can->errors_aside = joined || !can->error_frames;
    if (joined)
        result = aw_can_choose_errors(can);
    if (result == 0)
        result = aw_can_set_option(fd, CAN_RAW_JOIN_FILTERS, 0);
    if (result == 0)
        result = set_filter(can);
    if (result == 0 && joined)
        result = aw_can_set_option(fd, CAN_RAW_JOIN_FILTERS, 1);
    if (result == 0 && !joined)
        result = aw_can_choose_errors(can);
    return result;
}

/* A filter is a saving: without it everything is right as well. */
static void use_filter(struct aw_can *can, struct aw_link *link)
{
    int result = apply_filter(can);

    if (result < 0 && can->filter.active) {
        can->filter.active = false;
        (void)apply_filter(can);
    }
    link->status.kernel_filter = can->filter.active;
}

static void filter_can(struct aw_link *link, const struct aw_filter *filters,
                       size_t count, bool joined) AW_ON(reader)
{
    struct aw_can *can = link->state;

    /* The kernel's filters hold for echoes as well. */
    if (!can->may_filter || can->echo)
        return;
    aw_can_filter_make(&can->filter, filters, count, joined);
    use_filter(can, link);
}

static int want_echo(struct aw_link *link) AW_ON(reader)
{
    struct aw_can *can = link->state;
    int result = aw_can_set_option(can->socket->fd, CAN_RAW_RECV_OWN_MSGS, 1);

    if (result < 0)
        return result;
    can->echo = true;
    can->filter.active = false;
    use_filter(can, link);
    return 0;
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct aw_can *can = link->state;

    return aw_socket_losses(can->socket);
}

static int control_can(struct aw_link *link, uint32_t request, void *argument)
    AW_ON(reader)
{
    struct aw_can *can = link->state;

    /* On which interface, of all of them? */
    if (can->index == 0)
        return -EOPNOTSUPP;
    return aw_can_periodic_control(&can->periodics, can->index, can->fd,
                                   request, argument);
}

const struct aw_driver aw_can_driver = {
    AW_DRIVER_HEAD,
    .name = "can",
    .main_option = "interface",
    .help = "a CAN bus, by SocketCAN",
    .late_advice = "see whether anyone on the bus acknowledges",
    .options = options,
    .option_count = AW_CAN_OPTIONS,
    .check = check,
    .describe = describe,
    .open = aw_can_open,
    .read = read_can,
    .aux = aux_can,
    .send_many = send_many,
    .want_echo = want_echo,
    .filter = filter_can,
    .control = control_can,
    .losses = count_losses,
    .close = aw_can_close,
};
