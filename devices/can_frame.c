#include "devices/can_frame.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Lengths of a payload above 8 bytes: DLC 9 to 15. */
static const uint8_t fd_lengths[] = {12, 16, 20, 24, 32, 48, 64};

static uint8_t smaller(uint8_t length, uint8_t limit)
{
    return length < limit ? length : limit;
}

static void import_fd(const struct canfd_frame *wire, struct aw_frame *frame)
{
    frame->length = smaller(wire->len, CANFD_MAX_DLEN);
    frame->flags = AW_FRAME_FD;
    if (wire->flags & CANFD_BRS)
        frame->flags |= AW_FRAME_BRS;
    if (wire->flags & CANFD_ESI)
        frame->flags |= AW_FRAME_ESI;
    memcpy(frame->payload, wire->data, frame->length);
}

static void import_classic(const struct can_frame *wire, struct aw_frame *frame)
{
    frame->length = smaller(wire->len, CAN_MAX_DLEN);
    frame->flags = 0;
    /* DLC 9 to 15 all mean 8 bytes on a classic bus; the kernel tells which. */
    if (wire->len == CAN_MAX_DLEN && wire->len8_dlc > CAN_MAX_DLC &&
        wire->len8_dlc <= CAN_MAX_RAW_DLC)
        frame->flags = (uint16_t)(wire->len8_dlc << AW_FRAME_RAW_DLC_SHIFT);
    if (wire->can_id & CAN_RTR_FLAG)
        memset(frame->payload, 0, frame->length);
    else
        memcpy(frame->payload, wire->data, frame->length);
}

void aw_can_frame_import(const union aw_can_wire *wire, size_t bytes,
                         struct aw_frame *frame)
{
    frame->kind = AW_KIND_CAN;
    frame->id = wire->classic.can_id;
    if (bytes == CANFD_MTU)
        import_fd(&wire->fd, frame);
    else
        import_classic(&wire->classic, frame);
}

static uint8_t fd_length(uint16_t length)
{
    size_t i = 0;

    if (length <= CAN_MAX_DLEN)
        return (uint8_t)length;
    while (fd_lengths[i] < length)
        i++;
    return fd_lengths[i];
}

static int export_fd(const struct aw_frame *frame, struct canfd_frame *wire)
{
    if (frame->length > CANFD_MAX_DLEN || (frame->id & AW_CAN_REMOTE))
        return -EINVAL;
    wire->len = fd_length(frame->length);
    wire->flags = CANFD_FDF;
    if (frame->flags & AW_FRAME_BRS)
        wire->flags |= CANFD_BRS;
    if (frame->flags & AW_FRAME_ESI)
        wire->flags |= CANFD_ESI;
    memcpy(wire->data, frame->payload, frame->length);
    return CANFD_MTU;
}

static int export_classic(const struct aw_frame *frame, struct can_frame *wire)
{
    if (frame->length > CAN_MAX_DLEN)
        return -EINVAL;
    wire->len = (uint8_t)frame->length;
    if (wire->len == CAN_MAX_DLEN)
        wire->len8_dlc = (uint8_t)(frame->flags >> AW_FRAME_RAW_DLC_SHIFT);
    if (!(frame->id & AW_CAN_REMOTE))
        memcpy(wire->data, frame->payload, frame->length);
    return CAN_MTU;
}

int aw_can_frame_export(const struct aw_frame *frame,
                        union aw_can_wire *ret_wire)
{
    union aw_can_wire wire = {.fd = {.can_id = frame->id}};
    int bytes;

    if (frame->kind != AW_KIND_CAN)
        return -EINVAL;
    bytes = frame->flags & AW_FRAME_FD ? export_fd(frame, &wire.fd)
                                       : export_classic(frame, &wire.classic);
    if (bytes > 0)
        *ret_wire = wire;
    return bytes;
}
