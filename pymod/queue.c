#include "pymod/queue.h"

#include <structmember.h>

#include "pymod/batch.h"
#include "pymod/doorbell.h"
#include "pymod/errors.h"
#include "pymod/filters.h"
#include "pymod/frame.h"
#include "pymod/gap.h"
#include "pymod/lease.h"
#include "pymod/stats.h"

/* ---- taking ---- */

static PyObject *frame_at(QueueObject *self, const struct aw_claim *claim,
                          uint64_t index)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    const struct aw_frame *slot = aw_queue_at(self->queue, claim, index);

    if (!slot)
        return aw_raise_closed(module, self->queue);
    return aw_frame_from_slot(
        module, slot, self->device->name,
        aw_device_channel_name(self->device, slot->channel));
}

PyObject *aw_queue_list(QueueObject *self, const struct aw_claim *claim)
{
    /* Making a list may run the collector, and so a finalizer that takes
     * frames: others than these, which are claimed. */
    PyObject *frames = PyList_New((Py_ssize_t)claim->count);

    for (uint64_t i = 0; frames && i < claim->count; i++) {
        PyObject *frame = frame_at(self, claim, i);

        if (frame)
            PyList_SET_ITEM(frames, (Py_ssize_t)i, frame);
        else
            Py_CLEAR(frames);
    }
    return frames;
}

/* The claimed frame, or the Gap before it: then `*ret_is_gap`. */
static PyObject *next_at(QueueObject *self, const struct aw_claim *claim,
                         uint64_t index, bool *ret_is_gap)
{
    const struct aw_frame *slot =
        self->gaps ? aw_queue_at(self->queue, claim, index) : NULL;
    PyObject *gap = slot ? aw_gap_before(self, slot) : NULL;

    *ret_is_gap = gap;
    if (gap || PyErr_Occurred())
        return gap;
    return frame_at(self, claim, index);
}

/* The claim's frames as a list, each with its Gap before it. */
static PyObject *list_with_gaps(QueueObject *self, const struct aw_claim *claim)
{
    bool given = self->gap_given;
    uint64_t seq = self->gap_seq, ns = self->gap_ns;
    PyObject *list = PyList_New(0);

    for (uint64_t i = 0; list && i < claim->count;) {
        bool is_gap;
        PyObject *item = next_at(self, claim, i, &is_gap);

        if (!item || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
        i += !is_gap;
    }
    if (!list) {
        self->gap_given = given;
        self->gap_seq = seq;
        self->gap_ns = ns;
    }
    return list;
}

/* Taken, or pending again if there is an exception instead. */
static PyObject *settle_claim(QueueObject *self, const struct aw_claim *claim,
                              PyObject *taken)
{
    if (taken) {
        aw_queue_given(self, claim);
        aw_queue_release(self->queue, claim);
    } else {
        aw_queue_return(self->queue, claim);
    }
    return taken;
}

PyObject *aw_queue_take(QueueObject *self)
{
    struct aw_claim claim;
    PyObject *item;
    bool is_gap;

    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0 ||
        aw_queue_claim(self->queue, 1, &claim) == 0)
        return NULL;
    item = next_at(self, &claim, 0, &is_gap);
    if (!is_gap)
        return settle_claim(self, &claim, item);
    aw_queue_return(self->queue, &claim);
    return item;
}

PyObject *aw_queue_take_many(QueueObject *self, Py_ssize_t limit)
{
    struct aw_claim claim;

    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0 ||
        aw_queue_claim(self->queue, (uint64_t)limit, &claim) == 0)
        return NULL;
    return settle_claim(self, &claim,
                        self->gaps ? list_with_gaps(self, &claim)
                                   : aw_queue_list(self, &claim));
}

/* ---- methods: getting ---- */

int aw_parse_timeout(PyObject *object, double *ret_timeout_s)
{
    double timeout_s;

    if (!object || object == Py_None) {
        *ret_timeout_s = -1;
        return 0;
    }
    timeout_s = PyFloat_AsDouble(object);
    if (timeout_s == -1 && PyErr_Occurred())
        return -1;
    if (timeout_s != timeout_s) {
        PyErr_SetString(PyExc_ValueError, "timeout must not be NaN");
        return -1;
    }
    *ret_timeout_s = timeout_s > 0 ? timeout_s : 0;
    return 0;
}

/* The one argument of get() and recv(): by position or keyword. */
static int parse_only_timeout(const char *method, PyObject *const *arguments,
                              Py_ssize_t count, PyObject *keywords,
                              double *ret_timeout_s)
{
    Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;

    if (count + named > 1) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most 1 argument (%zd given)", method,
                     count + named);
        return -1;
    }
    if (named && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0),
                                                  "timeout") != 0) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes only `timeout` as a keyword, not %R", method,
                     PyTuple_GET_ITEM(keywords, 0));
        return -1;
    }
    return aw_parse_timeout(count + named ? arguments[0] : NULL, ret_timeout_s);
}

static PyObject *queue_get(PyObject *self, PyObject *const *arguments,
                           Py_ssize_t count, PyObject *keywords)
{
    double timeout_s;

    if (parse_only_timeout("get", arguments, count, keywords, &timeout_s) < 0)
        return NULL;
    return aw_get_new((QueueObject *)self, GET_ONE, 1, timeout_s);
}

static PyObject *queue_get_many(PyObject *self, PyObject *arguments,
                                PyObject *keywords)
{
    static const char *const names[] = {"n", "timeout", NULL};
    PyObject *timeout = NULL;
    Py_ssize_t limit;
    double timeout_s;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "n|O:get_many",
                                     (char **)names, &limit, &timeout) ||
        aw_parse_timeout(timeout, &timeout_s) < 0)
        return NULL;
    if (limit < 1) {
        PyErr_Format(PyExc_ValueError, "get_many() takes at least 1, not %zd",
                     limit);
        return NULL;
    }
    return aw_get_new((QueueObject *)self, GET_MANY, limit, timeout_s);
}

static PyObject *queue_ready(PyObject *self, PyObject *timeout)
{
    double timeout_s;

    if (aw_parse_timeout(timeout, &timeout_s) < 0)
        return NULL;
    return aw_get_new((QueueObject *)self, GET_READY, 1, timeout_s);
}

static PyObject *queue_get_nowait(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    bool open = aw_queue_state(self->queue) == AW_QUEUE_OPEN;
    PyObject *frame = aw_queue_take(self);

    if (frame || PyErr_Occurred())
        return frame;
    if (!open)
        return aw_raise_closed(module, self->queue);
    PyErr_Format(module->queue_empty, "queue %U of device %U is empty",
                 self->name, self->device->name);
    return NULL;
}

static PyObject *queue_recv(PyObject *self, PyObject *const *arguments,
                            Py_ssize_t count, PyObject *keywords)
{
    double timeout_s;

    if (parse_only_timeout("recv", arguments, count, keywords, &timeout_s) < 0)
        return NULL;
    return aw_queue_recv((QueueObject *)self, timeout_s);
}

static PyObject *queue_anext(PyObject *self)
{
    return aw_get_new((QueueObject *)self, GET_NEXT, 1, -1);
}

/* ---- methods: the rest ---- */

static PyObject *queue_stats(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    if (aw_module_check_fork(module) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    aw_device_sync(self->device->device);
    Py_END_ALLOW_THREADS
    return aw_stats_new(module, self->queue);
}

static PyObject *queue_qsize(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return PyLong_FromUnsignedLongLong(
        aw_queue_pending(((QueueObject *)self)->queue));
}

static PyObject *queue_clear(PyObject *self, PyObject *Py_UNUSED(unused))
{
    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    return PyLong_FromUnsignedLongLong(
        aw_queue_clear(((QueueObject *)self)->queue));
}

static PyObject *queue_set_filters(PyObject *object, PyObject *filters)
{
    QueueObject *self = (QueueObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_filter *parsed;
    Py_ssize_t count = aw_filters_parse(filters, self->device, &parsed);
    int result;

    if (count < 0 || aw_module_check_fork(module) < 0) {
        PyMem_Free(parsed);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = aw_device_set_filters(self->device->device, self->queue, parsed,
                                   (size_t)count);
    Py_END_ALLOW_THREADS
    PyMem_Free(parsed);
    if (result == -ENODEV)
        return aw_raise_closed(module, self->queue);
    if (result < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *queue_close(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;

    if (aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    aw_device_detach(self->device->device, self->queue);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* The host, when it has something to say to the queue's loop. */
static PyObject *queue_yield_once(PyObject *self, PyObject *Py_UNUSED(unused))
{
    ((QueueObject *)self)->yield_once = true;
    Py_RETURN_NONE;
}

/* The host, when the script has ended: nobody will take what is pending. */
static PyObject *queue_retire(PyObject *object, PyObject *Py_UNUSED(unused))
{
    QueueObject *self = (QueueObject *)object;

    /* In a child made by fork there is no reader that would answer. */
    if (!self->retired && !aw_module_forked(aw_module_of_type(Py_TYPE(self)))) {
        self->retired = true;
        aw_device_retire(self->device->device, self->queue);
    }
    Py_RETURN_NONE;
}

/* In a child made by fork the queue is the parent's to close. */
static PyObject *queue_exit(PyObject *self, PyObject *arguments)
{
    int leaves;

    if (aw_module_forked(aw_module_of_type(Py_TYPE(self))))
        Py_RETURN_NONE;
    leaves = aw_queue_is_left((QueueObject *)self, arguments);
    if (leaves < 0)
        return NULL;
    if (leaves)
        Py_RETURN_NONE;
    return queue_close(self, NULL);
}

static PyObject *queue_enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return Py_NewRef(self);
}

static PyObject *queue_get_depth(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(
        aw_queue_depth(((QueueObject *)self)->queue));
}

static PyObject *queue_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_queue_state(((QueueObject *)self)->queue) !=
                           AW_QUEUE_OPEN);
}

static PyObject *queue_get_overflow(PyObject *self, void *Py_UNUSED(closure))
{
    static const char *const policies[] = {
        [AW_OVERFLOW_DROP_NEWEST] = "drop-newest",
        [AW_OVERFLOW_DROP_OLDEST] = "drop-oldest",
        [AW_OVERFLOW_LATEST] = "latest",
        [AW_OVERFLOW_BLOCK] = "block",
    };

    return PyUnicode_FromString(
        policies[((QueueObject *)self)->queue->overflow]);
}

/* Closed by its script, or retired: nothing of it is for a next version. */
static PyObject *queue_get_given_up(PyObject *object, void *Py_UNUSED(closure))
{
    QueueObject *self = (QueueObject *)object;

    return PyBool_FromLong(self->retired ||
                           aw_queue_state(self->queue) == AW_QUEUE_CLOSED);
}

static PyObject *queue_repr(PyObject *object)
{
    QueueObject *self = (QueueObject *)object;

    return PyUnicode_FromFormat(
        "<Queue %U of %U, %llu of %llu pending%s>", self->name,
        self->device->name, (unsigned long long)aw_queue_pending(self->queue),
        (unsigned long long)aw_queue_depth(self->queue),
        aw_queue_state(self->queue) == AW_QUEUE_OPEN ? "" : ", closed");
}

/* ---- life ---- */

PyObject *aw_queue_object_new(struct aw_module *module, DeviceObject *device,
                              struct aw_queue *queue, PyObject *owner,
                              bool by_fd, bool gaps)
{
    QueueObject *self = PyObject_GC_New(QueueObject, module->queue_type);

    if (!self) {
        aw_device_retire(device->device, queue);
        aw_queue_unref(queue);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->queue = queue;
    self->device = (DeviceObject *)Py_NewRef(device);
    self->owner = Py_XNewRef(owner);
    self->bell.fd = -1;
    self->gaps = gaps;
    queue->user = self;
    PyObject_GC_Track(self);
    self->name = PyUnicode_FromString(queue->name);
    if (by_fd)
        self->doorbell = aw_doorbell_new(module, self);
    if (!self->name || (by_fd && !self->doorbell))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int queue_traverse(PyObject *object, visitproc visit, void *arg)
{
    QueueObject *self = (QueueObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->device);
    Py_VISIT(self->owner);
    Py_VISIT(self->loop);
    /* A loop that was never closed watches it, and so all of them keep each
     * other. Not cleared: the reader may ring it until the queue is retired. */
    Py_VISIT(self->doorbell);
    return 0;
}

static int queue_tp_clear(PyObject *object)
{
    QueueObject *self = (QueueObject *)object;

    Py_CLEAR(self->owner);
    Py_CLEAR(self->loop);
    return 0;
}

static void queue_dealloc(PyObject *object)
{
    QueueObject *self = (QueueObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    self->queue->user = NULL;
    Py_XDECREF(queue_retire(object, NULL));
    if (self->bell.fd >= 0)
        aw_waker_deinit(&self->bell);
    if (self->doorbell)
        aw_doorbell_retire(self->doorbell);
    aw_queue_unref(self->queue);
    queue_tp_clear(object);
    Py_CLEAR(self->name);
    Py_CLEAR(self->device);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef queue_methods[] = {
    {"get", METHOD(queue_get), METH_FASTCALL | METH_KEYWORDS,
     "get($self, /, timeout=None)\n--\n\n"
     "Await the next frame.\n\n"
     "A frame that is there is returned without suspending. timeout is in\n"
     "seconds (float); after it TimeoutError is raised. Raises QueueClosed\n"
     "(end, closed, stopped) or DeviceLost once no frame is pending any more.\n"
     "Cancelling loses no frame."},
    {"get_many", METHOD(queue_get_many), METH_VARARGS | METH_KEYWORDS,
     "get_many($self, /, n, timeout=None)\n--\n\n"
     "Await at least one frame and take at most n, as a list, in one step.\n\n"
     "With a timeout (seconds) the list may be empty. Raises as get() does."},
    {"get_batch", METHOD(aw_queue_get_batch), METH_VARARGS | METH_KEYWORDS,
     "get_batch($self, /, n, min=1, timeout=None)\n--\n\n"
     "Await at least min frames and take at most n, as one Batch.\n\n"
     "With a timeout (seconds) there may be fewer, even none. At the end of\n"
     "the stream what is left is given. Raises as get() does."},
    {"lease", METHOD(aw_queue_lease), METH_VARARGS | METH_KEYWORDS,
     "lease($self, /, n=1, timeout=None)\n--\n\n"
     "`async with q.lease() as frames:` takes 1 to n frames, as a list, on\n"
     "trial.\n\n"
     "They are delivered when the block ends. After an exception in it, or a\n"
     "cancellation, they are pending again, in order, for the next taker: at\n"
     "least once; frame.seq tells repeats. Waits and raises as get() does."},
    {"snapshot", aw_queue_snapshot, METH_NOARGS,
     "snapshot($self, /)\n--\n\n"
     "{key: frame}, the newest of each key, taking none; for\n"
     "overflow='latest', else ValueError.\n\n"
     "The key of a CAN frame is its arbitration_id; with 0x80000000 added for\n"
     "a 29-bit one up to 0x7FF, 0x40000000 for CAN XL, 0x20000000 for an\n"
     "error frame. That of a datagram is its address, of other frames the\n"
     "device's name."},
    {"peek", aw_queue_peek_key, METH_O,
     "peek($self, key, /)\n--\n\n"
     "The newest frame with this key of snapshot(), or None; takes none."},
    {"_head", aw_queue_head, METH_NOARGS, NULL},
    {"_ready", queue_ready, METH_O, NULL},
    {"get_nowait", queue_get_nowait, METH_NOARGS,
     "get_nowait($self, /)\n--\n\n"
     "The next frame, or QueueEmpty; once closed, QueueClosed or DeviceLost."},
    {"recv", METHOD(queue_recv), METH_FASTCALL | METH_KEYWORDS,
     "recv($self, /, timeout=None)\n--\n\n"
     "Block, without the GIL, for the next frame; None after timeout seconds.\n"
     "\n"
     "For code without an event loop: on a running loop it raises\n"
     "RuntimeError. Raises QueueClosed or DeviceLost as get() does."},
    {"stats", queue_stats, METH_NOARGS,
     "stats($self, /)\n--\n\n"
     "The queue's ledger as a QueueStats: a consistent snapshot, in which\n"
     "received == filtered + delivered + dropped + pending."},
    {"qsize", queue_qsize, METH_NOARGS,
     "qsize($self, /)\n--\n\n"
     "Frames that can be taken now. With overflow='latest' there may be some\n"
     "fewer, but none only if it is 0."},
    {"clear", queue_clear, METH_NOARGS,
     "clear($self, /)\n--\n\n"
     "Throw away what is pending; counted as dropped_cleared. Returns how\n"
     "many frames that were."},
    {"set_filters", queue_set_filters, METH_O,
     "set_filters($self, filters, /)\n--\n\n"
     "Replace the filters, between two frames. None or [] passes everything.\n"
     "They are joined if the queue was opened with filters_joined=True."},
    {"close", queue_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Take no more frames in. What is pending can still be taken."},
    {"__enter__", queue_enter, METH_NOARGS, NULL},
    {"__exit__", queue_exit, METH_VARARGS, NULL},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {"_retire", queue_retire, METH_NOARGS, NULL},
    {"_yield_once", queue_yield_once, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef queue_members[] = {
    {"name", T_OBJECT, offsetof(QueueObject, name), READONLY,
     "The queue's name: given, or its number on the device."},
    {"device", T_OBJECT, offsetof(QueueObject, device), READONLY,
     "The Device that it is a subscription to."},
    {"_unnamed", T_BOOL, offsetof(QueueObject, unnamed), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(QueueObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef queue_getset[] = {
    {"depth", queue_get_depth, NULL, "How many frames it holds at most.", NULL},
    {"closed", queue_get_closed, NULL, "True when no more frames come in.",
     NULL},
    {"_given_up", queue_get_given_up, NULL, NULL, NULL},
    {"overflow", queue_get_overflow, NULL, "What happens when it is full.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot queue_slots[] = {
    {Py_tp_doc, (void *)"A subscription to a device. Made by Device.queue()."},
    {Py_tp_dealloc, queue_dealloc},
    {Py_tp_traverse, queue_traverse},
    {Py_tp_clear, queue_tp_clear},
    {Py_tp_repr, queue_repr},
    {Py_am_aiter, PyObject_SelfIter},
    {Py_am_anext, queue_anext},
    {Py_tp_methods, queue_methods},
    {Py_tp_members, queue_members},
    {Py_tp_getset, queue_getset},
    {0, NULL},
};

static PyType_Spec queue_spec = {
    .name = "awaitd.Queue",
    .basicsize = sizeof(QueueObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = queue_slots,
};

int aw_queue_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->queue_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &queue_spec, NULL);
    if (!state->queue_type)
        return -1;
    return PyModule_AddType(module, state->queue_type);
}
