#include "pymod/coroutine/completion_wait.h"

#include <structmember.h>

#include "pymod/bridge.h"
#include "pymod/wait.h"

typedef struct {
    PyObject_HEAD struct PyAwaitable_Completion *completion; /* until it ends */
    PyAwaitable_Convert convert;
    PyObject *waiter; /* waiter.h; NULL: not waiting */
    PyObject *weak_references;
} CompletionWaitObject;

/* ---- from the other thread, by way of the bridge ---- */

void aw_completion_announce(struct aw_bridge *bridge,
                            struct PyAwaitable_Completion *completion)
{
    CompletionWaitObject *self = completion->awaiter;

    if (self && self->waiter) {
        Py_INCREF(self);
        aw_bridge_wake(bridge, self->waiter);
        Py_DECREF(self);
    }
    aw_completion_unref(completion);
}

/* ---- steps ---- */

/* Makes a waiter, unless the completion is done. 0, or -1 with an exception. */
static int begin(CompletionWaitObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct PyAwaitable_Completion *completion = self->completion;
    struct aw_bridge *bridge;

    if (aw_completion_is_done(completion))
        return 0;
    bridge = aw_bridge_get(module);
    self->waiter = bridge ? aw_waiter_here(module) : NULL;
    if (!self->waiter)
        return -1;
    completion->awaiter = self;
    if (!aw_completion_arm(completion, bridge->inbox))
        Py_CLEAR(self->waiter);
    return 0;
}

/* The completion is let go of by whoever calls this. */
static struct PyAwaitable_Completion *steal(CompletionWaitObject *self)
{
    struct PyAwaitable_Completion *completion = self->completion;

    self->completion = NULL;
    if (completion)
        completion->awaiter = NULL;
    return completion;
}

static void leave(CompletionWaitObject *self)
{
    struct PyAwaitable_Completion *completion = steal(self);

    if (completion)
        aw_completion_leave(completion);
    Py_CLEAR(self->waiter);
}

static PyObject *result_of(CompletionWaitObject *self,
                           const struct PyAwaitable_Completion *completion)
{
    if (completion->full)
        return self->convert ? self->convert(completion->value)
                             : Py_NewRef(Py_None);
    PyErr_SetString(PyExc_RuntimeError,
                    "the completion was abandoned: there will be no value");
    return NULL;
}

static PySendResult outcome(CompletionWaitObject *self, PyObject **ret_value)
{
    /* Taken out first: `convert` may run anything. */
    struct PyAwaitable_Completion *completion = steal(self);

    assert(aw_completion_is_done(completion));
    *ret_value = result_of(self, completion);
    aw_completion_leave(completion);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

static PySendResult completion_send(PyObject *object, PyObject *value,
                                    PyObject **ret_value)
{
    CompletionWaitObject *self = (CompletionWaitObject *)object;
    bool resuming = self->waiter;
    PySendResult step = PYGEN_RETURN;

    *ret_value = NULL;
    if (!self->completion) {
        PyErr_SetString(PyExc_RuntimeError,
                        "cannot reuse already awaited completion");
        return PYGEN_ERROR;
    }
    if (!resuming && begin(self) < 0) {
        leave(self);
        return PYGEN_ERROR;
    }
    if (self->waiter)
        step = aw_wait_step(&self->waiter, resuming, "a completion", value,
                            ret_value);
    if (step == PYGEN_RETURN)
        return outcome(self, ret_value);
    /* An error with the waiter still there is another awaiter's. */
    if (step == PYGEN_ERROR && !self->waiter)
        leave(self);
    return step;
}

/* ---- methods ---- */

static PyObject *completion_iternext(PyObject *self)
{
    return aw_wait_iternext(self, completion_send);
}

static PyObject *completion_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, completion_send);
}

static PyObject *completion_throw(PyObject *self, PyObject *const *arguments,
                                  Py_ssize_t count)
{
    leave((CompletionWaitObject *)self);
    aw_wait_raise(arguments, count);
    return NULL;
}

static PyObject *completion_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    leave((CompletionWaitObject *)self);
    Py_RETURN_NONE;
}

static PyObject *completion_repr(PyObject *object)
{
    CompletionWaitObject *self = (CompletionWaitObject *)object;

    return PyUnicode_FromFormat("<CompletionWait%s>",
                                !self->completion ? ", finished"
                                : self->waiter    ? ", waiting"
                                                  : "");
}

/* ---- life ---- */

PyObject *aw_completion_wait_new(struct aw_module *module,
                                 PyAwaitable_Convert convert,
                                 PyAwaitable_Free free_value,
                                 struct PyAwaitable_Completion **ret_completion)
{
    CompletionWaitObject *self =
        PyObject_GC_New(CompletionWaitObject, module->completion_wait_type);

    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->convert = convert;
    PyObject_GC_Track(self);
    if (aw_completion_new(free_value, &self->completion) < 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    *ret_completion = self->completion;
    return (PyObject *)self;
}

static int completion_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((CompletionWaitObject *)object)->waiter);
    return 0;
}

static int completion_clear(PyObject *object)
{
    leave((CompletionWaitObject *)object);
    return 0;
}

static void completion_dealloc(PyObject *object)
{
    CompletionWaitObject *self = (CompletionWaitObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    leave(self);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef completion_methods[] = {
    {"send", completion_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))completion_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\n"
     "Raise an exception where it waits. The value is freed when it comes."},
    {"close", completion_close, METH_NOARGS,
     "close()\n--\n\nGive up waiting. The value is freed when it comes."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef completion_members[] = {
    {"__weaklistoffset__", T_PYSSIZET,
     offsetof(CompletionWaitObject, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot completion_slots[] = {
    {Py_tp_doc, (void *)"What a C coroutine awaits of another thread."},
    {Py_tp_dealloc, completion_dealloc},
    {Py_tp_traverse, completion_traverse},
    {Py_tp_clear, completion_clear},
    {Py_tp_repr, completion_repr},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, completion_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, completion_iternext},
    {Py_tp_methods, completion_methods},
    {Py_tp_members, completion_members},
    {0, NULL},
};

static PyType_Spec completion_spec = {
    .name = "awaitd.CompletionWait",
    .basicsize = sizeof(CompletionWaitObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = completion_slots,
};

int aw_completion_wait_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->completion_wait_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &completion_spec, NULL);
    return state->completion_wait_type ? 0 : -1;
}
