#include "pymod/coroutine/fd_wait.h"

#include <pthread.h>
#include <structmember.h>

#include "pymod/coroutine/awaitable.h"
#include "pymod/wait.h"

enum { BOTH = PyAwaitable_READ | PyAwaitable_WRITE };

typedef struct {
    PyObject_HEAD PyObject *loop; /* that watches, or has watched */
    PyObject *waiter;             /* waiter.h; NULL: not waiting */
    pthread_t thread;             /* the loop's */
    int fd;
    int wanted;  /* PyAwaitable_READ, _WRITE */
    int watched; /* the same: what the loop watches for now */
    int ready;   /* the same: what came */
    bool finished;
    PyObject *weak_references;
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
        (self->waiter && aw_waiter_resolve(self->waiter, AW_WAKE_SOON) < 0))
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

/* The wait is over, however it ended. Keeps the exception that is set. */
static void leave(FdWaitObject *self)
{
    PyObject *type, *value, *traceback, *result;

    self->finished = true;
    Py_CLEAR(self->waiter);
    if (!self->watched)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    result = forget(self);
    if (!result)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

/* ---- steps ---- */

static int begin(FdWaitObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    self->loop = PyObject_CallNoArgs(module->get_running_loop);
    if (!self->loop)
        return -1;
    self->thread = pthread_self();
    self->waiter = aw_waiter_new(module, self->loop);
    if (!self->waiter || watch(self, PyAwaitable_READ) < 0)
        return -1;
    return watch(self, PyAwaitable_WRITE);
}

static PySendResult fd_send(PyObject *object, PyObject *value,
                            PyObject **ret_value)
{
    FdWaitObject *self = (FdWaitObject *)object;
    bool resuming = self->waiter;
    PySendResult step;

    *ret_value = NULL;
    if (self->finished) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse already awaited wait for an fd");
        return PYGEN_ERROR;
    }
    if (!resuming && begin(self) < 0) {
        leave(self);
        return PYGEN_ERROR;
    }
    step = aw_wait_step(&self->waiter, resuming, "an fd", value, ret_value);
    if (step == PYGEN_NEXT || (step == PYGEN_ERROR && self->waiter))
        return step;
    leave(self);
    if (step == PYGEN_RETURN)
        *ret_value = PyLong_FromLong(self->ready);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

/* ---- methods ---- */

static PyObject *fd_iternext(PyObject *self)
{
    return aw_wait_iternext(self, fd_send);
}

static PyObject *fd_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, fd_send);
}

static PyObject *fd_throw(PyObject *self, PyObject *const *arguments,
                          Py_ssize_t count)
{
    aw_wait_raise(arguments, count);
    leave((FdWaitObject *)self);
    return NULL;
}

static PyObject *fd_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    leave((FdWaitObject *)self);
    Py_RETURN_NONE;
}

static PyObject *fd_repr(PyObject *object)
{
    FdWaitObject *self = (FdWaitObject *)object;

    return PyUnicode_FromFormat(
        "<FdWait for %s%s%s fd %d%s>",
        self->wanted & PyAwaitable_READ ? "reading" : "",
        self->wanted == BOTH ? " and " : "",
        self->wanted & PyAwaitable_WRITE ? "writing" : "", self->fd,
        self->finished ? ", finished"
        : self->waiter ? ", waiting"
                       : "");
}

/* ---- life ---- */

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
    self = PyObject_GC_New(FdWaitObject, module->fd_wait_type);
    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->fd = fd;
    self->wanted = events;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int fd_traverse(PyObject *object, visitproc visit, void *arg)
{
    FdWaitObject *self = (FdWaitObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->waiter);
    return 0;
}

static int fd_clear(PyObject *object)
{
    FdWaitObject *self = (FdWaitObject *)object;

    stop_watching(self);
    self->finished = true;
    Py_CLEAR(self->waiter);
    Py_CLEAR(self->loop);
    return 0;
}

static void fd_dealloc(PyObject *object)
{
    FdWaitObject *self = (FdWaitObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    fd_clear(object);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef fd_methods[] = {
    {"send", fd_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))fd_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\nRaise an exception where it waits."},
    {"close", fd_close, METH_NOARGS, "close()\n--\n\nGive up waiting."},
    {"_readable", fd_readable, METH_NOARGS, NULL},
    {"_writable", fd_writable, METH_NOARGS, NULL},
    {"_forget", fd_forget, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef fd_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(FdWaitObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot fd_slots[] = {
    {Py_tp_doc, (void *)"What a C coroutine awaits of an fd."},
    {Py_tp_dealloc, fd_dealloc},
    {Py_tp_traverse, fd_traverse},
    {Py_tp_clear, fd_clear},
    {Py_tp_repr, fd_repr},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, fd_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, fd_iternext},
    {Py_tp_methods, fd_methods},
    {Py_tp_members, fd_members},
    {0, NULL},
};

static PyType_Spec fd_spec = {
    .name = "awaitd.FdWait",
    .basicsize = sizeof(FdWaitObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = fd_slots,
};

int aw_fd_wait_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->fd_claims = PySet_New(NULL);
    state->fd_wait_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &fd_spec, NULL);
    return state->fd_claims && state->fd_wait_type ? 0 : -1;
}
