#include "pymod/batch.h"

#include <structmember.h>

#include "devices/candump.h"
#include "pymod/errors.h"
#include "pymod/frame.h"

typedef struct {
    PyObject_VAR_HEAD /* ob_size: bytes of all slots */
        DeviceObject *device;
    Py_ssize_t count, stride; /* slots, and bytes of one: shape and strides */
    uint64_t lost;
    uint32_t payload_bytes;
    PyObject *weak_references;
    _Alignas(8) unsigned char slots[];
} BatchObject;

static struct aw_frame *slot_of(BatchObject *self, Py_ssize_t index)
{
    void *slot = self->slots + index * self->stride;

    return slot;
}

/* ---- taking ---- */

static BatchObject *new_batch(QueueObject *queue, uint64_t room)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    const struct aw_ring *ring = &queue->queue->ring;
    BatchObject *self = PyObject_NewVar(BatchObject, module->batch_type,
                                        (Py_ssize_t)(room * ring->slot_bytes));

    if (!self)
        return NULL;
    self->device = (DeviceObject *)Py_NewRef(queue->device);
    self->count = 0;
    self->stride = (Py_ssize_t)ring->slot_bytes;
    self->lost = 0;
    self->payload_bytes = ring->payload_bytes;
    self->weak_references = NULL;
    return self;
}

/* Zeroes a few bytes, up to an address that is a multiple of eight. */
static void zero(unsigned char *from, const unsigned char *to)
{
    if (to - from > 64) {
        memset(from, 0, (size_t)(to - from));
        return;
    }
    for (; from < to && ((uintptr_t)from & 7); from++)
        *from = 0;
    for (; from < to; from += 8)
        memset(from, 0, 8);
}

/* A copied slot: its frame must be one (the copy is what counts, as the slot
 * may be another process's as well), and what lies behind it is of frames long
 * gone.
 */
static bool tidy(BatchObject *self, Py_ssize_t index)
{
    struct aw_frame *frame = slot_of(self, index);

    if (!aw_frame_plausible(frame, self->payload_bytes))
        return false;
    zero((unsigned char *)frame + aw_frame_bytes(frame),
         (unsigned char *)frame + self->stride);
    self->lost += frame->lost_before;
    return true;
}

/* Appends the claim's frames. False if one of them is none: the queue is lost
 * then. */
static bool append(BatchObject *self, struct aw_queue *queue,
                   const struct aw_claim *claim)
{
    const struct aw_ring *ring = &queue->ring;
    uint64_t until_wrap = ring->mask + 1 - (claim->index & ring->mask);
    uint64_t first = claim->count < until_wrap ? claim->count : until_wrap;

    memcpy(slot_of(self, self->count), aw_ring_slot(ring, claim->index),
           first * ring->slot_bytes);
    if (first < claim->count)
        memcpy(slot_of(self, self->count + (Py_ssize_t)first),
               aw_ring_slot(ring, claim->index + first),
               (claim->count - first) * ring->slot_bytes);
    for (uint64_t i = 0; i < claim->count; i++, self->count++) {
        /* The look into the ring ends the queue. */
        if (!tidy(self, self->count))
            return aw_queue_at(queue, claim, i) != NULL;
    }
    return true;
}

/* Claims at most `limit` frames and appends them. Mostly that is one claim;
 * more where leases were returned, which leave stretches of their own. Returns
 * how many claims. */
static unsigned collect(BatchObject *self, struct aw_queue *queue,
                        uint64_t limit,
                        struct aw_claim claims[AW_RUNS_HELD_MAX])
{
    unsigned count = 0;

    while ((uint64_t)self->count < limit && count < AW_RUNS_HELD_MAX &&
           aw_queue_claim(queue, limit - (uint64_t)self->count,
                          &claims[count]) > 0) {
        if (!append(self, queue, &claims[count])) {
            aw_queue_return(queue, &claims[count]);
            break;
        }
        count++;
    }
    return count;
}

PyObject *aw_batch_take(QueueObject *queue, Py_ssize_t limit,
                        Py_ssize_t minimum)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    struct aw_claim claims[AW_RUNS_HELD_MAX];
    uint64_t pending = aw_queue_pending(queue->queue);
    unsigned count;
    BatchObject *self;

    if (aw_module_check_fork(module) < 0 || pending < (uint64_t)minimum)
        return NULL;
    if (pending > (uint64_t)limit)
        pending = (uint64_t)limit;
    self = new_batch(queue, pending);
    if (!self)
        return NULL;
    count = collect(self, queue->queue, pending, claims);
    /* Under drop-oldest there may be fewer now: it waits for more. But where
     * leases leave too few claims for all the stretches, waiting would not
     * help: then it is what could be had. */
    if (self->count < minimum &&
        (self->count == 0 || aw_queue_can_claim(queue->queue))) {
        while (count > 0)
            aw_queue_return(queue->queue, &claims[--count]);
        Py_DECREF(self);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        aw_queue_given(queue, &claims[i]);
        aw_queue_release(queue->queue, &claims[i]);
    }
    return (PyObject *)self;
}

PyObject *aw_queue_get_batch(PyObject *self, PyObject *arguments,
                             PyObject *keywords)
{
    static const char *const names[] = {"n", "min", "timeout", NULL};
    QueueObject *queue = (QueueObject *)self;
    PyObject *timeout = NULL, *get;
    Py_ssize_t limit, minimum = 1;
    double timeout_s;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "n|nO:get_batch",
                                     (char **)names, &limit, &minimum,
                                     &timeout) ||
        aw_parse_timeout(timeout, &timeout_s) < 0)
        return NULL;
    if (minimum < 1 || minimum > limit)
        return PyErr_Format(PyExc_ValueError,
                            "get_batch() takes 1 <= min <= n, not min=%zd and "
                            "n=%zd",
                            minimum, limit);
    if ((uint64_t)minimum > aw_queue_depth(queue->queue))
        return PyErr_Format(PyExc_ValueError,
                            "get_batch(min=%zd): the queue's depth is %llu, so "
                            "that many are never there at once",
                            minimum,
                            (unsigned long long)aw_queue_depth(queue->queue));
    get = aw_get_new(queue, GET_BATCH, limit, timeout_s);
    if (get)
        ((GetObject *)get)->minimum = minimum;
    return get;
}

/* ---- as a sequence ---- */

static Py_ssize_t batch_length(PyObject *object)
{
    return ((BatchObject *)object)->count;
}

static PyObject *batch_item(PyObject *object, Py_ssize_t index)
{
    BatchObject *self = (BatchObject *)object;
    const struct aw_frame *frame;

    if (index < 0 || index >= self->count) {
        PyErr_SetString(PyExc_IndexError, "batch index out of range");
        return NULL;
    }
    frame = slot_of(self, index);
    return aw_frame_from_slot(
        aw_module_of_type(Py_TYPE(object)), frame, self->device->name,
        aw_device_channel_name(self->device, frame->channel));
}

/* ---- as a buffer ---- */

/* The slot in PEP 3118's words: native byte order, no padding but ours. */
static char *make_format(const BatchObject *self)
{
    size_t pad = (size_t)self->stride - offsetof(struct aw_frame, payload) -
                 self->payload_bytes;
    const size_t size = 256;
    char *format = PyMem_Malloc(size);
    int length;

    if (!format) {
        PyErr_NoMemory();
        return NULL;
    }
    length = PyOS_snprintf(
        format, size,
        "T{=Q:timestamp_ns:=Q:monotonic_ns:=Q:seq:=I:id:=I:lost_before:"
        "=H:length:=H:flags:=H:channel:B:kind:B:lost_cause:(%u)B:data:",
        self->payload_bytes);
    if (pad > 0)
        PyOS_snprintf(format + length, size - (size_t)length, "%zux}", pad);
    else
        PyOS_snprintf(format + length, size - (size_t)length, "}");
    return format;
}

static int batch_getbuffer(PyObject *object, Py_buffer *view, int flags)
{
    BatchObject *self = (BatchObject *)object;
    char *format = NULL;

    view->obj = NULL;
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "a batch is read-only");
        return -1;
    }
    if (flags & PyBUF_FORMAT) {
        format = make_format(self);
        if (!format)
            return -1;
    }
    *view = (Py_buffer){
        .buf = self->slots,
        .obj = Py_NewRef(object),
        .len = self->count * self->stride,
        .itemsize = self->stride,
        .readonly = 1,
        .ndim = 1,
        .format = format,
        .shape = flags & PyBUF_ND ? &self->count : NULL,
        .strides =
            (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? &self->stride : NULL,
        .internal = format,
    };
    return 0;
}

static void batch_releasebuffer(PyObject *Py_UNUSED(object), Py_buffer *view)
{
    PyMem_Free(view->internal);
}

/* numpy is imported here and nowhere else, if it is asked for. */
static PyObject *call_numpy(const char *function, PyObject *arguments,
                            PyObject *keywords)
{
    PyObject *module = PyImport_ImportModule("awaitd._numpy");
    PyObject *callable =
        module ? PyObject_GetAttrString(module, function) : NULL;
    PyObject *result = callable && arguments
                           ? PyObject_Call(callable, arguments, keywords)
                           : NULL;

    Py_XDECREF(callable);
    Py_XDECREF(module);
    return result;
}

static PyObject *batch_get_dtype(PyObject *object, void *Py_UNUSED(closure))
{
    BatchObject *self = (BatchObject *)object;
    PyObject *arguments =
        Py_BuildValue("In", self->payload_bytes, self->stride);
    PyObject *dtype = call_numpy("dtype_of", arguments, NULL);

    Py_XDECREF(arguments);
    return dtype;
}

static PyObject *batch_array(PyObject *self, PyObject *arguments,
                             PyObject *keywords)
{
    PyObject *own = Py_BuildValue("(O)", self);
    PyObject *all = own ? PySequence_Concat(own, arguments) : NULL;
    PyObject *array = all ? call_numpy("array_of", all, keywords) : NULL;

    Py_XDECREF(all);
    Py_XDECREF(own);
    return array;
}

/* ---- as text ---- */

struct text {
    char *bytes;
    size_t length, size;
};

/* Room for one more line. */
static int grow(struct text *text)
{
    size_t size = text->length + 2 * AW_CANDUMP_LINE_MAX + text->size / 2;
    char *bytes;

    if (text->size - text->length > AW_CANDUMP_LINE_MAX)
        return 0;
    bytes = PyMem_Realloc(text->bytes, size);
    if (!bytes) {
        PyErr_NoMemory();
        return -1;
    }
    text->bytes = bytes;
    text->size = size;
    return 0;
}

static int append_line(BatchObject *self, Py_ssize_t index, struct text *text)
{
    const struct aw_frame *frame = slot_of(self, index);
    PyObject *channel = aw_device_channel_name(self->device, frame->channel);
    const char *name = PyUnicode_AsUTF8(channel ? channel : self->device->name);
    int length;

    /* It is no frame, and has no place among them. */
    if (frame->kind == AW_KIND_EVENT)
        return 0;
    if (!name || grow(text) < 0)
        return -1;
    length = aw_candump_format(frame, name, 0, text->bytes + text->length,
                               AW_CANDUMP_LINE_MAX);
    if (length < 0) {
        PyErr_Format(PyExc_ValueError,
                     "frame %zd of device %U is not a CAN frame: candump's "
                     "format cannot hold it",
                     index, self->device->name);
        return -1;
    }
    text->length += (size_t)length;
    text->bytes[text->length++] = '\n';
    return 0;
}

static PyObject *batch_candump(PyObject *object, PyObject *Py_UNUSED(unused))
{
    BatchObject *self = (BatchObject *)object;
    struct text text = {0};
    PyObject *result = NULL;
    Py_ssize_t i = 0;

    while (i < self->count && append_line(self, i, &text) == 0)
        i++;
    if (i == self->count)
        result =
            PyUnicode_FromStringAndSize(text.bytes, (Py_ssize_t)text.length);
    PyMem_Free(text.bytes);
    return result;
}

static PyObject *batch_repr(PyObject *object)
{
    BatchObject *self = (BatchObject *)object;

    return PyUnicode_FromFormat("<Batch of %zd frame%s of device %U>",
                                self->count, self->count == 1 ? "" : "s",
                                self->device->name);
}

/* ---- life ---- */

static PyObject *batch_get_device(PyObject *object, void *Py_UNUSED(closure))
{
    return Py_NewRef(((BatchObject *)object)->device->name);
}

static PyObject *batch_get_nbytes(PyObject *object, void *Py_UNUSED(closure))
{
    BatchObject *self = (BatchObject *)object;

    return PyLong_FromSsize_t(self->count * self->stride);
}

static void batch_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    if (((BatchObject *)object)->weak_references)
        PyObject_ClearWeakRefs(object);
    Py_CLEAR(((BatchObject *)object)->device);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef batch_methods[] = {
    {"candump", batch_candump, METH_NOARGS,
     "candump($self, /)\n--\n\n"
     "The frames as lines of `candump -L`, without events. ValueError for\n"
     "frames that are not CAN's."},
    {"__array__", (PyCFunction)(void (*)(void))batch_array,
     METH_VARARGS | METH_KEYWORDS,
     "__array__($self, /, dtype=None, copy=None)\n--\n\n"
     "A structured numpy array of it, which it shares its memory with."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef batch_members[] = {
    {"lost", T_ULONGLONG, offsetof(BatchObject, lost), READONLY,
     "Frames lost before and between these: the sum of lost_before."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(BatchObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef batch_getset[] = {
    {"device", batch_get_device, NULL, "Name of the device.", NULL},
    {"nbytes", batch_get_nbytes, NULL, "Bytes of all its slots.", NULL},
    {"dtype", batch_get_dtype, NULL,
     "The numpy.dtype of a slot; imports numpy.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_doc, (void *)"Frames in one contiguous copy. Made by get_batch()."},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_repr, batch_repr},
    {Py_tp_iter, PySeqIter_New},
    {Py_sq_length, batch_length},
    {Py_sq_item, batch_item},
    {Py_bf_getbuffer, batch_getbuffer},
    {Py_bf_releasebuffer, batch_releasebuffer},
    {Py_tp_methods, batch_methods},
    {Py_tp_members, batch_members},
    {Py_tp_getset, batch_getset},
    {0, NULL},
};

static PyType_Spec batch_spec = {
    .name = "awaitd.Batch",
    .basicsize = offsetof(BatchObject, slots),
    .itemsize = 1,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = batch_slots,
};

int aw_batch_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->batch_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &batch_spec, NULL);
    return state->batch_type ? PyModule_AddType(module, state->batch_type) : -1;
}
