/* The driver `j1939`: messages of SAE J1939 by the kernel's sockets
 * (CAN_J1939), which cut and join them (TP and ETP) and know who has which
 * address.
 *
 * A frame here is a whole message: a parameter group, from one address to
 * another or to all. The kernel keeps back what is neither for this device's
 * address nor for all, unless it is `promiscuous`.
 *
 * An interface that is down cannot be bound; so an open device may be unbound,
 * until its link comes up. Nor is the address claimed here: j1939acd of
 * can-utils does that for a NAME. */
#include <errno.h>
#include <linux/can/j1939.h>
#include <stdlib.h>
#include <string.h>

#include "devices/can_net.h"
#include "devices/drivers.h"
#include "devices/j1939.h"
#include "devices/queue/log.h"
#include "devices/sockopt.h"

#define HEAD_BYTES ((uint32_t)sizeof(struct aw_j1939_head))

#define PRIORITY_NEEDS                                                         \
    "0 and 1 take CAP_NET_ADMIN (AmbientCapabilities= under systemd), 2 to 7 " \
    "nothing"

enum option {
    INTERFACE,
    ADDRESS,
    ECU_NAME,
    PGN,
    DESTINATION,
    SEND_PRIORITY,
    PROMISCUOUS,
    MAX_PAYLOAD,
    RECEIVE_BUFFER
};

static const struct aw_option options[] = {
    [INTERFACE] = AW_CAN_NET_INTERFACE,
    [ADDRESS] = {.name = "address",
                 .type = AW_OPTION_INT,
                 .minimum = 0,
                 .maximum = J1939_MAX_UNICAST_ADDR,
                 .help = "its own address, 0 to 0xFD; without one it can only "
                         "listen, to what is for all"},
    [ECU_NAME] = {.name = "ecu_name",
                  .type = AW_OPTION_TEXT,
                  .help = "its own NAME, 16 hexadecimal digits; j1939acd "
                          "claims the address"},
    [PGN] = {.name = "pgn",
             .type = AW_OPTION_INT,
             .minimum = 0,
             .maximum = J1939_PGN_MAX,
             .help = "take messages of this parameter group only"},
    [DESTINATION] = {.name = "destination",
                     .type = AW_OPTION_INT,
                     .fallback = "0xFF",
                     .minimum = 0,
                     .maximum = J1939_NO_ADDR,
                     .help = "where messages go that do not say it; 0xFF: to "
                             "all"},
    [SEND_PRIORITY] = {.name = "send_priority",
                       .type = AW_OPTION_INT,
                       .fallback = "6",
                       .minimum = 0,
                       .maximum = 7,
                       .help = "of messages that do not say it, 0 (first) to "
                               "7; below 2 needs CAP_NET_ADMIN"},
    [PROMISCUOUS] = {.name = "promiscuous",
                     .type = AW_OPTION_BOOL,
                     .fallback = "no",
                     .help = "take what is for others, too"},
    [MAX_PAYLOAD] = {.name = "max_payload",
                     .type = AW_OPTION_INT,
                     .fallback = "1785",
                     .minimum = 8,
                     .maximum = AW_PAYLOAD_MAX - sizeof(struct aw_j1939_head),
                     .help = "bytes of the longest message taken whole"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

struct j1939 {
    struct aw_socket *socket;
    struct aw_can_net net;
    union aw_socket_address own;
    uint32_t max_payload;
    uint8_t destination;
    uint8_t send_priority; /* where a message does not say it */
    int set_priority;      /* the socket's; -1: not set */
    bool priority_refused; /* and said so */
    bool bound;

    /* A long message of which the kernel has a part: which one (its address
     * alone might be another's by then), and how much. */
    const struct aw_send *begun;
    uint64_t begun_deadline_ns;
    size_t begun_bytes;
};

/* ---- check ---- */

/* A NAME in hexadecimal, 0x before it or not. False if it is none. */
static bool parse_name(const char *text, uint64_t *ret_name)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t length;

    if (strncmp(text, "0x", 2) == 0)
        text += 2;
    length = strspn(text, digits);
    if (length == 0 || length > 16 || text[length])
        return false;
    *ret_name = strtoull(text, NULL, 16);
    return *ret_name != J1939_NO_NAME;
}

/* The low byte of a PDU1 group is the destination's. */
static int check_pgn(const struct aw_value *pgn, struct aw_error *error)
{
    if (!pgn->set || !aw_j1939_is_pdu1((uint32_t)pgn->integer) ||
        (pgn->integer & 0xff) == 0)
        return 0;
    return aw_error_set(error, EINVAL,
                        "pgn %s is none: one below 0xF000 in its low 16 bits "
                        "(PDU1) ends in 00, as 0x%llX",
                        pgn->text, (unsigned long long)pgn->integer & ~0xffull);
}

static int check(const struct aw_value *values, struct aw_error *error)
{
    int result = aw_can_net_check(values[INTERFACE].text, error);
    uint64_t name;

    if (result < 0)
        return result;
    if (values[ECU_NAME].set && !parse_name(values[ECU_NAME].text, &name))
        return aw_error_set(error, EINVAL,
                            "ecu_name \"%s\" is no NAME: 1 to 16 hexadecimal "
                            "digits, not 0 (SAE J1939-81)",
                            values[ECU_NAME].text);
    return check_pgn(&values[PGN], error);
}

/* ---- open ---- */

static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->payload_bytes = HEAD_BYTES + (uint32_t)values[MAX_PAYLOAD].integer;
    link->kind = AW_KIND_J1939;
    link->start = AW_START_OPEN;
    link->can_send = values[ADDRESS].set || values[ECU_NAME].set;
}

/* Returns 0, also where the link is down; -ENODEV or another errno. */
static int bind_own(struct j1939 *j1939)
{
    int result = 0;

    if (bind(j1939->socket->fd, &j1939->own.any, sizeof(j1939->own.can)) < 0)
        result = -errno;
    j1939->bound = result == 0;
    return result == -ENETDOWN ? 0 : result;
}

/* By a filter, not by bind(): what that says a promiscuous socket ignores. */
static int choose_pgn(const struct j1939 *j1939, const struct aw_value *pgn)
{
    struct j1939_filter filter = {
        .pgn = (pgn_t)pgn->integer,
        .pgn_mask = J1939_PGN_MAX,
    };

    if (!pgn->set)
        return 0;
    return aw_sockopt_set(j1939->socket->fd, SOL_CAN_J1939, SO_J1939_FILTER,
                          &filter, sizeof(filter));
}

/* A priority belongs to the socket, so to the messages after it is set. */
static int choose_priority(struct j1939 *j1939, uint8_t wanted)
{
    int priority = wanted == AW_J1939_DEFAULT ? j1939->send_priority : wanted;
    int result = 0;

    if (priority != j1939->set_priority)
        result = aw_sockopt_set_int(j1939->socket->fd, SOL_CAN_J1939,
                                    SO_J1939_SEND_PRIO, priority);
    if (result == 0)
        j1939->set_priority = priority;
    return result;
}

static int set_up(struct j1939 *j1939, const struct aw_link *link,
                  const struct aw_value *values, struct aw_error *error)
{
    int result =
        aw_sockopt_set_int(j1939->socket->fd, SOL_SOCKET, SO_BROADCAST, 1);

    if (result == 0 && values[PROMISCUOUS].flag)
        result = aw_sockopt_set_int(j1939->socket->fd, SOL_CAN_J1939,
                                    SO_J1939_PROMISC, 1);
    if (result == 0)
        result = choose_pgn(j1939, &values[PGN]);
    /* Not only with the first message, so that a refusal is told at once. */
    if (result == 0)
        result = choose_priority(j1939, AW_J1939_DEFAULT);
    if (result == -EPERM)
        return aw_error_set(error, EPERM,
                            "device %s: send_priority %u: " PRIORITY_NEEDS,
                            link->name, j1939->send_priority);
    if (result == 0)
        result = aw_socket_set_buffer(j1939->socket, link->name,
                                      (int)values[RECEIVE_BUFFER].integer);
    if (result >= 0)
        result = bind_own(j1939);
    if (result < 0)
        return aw_error_set(
            error, -result, "device %s: cannot use interface %s for J1939: %s",
            link->name, j1939->net.interface, strerror(-result));
    return 0;
}

static void read_values(struct j1939 *j1939, const struct aw_value *values)
{
    struct sockaddr_can *own = &j1939->own.can;

    j1939->max_payload = (uint32_t)values[MAX_PAYLOAD].integer;
    j1939->destination = (uint8_t)values[DESTINATION].integer;
    j1939->send_priority = (uint8_t)values[SEND_PRIORITY].integer;
    j1939->set_priority = -1;
    own->can_family = AF_CAN;
    own->can_ifindex = j1939->net.watch.index;
    own->can_addr.j1939.name = J1939_NO_NAME;
    own->can_addr.j1939.addr = J1939_NO_ADDR;
    own->can_addr.j1939.pgn = J1939_NO_PGN;
    if (values[ECU_NAME].set) {
        uint64_t name = J1939_NO_NAME;

        (void)parse_name(values[ECU_NAME].text, &name); /* check() has */
        own->can_addr.j1939.name = name;
    }
    if (values[ADDRESS].set)
        own->can_addr.j1939.addr = (uint8_t)values[ADDRESS].integer;
}

static void free_j1939(struct j1939 *j1939)
{
    aw_can_net_close(&j1939->net);
    aw_socket_free(j1939->socket);
    free(j1939);
}

static int open_j1939(struct aw_link *link, const struct aw_value *values,
                      struct aw_error *error)
{
    struct j1939 *j1939 = calloc(1, sizeof(*j1939));
    int result;

    if (!j1939)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    j1939->net.watch.fd = -1;
    result = aw_can_net_socket(link->name, CAN_J1939, "can-j1939",
                               &j1939->socket, error);
    if (result == 0)
        result =
            aw_can_net_open(&j1939->net, link, values[INTERFACE].text, error);
    if (result == 0) {
        /* These sockets refuse MSG_TRUNC, and tell by it all the same. */
        j1939->socket->receive_flags = 0;
        read_values(j1939, values);
        result = set_up(j1939, link, values, error);
    }
    if (result < 0) {
        free_j1939(j1939);
        return result;
    }
    describe(link, values);
    link->status.kernel_filter = values[PGN].set || !values[PROMISCUOUS].flag;
    link->state = j1939;
    link->fd = j1939->socket->fd;
    return 0;
}

/* ---- receiving ---- */

static void read_control(const struct cmsghdr *control,
                         struct aw_j1939_head *head)
{
    switch (control->cmsg_type) {
    case SCM_J1939_DEST_ADDR:
        memcpy(&head->destination_address, CMSG_DATA(control), 1);
        break;
    case SCM_J1939_DEST_NAME:
        memcpy(&head->destination_name, CMSG_DATA(control),
               sizeof(head->destination_name));
        break;
    case SCM_J1939_PRIO:
        memcpy(&head->priority, CMSG_DATA(control), 1);
        break;
    default:
        break;
    }
}

static struct aw_j1939_head head_of(struct j1939 *j1939, uint32_t index)
{
    const union aw_socket_address *sender =
        aw_socket_sender(j1939->socket, index);
    struct msghdr *header = &j1939->socket->messages[index].msg_hdr;
    /* To all there is no address among what comes along. */
    struct aw_j1939_head head = {
        .name = sender->can.can_addr.j1939.name,
        .pgn = sender->can.can_addr.j1939.pgn,
        .source_address = sender->can.can_addr.j1939.addr,
        .destination_address = J1939_NO_ADDR,
    };

    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control;
         control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_CAN_J1939)
            read_control(control, &head);
    }
    return head;
}

static void fill_frame(struct j1939 *j1939, uint32_t index,
                       struct aw_frame *frame) AW_ON(reader)
{
    uint32_t bytes = aw_socket_bytes(j1939->socket, index);
    int flags = aw_socket_flags(j1939->socket, index);
    struct aw_j1939_head head = head_of(j1939, index);

    frame->flags = flags & MSG_TRUNC ? AW_FRAME_TRUNCATED : 0;
    if (flags & MSG_DONTROUTE)
        frame->flags |= AW_FRAME_SENT;
    aw_socket_stamp(j1939->socket, index, frame);
    frame->kind = AW_KIND_J1939;
    frame->id = aw_j1939_id(&head);
    frame->length = (uint16_t)(HEAD_BYTES + bytes);
    frame->channel = 0;
    memcpy(frame->payload, &head, sizeof(head));
}

static int read_j1939(struct aw_link *link, struct aw_batch *batch)
    AW_ON(reader)
{
    struct j1939 *j1939 = link->state;
    int count;

    aw_socket_place_batch(j1939->socket, batch, HEAD_BYTES, j1939->max_payload);
    count = aw_socket_receive(j1939->socket, batch->limit);
    if (count < 0)
        return aw_socket_judge(j1939->socket,
                               aw_can_net_judge(&j1939->net, link, count));
    for (uint32_t i = 0; i < (uint32_t)count; i++)
        fill_frame(j1939, i, aw_batch_at(batch, i));
    batch->count = (uint32_t)count;
    if (count > 0)
        aw_can_net_received(&j1939->net);
    return aw_socket_judge(j1939->socket, 0);
}

/* The kernel holds an interface back from going as long as a socket of J1939 is
 * bound to it: so `ip link delete` waits for a script that has yet to make room
 * for what came before. */
static int aux_j1939(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct j1939 *j1939 = link->state;
    int result = aw_can_net_aux(&j1939->net, link, batch);

    if (result == 0 && link->status.state == AW_LINK_UP && !j1939->bound)
        result = bind_own(j1939);
    return aw_socket_judge(j1939->socket, result);
}

/* ---- sending ---- */

static union aw_socket_address destination_of(const struct j1939 *j1939,
                                              const struct aw_j1939_head *head)
{
    union aw_socket_address address = {
        .can = {.can_family = AF_CAN, .can_ifindex = j1939->net.watch.index}};

    address.can.can_addr.j1939.name = head->destination_name;
    address.can.can_addr.j1939.pgn = head->pgn;
    address.can.can_addr.j1939.addr = head->defaults && !head->destination_name
                                          ? j1939->destination
                                          : head->destination_address;
    return address;
}

/* What the kernel has of the message already. */
static size_t bytes_begun(const struct j1939 *j1939, const struct aw_send *send)
{
    return j1939->begun == send && j1939->begun_deadline_ns == send->deadline_ns
               ? j1939->begun_bytes
               : 0;
}

/* The kernel may take but a part of a long message; it wants the rest then,
 * before any other. If that never comes it gives up after about a second. */
static int transmit(struct j1939 *j1939, const struct aw_link *link,
                    const struct aw_send *send,
                    const struct aw_j1939_head *head) AW_ON(reader)
{
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    union aw_socket_address address = destination_of(j1939, head);
    size_t before = bytes_begun(j1939, send);
    size_t rest = frame->length - HEAD_BYTES - before;
    ssize_t taken =
        aw_can_net_send(&j1939->net, link, j1939->socket->fd,
                        frame->payload + HEAD_BYTES + before, rest, &address);

    /* Another's message is on its way between the same two. */
    if (taken == -EBUSY)
        return -ENOBUFS;
    if (taken < 0)
        return (int)taken;
    j1939->begun = NULL;
    if ((size_t)taken == rest)
        return 0;
    j1939->begun = send;
    j1939->begun_deadline_ns = send->deadline_ns;
    j1939->begun_bytes = before + (size_t)taken;
    return -EAGAIN;
}

static int send_j1939(struct aw_link *link, struct aw_send *send) AW_ON(reader)
{
    struct j1939 *j1939 = link->state;
    const void *slot = send->frame;
    const struct aw_frame *frame = slot;
    struct aw_j1939_head head;
    int result;

    if (frame->kind != AW_KIND_J1939 || frame->length < HEAD_BYTES)
        return -EINVAL;
    if (link->status.state != AW_LINK_UP || !j1939->bound)
        return -ENETDOWN;
    memcpy(&head, frame->payload, sizeof(head));
    result = choose_priority(j1939, head.priority);
    if (result == -EPERM && !j1939->priority_refused) {
        aw_log(
            AW_LOG_WARNING,
            "device %s: a message of priority %u was refused: " PRIORITY_NEEDS,
            link->name, head.priority);
        j1939->priority_refused = true;
    }
    return result < 0 ? result : transmit(j1939, link, send, &head);
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct j1939 *j1939 = link->state;

    return aw_socket_losses(j1939->socket);
}

static void close_j1939(struct aw_link *link)
{
    free_j1939(link->state);
}

const struct aw_driver aw_j1939_driver = {
    AW_DRIVER_HEAD,
    .name = "j1939",
    .main_option = "interface",
    .help = "messages of SAE J1939 over CAN",
    .late_advice = "see whether anyone on the bus acknowledges, and whether "
                   "the other side takes the message before this one",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_j1939,
    .read = read_j1939,
    .aux = aux_j1939,
    .send = send_j1939,
    .losses = count_losses,
    .close = close_j1939,
};
