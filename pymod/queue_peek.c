/* Looking at a queue without taking: snapshot(), peek() and _head(). */
#include <errno.h>

#include "pymod/errors.h"
#include "pymod/event.h"
#include "pymod/frame.h"
#include "pymod/queue.h"

/* What sets a key apart from the plain identifier of a standard frame, or of an
 * extended one that is too large for a standard one. */
#define KEY_EXTENDED AW_CAN_EXTENDED
#define KEY_XL       AW_CAN_REMOTE /* no key has that flag */
#define KEY_ERROR    AW_CAN_ERROR

/* ---- keys ---- */

static PyObject *key_of_can(const struct aw_frame *frame)
{
    uint32_t id = frame->id & AW_CAN_ID_MASK;

    if (frame->kind == AW_KIND_CAN_XL)
        return PyLong_FromUnsignedLong(frame->id | KEY_XL);
    if (frame->id & AW_CAN_ERROR)
        return PyLong_FromUnsignedLong(id | KEY_ERROR);
    if (frame->id & AW_CAN_EXTENDED && id <= AW_CAN_SFF_MASK)
        id |= KEY_EXTENDED;
    return PyLong_FromUnsignedLong(id);
}

/* The frame's key in a snapshot. A new reference. */
static PyObject *key_of(QueueObject *self, const struct aw_frame *frame,
                        PyObject *object)
{
    switch ((enum aw_kind)frame->kind) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return key_of_can(frame);
    case AW_KIND_DATAGRAM:
        return PyObject_GetAttrString(object, "address");
    case AW_KIND_J1939:
        return Py_BuildValue("II", (unsigned)frame->id >> 8,
                             (unsigned)frame->id & 0xff);
    case AW_KIND_EVENT:
        return aw_event_key_name(frame);
    case AW_KIND_BYTES:
    case AW_KIND_ETHERNET:
        break;
    }
    return Py_NewRef(self->device->name);
}

static int parse_can(PyObject *object, struct aw_key *ret_key)
{
    unsigned long number = PyLong_AsUnsignedLong(object);
    uint32_t id;

    if (number == (unsigned long)-1 && PyErr_Occurred())
        return -1;
    id = (uint32_t)number & AW_CAN_ID_MASK;
    if (number > UINT32_MAX) {
        PyErr_Format(PyExc_ValueError, "%R is no CAN identifier", object);
        return -1;
    }
    if (number & KEY_XL)
        *ret_key = aw_key_of_can_xl(id);
    else if (number & (KEY_ERROR | KEY_EXTENDED) || id <= AW_CAN_SFF_MASK)
        *ret_key = aw_key_of_can((uint32_t)number);
    else
        *ret_key = aw_key_of_can(id | AW_CAN_EXTENDED);
    return 0;
}

/* An address as a Datagram takes it. */
static int parse_sender(QueueObject *self, PyObject *object,
                        struct aw_key *ret_key)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *datagram = PyObject_CallFunction(
        (PyObject *)module->datagram_type, "yO", "", object);
    struct aw_address address;

    if (!datagram)
        return -1;
    memcpy(&address, aw_frame_slot(datagram)->payload, sizeof(address));
    *ret_key = aw_key_of_address(&address);
    Py_DECREF(datagram);
    return 0;
}

static int parse_device(QueueObject *self, PyObject *object,
                        struct aw_key *ret_key)
{
    static const struct aw_frame bytes = {.kind = AW_KIND_BYTES};
    int same = PyObject_RichCompareBool(object, self->device->name, Py_EQ);

    *ret_key = aw_key_of(&bytes);
    if (same == 0)
        PyErr_Format(PyExc_ValueError,
                     "the frames of device %U have one key, its name, not %R",
                     self->device->name, object);
    return same == 1 ? 0 : -1;
}

/* (pgn, source_address), as a snapshot has it. */
static int parse_j1939(PyObject *object, struct aw_key *ret_key)
{
    unsigned pgn, source;

    if (!PyTuple_Check(object)) {
        PyErr_Format(PyExc_TypeError,
                     "a key is a tuple (pgn, source_address), not %R", object);
        return -1;
    }
    if (!PyArg_ParseTuple(object, "II;a key is (pgn, source_address)", &pgn,
                          &source))
        return -1;
    *ret_key = aw_key_of_j1939(pgn << 8 | (source & 0xff));
    return 0;
}

/* Is it that of an event? 1, 0, or -1 with an exception. */
static int parse_event(PyObject *object, struct aw_key *ret_key)
{
    const char *name = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : "";

    return name ? aw_event_key_parse(name, ret_key) : -1;
}

static int parse_key(QueueObject *self, PyObject *object,
                     struct aw_key *ret_key)
{
    int event = parse_event(object, ret_key);

    if (event != 0)
        return event < 0 ? -1 : 0;
    switch (aw_device_kind(self->device->device)) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return parse_can(object, ret_key);
    case AW_KIND_DATAGRAM:
        return parse_sender(self, object, ret_key);
    case AW_KIND_J1939:
        return parse_j1939(object, ret_key);
    case AW_KIND_BYTES:
    case AW_KIND_ETHERNET:
    case AW_KIND_EVENT:
        break;
    }
    return parse_device(self, object, ret_key);
}

/* ---- peek and snapshot ---- */

/* Room for a slot, if the queue keeps one frame a key. */
static struct aw_frame *make_buffer(QueueObject *self)
{
    struct aw_frame *buffer;

    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    if (self->queue->overflow != AW_OVERFLOW_LATEST) {
        PyErr_Format(PyExc_ValueError,
                     "queue %U of device %U was not opened with "
                     "overflow=\"latest\"",
                     self->name, self->device->name);
        return NULL;
    }
    buffer = PyMem_Malloc(self->queue->ring.slot_bytes);
    if (!buffer)
        PyErr_NoMemory();
    return buffer;
}

static PyObject *make_frame(QueueObject *self, const struct aw_frame *frame)
{
    return aw_frame_from_slot(
        aw_module_of_type(Py_TYPE(self)), frame, self->device->name,
        aw_device_channel_name(self->device, frame->channel));
}

PyObject *aw_queue_peek_key(PyObject *object, PyObject *key_object)
{
    QueueObject *self = (QueueObject *)object;
    struct aw_frame *buffer = make_buffer(self);
    PyObject *frame = NULL;
    struct aw_key key;
    int found;

    if (!buffer || parse_key(self, key_object, &key) < 0) {
        PyMem_Free(buffer);
        return NULL;
    }
    found = aw_queue_peek(self->queue, &key, buffer);
    if (found == AW_PEEK_NONE)
        frame = Py_NewRef(Py_None);
    else if (found > 0)
        frame = make_frame(self, buffer);
    else
        aw_raise_closed(aw_module_of_type(Py_TYPE(self)), self->queue);
    PyMem_Free(buffer);
    return frame;
}

static int add_frame(QueueObject *self, const struct aw_frame *slot,
                     PyObject *frames)
{
    PyObject *frame = make_frame(self, slot);
    PyObject *key = frame ? key_of(self, slot, frame) : NULL;
    int result = key ? PyDict_SetItem(frames, key, frame) : -1;

    Py_XDECREF(key);
    Py_XDECREF(frame);
    return result;
}

PyObject *aw_queue_snapshot(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;
    struct aw_frame *buffer = make_buffer(self);
    PyObject *frames = buffer ? PyDict_New() : NULL;
    uint32_t place = 0;
    int found = frames ? 1 : AW_PEEK_NONE;

    while (found > 0) {
        found = aw_queue_peek_next(self->queue, &place, buffer);
        if (found > 0 && add_frame(self, buffer, frames) < 0) {
            Py_CLEAR(frames);
            found = AW_PEEK_NONE;
        }
    }
    if (found < 0) {
        Py_CLEAR(frames);
        aw_raise_closed(aw_module_of_type(Py_TYPE(self)), self->queue);
    }
    PyMem_Free(buffer);
    return frames;
}

/* ---- the oldest frame ---- */

PyObject *aw_queue_head(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;
    const struct aw_frame *frame;
    struct aw_claim claim;
    uint64_t timestamp_ns, monotonic_ns;

    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    if (aw_queue_claim(self->queue, 1, &claim) == 0)
        Py_RETURN_NONE;
    frame = aw_queue_at(self->queue, &claim, 0);
    timestamp_ns = frame ? frame->timestamp_ns : 0;
    monotonic_ns = frame ? frame->monotonic_ns : 0;
    aw_queue_return(self->queue, &claim);
    if (!frame)
        Py_RETURN_NONE;
    return Py_BuildValue("KK", (unsigned long long)timestamp_ns,
                         (unsigned long long)monotonic_ns);
}
