/* DeviceSend: what `await device.send(frame)` awaits.
 *
 * Its frames are handed to the reader when it is awaited, like the body of a
 * coroutine; what became of them comes back through the bridge. One that is
 * cancelled, or dropped, gives up the frames that still wait: they are not sent
 * any more. What the kernel has by then is sent. */
#include "pymod/send.h"

#include <errno.h>

#include "pymod/bridge.h"
#include "pymod/wait_object.h"

typedef struct {
    WaitObject wait;
    DeviceObject *device;
    struct aw_send_parts parts;
    bool under_way; /* the parts are the reader's, then the bridge's */
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
    if (self->wait.finished)
        aw_send_parts_clear(&self->parts);
    aw_bridge_wake(bridge, self->wait.waiter);
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
static int begin(WaitObject *wait)
{
    SendObject *self = (SendObject *)wait;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_bridge *bridge = aw_bridge_get(module);
    struct aw_send_parts *parts = &self->parts;
    int result;

    if (!bridge)
        return -1;
    if (parts->count == 0)
        return 0;
    wait->waiter = aw_waiter_here(module);
    if (!wait->waiter)
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

static PyObject *outcome(WaitObject *wait)
{
    SendObject *self = (SendObject *)wait;

    return aw_send_result(self->device, &self->parts);
}

/* ---- life ---- */

static void leave(WaitObject *wait, enum aw_wait_end end)
{
    SendObject *self = (SendObject *)wait;

    (void)end;
    if (self->under_way)
        withdraw(self);
    else if (wait->begun)
        aw_send_parts_clear(&self->parts);
}

static void drop(WaitObject *wait)
{
    SendObject *self = (SendObject *)wait;

    aw_send_parts_clear(&self->parts);
    Py_CLEAR(self->device);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((SendObject *)object)->device);
    return 0;
}

static PyObject *repr(PyObject *object)
{
    SendObject *self = (SendObject *)object;

    return PyUnicode_FromFormat("<send on device %U%s>", self->device->name,
                                aw_wait_object_state(&self->wait));
}

/* A frame that nobody awaited is a frame that was not sent: say so. */
static void finalize(PyObject *object)
{
    SendObject *self = (SendObject *)object;

    if (self->parts.count > 0)
        aw_wait_object_warn_unawaited(
            object, "%s() on device %U was never awaited: nothing was sent",
            self->parts.many ? "send_many" : "send", self->device->name);
}

static const struct aw_wait_kind kind = {
    .name = "awaitd.DeviceSend",
    .doc = "What `await device.send(frame)` awaits. Made by Device.\n\n"
           "After throw() or close() what still waits is not sent.",
    .bytes = sizeof(SendObject),
    .call = "send()",
    .what = "send()",
    .step = aw_wait_object_step,
    .begin = begin,
    .outcome = outcome,
    .leave = leave,
    .drop = drop,
    .traverse = traverse,
    .finalize = finalize,
    .repr = repr,
};

PyObject *aw_send_new(DeviceObject *device, struct aw_send_parts *parts)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    SendObject *self = aw_wait_object_new(module->send_type, &kind);

    if (!self) {
        aw_send_parts_clear(parts);
        return NULL;
    }
    self->device = (DeviceObject *)Py_NewRef(device);
    self->parts = *parts;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

int aw_send_setup(PyObject *module)
{
    return aw_wait_object_setup(module, &kind,
                                &aw_module_state(module)->send_type);
}
