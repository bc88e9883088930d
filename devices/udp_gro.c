#include "devices/udp_gro.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "devices/address.h"

/* linux/udp.h has it, which does not go together with netinet/udp.h. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define HEAD_BYTES    ((uint32_t)sizeof(struct aw_address))
#define MESSAGES      16u
#define MESSAGE_BYTES 65536u /* no datagram is longer, merged or not */

struct aw_udp_gro {
    struct aw_socket *socket;
    uint32_t max_payload;
    uint32_t count, index; /* messages received, and the one taken apart */
    uint32_t offset;       /* bytes of it taken */
    uint32_t segment;      /* bytes of each of its datagrams but the last */
    struct aw_frame head;  /* of its datagrams: what they share */
    struct aw_address sender;
    unsigned char messages[MESSAGES][MESSAGE_BYTES];
};

int aw_udp_gro_new(struct aw_socket *socket, uint32_t max_payload,
                   struct aw_udp_gro **ret_gro)
{
    struct aw_udp_gro *gro;
    int on = 1;

    if (setsockopt(socket->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
        return -errno;
    gro = calloc(1, sizeof(*gro));
    if (!gro)
        return -ENOMEM;
    gro->socket = socket;
    gro->max_payload = max_payload;
    for (uint32_t i = 0; i < MESSAGES; i++)
        aw_socket_place(socket, i, gro->messages[i], MESSAGE_BYTES);
    *ret_gro = gro;
    return 0;
}

void aw_udp_gro_free(struct aw_udp_gro *gro)
{
    free(gro);
}

/* Bytes of each datagram in the message; all of it if it was not merged. */
static uint32_t segment_of(struct aw_socket *socket, uint32_t index)
{
    struct msghdr *header = &socket->messages[index].msg_hdr;
    struct cmsghdr *control;
    int segment = 0;

    for (control = CMSG_FIRSTHDR(header); control;
         control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO)
            memcpy(&segment, CMSG_DATA(control), sizeof(segment));
    }
    return segment > 0 ? (uint32_t)segment : aw_socket_bytes(socket, index);
}

/* What all datagrams of the next message have. */
static void begin_message(struct aw_udp_gro *gro) AW_ON(reader)
{
    gro->offset = 0;
    gro->segment = segment_of(gro->socket, gro->index);
    gro->head = (struct aw_frame){.kind = AW_KIND_DATAGRAM};
    aw_socket_stamp(gro->socket, gro->index, &gro->head);
    aw_address_import(&aw_socket_sender(gro->socket, gro->index)->any,
                      &gro->sender);
}

/* Takes the next datagram off the message. Returns false with its last. */
static bool take_datagram(struct aw_udp_gro *gro, struct aw_frame *frame)
{
    uint32_t left = aw_socket_bytes(gro->socket, gro->index) - gro->offset;
    uint32_t sent = left < gro->segment ? left : gro->segment;
    uint32_t taken = sent < gro->max_payload ? sent : gro->max_payload;

    *frame = gro->head;
    if (taken < sent)
        frame->flags |= AW_FRAME_TRUNCATED;
    frame->id = sent;
    frame->length = (uint16_t)(HEAD_BYTES + taken);
    memcpy(frame->payload, &gro->sender, sizeof(gro->sender));
    memcpy(frame->payload + HEAD_BYTES, gro->messages[gro->index] + gro->offset,
           taken);
    gro->head.lost_before = 0;
    gro->offset += sent;
    return sent < left;
}

/* The messages to be taken apart next, if any. Returns as
 * aw_socket_receive(). */
static int receive(struct aw_udp_gro *gro) AW_ON(reader)
{
    int count = aw_socket_receive(gro->socket, MESSAGES);

    if (count <= 0)
        return count;
    gro->count = (uint32_t)count;
    gro->index = 0;
    begin_message(gro);
    return count;
}

int aw_udp_gro_read(struct aw_udp_gro *gro, struct aw_batch *batch,
                    bool *ret_more)
{
    int result = 0;

    while (batch->count < batch->limit) {
        if (gro->index == gro->count) {
            result = receive(gro);
            if (result <= 0)
                break;
        }
        if (take_datagram(gro, aw_batch_at(batch, batch->count++)))
            continue;
        gro->index++;
        if (gro->index < gro->count)
            begin_message(gro);
    }
    *ret_more = gro->index < gro->count;
    return result < 0 ? result : 0;
}
