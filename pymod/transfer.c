#include "pymod/transfer.h"

#include <errno.h>

#include "pymod/bridge.h"
#include "pymod/errors.h"
#include "pymod/wait_object.h"

typedef struct {
    WaitObject wait;
    DeviceObject *device;
    struct aw_transfer transfer; /* the reader's until it is back */
    struct aw_pending_send pending;
    int result; /* brought by the bridge */
} TransferObject;

/* ---- from the reader, by way of the bridge ---- */

static void finish(struct aw_bridge *bridge, struct aw_send *send) AW_WITH_GIL
{
    struct aw_pending_send *pending = send->user;
    PyObject *awaitable = pending->awaitable;
    TransferObject *self = (TransferObject *)awaitable;

    self->result = pending->result;
    aw_bridge_wake(bridge, self->wait.waiter);
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

static int begin(WaitObject *wait)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(wait));
    struct aw_bridge *bridge = aw_bridge_get(module);

    if (!bridge)
        return -1;
    wait->waiter = aw_waiter_here(module);
    return wait->waiter ? hand_over((TransferObject *)wait, bridge) : -1;
}

static PyObject *outcome(WaitObject *wait)
{
    TransferObject *self = (TransferObject *)wait;

    if (self->result >= 0)
        return aw_transfer_result(&self->transfer);
    raise_failure(self, -self->result);
    return NULL;
}

/* ---- life ---- */

static void drop(WaitObject *wait)
{
    TransferObject *self = (TransferObject *)wait;

    PyMem_RawFree(self->transfer.send);
    Py_CLEAR(self->device);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((TransferObject *)object)->device);
    return 0;
}

static PyObject *repr(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;

    return PyUnicode_FromFormat("<transfer on device %U%s>", self->device->name,
                                aw_wait_object_state(&self->wait));
}

/* One that nobody awaited was not made: say so. */
static void finalize(PyObject *object)
{
    TransferObject *self = (TransferObject *)object;

    aw_wait_object_warn_unawaited(
        object, "transfer() on device %U was never awaited: it was not made",
        self->device->name);
}

static const struct aw_wait_kind kind = {
    .name = "awaitd.DeviceTransfer",
    .doc = "What `await device.transfer(tx)` awaits. Made by SpiDevice.\n\n"
           "After throw() or close() it may still be made.",
    .bytes = sizeof(TransferObject),
    .call = "transfer()",
    .what = "transfer()",
    .step = aw_wait_object_step,
    .begin = begin,
    .outcome = outcome,
    .drop = drop,
    .traverse = traverse,
    .finalize = finalize,
    .repr = repr,
};

PyObject *aw_transfer_new(DeviceObject *device,
                          const struct aw_transfer *transfer)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    TransferObject *self = aw_wait_object_new(module->transfer_type, &kind);

    if (!self) {
        PyMem_RawFree(transfer->send);
        return NULL;
    }
    self->device = (DeviceObject *)Py_NewRef(device);
    self->transfer = *transfer;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

int aw_transfer_setup(PyObject *module)
{
    return aw_wait_object_setup(module, &kind,
                                &aw_module_state(module)->transfer_type);
}
