#include "pymod/send.h"

#include <errno.h>
#include <structmember.h>

#include "pymod/errors.h"
#include "pymod/frame.h"

typedef struct {
    PyObject_HEAD DeviceObject *device;
    struct aw_send *send; /* until it is handed to the reader */
    struct aw_pending_send pending;
    PyObject *waiter; /* waiter.h; NULL: not waiting */
    bool finished;
    int result; /* brought by the bridge */
    PyObject *weak_references;
} SendObject;

/* ---- from the reader, by way of the bridge ---- */

void aw_send_finish(struct aw_bridge *bridge, struct aw_send *send)
{
    struct aw_pending_send *pending = send->user;
    PyObject *awaitable = pending->awaitable;
    SendObject *self = (SendObject *)awaitable;

    self->result = pending->result;
    PyMem_RawFree(send);
    /* It fails where the loop was closed while the frame was on its way. */
    if (self->waiter &&
        aw_waiter_resolve(self->waiter, AW_WAKE_THREADSAFE) < 0) {
        PyErr_Clear();
        bridge->closed_loops++;
    }
    Py_DECREF(awaitable);
}

/* ---- steps ---- */

static int begin(SendObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_bridge *bridge = aw_bridge_get(module);
    struct aw_send *send = self->send;
    PyObject *loop;
    int result;

    if (aw_module_pass_gate(module) < 0)
        return -1;
    if (!bridge)
        return -1;
    loop = aw_module_running_loop(module);
    if (!loop)
        return -1;
    self->waiter = aw_waiter_new(module, loop);
    Py_DECREF(loop);
    if (!self->waiter)
        return -1;
    self->pending = (struct aw_pending_send){
        .bridge = bridge,
        .awaitable = Py_NewRef(self),
    };
    send->user = &self->pending;
    send->done = aw_bridge_complete;
    self->send = NULL;
    result = aw_device_send(self->device->device, send);
    if (result == 0)
        return 0;
    PyMem_RawFree(send);
    Py_DECREF(self);
    aw_raise(module, -result, aw_device_name(self->device->device), NULL);
    return -1;
}

static void leave(SendObject *self)
{
    self->finished = true;
    Py_CLEAR(self->waiter);
}

static PySendResult outcome(SendObject *self, PyObject **ret_value)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    leave(self);
    *ret_value = NULL;
    if (self->result < 0) {
        aw_raise(module, -self->result, aw_device_name(self->device->device),
                 NULL);
        return PYGEN_ERROR;
    }
    *ret_value = Py_NewRef(Py_None);
    return PYGEN_RETURN;
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
    if (self->send && begin(self) < 0) {
        leave(self);
        return PYGEN_ERROR;
    }
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

PyObject *aw_send_new(DeviceObject *device, PyObject *frame)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    struct aw_send *send;
    SendObject *self;

    if (aw_module_pass_gate(module) < 0)
        return NULL;
    if (aw_frame_to_send(module, frame, aw_device_kind(device->device), &send) <
        0)
        return NULL;
    if (aw_module_owner_name(module, send->owner, sizeof(send->owner)) < 0) {
        PyMem_RawFree(send);
        return NULL;
    }
    self = PyObject_GC_New(SendObject, module->send_type);
    if (!self) {
        PyMem_RawFree(send);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->device = (DeviceObject *)Py_NewRef(device);
    self->send = send;
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

    if (!self->send || self->finished)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "send() on device %U was never awaited: the frame "
                         "was not sent",
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
    PyMem_RawFree(self->send);
    Py_CLEAR(self->device);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef send_methods[] = {
    {"send", send_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))send_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\n"
     "Raise an exception where it waits. The frame may still be sent."},
    {"close", send_close, METH_NOARGS,
     "close()\n--\n\nGive up waiting. The frame may still be sent."},
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
