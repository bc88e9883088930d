#include "pymod/coroutine/completion_wait.h"

#include "pymod/bridge.h"
#include "pymod/wait_object.h"

typedef struct {
    WaitObject wait;
    struct PyAwaitable_Completion *completion; /* until it ends */
    PyAwaitable_Convert convert;
} CompletionWaitObject;

/* ---- from the other thread, by way of the bridge ---- */

void aw_completion_announce(struct aw_bridge *bridge,
                            struct PyAwaitable_Completion *completion)
{
    WaitObject *self = completion->awaiter;

    if (self && self->waiter) {
        Py_INCREF(self);
        aw_bridge_wake(bridge, self->waiter);
        Py_DECREF(self);
    }
    aw_completion_unref(completion);
}

/* ---- steps ---- */

/* Makes a waiter, unless the completion is done. 0, or -1 with an exception. */
static int begin(WaitObject *self)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct PyAwaitable_Completion *completion =
        ((CompletionWaitObject *)self)->completion;
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

static PyObject *outcome(WaitObject *wait)
{
    CompletionWaitObject *self = (CompletionWaitObject *)wait;
    /* Taken out first: `convert` may run anything. */
    struct PyAwaitable_Completion *completion = steal(self);
    PyObject *result;

    assert(aw_completion_is_done(completion));
    result = result_of(self, completion);
    aw_completion_leave(completion);
    return result;
}

/* ---- life ---- */

/* The value is freed when it comes. */
static void leave(WaitObject *self, enum aw_wait_end end)
{
    struct PyAwaitable_Completion *completion =
        steal((CompletionWaitObject *)self);

    (void)end;
    if (completion)
        aw_completion_leave(completion);
}

static PyObject *repr(PyObject *self)
{
    return PyUnicode_FromFormat("<CompletionWait%s>",
                                aw_wait_object_state((WaitObject *)self));
}

static const struct aw_wait_kind kind = {
    .name = "awaitd.CompletionWait",
    .doc = "What a C coroutine awaits of another thread.\n\n"
           "After throw() or close() the value is freed when it comes.",
    .bytes = sizeof(CompletionWaitObject),
    .call = "completion",
    .what = "a completion",
    .step = aw_wait_object_step,
    .begin = begin,
    .outcome = outcome,
    .leave = leave,
    .repr = repr,
};

PyObject *aw_completion_wait_new(struct aw_module *module,
                                 PyAwaitable_Convert convert,
                                 PyAwaitable_Free free_value,
                                 struct PyAwaitable_Completion **ret_completion)
{
    CompletionWaitObject *self =
        aw_wait_object_new(module->completion_wait_type, &kind);

    if (!self)
        return NULL;
    self->convert = convert;
    PyObject_GC_Track(self);
    if (aw_completion_new(free_value, &self->completion) < 0) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    *ret_completion = self->completion;
    return (PyObject *)self;
}

int aw_completion_wait_setup(PyObject *module)
{
    return aw_wait_object_setup(module, &kind,
                                &aw_module_state(module)->completion_wait_type);
}
