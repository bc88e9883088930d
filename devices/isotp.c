/* The driver `isotp`: messages of ISO 15765-2 over CAN, by the kernel's sockets
 * (CAN_ISOTP), which cut and join them and do the flow control.
 *
 * A frame here is a whole message, of one pair of identifiers. It is sent when
 * the kernel has it: what the other side then makes of a long one comes later,
 * as an error of the socket, which is logged. A device is never lost by it.
 *
 * Not in here: functional addressing of several ECUs, and services (UDS). */
#include <errno.h>
#include <linux/can/isotp.h>
#include <stdlib.h>
#include <string.h>

#include "devices/can_net.h"
#include "devices/drivers.h"
#include "devices/queue/log.h"
#include "devices/sockopt.h"

/* A single byte, or not said. */
#define BYTE(option_name, sentence)                                            \
    {                                                                          \
        .name = option_name, .type = AW_OPTION_INT, .minimum = 0,              \
        .maximum = 255, .help = sentence,                                      \
    }

enum option {
    INTERFACE,
    TX_ID,
    RX_ID,
    EXTENDED_ID,
    EXTENDED_ADDRESS,
    RX_EXTENDED_ADDRESS,
    PADDING,
    CHECK_PADDING,
    BLOCKSIZE,
    STMIN,
    WFTMAX,
    FD,
    TX_DL,
    MAX_PAYLOAD,
    RECEIVE_BUFFER
};

enum check_padding { CHECK_NO, CHECK_LENGTH, CHECK_ALL };

static const char *const checks[] = {
    [CHECK_NO] = "no", [CHECK_LENGTH] = "length", [CHECK_ALL] = "all", NULL};

static const struct aw_option options[] = {
    [INTERFACE] = AW_CAN_NET_INTERFACE,
    [TX_ID] = {.name = "tx_id",
               .type = AW_OPTION_INT,
               .required = true,
               .minimum = 0,
               .maximum = CAN_EFF_MASK,
               .help = "the CAN identifier that this side sends with"},
    [RX_ID] = {.name = "rx_id",
               .type = AW_OPTION_INT,
               .required = true,
               .minimum = 0,
               .maximum = CAN_EFF_MASK,
               .help = "the CAN identifier that the other side sends with"},
    [EXTENDED_ID] = {.name = "extended_id",
                     .type = AW_OPTION_BOOL,
                     .help = "identifiers of 29 bits; by default, if one is "
                             "above 0x7FF"},
    [EXTENDED_ADDRESS] =
        BYTE("extended_address", "address byte before the data (extended "
                                 "addressing)"),
    [RX_EXTENDED_ADDRESS] =
        BYTE("rx_extended_address", "the other side's, if it is another one"),
    [PADDING] = BYTE("padding", "fill up frames that are sent, with this byte"),
    [CHECK_PADDING] = {.name = "check_padding",
                       .type = AW_OPTION_CHOICE,
                       .fallback = "no",
                       .choices = checks,
                       .help = "refuse frames not filled up: no, length, or "
                               "all, the padding's bytes too"},
    [BLOCKSIZE] = {.name = "blocksize",
                   .type = AW_OPTION_INT,
                   .fallback = "0",
                   .minimum = 0,
                   .maximum = 255,
                   .help = "frames the other side may send between two flow "
                           "controls; 0: all"},
    [STMIN] = {.name = "stmin",
               .type = AW_OPTION_INT,
               .fallback = "0",
               .minimum = 0,
               .maximum = 255,
               .help = "the least time between its frames, as on the wire: 0 "
                       "to 0x7F ms, 0xF1 to 0xF9 for 100 to 900 us"},
    [WFTMAX] = {.name = "wftmax",
                .type = AW_OPTION_INT,
                .fallback = "0",
                .minimum = 0,
                .maximum = 255,
                .help = "wait frames allowed"},
    [FD] = {.name = "fd", .type = AW_OPTION_BOOL, .help = "use CAN FD frames"},
    [TX_DL] = {.name = "tx_dl",
               .type = AW_OPTION_INT,
               .minimum = 8,
               .maximum = CANFD_MAX_DLEN,
               .help = "bytes of the frames that are sent; by default 8, with "
                       "FD 64"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "4095",
                     .minimum = 1,
                     .maximum = AW_PAYLOAD_MAX,
                     .help = "bytes of the longest message taken whole"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

struct isotp {
    struct aw_socket *socket;
    struct aw_can_net net;
    uint32_t max_payload;
    bool unread; /* messages went with the interface */
};

/* ---- check ---- */

static bool is_stmin(int64_t value)
{
    return value <= 0x7f || (value >= 0xf1 && value <= 0xf9);
}

static bool is_fd_length(int64_t value)
{
    static const uint8_t lengths[] = {8, 12, 16, 20, 24, 32, 48, 64};

    return memchr(lengths, (int)value, sizeof(lengths)) != NULL;
}

static int check_ids(const struct aw_value *values, struct aw_error *error)
{
    bool large = values[TX_ID].integer > CAN_SFF_MASK ||
                 values[RX_ID].integer > CAN_SFF_MASK;

    if (values[TX_ID].integer == values[RX_ID].integer)
        return aw_error_set(error, EINVAL,
                            "tx_id and rx_id are the same: each side sends "
                            "with an identifier of its own");
    if (large && values[EXTENDED_ID].set && !values[EXTENDED_ID].flag)
        return aw_error_set(error, EINVAL,
                            "an identifier above 0x7FF needs extended_id: yes");
    return 0;
}

static int check_frames(const struct aw_value *values, struct aw_error *error)
{
    if (!is_stmin(values[STMIN].integer))
        return aw_error_set(error, EINVAL,
                            "stmin %s is reserved: 0 to 0x7F are milliseconds, "
                            "0xF1 to 0xF9 100 to 900 microseconds",
                            values[STMIN].text);
    if (values[TX_DL].set && !is_fd_length(values[TX_DL].integer))
        return aw_error_set(error, EINVAL,
                            "tx_dl is 8, 12, 16, 20, 24, 32, 48 or 64");
    if (values[TX_DL].set && values[TX_DL].integer > CAN_MAX_DLEN &&
        !values[FD].flag)
        return aw_error_set(error, EINVAL,
                            "tx_dl above 8 needs CAN FD: fd: yes");
    return 0;
}

static int check(const struct aw_value *values, struct aw_error *error)
{
    int result = aw_can_net_check(values[INTERFACE].text, error);

    if (result == 0)
        result = check_ids(values, error);
    if (result == 0)
        result = check_frames(values, error);
    if (result < 0)
        return result;
    if (values[RX_EXTENDED_ADDRESS].set && !values[EXTENDED_ADDRESS].set)
        return aw_error_set(error, EINVAL,
                            "rx_extended_address needs extended_address");
    if (values[CHECK_PADDING].integer != CHECK_NO && !values[PADDING].set)
        return aw_error_set(error, EINVAL,
                            "check_padding needs padding, the byte that is "
                            "expected");
    return 0;
}

/* ---- open ---- */

static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->payload_bytes = (uint32_t)values[MAX_PAYLOAD].integer;
    link->kind = AW_KIND_BYTES;
    link->start = AW_START_OPEN;
    link->can_send = true;
}

static int set_option(const struct isotp *isotp, int option, const void *value,
                      size_t bytes)
{
    return aw_sockopt_set(isotp->socket->fd, SOL_CAN_ISOTP, option, value,
                          bytes);
}

static struct can_isotp_options addressing(const struct aw_value *values)
{
    struct can_isotp_options chosen = {0};

    if (values[EXTENDED_ADDRESS].set) {
        chosen.flags |= CAN_ISOTP_EXTEND_ADDR;
        chosen.ext_address = (uint8_t)values[EXTENDED_ADDRESS].integer;
        chosen.rx_ext_address = chosen.ext_address;
    }
    if (values[RX_EXTENDED_ADDRESS].set) {
        chosen.flags |= CAN_ISOTP_RX_EXT_ADDR;
        chosen.rx_ext_address = (uint8_t)values[RX_EXTENDED_ADDRESS].integer;
    }
    return chosen;
}

/* The kernel's "rx" padding is that of the flow control that it sends. */
static int choose_options(const struct isotp *isotp,
                          const struct aw_value *values)
{
    struct can_isotp_options chosen = addressing(values);

    if (values[PADDING].set) {
        chosen.flags |= CAN_ISOTP_TX_PADDING | CAN_ISOTP_RX_PADDING;
        chosen.txpad_content = (uint8_t)values[PADDING].integer;
        chosen.rxpad_content = chosen.txpad_content;
    }
    if (values[CHECK_PADDING].integer != CHECK_NO)
        chosen.flags |= CAN_ISOTP_CHK_PAD_LEN;
    if (values[CHECK_PADDING].integer == CHECK_ALL)
        chosen.flags |= CAN_ISOTP_CHK_PAD_DATA;
    return set_option(isotp, CAN_ISOTP_OPTS, &chosen, sizeof(chosen));
}

static int choose_flow_control(const struct isotp *isotp,
                               const struct aw_value *values)
{
    struct can_isotp_fc_options chosen = {
        .bs = (uint8_t)values[BLOCKSIZE].integer,
        .stmin = (uint8_t)values[STMIN].integer,
        .wftmax = (uint8_t)values[WFTMAX].integer,
    };

    return set_option(isotp, CAN_ISOTP_RECV_FC, &chosen, sizeof(chosen));
}

static int choose_frames(const struct isotp *isotp,
                         const struct aw_value *values)
{
    struct can_isotp_ll_options chosen = {
        .mtu = values[FD].flag ? CANFD_MTU : CAN_MTU,
        .tx_dl = values[FD].flag ? CANFD_MAX_DLEN : CAN_MAX_DLEN,
        .tx_flags = values[FD].flag ? CANFD_BRS : 0,
    };

    if (values[TX_DL].set)
        chosen.tx_dl = (uint8_t)values[TX_DL].integer;
    return set_option(isotp, CAN_ISOTP_LL_OPTS, &chosen, sizeof(chosen));
}

static int bind_ids(const struct isotp *isotp, const struct aw_value *values)
{
    canid_t tx = (canid_t)values[TX_ID].integer;
    canid_t rx = (canid_t)values[RX_ID].integer;
    bool extended = values[EXTENDED_ID].set
                        ? values[EXTENDED_ID].flag
                        : tx > CAN_SFF_MASK || rx > CAN_SFF_MASK;
    canid_t format = extended ? CAN_EFF_FLAG : 0;
    union aw_socket_address address = {
        .can = {.can_family = AF_CAN, .can_ifindex = isotp->net.watch.index}};

    address.can.can_addr.tp.tx_id = tx | format;
    address.can.can_addr.tp.rx_id = rx | format;
    return bind(isotp->socket->fd, &address.any, sizeof(address.can)) < 0
               ? -errno
               : 0;
}

/* Every option before bind(): the kernel wants it so. */
static int set_up(struct isotp *isotp, const struct aw_link *link,
                  const struct aw_value *values, struct aw_error *error)
{
    int result = aw_socket_set_buffer(isotp->socket, link->name,
                                      (int)values[RECEIVE_BUFFER].integer);

    if (result >= 0)
        result = choose_options(isotp, values);
    if (result == 0)
        result = choose_flow_control(isotp, values);
    if (result == 0)
        result = choose_frames(isotp, values);
    if (result == 0)
        result = bind_ids(isotp, values);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot use interface %s for ISO-TP: "
                            "%s%s",
                            link->name, isotp->net.interface, strerror(-result),
                            result == -EINVAL && values[FD].flag
                                ? "; fd: yes needs an interface with mtu 72"
                                : "");
    return 0;
}

static void free_isotp(struct isotp *isotp)
{
    aw_can_net_close(&isotp->net);
    aw_socket_free(isotp->socket);
    free(isotp);
}

static int open_isotp(struct aw_link *link, const struct aw_value *values,
                      struct aw_error *error)
{
    struct isotp *isotp = calloc(1, sizeof(*isotp));
    int result;

    if (!isotp)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    isotp->net.watch.fd = -1;
    isotp->max_payload = (uint32_t)values[MAX_PAYLOAD].integer;
    result = aw_can_net_socket(link->name, CAN_ISOTP, "can-isotp",
                               &isotp->socket, error);
    if (result == 0)
        result =
            aw_can_net_open(&isotp->net, link, values[INTERFACE].text, error);
    if (result == 0)
        result = set_up(isotp, link, values, error);
    if (result < 0) {
        free_isotp(isotp);
        return result;
    }
    describe(link, values);
    link->state = isotp;
    link->fd = isotp->socket->fd;
    return 0;
}

/* ---- messages ---- */

static void fill_frame(struct isotp *isotp, uint32_t index,
                       struct aw_frame *frame) AW_ON(reader)
{
    uint32_t sent = aw_socket_bytes(isotp->socket, index);
    uint32_t taken = sent < isotp->max_payload ? sent : isotp->max_payload;
    /* Not every kernel tells the length of what it cut. */
    bool cut =
        taken < sent || (aw_socket_flags(isotp->socket, index) & MSG_TRUNC);

    frame->flags = cut ? AW_FRAME_TRUNCATED : 0;
    aw_socket_stamp(isotp->socket, index, frame);
    frame->kind = AW_KIND_BYTES;
    frame->id = 0;
    frame->length = (uint16_t)taken;
    frame->channel = 0;
}

/* What the socket still has when its interface goes is lost: the kernel unbinds
 * the socket, and reads none that is not bound (net/can/isotp.c), nor says how
 * much it has. Bound to another bus it would hand them out; but then what it
 * was just sending could go on there. */
static int judge(struct isotp *isotp, const struct aw_link *link, int result)
    AW_ON(reader)
{
    if (result != -ENODEV || !aw_socket_pending(isotp->socket))
        return result;
    if (!isotp->unread)
        aw_log(AW_LOG_WARNING,
               "device %s: interface %s took messages with it that had come "
               "and were not read yet: the kernel does not say how many, so "
               "they count as one",
               link->name, isotp->net.interface);
    isotp->unread = true;
    return result;
}

static int read_isotp(struct aw_link *link, struct aw_batch *batch)
    AW_ON(reader)
{
    struct isotp *isotp = link->state;
    int count;

    aw_socket_place_batch(isotp->socket, batch, 0, isotp->max_payload);
    count = aw_socket_receive(isotp->socket, batch->limit);
    if (count < 0)
        return judge(isotp, link, aw_can_net_judge(&isotp->net, link, count));
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        fill_frame(isotp, i, aw_batch_at(batch, i));
    batch->count = (uint32_t)count;
    if (count > 0)
        aw_can_net_received(&isotp->net);
    return 0;
}

static int send_isotp(struct aw_link *link, struct aw_send *send) AW_ON(reader)
{
    struct isotp *isotp = link->state;
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    ssize_t taken;

    if (frame->kind != AW_KIND_BYTES)
        return -EINVAL;
    if (link->status.state != AW_LINK_UP)
        return -ENETDOWN;
    taken = aw_can_net_send(&isotp->net, link, isotp->socket->fd,
                            frame->payload, frame->length, NULL);
    /* The message before this one is under way. Before Linux 6.4 poll() does
     * not wait for it, so neither can the reader. */
    if (taken == -EAGAIN)
        return -ENOBUFS;
    if (taken == -EADDRNOTAVAIL)
        return -ENODEV;
    return taken < 0 ? (int)taken : 0;
}

static int aux_isotp(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct isotp *isotp = link->state;

    return judge(isotp, link, aw_can_net_aux(&isotp->net, link, batch));
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct isotp *isotp = link->state;

    return aw_socket_losses(isotp->socket) + (isotp->unread ? 1 : 0);
}

static void close_isotp(struct aw_link *link)
{
    free_isotp(link->state);
}

const struct aw_driver aw_isotp_driver = {
    AW_DRIVER_HEAD,
    .name = "isotp",
    .main_option = "interface",
    .help = "messages of ISO-TP (ISO 15765-2) over CAN",
    .late_advice = "see whether the other side answers: a message waits "
                   "until the one before it is through",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_isotp,
    .read = read_isotp,
    .aux = aux_isotp,
    .send = send_isotp,
    .losses = count_losses,
    .close = close_isotp,
};
