#include "pymod/transfer.h"

#include <errno.h>
#include <structmember.h>

#include "pymod/bridge.h"
#include "pymod/errors.h"

typedef struct {
    PyObject_HEAD DeviceObject *device;
    struct aw_transfer transfer;
    struct aw_pending_send pending;
    PyObject *waiter; /* waiter.h; NULL: not waiting */
    bool begun;       /* handed to the reader, whose `transfer` is until it is
                         back */
    bool finished;
    int result; /* brought by the bridge */
    PyObject *weak_references;
} TransferObject;

/* ---- from the reader, by way of the bridge ---- */

static void finish(struct aw_bridge *bridge, struct aw_send *send) AW_WITH_GIL
{
    struct aw_pending_send *pending = send->user;
    PyObject *awaitable = pending->awaitable;
    TransferObject *self = (TransferObject *)awaitable;

    self->result = pending->result;
    aw_bridge_wake(bridge, self->waiter);
    Py_DECREF(awaitable);
}

/* ---- steps ---- */

/* Raises why it was not made. */
static void raise_failure(TransferObject *self, int code)
{
    struct aw_error error = {""};

    if (code == EINVAL)
        aw_error_set(&error, code,
                     "the controller refuses the transfer: see that each "
                     "segment is a number of whole words, and that it can do "
                     "its speed_hz and bits");
    else if (code == EMSGSIZE)
        aw_error_set(&error, code,
                     "the transfer is longer than spidev's buffer: make it "
                     "shorter, or load spidev with a larger bufsiz");
    aw_device_raise(self->device, code, &error);
}

/* Hands it to the reader. */
static int hand_over(TransferObject *self, struct aw_bridge *bridge)
{
    struct aw_send *send = self->transfer.send;
    int result;

    if (aw_module_pass_gate(aw_module_of_type(Py_TYPE(self))) < 0)
        return -1;
    self->pending = (struct aw_pending_send){
        .bridge = bridge,
        .awaitable = Py_NewRef(self),
        .finish = finish,
    };
    send->user = &self->pending;
    send->done = aw_bridge_complete;
    result = aw_device_send(self->device->device, send);
    if (result == 0)
        return 0;
    Py_DECREF(self);
    raise_failure(self, -result);
    return -1;
}

static int begin(TransferObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_bridge *bridge = aw_bridge_get(module);

    if (!bridge)
        return -1;
    self->waiter = aw_waiter_here(module);
    if (!self->waiter)
        return -1;
    self->begun = true;
    return hand_over(self, bridge);
}

static void leave(TransferObject *self)
{
    self->finished = true;
    Py_CLEAR(self->waiter);
}

static PySendResult outcome(TransferObject *self, PyObject **ret_value)
{
    leave(self);
    if (self->result < 0)
        raise_failure(self, -self->result);
    else
        *ret_value = aw_transfer_result(&self->transfer);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

static PySendResult transfer_send(PyObject *object, PyObject *value,
                                  PyObject **ret_value)
{
    TransferObject *self = (TransferObject *)object;
    bool resuming = self->waiter;
    PySendResult step;

    *ret_value = NULL;
    if (self->finished) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse already awaited transfer()");
        return PYGEN_ERROR;
    }
    if (!self->begun && begin(self) < 0) {
        leave(self);
        return PYGEN_ERROR;
    }
    step =
        aw_wait_step(&self->waiter, resuming, "transfer()", value, ret_value);
    if (step == PYGEN_RETURN)
        return outcome(self, ret_value);
    /* An error with the waiter still there is another awaiter's. */
    if (step == PYGEN_ERROR && !self->waiter)
        leave(self);
    return step;
}

/* ---- methods ---- */

static PyObject *transfer_iternext(PyObject *self)
{
    return aw_wait_iternext(self, transfer_send);
}

static PyObject *transfer_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, transfer_send);
}

static PyObject *transfer_throw(PyObject *self, PyObject *const *arguments,
                                Py_ssize_t count)
{
    leave((TransferObject *)self);
    aw_wait_raise(arguments, count);
    return NULL;
}

static PyObject *transfer_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    leave((TransferObject *)self);
    Py_RETURN_NONE;
}

static PyObject *transfer_repr(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;

    return PyUnicode_FromFormat("<transfer on device %U%s>", self->device->name,
                                self->finished ? ", finished"
                                : self->waiter ? ", waiting"
                                               : "");
}

/* ---- life ---- */

PyObject *aw_transfer_new(DeviceObject *device,
                          const struct aw_transfer *transfer)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    TransferObject *self =
        PyObject_GC_New(TransferObject, module->transfer_type);

    if (!self) {
        PyMem_RawFree(transfer->send);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->device = (DeviceObject *)Py_NewRef(device);
    self->transfer = *transfer;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int transfer_traverse(PyObject *object, visitproc visit, void *arg)
{
    TransferObject *self = (TransferObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->device);
    Py_VISIT(self->waiter);
    return 0;
}

static int transfer_clear(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;

    leave(self);
    return 0;
}

/* One that nobody awaited was not made: say so. */
static void transfer_finalize(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;
    PyObject *type, *value, *traceback;

    if (self->begun || self->finished)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "transfer() on device %U was never awaited: it was "
                         "not made",
                         self->device->name) < 0)
        PyErr_WriteUnraisable(object);
    PyErr_Restore(type, value, traceback);
}

static void transfer_dealloc(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    if (PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    transfer_clear(object);
    PyMem_RawFree(self->transfer.send);
    Py_CLEAR(self->device);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef transfer_methods[] = {
    {"send", transfer_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))transfer_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\n"
     "Raise an exception where it waits. It may still be made."},
    {"close", transfer_close, METH_NOARGS,
     "close()\n--\n\nGive up waiting. It may still be made."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef transfer_members[] = {
    {"__weaklistoffset__", T_PYSSIZET,
     offsetof(TransferObject, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot transfer_slots[] = {
    {Py_tp_doc,
     (void *)"What `await device.transfer(tx)` awaits. Made by SpiDevice."},
    {Py_tp_dealloc, transfer_dealloc},
    {Py_tp_finalize, transfer_finalize},
    {Py_tp_traverse, transfer_traverse},
    {Py_tp_clear, transfer_clear},
    {Py_tp_repr, transfer_repr},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, transfer_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, transfer_iternext},
    {Py_tp_methods, transfer_methods},
    {Py_tp_members, transfer_members},
    {0, NULL},
};

static PyType_Spec transfer_spec = {
    .name = "awaitd.DeviceTransfer",
    .basicsize = sizeof(TransferObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = transfer_slots,
};

int aw_transfer_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->transfer_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &transfer_spec, NULL);
    return state->transfer_type ? 0 : -1;
}
