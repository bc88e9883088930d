/* A queue's waiters and their event loop: the promise at the head of queue.h.
 *
 * The list is changed with the GIL, from any thread; a waiter's task runs on
 * the loop's own thread, which aw_waiter_resolve() sees to. */
#include "pymod/queue.h"

#include "pymod/bridge.h"
#include "pymod/doorbell.h"

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
    if (!self->doorbell && !aw_bridge_get(module))
        return -1;
    loop = aw_module_running_loop(module);
    if (!loop)
        return -1;
    if (loop != self->loop)
        result = rebind(self, loop);
    if (result == 0 && self->doorbell)
        result = aw_doorbell_watch(self->doorbell, loop);
    Py_DECREF(loop);
    return result;
}

/* ---- its waiters ---- */

/* Has the next frame behind the `seen` pending ones announced. False if there
 * is something already. */
static bool arm(QueueObject *self, uint64_t seen)
{
    struct aw_bridge *bridge = aw_module_of_type(Py_TYPE(self))->bridge;

    if (self->doorbell)
        return aw_queue_arm_at(self->queue, aw_doorbell_waker(self->doorbell),
                               seen);
    /* Without a bridge the interpreter is going: nobody will resume. */
    return !bridge || aw_queue_arm_at(self->queue, &bridge->waker, seen);
}

static GetObject *first_asleep(const QueueObject *self)
{
    GetObject *waiter = self->first;

    while (waiter && waiter->woken)
        waiter = waiter->next;
    return waiter;
}

/* There is no bridge where the interpreter is going, nor where all queues are
 * woken by an fd: there a wake without memory is an error, which is told. */
static int wake(GetObject *get, enum aw_wake how)
{
    struct aw_bridge *bridge = aw_module_of_type(Py_TYPE(get))->bridge;
    PyObject *waiter = get->wait.waiter;

    if (!waiter)
        return 0;
    if (how != AW_WAKE_INLINE && bridge)
        return aw_bridge_resolve(bridge, waiter, how);
    return aw_waiter_resolve(waiter, how);
}

/* The list is looked at anew for each: scheduling a callback may let the loop's
 * thread run, where those that were woken leave the list and are freed. */
static int wake_all(QueueObject *self, enum aw_wake how)
{
    GetObject *waiter;
    int result = 0;

    while (result == 0 && (waiter = first_asleep(self))) {
        waiter->woken = true;
        result = wake(waiter, how);
    }
    return result;
}

static int wake_first(QueueObject *self, enum aw_wake how)
{
    GetObject *first = self->first;

    first->woken = true;
    return wake(first, how);
}

int aw_queue_settle_how(QueueObject *self, enum aw_wake how)
{
    /* A waiter is woken from the front and stays there until it leaves, so the
     * front tells whether one is under way. */
    while (self->first && !self->first->woken) {
        uint64_t pending;

        /* Ended: they all find that out. Not inline, as those that resume
         * leave the list that is walked. */
        if (aw_queue_state(self->queue) != AW_QUEUE_OPEN)
            return wake_all(self, how == AW_WAKE_INLINE ? AW_WAKE_SOON : how);
        /* With too many leases held nothing can be taken: the end of one
         * comes here again, as each further frame does. */
        pending = aw_queue_pending(self->queue);
        if (pending >= (uint64_t)self->first->minimum &&
            aw_queue_can_claim(self->queue))
            return wake_first(self, how);
        if (arm(self, pending))
            return 0;
    }
    return 0;
}

int aw_queue_settle(QueueObject *self)
{
    return aw_queue_settle_how(self, AW_WAKE_SOON);
}

/* From another thread. The loop may have been closed meanwhile: then it has no
 * waiters that could resume, and `*ret_closed` becomes true. */
static int settle_threadsafe(QueueObject *self, bool *ret_closed)
{
    PyObject *type, *value, *traceback;
    int closed;

    *ret_closed = false;
    if (!self->first || !self->loop ||
        aw_queue_settle_how(self, AW_WAKE_THREADSAFE) == 0)
        return 0;
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
    bool closed;

    return settle_threadsafe(self, &closed);
}

void aw_queue_announce(struct aw_bridge *bridge, struct aw_queue *queue)
{
    QueueObject *self = queue->user;
    bool closed;

    if (!self)
        return;
    Py_INCREF(self);
    if (settle_threadsafe(self, &closed) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    bridge->closed_loops += closed;
    Py_DECREF(self);
}
