/* recv(): waiting for a frame without an event loop and without the GIL.
 *
 * The queue is armed with a bell of its own, which the reader rings directly;
 * the bridge has no part in it. */
#include <errno.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "pymod/errors.h"
#include "pymod/queue.h"

static int refuse_running_loop(QueueObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *loop = aw_module_running_loop(module);

    if (!loop) {
        /* RuntimeError: there is none, which is what is wanted. */
        PyErr_Clear();
        return 0;
    }
    Py_DECREF(loop);
    PyErr_SetString(PyExc_RuntimeError,
                    "recv() would block the running event loop: use "
                    "`await queue.get()`, or call recv() in a thread of its "
                    "own");
    return -1;
}

static int refuse_others(QueueObject *self)
{
    if (self->first && aw_queue_forget_closed(self) < 0)
        return -1;
    if (self->receiver)
        PyErr_Format(PyExc_RuntimeError,
                     "queue %U of device %U: a recv() in thread %lu is using "
                     "it",
                     self->name, self->device->name, self->receiver);
    else if (self->first)
        PyErr_Format(PyExc_RuntimeError,
                     "queue %U of device %U is being awaited on %R", self->name,
                     self->device->name, self->loop);
    else
        return 0;
    return -1;
}

static int open_bell(QueueObject *self)
{
    int result;

    if (self->bell.fd >= 0)
        return 0;
    result = aw_waker_init(&self->bell, false);
    if (result == 0)
        return 0;
    errno = -result;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static void enter(QueueObject *self, struct aw_module *module)
{
    self->receiver = PyThread_get_thread_ident();
    self->interrupted = false;
    self->next_receiver = module->receivers;
    module->receivers = self;
}

static void leave(QueueObject *self, struct aw_module *module)
{
    QueueObject **link = &module->receivers;

    while (*link != self)
        link = &(*link)->next_receiver;
    *link = self->next_receiver;
    self->next_receiver = NULL;
    self->receiver = 0;
}

bool aw_recv_interrupt(struct aw_module *module, unsigned long ident)
{
    bool found = false;

    for (QueueObject *queue = module->receivers; queue;
         queue = queue->next_receiver) {
        if (queue->receiver != ident)
            continue;
        queue->interrupted = true;
        aw_eventfd_ring(queue->bell.fd);
        found = true;
    }
    return found;
}

/* A hosted script that blocks here has done what it does first: devices held
 * until every script is ready need not wait for it. 0, or -1 with an exception.
 */
static int tell_owner(QueueObject *self)
{
    PyObject *told;

    if (!self->owner)
        return 0;
    told = PyObject_CallMethod(self->owner, "now_waits", NULL);
    Py_XDECREF(told);
    return told ? 0 : -1;
}

/* Sleeps until the bell rings. 1: look again, 0: the time is up, -1: an
 * exception. */
static int sleep_once(QueueObject *self, uint64_t deadline_ns)
{
    uint64_t now_ns = aw_clock_monotonic_ns(), seen = 0;
    int64_t timeout_ns = -1;
    int result;

    if (deadline_ns != UINT64_MAX) {
        if (now_ns >= deadline_ns)
            return 0;
        timeout_ns = (int64_t)(deadline_ns - now_ns);
    }
    if (tell_owner(self) < 0)
        return -1;
    /* With too many leases held what is pending cannot be taken; the end of
     * one rings. */
    if (!aw_queue_can_claim(self->queue))
        seen = aw_queue_pending(self->queue);
    if (!aw_queue_arm_at(self->queue, &self->bell, seen))
        return 1;
    Py_BEGIN_ALLOW_THREADS
    result = aw_eventfd_wait(self->bell.fd, timeout_ns);
    Py_END_ALLOW_THREADS
    aw_queue_disarm(self->queue);
    aw_eventfd_clear(self->bell.fd);
    if (result == -EINTR && PyErr_CheckSignals() < 0)
        return -1;
    if (self->interrupted) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
        return -1;
    }
    return 1;
}

/* The frame, None when the time is up, or NULL with an exception. */
static PyObject *wait_for_frame(QueueObject *self, uint64_t deadline_ns)
{
    for (;;) {
        bool open = aw_queue_state(self->queue) == AW_QUEUE_OPEN;
        PyObject *frame = aw_queue_take(self);
        int more;

        if (frame || PyErr_Occurred())
            return frame;
        if (!open)
            return aw_raise_closed(aw_module_of_type(Py_TYPE(self)),
                                   self->queue);
        more = sleep_once(self, deadline_ns);
        self->resumed = more > 0;
        if (more < 0)
            return NULL;
        if (more == 0)
            Py_RETURN_NONE;
    }
}

/* Deadlines beyond this are none: 30 years. */
#define FOR_EVER_S 1e9

PyObject *aw_queue_recv(QueueObject *self, double timeout_s)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    uint64_t deadline_ns = UINT64_MAX;
    PyObject *frame;

    /* In a forked child the loop and the receiver are the parent's. */
    if (aw_module_check_fork(module) < 0 || refuse_running_loop(self) < 0 ||
        refuse_others(self) < 0 || open_bell(self) < 0)
        return NULL;
    if (timeout_s >= 0 && timeout_s < FOR_EVER_S)
        deadline_ns = aw_clock_monotonic_ns() + (uint64_t)(timeout_s * 1e9);
    Py_INCREF(self);
    enter(self, module);
    frame = wait_for_frame(self, deadline_ns);
    leave(self, module);
    Py_DECREF(self);
    return frame;
}
