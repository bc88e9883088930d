/* Frame: what every unit received or sent has, whatever its kind.
 *
 * The type of virtual devices of kind `bytes`, and the base of CanFrame and
 * Datagram. Objects are immutable and hold nothing but strings, so they are
 * their own copies and the collector does not see them. */
#include "pymod/frame_base.h"

#include <string.h>
#include <structmember.h>

#include "devices/queue/clock.h"

/* Of the tuple that pickles a frame; to be raised when the slot changes. */
#define PICKLE_FORMAT 1

/* ---- making and freeing ---- */

PyObject *aw_frame_alloc(PyTypeObject *type, enum aw_kind kind,
                         size_t data_bytes)
{
    size_t payload_bytes = data_bytes + aw_frame_head_bytes(kind);
    FrameObject *self =
        PyObject_NewVar(FrameObject, type, (Py_ssize_t)payload_bytes);
    struct aw_frame *frame;

    if (!self)
        return NULL;
    self->device = NULL;
    self->channel = NULL;
    frame = aw_frame_slot((PyObject *)self);
    memset(frame, 0, offsetof(struct aw_frame, payload) + payload_bytes);
    frame->kind = (uint8_t)kind;
    frame->length = (uint16_t)payload_bytes;
    return (PyObject *)self;
}

PyObject *aw_frame_from_data(PyTypeObject *type, enum aw_kind kind,
                             PyObject *data)
{
    size_t room = AW_PAYLOAD_MAX - aw_frame_head_bytes(kind);
    PyObject *bytes, *self = NULL;
    size_t length;

    if (!data)
        return aw_frame_alloc(type, kind, 0);
    bytes = PyBytes_FromObject(data);
    if (!bytes)
        return NULL;
    length = (size_t)PyBytes_GET_SIZE(bytes);
    if (length > room)
        PyErr_Format(PyExc_ValueError,
                     "data is %zu bytes long; a frame holds at most %zu",
                     length, room);
    else
        self = aw_frame_alloc(type, kind, length);
    if (self) {
        struct aw_frame *frame = aw_frame_slot(self);

        memcpy(frame->payload + (frame->length - length),
               PyBytes_AS_STRING(bytes), length);
    }
    Py_DECREF(bytes);
    return self;
}

AW_WITH_GIL static PyTypeObject *type_of_kind(const struct aw_module *module,
                                              enum aw_kind kind)
{
    switch (kind) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return module->can_frame_type;
    case AW_KIND_DATAGRAM:
        return module->datagram_type;
    case AW_KIND_J1939:
        return module->j1939_message_type;
    case AW_KIND_ETHERNET:
        return module->ethernet_frame_type;
    case AW_KIND_EVENT:
        return module->event_type;
    case AW_KIND_BYTES:
        break;
    }
    return module->frame_type;
}

/* Bytes behind the header: the payload, and the hardware's timestamp. */
static size_t body_bytes(size_t length, bool stamped)
{
    return stamped ? (length + 7) / 8 * 8 + AW_HW_STAMP_BYTES : length;
}

PyObject *aw_frame_from_slot(struct aw_module *module,
                             const struct aw_frame *frame, PyObject *device,
                             PyObject *channel)
{
    /* Read once: the slot lies in memory that another process may share. */
    size_t length = frame->length;
    uint16_t flags = frame->flags;
    enum aw_kind kind = (enum aw_kind)frame->kind;
    size_t bytes = body_bytes(length, flags & AW_FRAME_HW_STAMP);
    FrameObject *self;
    struct aw_frame *copy;

    /* No driver cuts a head short; if someone did, bytes it is. */
    if (length < aw_frame_head_bytes(kind))
        kind = AW_KIND_BYTES;
    self = PyObject_NewVar(FrameObject, type_of_kind(module, kind),
                           (Py_ssize_t)bytes);
    if (!self)
        return NULL;
    Py_XINCREF(device);
    Py_XINCREF(channel);
    self->device = device;
    self->channel = channel;
    copy = aw_frame_slot((PyObject *)self);
    memcpy(copy, frame, offsetof(struct aw_frame, payload) + bytes);
    copy->kind = (uint8_t)kind;
    copy->length = (uint16_t)length;
    copy->flags = flags;
    return (PyObject *)self;
}

void aw_frame_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    FrameObject *frame = (FrameObject *)self;

    Py_XDECREF(frame->device);
    Py_XDECREF(frame->channel);
    PyObject_Free(self);
    Py_DECREF(type);
}

AW_WITH_GIL static PyObject *frame_new(PyTypeObject *type, PyObject *args,
                                       PyObject *kwargs)
{
    static const char *const names[] = {"data", NULL};
    PyObject *data = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Frame", (char **)names,
                                     &data))
        return NULL;
    return aw_frame_from_data(type, AW_KIND_BYTES, data);
}

/* A subclass would get a __dict__ and the collector's header, for which the
 * fast allocation above has no room. */
static PyObject *frame_init_subclass(PyObject *type, PyObject *args,
                                     PyObject *kwargs)
{
    (void)args, (void)kwargs;
    return PyErr_Format(PyExc_TypeError,
                        "%s: the frame types cannot be subclassed",
                        ((PyTypeObject *)type)->tp_name);
}

/* ---- attributes ---- */

PyObject *aw_frame_get_device(PyObject *self, void *closure)
{
    PyObject *device = ((FrameObject *)self)->device;

    (void)closure;
    return device ? Py_NewRef(device) : PyUnicode_FromStringAndSize("", 0);
}

static PyObject *frame_get_data(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);

    (void)closure;
    return PyBytes_FromStringAndSize((const char *)aw_frame_data(frame),
                                     (Py_ssize_t)aw_frame_data_bytes(frame));
}

PyObject *aw_frame_get_timestamp(PyObject *self, void *closure)
{
    uint64_t timestamp_ns = aw_frame_slot(self)->timestamp_ns;

    (void)closure;
    /* In two parts: nanoseconds since 1970 have more digits than a double. */
    return PyFloat_FromDouble((double)(timestamp_ns / AW_NS_PER_S) +
                              (double)(timestamp_ns % AW_NS_PER_S) / 1e9);
}

const char *aw_frame_loss_name(const struct aw_frame *frame)
{
    static const char *const names[] = {
        "",     "kernel",      "overflow",      "kernel+overflow",
        "away", "kernel+away", "overflow+away", "kernel+overflow+away",
    };

    return names[frame->lost_cause & 7u];
}

PyObject *aw_frame_get_lost_cause(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_InternFromString(aw_frame_loss_name(aw_frame_slot(self)));
}

static PyObject *frame_get_is_rx(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(!(aw_frame_slot(self)->flags & AW_FRAME_SENT));
}

static PyObject *frame_get_truncated(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(aw_frame_slot(self)->flags & AW_FRAME_TRUNCATED);
}

static PyObject *frame_get_hw_timestamp_ns(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);

    (void)closure;
    if (!aw_frame_has_hw_timestamp(frame))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(aw_frame_hw_timestamp(frame));
}

static PyObject *frame_get_timestamp_source(PyObject *self, void *closure)
{
    static const char *const names[] = {
        [AW_STAMP_UNKNOWN] = "",
        [AW_STAMP_KERNEL] = "kernel",
        [AW_STAMP_HARDWARE] = "hardware",
        [AW_STAMP_OWN] = "awaitd",
    };

    (void)closure;
    return PyUnicode_InternFromString(
        names[aw_frame_stamp(aw_frame_slot(self))]);
}

static PyMemberDef frame_members[] = {
    AW_FRAME_STREAM_MEMBERS,
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef frame_getset[] = {
    {"data", frame_get_data, NULL, PyDoc_STR("What it carries: bytes."), NULL},
    {"hw_timestamp_ns", frame_get_hw_timestamp_ns, NULL,
     PyDoc_STR(
         "The hardware's timestamp in nanoseconds, of a clock that is the "
         "device's own unless it is disciplined; None if it has none."),
     NULL},
    {"timestamp_source", frame_get_timestamp_source, NULL,
     PyDoc_STR("Whose clock timestamp_ns is of: \"kernel\", \"hardware\", "
               "\"awaitd\" (when it was read or made), or \"\": not known, "
               "as of a log's."),
     NULL},
    AW_FRAME_STREAM_GETSET,
    {"is_rx", frame_get_is_rx, NULL,
     PyDoc_STR("False if this machine sent it."), NULL},
    {"truncated", frame_get_truncated, NULL,
     PyDoc_STR("True if it was longer than a slot of its queue: its end is "
               "lost."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- behaviour ---- */

static Py_ssize_t frame_len(PyObject *self)
{
    return (Py_ssize_t)aw_frame_length(aw_frame_slot(self));
}

/* A frame without data is a frame. */
static int frame_bool(PyObject *self)
{
    (void)self;
    return 1;
}

static PyObject *frame_bytes(PyObject *self, PyObject *unused)
{
    (void)unused;
    return frame_get_data(self, NULL);
}

static bool same_content(const struct aw_frame *one, const struct aw_frame *two)
{
    const unsigned noted = AW_FRAME_ARRIVAL & ~AW_FRAME_TRUNCATED;

    if (one->kind != two->kind || one->id != two->id ||
        one->length != two->length ||
        (one->flags | noted) != (two->flags | noted))
        return false;
    return aw_frame_is_remote(one) ||
           memcmp(one->payload, two->payload, one->length) == 0;
}

/* 1, 0, or -1 with an exception. */
static int same_channel(PyObject *one, PyObject *two)
{
    const FrameObject *first = (FrameObject *)one;
    const FrameObject *second = (FrameObject *)two;

    if (!first->channel || !second->channel)
        return first->channel == second->channel;
    return PyObject_RichCompareBool(first->channel, second->channel, Py_EQ);
}

/* 1, 0, or -1 with an exception. `delta`: seconds, or None for any. */
static int same_time(PyObject *one, PyObject *two, PyObject *delta)
{
    uint64_t first = aw_frame_slot(one)->timestamp_ns;
    uint64_t second = aw_frame_slot(two)->timestamp_ns;
    uint64_t apart_ns = first > second ? first - second : second - first;
    double delta_s;

    if (delta == Py_None)
        return 1;
    delta_s = PyFloat_AsDouble(delta);
    if (delta_s == -1.0 && PyErr_Occurred())
        return -1;
    return (double)apart_ns <= delta_s * 1e9;
}

AW_WITH_GIL static PyObject *frame_equals(PyObject *self, PyObject *args,
                                          PyObject *kwargs)
{
    static const char *const names[] = {
        "other", "timestamp_delta", "check_channel", "check_direction", NULL};
    const struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *other, *delta = Py_None;
    int channel = 0, direction = 0, same;

    if (!module ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|Opp:equals",
                                     (char **)names, module->frame_type, &other,
                                     &delta, &channel, &direction))
        return NULL;
    same = same_time(self, other, delta);
    if (same == 1)
        same = same_content(aw_frame_slot(self), aw_frame_slot(other));
    if (same == 1 && direction)
        same = !((aw_frame_slot(self)->flags ^ aw_frame_slot(other)->flags) &
                 AW_FRAME_SENT);
    if (same == 1 && channel)
        same = same_channel(self, other);
    return same < 0 ? NULL : PyBool_FromLong(same);
}

static PyObject *frame_age(PyObject *self, PyObject *unused)
{
    uint64_t came_ns = aw_frame_slot(self)->monotonic_ns;

    (void)unused;
    if (came_ns == 0) {
        PyErr_SetString(PyExc_ValueError,
                        "a frame made by hand has no age: it never came");
        return NULL;
    }
    /* Signed: a replay may stamp its frames ahead. */
    return PyFloat_FromDouble(
        (double)(int64_t)(aw_clock_monotonic_ns() - came_ns) / 1e9);
}

static PyObject *frame_copy(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

/* ---- text ---- */

PyObject *aw_frame_describe_data(const struct aw_frame *frame)
{
    const size_t shown_max = 16;
    const unsigned char *data = aw_frame_data(frame);
    size_t length = aw_frame_data_bytes(frame);
    size_t shown = length < shown_max ? length : shown_max;
    char text[2 * 16 + 1];

    for (size_t i = 0; i < shown; i++)
        snprintf(text + 2 * i, 3, "%02X", data[i]);
    text[2 * shown] = '\0';
    return PyUnicode_FromFormat("%zu byte%s%s%s%s", length,
                                length == 1 ? "" : "s", shown ? ": " : "", text,
                                shown < length ? "..." : "");
}

/* Where a received frame is from: " device='CANbus' channel='can0' seq=12
 * timestamp=1700000000.000000001 lost_before=3 (kernel)". */
static PyObject *describe_origin(PyObject *self)
{
    const FrameObject *object = (FrameObject *)self;
    const struct aw_frame *frame = aw_frame_slot(self);
    PyObject *channel, *lost, *origin = NULL;

    channel = object->channel
                  ? PyUnicode_FromFormat(" channel=%R", object->channel)
                  : PyUnicode_FromStringAndSize("", 0);
    lost = frame->lost_before
               ? PyUnicode_FromFormat(" lost_before=%u (%s)",
                                      (unsigned)frame->lost_before,
                                      aw_frame_loss_name(frame))
               : PyUnicode_FromStringAndSize("", 0);
    if (channel && lost && object->device)
        origin = PyUnicode_FromFormat(
            " device=%R%U seq=%llu timestamp=%llu.%09llu%U", object->device,
            channel, (unsigned long long)frame->seq,
            (unsigned long long)(frame->timestamp_ns / AW_NS_PER_S),
            (unsigned long long)(frame->timestamp_ns % AW_NS_PER_S), lost);
    else if (channel && lost)
        origin = Py_NewRef(channel);
    Py_XDECREF(channel);
    Py_XDECREF(lost);
    return origin;
}

PyObject *aw_frame_describe(PyObject *self, PyObject *content)
{
    PyObject *origin = content ? describe_origin(self) : NULL;
    PyObject *text = NULL;

    if (origin)
        text = PyUnicode_FromFormat("<%s %U%U>", Py_TYPE(self)->tp_name,
                                    content, origin);
    Py_XDECREF(origin);
    Py_XDECREF(content);
    return text;
}

AW_WITH_GIL static PyObject *frame_repr(PyObject *self)
{
    return aw_frame_describe(self, aw_frame_describe_data(aw_frame_slot(self)));
}

/* ---- pickling ---- */

PyObject *aw_frame_reduce(PyObject *self, PyObject *unused)
{
    const FrameObject *object = (FrameObject *)self;
    PyObject *module = PyType_GetModule(Py_TYPE(self));
    PyObject *restore;

    (void)unused;
    restore = module ? PyObject_GetAttrString(module, "_restore_frame") : NULL;
    if (!restore)
        return NULL;
    return Py_BuildValue("N(iy#OO)", restore, PICKLE_FORMAT,
                         (const char *)object->slot,
                         (Py_ssize_t)aw_frame_bytes(aw_frame_slot(self)),
                         object->device ? object->device : Py_None,
                         object->channel ? object->channel : Py_None);
}

/* True if `bytes` bytes are a frame as aw_frame_reduce() wrote it. */
static bool is_slot(const struct aw_frame *frame, Py_ssize_t bytes)
{
    return bytes >= (Py_ssize_t)offsetof(struct aw_frame, payload) &&
           bytes == (Py_ssize_t)aw_frame_bytes(frame) &&
           aw_frame_plausible(frame, AW_PAYLOAD_MAX);
}

AW_WITH_GIL static PyObject *restore_frame(PyObject *module, PyObject *args)
{
    PyObject *slot, *device, *channel;
    const void *frame;
    int format;

    if (!PyArg_ParseTuple(args, "iSOO:_restore_frame", &format, &slot, &device,
                          &channel))
        return NULL;
    frame = PyBytes_AS_STRING(slot);
    if (format != PICKLE_FORMAT || !is_slot(frame, PyBytes_GET_SIZE(slot)) ||
        (device != Py_None && !PyUnicode_Check(device)) ||
        (channel != Py_None && !PyUnicode_Check(channel))) {
        PyErr_SetString(PyExc_ValueError,
                        "not a frame that this version of awaitd pickled");
        return NULL;
    }
    return aw_frame_from_slot(aw_module_state(module), frame,
                              device == Py_None ? NULL : device,
                              channel == Py_None ? NULL : channel);
}

static PyMethodDef module_functions[] = {
    {"_restore_frame", restore_frame, METH_VARARGS,
     PyDoc_STR("Makes a frame of what its __reduce__() gave.")},
    {NULL, NULL, 0, NULL},
};

/* ---- the type ---- */

PyDoc_STRVAR(
    equals_doc,
    "equals($self, /, other, timestamp_delta=None, check_channel=False,\n"
    "       check_direction=False)\n--\n\n"
    "True if both frames have the same content: type, identifier or address,\n"
    "flags and data. Frames compare by identity with ==.\n\n"
    "timestamp_delta: the timestamps are at most this many seconds apart.\n"
    "check_channel, check_direction: channel and is_rx are equal too.\n"
    "(python-can's Message.equals() checks all three unless told otherwise.)");

static PyMethodDef frame_methods[] = {
    {"equals", (PyCFunction)(void (*)(void))frame_equals,
     METH_VARARGS | METH_KEYWORDS, equals_doc},
    {"age", frame_age, METH_NOARGS,
     PyDoc_STR("age($self, /)\n--\n\n"
               "Seconds (float) since monotonic_ns. ValueError for a frame "
               "made by hand.")},
    {"__bytes__", frame_bytes, METH_NOARGS,
     PyDoc_STR("__bytes__($self, /)\n--\n\nThe data.")},
    {"__copy__", frame_copy, METH_NOARGS,
     PyDoc_STR("__copy__($self, /)\n--\n\nThe frame itself: it is immutable.")},
    {"__deepcopy__", frame_copy, METH_O,
     PyDoc_STR("__deepcopy__($self, memo, /)\n--\n\n"
               "The frame itself: it is immutable.")},
    {"__reduce__", aw_frame_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\n"
               "For pickle; keeps everything, clocks and losses included.")},
    {"__init_subclass__", (PyCFunction)(void (*)(void))frame_init_subclass,
     METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     PyDoc_STR("Raises TypeError: the frame types cannot be subclassed.")},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    frame_doc,
    "Frame(data=b'')\n--\n\n"
    "One unit received from a device or sent to one.\n\n"
    "data: bytes-like, or an iterable of integers; at most 65528 bytes.\n"
    "ValueError if it is longer. Immutable; always true; == and hash() go by\n"
    "identity, equals() compares content.");

static PyType_Slot frame_slots[] = {
    {Py_tp_doc, (void *)frame_doc},    {Py_tp_new, frame_new},
    {Py_tp_dealloc, aw_frame_dealloc}, {Py_tp_repr, frame_repr},
    {Py_tp_members, frame_members},    {Py_tp_getset, frame_getset},
    {Py_tp_methods, frame_methods},    {Py_sq_length, frame_len},
    {Py_nb_bool, frame_bool},          {0, NULL},
};

static PyType_Spec frame_spec = {
    .name = "awaitd.Frame",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS | Py_TPFLAGS_BASETYPE,
    .slots = frame_slots,
};

int aw_frame_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->frame_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &frame_spec, NULL);
    if (!state->frame_type || PyModule_AddType(module, state->frame_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, module_functions);
}
