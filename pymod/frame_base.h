/* What the files of the frame types share: frame.c makes Frame, the base;
 * can_frame.c, datagram.c and ethernet_frame.c make the types that add to it.
 *
 * Everything here needs the GIL and returns NULL or -1 with an exception. */
#ifndef AW_PYMOD_FRAME_BASE_H
#define AW_PYMOD_FRAME_BASE_H

#include <stdbool.h>

#include "pymod/frame.h"

/* The size of a frame object without payload, for its PyType_Spec. */
#define AW_FRAME_BASIC_BYTES                                                   \
    ((int)(offsetof(FrameObject, slot) + sizeof(struct aw_frame)))

/* Flags of every frame type. */
#define AW_FRAME_TYPE_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE)

/* Bytes of the payload that are not data: the head of its kind. */
static inline size_t aw_frame_head_bytes(enum aw_kind kind)
{
    switch (kind) {
    case AW_KIND_CAN_XL:
        return sizeof(struct aw_xl_head);
    case AW_KIND_DATAGRAM:
        return sizeof(struct aw_address);
    case AW_KIND_J1939:
        return sizeof(struct aw_j1939_head);
    case AW_KIND_BYTES:
    case AW_KIND_EVENT:
    case AW_KIND_CAN:
    case AW_KIND_ETHERNET:
        break;
    }
    return 0;
}

/* The frame's data, without head. */
static inline const unsigned char *aw_frame_data(const struct aw_frame *frame)
{
    return frame->payload + aw_frame_head_bytes((enum aw_kind)frame->kind);
}

/* The frame's length as len() gives it: that of its data or, for a remote
 * frame, the length that it asks for. */
static inline size_t aw_frame_length(const struct aw_frame *frame)
{
    return frame->length - aw_frame_head_bytes((enum aw_kind)frame->kind);
}

static inline bool aw_frame_is_remote(const struct aw_frame *frame)
{
    return frame->kind == AW_KIND_CAN && frame->id & AW_CAN_REMOTE;
}

static inline size_t aw_frame_data_bytes(const struct aw_frame *frame)
{
    return aw_frame_is_remote(frame) ? 0 : aw_frame_length(frame);
}

/* A new object of `type` whose slot is all zeros but for kind and length:
 * `data_bytes` more than the kind's head. The caller bounds `data_bytes` by
 * AW_PAYLOAD_MAX. A new reference. */
PyObject *aw_frame_alloc(PyTypeObject *type, enum aw_kind kind,
                         size_t data_bytes) AW_WITH_GIL;

/* The same, holding a copy of `data` (bytes-like, or an iterable of integers,
 * or NULL). ValueError if it is longer than a slot can be. */
PyObject *aw_frame_from_data(PyTypeObject *type, enum aw_kind kind,
                             PyObject *data) AW_WITH_GIL;

/* `<TYPE CONTENT, where from and when>`, for repr(). Steals `content`, which
 * may be NULL with an exception set. A new reference. */
PyObject *aw_frame_describe(PyObject *frame, PyObject *content) AW_WITH_GIL;

/* "3 bytes: 010203", the first few of them, for repr(). A new reference. */
PyObject *aw_frame_describe_data(const struct aw_frame *frame) AW_WITH_GIL;

/* ---- what every unit of a stream has: frames, and events ---- */

PyObject *aw_frame_get_device(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_frame_get_timestamp(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_frame_get_lost_cause(PyObject *self, void *closure) AW_WITH_GIL;

/* __reduce__() */
PyObject *aw_frame_reduce(PyObject *self, PyObject *unused) AW_WITH_GIL;

/* tp_dealloc */
void aw_frame_dealloc(PyObject *self) AW_WITH_GIL;

#define AW_FRAME_SLOT_OFFSET(field)                                            \
    (Py_ssize_t)(offsetof(FrameObject, slot) + offsetof(struct aw_frame, field))

/* Entries of a table of members (which needs structmember.h), and of one of
 * getters. */
#define AW_FRAME_STREAM_MEMBERS                                                \
    {"channel", T_OBJECT, offsetof(FrameObject, channel), READONLY,            \
     PyDoc_STR("Name of the channel, as the interface \"can0\"; or None.")},   \
        {"timestamp_ns", T_ULONGLONG, AW_FRAME_SLOT_OFFSET(timestamp_ns),      \
         READONLY,                                                             \
         PyDoc_STR("When it came or went: nanoseconds since 1970, by the "     \
                   "clock that timestamp_source names or, in a replay, the "   \
                   "log's.")},                                                 \
        {"monotonic_ns", T_ULONGLONG, AW_FRAME_SLOT_OFFSET(monotonic_ns),      \
         READONLY,                                                             \
         PyDoc_STR("The same moment on the clock of time.monotonic_ns().")},   \
        {"seq", T_ULONGLONG, AW_FRAME_SLOT_OFFSET(seq), READONLY,              \
         PyDoc_STR("Frames that the device had read or lost before this "      \
                   "one.")},                                                   \
    {                                                                          \
        "lost_before", T_UINT, AW_FRAME_SLOT_OFFSET(lost_before), READONLY,    \
            PyDoc_STR("Frames lost between what the queue gave last and "      \
                      "this.")                                                 \
    }

#define AW_FRAME_STREAM_GETSET                                                 \
    {"device", aw_frame_get_device, NULL,                                      \
     PyDoc_STR("Name of the device; \"\" for a frame made by hand."), NULL},   \
        {"timestamp", aw_frame_get_timestamp, NULL,                            \
         PyDoc_STR("As timestamp_ns, in seconds: a float, exact to 0.2 us."),  \
         NULL},                                                                \
    {                                                                          \
        "lost_cause", aw_frame_get_lost_cause, NULL,                           \
            PyDoc_STR("Why frames were lost before this one: \"\" (none "      \
                      "were), \"kernel\" (it had no room for them), "          \
                      "\"overflow\" (the queue was full), \"away\" (the "      \
                      "device was: nobody knows how many), or several with + " \
                      "between."),                                             \
            NULL                                                               \
    }

#endif
