/* QueueGet: what `await queue.get()` awaits.
 *
 * A frame that is there is returned at once, without a future or a turn of the
 * loop. Else it waits on a future that carries readiness only; the frame is
 * taken when the awaiting task has resumed, so a cancelled task leaves it in
 * the ring and, by aw_queue_settle(), its wake to the next waiter. */
#include "pymod/queue.h"

#include <structmember.h>

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

/* The wait is over, however it ended: whoever waits behind is looked after, by
 * `look_after` or, where this may not be the loop's thread, by way of the loop.
 * Keeps the exception that is set, if any. */
static void leave(GetObject *self, int (*look_after)(QueueObject *))
{
    PyObject *type, *value, *traceback;

    self->finished = true;
    if (!self->listed && !self->timer && !self->waiter)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    delist(self);
    cancel_timer(self);
    Py_CLEAR(self->waiter);
    if (look_after(self->queue) < 0)
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
    self->waiter =
        aw_waiter_new(aw_module_of_type(Py_TYPE(self)), self->queue->loop);
    if (!self->waiter || start_timer(self) < 0)
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
    bool resuming = self->waiter;

    if (self->finished) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse already awaited get()");
        return PYGEN_ERROR;
    }
    /* Asked for by the host, so that a loop whose queue is never empty turns
     * and hears of a stop. */
    if (!resuming && self->queue->yield_once) {
        self->queue->yield_once = false;
        *ret_value = Py_NewRef(Py_None);
        return PYGEN_NEXT;
    }
    for (;; resuming = false) {
        if (self->waiter) {
            PySendResult step = aw_wait_step(&self->waiter, resuming, "get()",
                                             value, ret_value);

            /* An error with the waiter still there is another awaiter's. */
            if (step == PYGEN_NEXT || (step == PYGEN_ERROR && self->waiter))
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
    leave(self, aw_queue_settle);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

/* ---- methods ---- */

static PyObject *get_iternext(PyObject *self)
{
    return aw_wait_iternext(self, get_send);
}

static PyObject *get_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, get_send);
}

static PyObject *get_throw(PyObject *self, PyObject *const *arguments,
                           Py_ssize_t count)
{
    aw_wait_raise(arguments, count);
    leave((GetObject *)self, aw_queue_settle);
    return NULL;
}

static PyObject *get_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    leave((GetObject *)self, aw_queue_settle_soon);
    Py_RETURN_NONE;
}

/* The timer's callback, on the loop. */
static PyObject *get_expire(PyObject *object, PyObject *Py_UNUSED(unused))
{
    GetObject *self = (GetObject *)object;

    self->timed_out = true;
    if (self->waiter && aw_waiter_resolve(self->waiter, AW_WAKE_INLINE) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *get_repr(PyObject *object)
{
    GetObject *self = (GetObject *)object;

    return PyUnicode_FromFormat("<get on queue %U of device %U%s>",
                                self->queue->name, self->queue->device->name,
                                self->finished ? ", finished"
                                : self->waiter ? ", waiting"
                                               : "");
}

/* ---- life ---- */

PyObject *aw_get_new(QueueObject *queue, enum get_mode mode, Py_ssize_t limit,
                     double timeout_s)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    GetObject *self = module->spare_get;

    if (self) {
        module->spare_get = NULL;
        PyObject_Init((PyObject *)self, module->get_type);
    } else {
        self = PyObject_GC_New(GetObject, module->get_type);
        if (!self)
            return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->queue = (QueueObject *)Py_NewRef(queue);
    self->mode = mode;
    self->limit = limit;
    self->minimum = 1;
    self->timeout_s = timeout_s;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int get_traverse(PyObject *object, visitproc visit, void *arg)
{
    GetObject *self = (GetObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->queue);
    Py_VISIT(self->timer);
    Py_VISIT(self->waiter);
    Py_VISIT(self->lease);
    return 0;
}

/* Where the queue is garbage as well, its loop may be half taken apart. */
static int settle_if_possible(QueueObject *queue)
{
    if (aw_queue_settle_soon(queue) < 0)
        PyErr_Clear();
    return 0;
}

static int get_clear(PyObject *object)
{
    GetObject *self = (GetObject *)object;

    /* Not cancelled: a loop that still had the timer would still have us. */
    Py_CLEAR(self->timer);
    leave(self, settle_if_possible);
    return 0;
}

static void get_dealloc(PyObject *object)
{
    GetObject *self = (GetObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    struct aw_module *module = aw_module_of_type(type);

    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    get_clear(object);
    Py_CLEAR(self->lease);
    Py_CLEAR(self->queue);
    /* One is kept for the next get(), which mostly comes at once. */
    if (!module->spare_get && module->get_type && !module->shut_down)
        module->spare_get = self;
    else
        PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef get_methods[] = {
    {"send", get_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))get_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\n"
     "Raise an exception where it waits. No frame is lost by it."},
    {"close", get_close, METH_NOARGS,
     "close()\n--\n\nGive up waiting. No frame is lost by it."},
    {"_expire", get_expire, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef get_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(GetObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot get_slots[] = {
    {Py_tp_doc, (void *)"What `await queue.get()` awaits. Made by Queue."},
    {Py_tp_dealloc, get_dealloc},
    {Py_tp_traverse, get_traverse},
    {Py_tp_clear, get_clear},
    {Py_tp_repr, get_repr},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, get_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, get_iternext},
    {Py_tp_methods, get_methods},
    {Py_tp_members, get_members},
    {0, NULL},
};

static PyType_Spec get_spec = {
    .name = "awaitd.QueueGet",
    .basicsize = sizeof(GetObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = get_slots,
};

int aw_get_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->get_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &get_spec, NULL);
    return state->get_type ? 0 : -1;
}
