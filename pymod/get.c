/* QueueGet: what `await queue.get()` awaits.
 *
 * A frame that is there is returned at once, without a future or a turn of the
 * loop. Else it waits on a future that carries readiness only; the frame is
 * taken when the awaiting task has resumed, so a cancelled task leaves it in
 * the ring and, by aw_queue_settle(), its wake to the next waiter. */
#include "pymod/queue.h"

#include "devices/queue/probes.h"
#include "pymod/batch.h"
#include "pymod/errors.h"
#include "pymod/lease.h"

/* ---- the list of waiters ---- */

static void enlist(GetObject *self)
{
    QueueObject *queue = self->queue;

    if (self->listed)
        return;
    self->previous = queue->last;
    self->next = NULL;
    if (queue->last)
        queue->last->next = self;
    else
        queue->first = self;
    queue->last = self;
    self->listed = true;
}

static void delist(GetObject *self)
{
    QueueObject *queue = self->queue;

    if (!self->listed)
        return;
    if (self->previous)
        self->previous->next = self->next;
    else
        queue->first = self->next;
    if (self->next)
        self->next->previous = self->previous;
    else
        queue->last = self->previous;
    self->previous = self->next = NULL;
    self->listed = false;
}

static void cancel_timer(GetObject *self)
{
    PyObject *timer = self->timer, *result;

    if (!timer)
        return;
    self->timer = NULL;
    result = PyObject_CallMethod(timer, "cancel", NULL);
    if (!result)
        PyErr_WriteUnraisable(timer);
    Py_XDECREF(result);
    Py_DECREF(timer);
}

/* Where the queue is garbage as well, its loop may be half taken apart. */
static int settle_if_possible(QueueObject *queue)
{
    if (aw_queue_settle_soon(queue) < 0)
        PyErr_Clear();
    return 0;
}

static int settle(QueueObject *queue, enum aw_wait_end end)
{
    switch (end) {
    case AW_WAIT_OVER:
        return aw_queue_settle(queue);
    case AW_WAIT_CLOSED:
        return aw_queue_settle_soon(queue);
    case AW_WAIT_COLLECTED:
        break;
    }
    return settle_if_possible(queue);
}

/* Whoever waits behind is looked after; where this may not be the loop's
 * thread, by way of the loop. */
static void leave(WaitObject *wait, enum aw_wait_end end)
{
    GetObject *self = (GetObject *)wait;
    PyObject *type, *value, *traceback;

    /* Not cancelled: a loop that still had the timer would still have us. */
    if (end == AW_WAIT_COLLECTED)
        Py_CLEAR(self->timer);
    if (!self->listed && !self->timer && !wait->waiter)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    delist(self);
    cancel_timer(self);
    Py_CLEAR(wait->waiter);
    if (settle(self->queue, end) < 0)
        PyErr_WriteUnraisable((PyObject *)self->queue);
    PyErr_Restore(type, value, traceback);
}

/* ---- steps ---- */

/* Takes what the mode asks for, or fewer frames than it would wait for, but
 * one at least; NULL without an exception: not there. */
static PyObject *take(GetObject *self, Py_ssize_t minimum)
{
    switch (self->mode) {
    case GET_ONE:
    case GET_NEXT:
        break;
    case GET_MANY:
        return aw_queue_take_many(self->queue, self->limit);
    case GET_BATCH:
        return aw_batch_take(self->queue, self->limit, minimum);
    case GET_LEASE:
        return aw_lease_take(self->lease);
    case GET_READY:
        return aw_queue_pending(self->queue->queue) > 0 &&
                       aw_queue_can_claim(self->queue->queue)
                   ? Py_NewRef(Py_True)
                   : NULL;
    }
    return aw_queue_take(self->queue);
}

static PyObject *raise_end(GetObject *self)
{
    struct aw_queue *queue = self->queue->queue;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    if (self->mode == GET_NEXT && aw_queue_state(queue) != AW_QUEUE_LOST) {
        PyErr_SetNone(PyExc_StopAsyncIteration);
        return NULL;
    }
    if (self->mode == GET_READY)
        return Py_NewRef(Py_False);
    return aw_raise_closed(module, queue);
}

static PyObject *raise_timeout(GetObject *self)
{
    if (self->mode == GET_MANY)
        return PyList_New(0);
    if (self->mode == GET_BATCH)
        return aw_batch_take(self->queue, self->limit, 0);
    if (self->mode == GET_READY)
        return Py_NewRef(Py_False);
    PyErr_Format(PyExc_TimeoutError,
                 "no frame on queue %U of device %U in "
                 "time",
                 self->queue->name, self->queue->device->name);
    return NULL;
}

/* The outcome if there is one: a new reference, or NULL with an exception. NULL
 * without: it must wait. */
static PyObject *outcome(GetObject *self)
{
    PyObject *frames = take(self, self->minimum);

    if (frames || PyErr_Occurred())
        return frames;
    if (aw_queue_state(self->queue->queue) != AW_QUEUE_OPEN) {
        /* The state was set after the last frame was pushed: look again. */
        frames = take(self, 1);
        if (frames || PyErr_Occurred())
            return frames;
        return raise_end(self);
    }
    if (self->timed_out || self->timeout_s == 0)
        return raise_timeout(self);
    return NULL;
}

static int start_timer(GetObject *self)
{
    PyObject *expire;

    if (self->timer || self->timeout_s < 0)
        return 0;
    expire = PyObject_GetAttrString((PyObject *)self, "_expire");
    if (!expire)
        return -1;
    self->timer = PyObject_CallMethod(self->queue->loop, "call_later", "dO",
                                      self->timeout_s, expire);
    Py_DECREF(expire);
    return self->timer ? 0 : -1;
}

static int begin_wait(GetObject *self)
{
    if (aw_queue_bind(self->queue) < 0)
        return -1;
    self->wait.waiter =
        aw_waiter_new(aw_module_of_type(Py_TYPE(self)), self->queue->loop);
    if (!self->wait.waiter || start_timer(self) < 0)
        return -1;
    self->woken = false;
    enlist(self);
    return aw_queue_settle(self->queue);
}

static void tell_resumed(QueueObject *queue)
{
    queue->resumed = true;
    AW_PROBE3(resume, queue->queue->device, queue->queue->name,
              queue->queue->owner);
}

static PySendResult get_send(PyObject *object, PyObject *value,
                             PyObject **ret_value)
{
    GetObject *self = (GetObject *)object;
    WaitObject *wait = &self->wait;
    bool resuming = wait->waiter;

    if (wait->finished)
        return aw_wait_object_refuse(wait);
    /* Asked for by the host, so that a loop whose queue is never empty turns
     * and hears of a stop. */
    if (!resuming && self->queue->yield_once) {
        self->queue->yield_once = false;
        *ret_value = Py_NewRef(Py_None);
        return PYGEN_NEXT;
    }
    for (;; resuming = false) {
        if (wait->waiter) {
            PySendResult step =
                aw_wait_object_await(wait, resuming, value, ret_value);

            /* An error with the waiter still there is another awaiter's. */
            if (step == PYGEN_NEXT || (step == PYGEN_ERROR && wait->waiter))
                return step;
            if (step == PYGEN_ERROR)
                break;
            tell_resumed(self->queue);
        }
        *ret_value = outcome(self);
        self->queue->resumed = false;
        if (*ret_value || PyErr_Occurred())
            break;
        if (begin_wait(self) < 0)
            break;
    }
    if (PyErr_Occurred())
        *ret_value = NULL;
    wait->finished = true;
    leave(wait, AW_WAIT_OVER);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

/* ---- methods ---- */

/* The timer's callback, on the loop. */
static PyObject *get_expire(PyObject *object, PyObject *Py_UNUSED(unused))
{
    GetObject *self = (GetObject *)object;

    self->timed_out = true;
    if (self->wait.waiter &&
        aw_waiter_resolve(self->wait.waiter, AW_WAKE_INLINE) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *repr(PyObject *object)
{
    GetObject *self = (GetObject *)object;

    return PyUnicode_FromFormat("<get on queue %U of device %U%s>",
                                self->queue->name, self->queue->device->name,
                                aw_wait_object_state(&self->wait));
}

/* ---- life ---- */

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    GetObject *self = (GetObject *)object;

    Py_VISIT(self->queue);
    Py_VISIT(self->timer);
    Py_VISIT(self->lease);
    return 0;
}

/* One's memory is kept for the next get(), which mostly comes at once. Of its
 * own so that one that has found a frame is gone as soon. */
static void dealloc(PyObject *object)
{
    GetObject *self = (GetObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    struct aw_module *module = aw_module_of_type(type);

    PyObject_GC_UnTrack(object);
    if (self->wait.weak_references)
        PyObject_ClearWeakRefs(object);
    leave(&self->wait, AW_WAIT_COLLECTED);
    Py_CLEAR(self->lease);
    Py_CLEAR(self->queue);
    if (!module->spare_get && module->get_type && !module->shut_down)
        module->spare_get = self;
    else
        PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    AW_WAIT_METHODS,
    {"_expire", get_expire, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct aw_wait_kind kind = {
    .name = "awaitd.QueueGet",
    .doc = "What `await queue.get()` awaits. Made by Queue.\n\n"
           "No frame is lost by throw() or close().",
    .bytes = sizeof(GetObject),
    .call = "get()",
    .what = "get()",
    .step = get_send,
    .repr = repr,
    .leave = leave,
    .traverse = traverse,
    .dealloc = dealloc,
    .methods = methods,
};

PyObject *aw_get_new(QueueObject *queue, enum get_mode mode, Py_ssize_t limit,
                     double timeout_s)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    GetObject *self = module->spare_get;

    if (self) {
        module->spare_get = NULL;
        PyObject_Init((PyObject *)self, module->get_type);
        memset((char *)self + sizeof(PyObject), 0,
               sizeof(*self) - sizeof(PyObject));
        self->wait.kind = &kind;
    } else {
        self = aw_wait_object_new(module->get_type, &kind);
        if (!self)
            return NULL;
    }
    self->queue = (QueueObject *)Py_NewRef(queue);
    self->mode = mode;
    self->limit = limit;
    self->minimum = 1;
    self->timeout_s = timeout_s;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

int aw_get_setup(PyObject *module)
{
    return aw_wait_object_setup(module, &kind,
                                &aw_module_state(module)->get_type);
}
