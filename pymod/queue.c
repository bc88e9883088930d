#include "pymod/queue.h"

#include <structmember.h>

#include "pymod/errors.h"
#include "pymod/filters.h"
#include "pymod/frame.h"
#include "pymod/stats.h"

/* ---- taking ---- */

static PyObject *frame_at(QueueObject *self, Py_ssize_t index)
{
    const struct aw_frame *slot = aw_queue_at(self->queue, (uint64_t)index);

    if (!slot)
        return NULL;
    return aw_frame_from_slot(
        aw_module_of_type(Py_TYPE(self)), slot, self->device->name,
        aw_device_channel_name(self->device, slot->channel));
}

PyObject *aw_queue_take(QueueObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *frame;

    if (aw_module_check_fork(module) < 0)
        return NULL;
    frame = frame_at(self, 0);
    if (frame)
        aw_queue_release(self->queue, 1);
    return frame;
}

/* A list for what is pending, up to `limit`. */
static PyObject *new_list(QueueObject *self, Py_ssize_t limit)
{
    Py_ssize_t count = (Py_ssize_t)aw_queue_pending(self->queue), left;
    PyObject *list = PyList_New(count < limit ? count : limit);

    if (!list)
        return NULL;
    /* Making a list may run the collector, and so a finalizer that takes
     * frames. Making frames does not. */
    left = (Py_ssize_t)aw_queue_pending(self->queue);
    if (left < PyList_GET_SIZE(list) &&
        PyList_SetSlice(list, left, PyList_GET_SIZE(list), NULL) < 0)
        Py_CLEAR(list);
    return list;
}

PyObject *aw_queue_take_many(QueueObject *self, Py_ssize_t limit)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *frames;

    if (aw_module_check_fork(module) < 0 || aw_queue_pending(self->queue) == 0)
        return NULL;
    frames = new_list(self, limit);
    for (Py_ssize_t i = 0; frames && i < PyList_GET_SIZE(frames); i++) {
        PyObject *frame = frame_at(self, i);

        if (frame) {
            PyList_SET_ITEM(frames, i, frame);
            continue;
        }
        if (!PyErr_Occurred())
            aw_raise_closed(module, self->queue);
        Py_CLEAR(frames);
    }
    if (frames)
        aw_queue_release(self->queue, (uint64_t)PyList_GET_SIZE(frames));
    if (frames && PyList_GET_SIZE(frames) == 0)
        Py_CLEAR(frames);
    return frames;
}

/* ---- methods: getting ---- */

/* What the bridge schedules: a frame is there, or the end. */
static PyObject *queue_wake(PyObject *self, PyObject *Py_UNUSED(unused))
{
    if (aw_queue_settle((QueueObject *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

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

static PyObject *queue_get(PyObject *self, PyObject *arguments,
                           PyObject *keywords)
{
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = NULL;
    double timeout_s;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:get",
                                     (char **)names, &timeout) ||
        aw_parse_timeout(timeout, &timeout_s) < 0)
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

static PyObject *queue_recv(PyObject *self, PyObject *arguments,
                            PyObject *keywords)
{
    static const char *const names[] = {"timeout", NULL};
    PyObject *timeout = NULL;
    double timeout_s;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:recv",
                                     (char **)names, &timeout) ||
        aw_parse_timeout(timeout, &timeout_s) < 0)
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
static PyObject *queue_exit(PyObject *self, PyObject *Py_UNUSED(arguments))
{
    if (aw_module_forked(aw_module_of_type(Py_TYPE(self))))
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
        ((QueueObject *)self)->queue->ring.depth);
}

static PyObject *queue_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_queue_state(((QueueObject *)self)->queue) !=
                           AW_QUEUE_OPEN);
}

static PyObject *queue_get_overflow(PyObject *Py_UNUSED(self),
                                    void *Py_UNUSED(closure))
{
    return PyUnicode_FromString("drop-newest");
}

static PyObject *queue_repr(PyObject *object)
{
    QueueObject *self = (QueueObject *)object;

    return PyUnicode_FromFormat(
        "<Queue %U of %U, %llu of %llu pending%s>", self->name,
        self->device->name, (unsigned long long)aw_queue_pending(self->queue),
        (unsigned long long)self->queue->ring.depth,
        aw_queue_state(self->queue) == AW_QUEUE_OPEN ? "" : ", closed");
}

/* ---- life ---- */

PyObject *aw_queue_object_new(struct aw_module *module, DeviceObject *device,
                              struct aw_queue *queue, PyObject *owner)
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
    queue->user = self;
    PyObject_GC_Track(self);
    self->name = PyUnicode_FromString(queue->name);
    if (!self->name)
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
    aw_queue_unref(self->queue);
    queue_tp_clear(object);
    Py_CLEAR(self->name);
    Py_CLEAR(self->device);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef queue_methods[] = {
    {"get", METHOD(queue_get), METH_VARARGS | METH_KEYWORDS,
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
    {"get_nowait", queue_get_nowait, METH_NOARGS,
     "get_nowait($self, /)\n--\n\n"
     "The next frame, or QueueEmpty; once closed, QueueClosed or DeviceLost."},
    {"recv", METHOD(queue_recv), METH_VARARGS | METH_KEYWORDS,
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
     "qsize($self, /)\n--\n\nFrames that can be taken now."},
    {"clear", queue_clear, METH_NOARGS,
     "clear($self, /)\n--\n\n"
     "Throw away what is pending; counted as dropped_cleared. Returns how\n"
     "many frames that were."},
    {"set_filters", queue_set_filters, METH_O,
     "set_filters($self, filters, /)\n--\n\n"
     "Replace the filters, between two frames. None or [] passes everything."},
    {"close", queue_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Take no more frames in. What is pending can still be taken."},
    {"__enter__", queue_enter, METH_NOARGS, NULL},
    {"__exit__", queue_exit, METH_VARARGS, NULL},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {"_wake", queue_wake, METH_NOARGS, NULL},
    {"_retire", queue_retire, METH_NOARGS, NULL},
    {"_yield_once", queue_yield_once, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef queue_members[] = {
    {"name", T_OBJECT, offsetof(QueueObject, name), READONLY,
     "The queue's name: given, or its number on the device."},
    {"device", T_OBJECT, offsetof(QueueObject, device), READONLY,
     "The Device that it is a subscription to."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(QueueObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef queue_getset[] = {
    {"depth", queue_get_depth, NULL, "How many frames it holds at most.", NULL},
    {"closed", queue_get_closed, NULL, "True when no more frames come in.",
     NULL},
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
