#include "pymod/doorbell.h"

#include <errno.h>
#include <structmember.h>

#include "devices/queue/eventfd.h"
#include "pymod/queue.h"

typedef struct {
    PyObject_HEAD QueueObject *queue; /* borrowed; NULL when it is gone */
    PyObject *loop;                   /* that watches it, or NULL */
    struct aw_waker waker;
} DoorbellObject;

struct aw_waker *aw_doorbell_waker(PyObject *doorbell)
{
    return &((DoorbellObject *)doorbell)->waker;
}

/* The loop's callback: it rang. The task that waits is stepped at once. */
static PyObject *doorbell_answer(PyObject *object, PyObject *Py_UNUSED(unused))
{
    DoorbellObject *self = (DoorbellObject *)object;
    QueueObject *queue = self->queue;
    int result;

    /* Silenced before the ring is looked at: what comes after rings again. */
    aw_eventfd_clear(self->waker.fd);
    if (!queue)
        Py_RETURN_NONE;
    Py_INCREF(queue);
    result = aw_queue_settle_how(queue, AW_WAKE_INLINE);
    Py_DECREF(queue);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int call_loop(DoorbellObject *self, const char *method,
                     const char *callback)
{
    PyObject *bound =
        callback ? PyObject_GetAttrString((PyObject *)self, callback) : NULL;
    PyObject *result = NULL;

    if (bound)
        result = PyObject_CallMethod(self->loop, method, "iO", self->waker.fd,
                                     bound);
    else if (!callback)
        result = PyObject_CallMethod(self->loop, method, "i", self->waker.fd);
    Py_XDECREF(bound);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* A loop that cannot watch an fd: says what to do instead. */
static void explain(PyObject *loop)
{
    PyObject *type, *cause, *traceback, *error;

    if (!PyErr_ExceptionMatches(PyExc_NotImplementedError) &&
        !PyErr_ExceptionMatches(PyExc_AttributeError))
        return;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    PyErr_Format(PyExc_RuntimeError,
                 "%R has no add_reader(): open the queue with "
                 "wakeup=\"bridge\", which works with every loop",
                 loop);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (error)
        PyException_SetCause(error, cause);
    else
        Py_XDECREF(cause);
    PyErr_Restore(type, error, traceback);
}

int aw_doorbell_watch(PyObject *doorbell, PyObject *loop)
{
    DoorbellObject *self = (DoorbellObject *)doorbell;

    if (self->loop == loop)
        return 0;
    /* The one before has been closed, and its selector with it. */
    Py_XSETREF(self->loop, Py_NewRef(loop));
    if (call_loop(self, "add_reader", "_answer") == 0)
        return 0;
    Py_CLEAR(self->loop);
    explain(loop);
    return -1;
}

/* On the loop: it watches no more, so the fd may be closed. */
static PyObject *doorbell_forget(PyObject *object, PyObject *Py_UNUSED(unused))
{
    DoorbellObject *self = (DoorbellObject *)object;

    if (self->loop && call_loop(self, "remove_reader", NULL) < 0)
        return NULL;
    Py_CLEAR(self->loop);
    Py_RETURN_NONE;
}

void aw_doorbell_retire(PyObject *doorbell)
{
    DoorbellObject *self = (DoorbellObject *)doorbell;
    PyObject *type, *value, *traceback, *forget, *handle = NULL;

    self->queue = NULL;
    if (self->loop) {
        PyErr_Fetch(&type, &value, &traceback);
        forget = PyObject_GetAttrString(doorbell, "_forget");
        if (forget)
            handle = PyObject_CallMethod(self->loop, "call_soon_threadsafe",
                                         "O", forget);
        /* It fails where the loop is closed: then nothing watches any more. */
        if (!handle)
            Py_CLEAR(self->loop);
        PyErr_Clear();
        Py_XDECREF(forget);
        Py_XDECREF(handle);
        PyErr_Restore(type, value, traceback);
    }
    Py_DECREF(doorbell);
}

/* ---- life ---- */

PyObject *aw_doorbell_new(struct aw_module *module, QueueObject *queue)
{
    DoorbellObject *self =
        PyObject_GC_New(DoorbellObject, module->doorbell_type);
    int result;

    if (!self)
        return NULL;
    self->queue = queue;
    self->loop = NULL;
    result = aw_waker_init(&self->waker, false);
    PyObject_GC_Track(self);
    if (result == 0)
        return (PyObject *)self;
    self->waker.fd = -1;
    Py_DECREF(self);
    errno = -result;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static int doorbell_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((DoorbellObject *)object)->loop);
    return 0;
}

static int doorbell_clear(PyObject *object)
{
    Py_CLEAR(((DoorbellObject *)object)->loop);
    return 0;
}

static void doorbell_dealloc(PyObject *object)
{
    DoorbellObject *self = (DoorbellObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    doorbell_clear(object);
    if (self->waker.fd >= 0)
        aw_waker_deinit(&self->waker);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef doorbell_methods[] = {
    {"_answer", doorbell_answer, METH_NOARGS, NULL},
    {"_forget", doorbell_forget, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot doorbell_slots[] = {
    {Py_tp_doc, (void *)"What a loop watches for a queue with wakeup='fd'."},
    {Py_tp_dealloc, doorbell_dealloc},
    {Py_tp_traverse, doorbell_traverse},
    {Py_tp_clear, doorbell_clear},
    {Py_tp_methods, doorbell_methods},
    {0, NULL},
};

static PyType_Spec doorbell_spec = {
    .name = "awaitd.Doorbell",
    .basicsize = sizeof(DoorbellObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = doorbell_slots,
};

int aw_doorbell_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->doorbell_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &doorbell_spec, NULL);
    return state->doorbell_type ? 0 : -1;
}
