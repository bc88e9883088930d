/* The driver `bcm`: CAN identifiers that the kernel watches (its broadcast
 * manager, CAN_BCM).
 *
 * A frame whose content has changed comes as a frame; one that stays away comes
 * as an event, once for each absence. All else the kernel keeps back, so that a
 * cyclic bus costs nothing while it says nothing new. Nothing is sent here:
 * cyclic sending is `can`'s (can_periodic.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bcm_watch.h"
#include "devices/can_frame.h"
#include "devices/can_net.h"
#include "devices/drivers.h"

enum option { INTERFACE, WATCH, RECEIVE_BUFFER };

static const struct aw_option options[] = {
    [INTERFACE] = AW_CAN_NET_INTERFACE,
    [WATCH] = {.name = "watch",
               .type = AW_OPTION_TEXT,
               .required = true,
               .help = "what is watched: ID[#MASK][:TIMEOUT_S][/THROTTLE_S], "
                       "with spaces between"},
    [RECEIVE_BUFFER] = AW_SOCKET_BUFFER_OPTION,
};

struct bcm {
    struct aw_socket *socket;
    struct aw_can_net net;
    int watch_count;
    bool fd; /* some of them are FD */
    struct aw_bcm_watch watches[AW_BCM_WATCHES_MAX];
    union aw_bcm_message messages[AW_BATCH_FRAMES];
};

/* ---- open ---- */

static int check(const struct aw_value *values, struct aw_error *error)
{
    const char *text = values[WATCH].text ? values[WATCH].text : "";
    struct aw_bcm_watch *watches;
    int result = aw_can_net_check(values[INTERFACE].text, error);

    if (result < 0)
        return result;
    watches = calloc(AW_BCM_WATCHES_MAX, sizeof(*watches));
    if (!watches)
        return aw_error_set(error, ENOMEM, "out of memory");
    result = aw_bcm_watches_parse(text, watches, error);
    free(watches);
    return result < 0 ? result : 0;
}

/* A `##` stands before FD alone. */
static void describe(struct aw_link *link, const struct aw_value *values)
{
    link->payload_bytes =
        strstr(values[WATCH].text, "##") ? AW_PAYLOAD_FD : AW_PAYLOAD_CAN;
    link->kind = AW_KIND_CAN;
    link->start = AW_START_OPEN;
}

static int connect_socket(const struct bcm *bcm)
{
    union aw_socket_address address = {
        .can = {.can_family = AF_CAN, .can_ifindex = bcm->net.watch.index}};

    return connect(bcm->socket->fd, &address.any, sizeof(address.can)) < 0
               ? -errno
               : 0;
}

static int begin_watches(const struct bcm *bcm)
{
    for (int i = 0; i < bcm->watch_count; i++) {
        union aw_bcm_message message;
        size_t bytes = aw_bcm_watch_export(&bcm->watches[i], &message);

        if (send(bcm->socket->fd, &message, bytes, 0) < 0)
            return -errno;
    }
    return 0;
}

static int set_up(struct bcm *bcm, const struct aw_link *link,
                  const struct aw_value *values, struct aw_error *error)
{
    int result = aw_socket_set_buffer(bcm->socket, link->name,
                                      (int)values[RECEIVE_BUFFER].integer);

    if (result >= 0)
        result = connect_socket(bcm);
    if (result == 0)
        result = begin_watches(bcm);
    if (result < 0)
        return aw_error_set(error, -result,
                            "device %s: cannot watch interface %s: %s",
                            link->name, bcm->net.interface, strerror(-result));
    return 0;
}

static void free_bcm(struct bcm *bcm)
{
    aw_can_net_close(&bcm->net);
    aw_socket_free(bcm->socket);
    free(bcm);
}

static void fill_link(struct bcm *bcm, struct aw_link *link,
                      const struct aw_value *values)
{
    describe(link, values);
    link->state = bcm;
    link->fd = bcm->socket->fd;
    link->status.kernel_filter = 1;
    for (uint32_t i = 0; i < AW_BATCH_FRAMES; i++)
        aw_socket_place(bcm->socket, i, &bcm->messages[i],
                        sizeof(bcm->messages[i]));
}

static int open_bcm(struct aw_link *link, const struct aw_value *values,
                    struct aw_error *error)
{
    struct bcm *bcm = calloc(1, sizeof(*bcm));
    int result;

    if (!bcm)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            link->name);
    bcm->net.watch.fd = -1;
    bcm->watch_count =
        aw_bcm_watches_parse(values[WATCH].text, bcm->watches, error);
    result = bcm->watch_count;
    if (result > 0)
        result = aw_can_net_socket(link->name, CAN_BCM, "can-bcm", &bcm->socket,
                                   error);
    if (result == 0)
        result =
            aw_can_net_open(&bcm->net, link, values[INTERFACE].text, error);
    if (result == 0)
        result = set_up(bcm, link, values, error);
    if (result < 0) {
        free_bcm(bcm);
        return result;
    }
    fill_link(bcm, link, values);
    return 0;
}

/* ---- what the kernel says ---- */

/* An identifier as `snapshot()` has it: marked where 29 bits are not to be seen
 * from its value. */
static uint32_t plain_id(uint32_t can_id)
{
    uint32_t id = can_id & AW_CAN_ID_MASK;

    return (can_id & AW_CAN_EXTENDED) && id <= AW_CAN_SFF_MASK
               ? id | AW_CAN_EXTENDED
               : id;
}

/* Returns 0, or -EPROTO for what the kernel does not say. */
static int import_message(const struct bcm *bcm, uint32_t index,
                          struct aw_batch *batch) AW_ON(reader)
{
    const union aw_bcm_message *message = &bcm->messages[index];
    uint32_t bytes = aw_socket_bytes(bcm->socket, index);
    size_t frame_bytes =
        message->head.flags & CAN_FD_FRAME ? CANFD_MTU : CAN_MTU;
    struct aw_frame *frame = aw_batch_at(batch, batch->count);
    union aw_can_wire wire;

    if (bytes < sizeof(message->head))
        return -EPROTO;
    if (message->head.opcode == RX_TIMEOUT) {
        aw_batch_add_event(batch, AW_EVENT_TIMEOUT, 0,
                           plain_id(message->head.can_id), 0);
        aw_socket_stamp(bcm->socket, index, frame);
        return 0;
    }
    if (message->head.opcode != RX_CHANGED ||
        bytes != sizeof(message->head) + frame_bytes)
        return -EPROTO;
    memcpy(&wire, message->bytes + sizeof(message->head), frame_bytes);
    aw_can_frame_import(&wire, frame_bytes, frame);
    aw_socket_stamp(bcm->socket, index, frame);
    frame->channel = 0;
    /* Not every kernel says it of these (Linux 6.1 does not). */
    if (aw_socket_flags(bcm->socket, index) & (MSG_DONTROUTE | MSG_CONFIRM))
        frame->flags |= AW_FRAME_SENT;
    batch->count++;
    return 0;
}

static int read_bcm(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct bcm *bcm = link->state;
    int count = aw_socket_receive(bcm->socket, batch->limit);
    int result = 0;

    if (count < 0)
        return aw_socket_judge(bcm->socket,
                               aw_can_net_judge(&bcm->net, link, count));
    for (uint32_t i = 0; result == 0 && i < (uint32_t)count; i++)
        result = import_message(bcm, i, batch);
    if (count > 0)
        aw_can_net_received(&bcm->net);
    return aw_socket_judge(bcm->socket, result);
}

static int aux_bcm(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct bcm *bcm = link->state;

    return aw_socket_judge(bcm->socket, aw_can_net_aux(&bcm->net, link, batch));
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct bcm *bcm = link->state;

    return aw_socket_losses(bcm->socket);
}

static void close_bcm(struct aw_link *link)
{
    free_bcm(link->state);
}

const struct aw_driver aw_bcm_driver = {
    AW_DRIVER_HEAD,
    .name = "bcm",
    .main_option = "interface",
    .help = "CAN identifiers watched for change and absence, by the kernel",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_bcm,
    .read = read_bcm,
    .aux = aux_bcm,
    .losses = count_losses,
    .close = close_bcm,
};
