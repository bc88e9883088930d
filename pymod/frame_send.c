/* What a script hands to Device.send(), made into what the reader takes.
 *
 * The frame is copied: the script may drop its object while the reader still
 * waits for the kernel. What belongs to a frame's arrival (clocks, sequence,
 * losses, channel, direction) does not travel on. */
#include "pymod/frame_base.h"

#include <stdlib.h>
#include <string.h>

static struct aw_frame *send_frame(struct aw_send *send)
{
    void *frame = send->frame;

    return frame;
}

/* A request of zeros but for the frame's kind and length. Freed where Python's
 * own allocator has no place: on the reader's thread. There is room for the
 * timestamp that a confirmation may bring. */
static struct aw_send *send_new(enum aw_kind kind, size_t payload_bytes)
{
    struct aw_send *send = calloc(
        1, offsetof(struct aw_send, frame) +
               aw_slot_bytes((uint32_t)payload_bytes) + AW_HW_STAMP_BYTES);

    if (!send) {
        PyErr_NoMemory();
        return NULL;
    }
    send_frame(send)->kind = (uint8_t)kind;
    send_frame(send)->length = (uint16_t)payload_bytes;
    return send;
}

static struct aw_send *send_from_frame(const struct aw_frame *frame)
{
    struct aw_send *send = send_new((enum aw_kind)frame->kind, frame->length);

    if (!send)
        return NULL;
    send_frame(send)->id = frame->id;
    send_frame(send)->flags = (uint16_t)(frame->flags & ~AW_FRAME_ARRIVAL);
    /* What was truncated goes out as long as it is now. */
    if (frame->kind == AW_KIND_DATAGRAM || frame->kind == AW_KIND_ETHERNET)
        send_frame(send)->id = (uint32_t)aw_frame_length(frame);
    memcpy(send_frame(send)->payload, frame->payload, frame->length);
    return send;
}

static struct aw_send *send_from_bytes(enum aw_kind kind, PyObject *data)
{
    size_t head = aw_frame_head_bytes(kind), length;
    struct aw_send *send = NULL;
    Py_buffer view;

    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    length = (size_t)view.len;
    if (length > AW_PAYLOAD_MAX - head)
        PyErr_Format(PyExc_ValueError,
                     "%zu bytes cannot be sent; a frame holds at most %zu",
                     length, AW_PAYLOAD_MAX - head);
    else
        send = send_new(kind, head + length);
    if (send && length)
        memcpy(send_frame(send)->payload + head, view.buf, length);
    if (send && kind != AW_KIND_BYTES)
        send_frame(send)->id = (uint32_t)length;
    PyBuffer_Release(&view);
    return send;
}

static const char *wanted(enum aw_kind kind)
{
    switch (kind) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return "a CanFrame";
    case AW_KIND_DATAGRAM:
        return "a Datagram or bytes";
    case AW_KIND_J1939:
        return "a J1939Message";
    case AW_KIND_ETHERNET:
        return "an EthernetFrame or bytes";
    case AW_KIND_BYTES:
    case AW_KIND_EVENT:
        break;
    }
    return "a Frame or bytes";
}

AW_WITH_GIL static void refuse(const struct aw_module *module, PyObject *object,
                               enum aw_kind kind)
{
    if (Py_IS_TYPE(object, module->can_frame_type) &&
        aw_frame_slot(object)->kind == AW_KIND_CAN_XL)
        PyErr_SetString(PyExc_TypeError,
                        "CAN XL frames are received, but cannot be sent");
    else
        PyErr_Format(PyExc_TypeError, "this device sends %s, not %s",
                     wanted(kind), Py_TYPE(object)->tp_name);
}

int aw_frame_to_send(struct aw_module *module, PyObject *object,
                     enum aw_kind kind, struct aw_send **ret_send)
{
    struct aw_send *send;

    if (PyObject_TypeCheck(object, module->frame_type) &&
        aw_frame_slot(object)->kind == kind) {
        send = send_from_frame(aw_frame_slot(object));
    } else if ((kind == AW_KIND_BYTES || kind == AW_KIND_DATAGRAM ||
                kind == AW_KIND_ETHERNET) &&
               PyObject_CheckBuffer(object)) {
        send = send_from_bytes(kind, object);
    } else {
        refuse(module, object, kind);
        return -1;
    }
    if (!send)
        return -1;
    *ret_send = send;
    return 0;
}
