/* DeviceSend: what `await device.send(frame)` awaits.
 *
 * Its frames are handed to the reader when it is awaited, like the body of a
 * coroutine; what became of them comes back through the bridge. One that is
 * cancelled, or dropped, gives up the frames that still wait: they are not sent
 * any more. What the kernel has by then is sent. */
#include "pymod/send.h"

#include <errno.h>
#include <structmember.h>

#include "pymod/bridge.h"
#include "pymod/wait.h"

typedef struct {
    PyObject_HEAD DeviceObject *device;
    struct aw_send_parts parts;
    PyObject *waiter; /* waiter.h; NULL: not waiting */
    bool begun;
    bool under_way; /* the parts are the reader's, then the bridge's */
    bool finished;
    PyObject *weak_references;
} SendObject;

/* ---- from the reader, by way of the bridge ---- */

/* All the parts that `send` is of are settled. */
static void finish(struct aw_bridge *bridge, struct aw_send *send) AW_WITH_GIL
{
    struct aw_pending_send *pending = send->user;
    PyObject *awaitable = pending->awaitable;
    SendObject *self = (SendObject *)awaitable;

    self->under_way = false;
    /* Nobody asks for them any more. */
    if (self->finished)
        aw_send_parts_clear(&self->parts);
    aw_bridge_wake(bridge, self->waiter);
    Py_DECREF(awaitable);
}

/* ---- steps ---- */

/* Links the parts in the order in which they are to be sent. */
static void prepare(SendObject *self, struct aw_bridge *bridge)
{
    struct aw_send_parts *parts = &self->parts;

    parts->left = parts->count;
    for (size_t i = 0; i < parts->count; i++) {
        struct aw_send_part *part = &parts->parts[i];

        part->pending = (struct aw_pending_send){
            .bridge = bridge,
            .awaitable = self,
            .left = &parts->left,
            .finish = finish,
        };
        part->send->user = &part->pending;
        part->send->done = aw_bridge_complete;
        part->send->next =
            i + 1 < parts->count ? parts->parts[i + 1].send : NULL;
    }
}

/* Hands the parts to the reader; where there are none there is nothing to wait
 * for. */
static int begin(SendObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_bridge *bridge = aw_bridge_get(module);
    struct aw_send_parts *parts = &self->parts;
    int result;

    self->begun = true;
    if (!bridge)
        return -1;
    if (parts->count == 0)
        return 0;
    self->waiter = aw_waiter_here(module);
    if (!self->waiter)
        return -1;
    prepare(self, bridge);
    /* Nothing of Python's between this and the reader: another version's first
     * frame comes behind this one's last. */
    if (aw_module_pass_gate(module) < 0)
        return -1;
    Py_INCREF(self);
    self->under_way = true;
    result = aw_device_send_list(self->device->device, parts->parts[0].send);
    if (result == 0)
        return 0;
    self->under_way = false;
    Py_DECREF(self);
    aw_send_raise(self->device, -result, parts->confirm, parts->count);
    return -1;
}

/* What still waits is not to be sent. */
static void withdraw(SendObject *self)
{
    /* Relaxed: ordered by the call. Partner: withdrawn() in sender.c. */
    for (size_t i = 0; i < self->parts.count; i++)
        atomic_store_explicit(&self->parts.parts[i].send->withdrawn, true,
                              memory_order_relaxed);
    if (!aw_module_forked(aw_module_of_type(Py_TYPE(self))))
        aw_device_withdrawn(self->device->device);
}

static void leave(SendObject *self)
{
    self->finished = true;
    Py_CLEAR(self->waiter);
    if (self->under_way)
        withdraw(self);
    else if (self->begun)
        aw_send_parts_clear(&self->parts);
}

static PySendResult outcome(SendObject *self, PyObject **ret_value)
{
    *ret_value = aw_send_result(self->device, &self->parts);
    leave(self);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

static PySendResult send_send(PyObject *object, PyObject *value,
                              PyObject **ret_value)
{
    SendObject *self = (SendObject *)object;
    bool resuming = self->waiter;
    PySendResult step;

    *ret_value = NULL;
    if (self->finished) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse already awaited send()");
        return PYGEN_ERROR;
    }
    if (!self->begun && begin(self) < 0) {
        leave(self);
        return PYGEN_ERROR;
    }
    if (!self->waiter)
        return outcome(self, ret_value);
    step = aw_wait_step(&self->waiter, resuming, "send()", value, ret_value);
    if (step == PYGEN_RETURN)
        return outcome(self, ret_value);
    /* An error with the waiter still there is another awaiter's. */
    if (step == PYGEN_ERROR && !self->waiter)
        leave(self);
    return step;
}

/* ---- methods ---- */

static PyObject *send_iternext(PyObject *self)
{
    return aw_wait_iternext(self, send_send);
}

static PyObject *send_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, send_send);
}

static PyObject *send_throw(PyObject *self, PyObject *const *arguments,
                            Py_ssize_t count)
{
    leave((SendObject *)self);
    aw_wait_raise(arguments, count);
    return NULL;
}

static PyObject *send_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    leave((SendObject *)self);
    Py_RETURN_NONE;
}

static PyObject *send_repr(PyObject *object)
{
    SendObject *self = (SendObject *)object;

    return PyUnicode_FromFormat("<send on device %U%s>", self->device->name,
                                self->finished ? ", finished"
                                : self->waiter ? ", waiting"
                                               : "");
}

/* ---- life ---- */

PyObject *aw_send_new(DeviceObject *device, struct aw_send_parts *parts)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    SendObject *self = PyObject_GC_New(SendObject, module->send_type);

    if (!self) {
        aw_send_parts_clear(parts);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->device = (DeviceObject *)Py_NewRef(device);
    self->parts = *parts;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int send_traverse(PyObject *object, visitproc visit, void *arg)
{
    SendObject *self = (SendObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->device);
    Py_VISIT(self->waiter);
    return 0;
}

static int send_clear(PyObject *object)
{
    SendObject *self = (SendObject *)object;

    leave(self);
    return 0;
}

/* A frame that nobody awaited is a frame that was not sent: say so. */
static void send_finalize(PyObject *object)
{
    SendObject *self = (SendObject *)object;
    PyObject *type, *value, *traceback;

    if (self->begun || self->finished || self->parts.count == 0)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "%s() on device %U was never awaited: nothing was "
                         "sent",
                         self->parts.many ? "send_many" : "send",
                         self->device->name) < 0)
        PyErr_WriteUnraisable(object);
    PyErr_Restore(type, value, traceback);
}

static void send_dealloc(PyObject *object)
{
    SendObject *self = (SendObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    if (PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    send_clear(object);
    aw_send_parts_clear(&self->parts);
    Py_CLEAR(self->device);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef send_methods[] = {
    {"send", send_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))send_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\n"
     "Raise an exception where it waits. What still waits is not sent."},
    {"close", send_close, METH_NOARGS,
     "close()\n--\n\nGive up waiting. What still waits is not sent."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef send_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(SendObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot send_slots[] = {
    {Py_tp_doc,
     (void *)"What `await device.send(frame)` awaits. Made by Device."},
    {Py_tp_dealloc, send_dealloc},
    {Py_tp_finalize, send_finalize},
    {Py_tp_traverse, send_traverse},
    {Py_tp_clear, send_clear},
    {Py_tp_repr, send_repr},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, send_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, send_iternext},
    {Py_tp_methods, send_methods},
    {Py_tp_members, send_members},
    {0, NULL},
};

static PyType_Spec send_spec = {
    .name = "awaitd.DeviceSend",
    .basicsize = sizeof(SendObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = send_slots,
};

int aw_send_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->send_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &send_spec, NULL);
    return state->send_type ? 0 : -1;
}
