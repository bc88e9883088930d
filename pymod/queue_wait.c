/* A queue's waiters and their event loop: the promise at the head of queue.h.
 *
 * The bridge's thread only ever schedules aw_queue_settle() on the loop; it is
 * there, on the loop's own thread, that futures are resolved. */
#include "pymod/queue.h"

#include "pymod/bridge.h"

/* ---- its loop ---- */

static int loop_is_closed(PyObject *loop)
{
    PyObject *closed = PyObject_CallMethod(loop, "is_closed", NULL);
    int result = closed ? PyObject_IsTrue(closed) : -1;

    Py_XDECREF(closed);
    return result;
}

static void forget_waiters(QueueObject *self)
{
    while (self->first) {
        GetObject *waiter = self->first;

        self->first = waiter->next;
        waiter->previous = waiter->next = NULL;
        waiter->listed = false;
    }
    self->last = NULL;
}

int aw_queue_forget_closed(QueueObject *self)
{
    int closed = self->loop ? loop_is_closed(self->loop) : 0;

    if (closed < 0)
        return -1;
    if (closed) {
        forget_waiters(self);
        Py_CLEAR(self->loop);
    }
    return 0;
}

static int rebind(QueueObject *self, PyObject *loop)
{
    if (aw_queue_forget_closed(self) < 0)
        return -1;
    if (self->loop) {
        PyErr_Format(PyExc_RuntimeError,
                     "queue %U of device %U belongs to %R, which is still "
                     "open, and cannot be awaited on %R: open a queue for "
                     "each loop",
                     self->name, self->device->name, self->loop, loop);
        return -1;
    }
    self->loop = Py_NewRef(loop);
    return 0;
}

int aw_queue_bind(QueueObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *loop;
    int result = 0;

    if (self->receiver) {
        PyErr_Format(PyExc_RuntimeError,
                     "queue %U of device %U: a recv() in thread %lu is using "
                     "it",
                     self->name, self->device->name, self->receiver);
        return -1;
    }
    if (!aw_bridge_get(module))
        return -1;
    loop = PyObject_CallNoArgs(module->get_running_loop);
    if (!loop)
        return -1;
    if (loop != self->loop)
        result = rebind(self, loop);
    Py_DECREF(loop);
    return result;
}

/* ---- its waiters ---- */

static int wake_all(QueueObject *self)
{
    for (GetObject *waiter = self->first; waiter; waiter = waiter->next) {
        waiter->woken = true;
        if (aw_wait_resolve(&waiter->wait) < 0)
            return -1;
    }
    return 0;
}

int aw_queue_settle(QueueObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    /* A waiter is woken from the front and stays there until it leaves, so the
     * front tells whether one is under way. */
    while (self->first && !self->first->woken) {
        if (aw_queue_state(self->queue) != AW_QUEUE_OPEN)
            return wake_all(self);
        if (aw_queue_pending(self->queue) > 0) {
            self->first->woken = true;
            return aw_wait_resolve(&self->first->wait);
        }
        /* Without a bridge the interpreter is going: nobody will resume. */
        if (!module->bridge ||
            aw_queue_arm(self->queue, &module->bridge->waker))
            return 0;
    }
    return 0;
}

/* Schedules _wake() on the loop. A loop that was closed meanwhile has no
 * waiters; `*ret_closed` then becomes true. */
static int schedule_wake(QueueObject *self, bool *ret_closed)
{
    /* Not kept: a queue with a method bound to itself would live on until the
     * collector comes. */
    PyObject *wake = PyObject_GetAttrString((PyObject *)self, "_wake");
    PyObject *handle = NULL, *type, *value, *traceback;
    int closed;

    if (wake)
        handle =
            PyObject_CallMethod(self->loop, "call_soon_threadsafe", "O", wake);
    Py_XDECREF(wake);
    if (handle) {
        Py_DECREF(handle);
        return 0;
    }
    PyErr_Fetch(&type, &value, &traceback);
    closed = loop_is_closed(self->loop);
    if (closed == 1) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        *ret_closed = true;
        return 0;
    }
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return -1;
}

int aw_queue_settle_soon(QueueObject *self)
{
    bool closed = false;

    return self->first && self->loop ? schedule_wake(self, &closed) : 0;
}

void aw_queue_announce(struct aw_bridge *bridge, struct aw_queue *queue)
{
    QueueObject *self = queue->user;
    bool closed = false;

    if (!self || !self->first || !self->loop)
        return;
    Py_INCREF(self);
    if (schedule_wake(self, &closed) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    if (closed)
        bridge->closed_loops++;
    Py_DECREF(self);
}
