#include "pymod/coroutine/fd_wait.h"

#include <pthread.h>

#include "pymod/coroutine/awaitable.h"
#include "pymod/wait_object.h"

enum { BOTH = PyAwaitable_READ | PyAwaitable_WRITE };

typedef struct {
    WaitObject wait;
    PyObject *loop;   /* that watches, or has watched */
    pthread_t thread; /* the loop's */
    int fd;
    int wanted;  /* PyAwaitable_READ, _WRITE */
    int watched; /* the same: what the loop watches for now */
    int ready;   /* the same: what came */
} FdWaitObject;

static const char *name_of(int event)
{
    return event == PyAwaitable_READ ? "reading" : "writing";
}

/* ---- one waiter a loop, fd and direction ---- */

/* The loop lives as long as the claim stands: its address will do. */
static PyObject *claim_key(const FdWaitObject *self, int event)
{
    return Py_BuildValue("(Nii)", PyLong_FromVoidPtr(self->loop), self->fd,
                         event);
}

static int claim(FdWaitObject *self, int event)
{
    PyObject *claims = aw_module_of_type(Py_TYPE(self))->fd_claims;
    PyObject *key = claim_key(self, event);
    int taken = key ? PySet_Contains(claims, key) : -1;

    if (taken == 1)
        aw_raise_format(
            PyExc_RuntimeError,
            "fd %d is awaited for %s already: one waiter a direction", self->fd,
            name_of(event));
    if (taken == 0)
        taken = PySet_Add(claims, key);
    Py_XDECREF(key);
    return taken ? -1 : 0;
}

/* Keeps the exception that is set. */
static void disclaim(FdWaitObject *self, int event)
{
    PyObject *claims = aw_module_of_type(Py_TYPE(self))->fd_claims;
    PyObject *type, *value, *traceback, *key;

    PyErr_Fetch(&type, &value, &traceback);
    key = claim_key(self, event);
    /* The module may have been cleared before us. */
    if (key && claims)
        PySet_Discard(claims, key);
    Py_XDECREF(key);
    PyErr_Restore(type, value, traceback);
}

/* ---- watching, on the loop's thread ---- */

/* Notes on the exception which fd it is about, and what may be the matter. */
static void explain(const FdWaitObject *self, int event)
{
    PyObject *type, *value, *traceback, *result;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    result = PyObject_CallMethod(
        value, "add_note", "N",
        PyUnicode_FromFormat(
            "fd %d cannot be awaited for %s%s", self->fd, name_of(event),
            PyErr_GivenExceptionMatches(type, PyExc_PermissionError)
                ? ": files on disk are always ready"
            : PyErr_GivenExceptionMatches(type, PyExc_OSError)
                ? ""
                : ": the loop must have add_reader() and add_writer()"));
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

static int add(FdWaitObject *self, int event)
{
    bool read = event == PyAwaitable_READ;
    PyObject *callback = PyObject_GetAttrString(
        (PyObject *)self, read ? "_readable" : "_writable");
    PyObject *result = NULL;

    if (callback)
        result =
            PyObject_CallMethod(self->loop, read ? "add_reader" : "add_writer",
                                "iO", self->fd, callback);
    Py_XDECREF(callback);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int watch(FdWaitObject *self, int event)
{
    if (!(self->wanted & event))
        return 0;
    if (claim(self, event) < 0)
        return -1;
    self->watched |= event;
    if (add(self, event) == 0)
        return 0;
    explain(self, event);
    self->watched &= ~event;
    disclaim(self, event);
    return -1;
}

static int unwatch(FdWaitObject *self, int event)
{
    PyObject *result;

    if (!(self->watched & event))
        return 0;
    self->watched &= ~event;
    disclaim(self, event);
    result = PyObject_CallMethod(self->loop,
                                 event == PyAwaitable_READ ? "remove_reader"
                                                           : "remove_writer",
                                 "i", self->fd);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* What is not to be removed from the loop, which watches no more: one that did
 * would still have us, unless somebody else's callback has taken the place. */
static void stop_watching(FdWaitObject *self)
{
    if (self->watched & PyAwaitable_READ)
        disclaim(self, PyAwaitable_READ);
    if (self->watched & PyAwaitable_WRITE)
        disclaim(self, PyAwaitable_WRITE);
    self->watched = 0;
}

/* Removed at once: the fd stays ready until somebody reads or writes. The task
 * is woken by the loop's next turn, so that the other direction, if it is ready
 * in this one, is told of as well. */
static PyObject *came(PyObject *object, int event)
{
    FdWaitObject *self = (FdWaitObject *)object;

    self->ready |= event;
    if (unwatch(self, event) < 0 ||
        (self->wait.waiter &&
         aw_waiter_resolve(self->wait.waiter, AW_WAKE_SOON) < 0))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *fd_readable(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return came(self, PyAwaitable_READ);
}

static PyObject *fd_writable(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return came(self, PyAwaitable_WRITE);
}

static PyObject *fd_forget(PyObject *object, PyObject *Py_UNUSED(unused))
{
    FdWaitObject *self = (FdWaitObject *)object;

    if (unwatch(self, PyAwaitable_READ) < 0 ||
        unwatch(self, PyAwaitable_WRITE) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- from any thread ---- */

static int loop_is(const FdWaitObject *self, const char *predicate)
{
    PyObject *answer = PyObject_CallMethod(self->loop, predicate, NULL);
    int result = answer ? PyObject_IsTrue(answer) : -1;

    Py_XDECREF(answer);
    return result;
}

/* On the loop's thread, or while nobody runs the loop, directly; else by way of
 * the loop. One that is closed watches no more. */
static PyObject *forget(FdWaitObject *self)
{
    PyObject *callback, *result;
    int elsewhere = 0, closed = loop_is(self, "is_closed");

    if (closed == 1) {
        stop_watching(self);
        Py_RETURN_NONE;
    }
    if (closed == 0 && !pthread_equal(self->thread, pthread_self()))
        elsewhere = loop_is(self, "is_running");
    if (closed < 0 || elsewhere < 0)
        return NULL;
    if (!elsewhere)
        return fd_forget((PyObject *)self, NULL);
    callback = PyObject_GetAttrString((PyObject *)self, "_forget");
    result = callback ? PyObject_CallMethod(self->loop, "call_soon_threadsafe",
                                            "O", callback)
                      : NULL;
    Py_XDECREF(callback);
    return result;
}

/* ---- steps ---- */

static int begin(WaitObject *wait)
{
    FdWaitObject *self = (FdWaitObject *)wait;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    self->loop = PyObject_CallNoArgs(module->get_running_loop);
    if (!self->loop)
        return -1;
    self->thread = pthread_self();
    wait->waiter = aw_waiter_new(module, self->loop);
    if (!wait->waiter || watch(self, PyAwaitable_READ) < 0)
        return -1;
    return watch(self, PyAwaitable_WRITE);
}

static PyObject *outcome(WaitObject *self)
{
    return PyLong_FromLong(((FdWaitObject *)self)->ready);
}

/* ---- life ---- */

static void leave(WaitObject *wait, enum aw_wait_end end)
{
    FdWaitObject *self = (FdWaitObject *)wait;
    PyObject *type, *value, *traceback, *result;

    if (end == AW_WAIT_COLLECTED) {
        stop_watching(self);
        Py_CLEAR(self->loop);
    }
    if (!self->watched)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    result = forget(self);
    if (!result)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((FdWaitObject *)object)->loop);
    return 0;
}

static PyObject *repr(PyObject *object)
{
    FdWaitObject *self = (FdWaitObject *)object;

    return PyUnicode_FromFormat(
        "<FdWait for %s%s%s fd %d%s>",
        self->wanted & PyAwaitable_READ ? "reading" : "",
        self->wanted == BOTH ? " and " : "",
        self->wanted & PyAwaitable_WRITE ? "writing" : "", self->fd,
        aw_wait_object_state(&self->wait));
}

static PyMethodDef methods[] = {
    AW_WAIT_METHODS,
    {"_readable", fd_readable, METH_NOARGS, NULL},
    {"_writable", fd_writable, METH_NOARGS, NULL},
    {"_forget", fd_forget, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct aw_wait_kind kind = {
    .name = "awaitd.FdWait",
    .doc = "What a C coroutine awaits of an fd.",
    .bytes = sizeof(FdWaitObject),
    .call = "wait for an fd",
    .what = "an fd",
    .step = aw_wait_object_step,
    .begin = begin,
    .outcome = outcome,
    .repr = repr,
    .leave = leave,
    .traverse = traverse,
    .methods = methods,
};

PyObject *aw_fd_wait_new(struct aw_module *module, int fd, int events)
{
    FdWaitObject *self;

    if (!events || (events & ~BOTH)) {
        aw_raise_format(PyExc_ValueError,
                        "events must be PyAwaitable_READ, PyAwaitable_WRITE or "
                        "both, not %d",
                        events);
        return NULL;
    }
    if (fd < 0) {
        aw_raise_format(PyExc_ValueError, "fd %d is no file descriptor", fd);
        return NULL;
    }
    self = aw_wait_object_new(module->fd_wait_type, &kind);
    if (!self)
        return NULL;
    self->fd = fd;
    self->wanted = events;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

int aw_fd_wait_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->fd_claims = PySet_New(NULL);
    return state->fd_claims
               ? aw_wait_object_setup(module, &kind, &state->fd_wait_type)
               : -1;
}
