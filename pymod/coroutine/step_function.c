/* One function with a switch over its states, called once for each thing that
 * it has awaited. */
#include "pymod/coroutine/awaitable.h"

int aw_set_step(PyObject *aw, PyAwaitable_Step function, void *arg,
                PyAwaitable_Free free_arg)
{
    AwaitableObject *self = (AwaitableObject *)aw;
    struct aw_extras *extras;
    struct aw_step *step;

    if (!aw_is_open(aw))
        return -1;
    extras = aw_awaitable_extras(self);
    if (!extras)
        return -1;
    if (!function)
        return aw_raise_null("the step function");
    if (extras->step)
        return aw_raise_format(PyExc_RuntimeError,
                               "the awaitable has a step function already");
    step = aw_steps_append(&self->steps);
    if (!step)
        return -1;
    *step = (struct aw_step){.kind = AW_STEP_CALL};
    extras->step = function;
    extras->step_arg = arg;
    extras->step_free = free_arg;
    return 0;
}

/* As PyAwaitable_StepAwait(), without the reference. */
static int step_await(PyObject *aw, PyObject *coro, int state, int error_state)
{
    AwaitableObject *self = aw_awaitable_cast(aw);
    struct aw_step *step;

    if (!self)
        return -1;
    if (!self->extras || !self->extras->stepping)
        return aw_raise_format(PyExc_RuntimeError,
                               "PyAwaitable_StepAwait() is for a step "
                               "function, once in each call");
    step = aw_add(aw, coro, AW_STEP_STATE, true);
    if (!step)
        return -1;
    step->then.states.next = state;
    step->then.states.error = error_state;
    self->extras->stepping = false;
    return 0;
}

int aw_step_await(PyObject *aw, PyObject *coro, int state, int error_state)
{
    int result;

    if (!coro && PyErr_Occurred())
        return -1;
    result = step_await(aw, coro, state, error_state);
    Py_XDECREF(coro);
    return result;
}

int aw_step_function_call(AwaitableObject *self, int state, PyObject *value)
{
    struct aw_extras *extras = self->extras;
    int code;

    extras->stepping = true;
    code = extras->step((PyObject *)self, state, value, extras->step_arg);
    extras->stepping = false;
    return aw_step_code(code) < 0 ? -2 : 0;
}

int aw_step_function_error(AwaitableObject *self)
{
    int state = self->step.then.states.error, code;
    PyObject *exception, *outer;

    if (state < 0)
        return -2;
    exception = aw_raised_take();
    outer = aw_handled_begin(exception);
    code = aw_step_function_call(self, state, exception);
    aw_handled_end(outer);
    Py_DECREF(exception);
    return code;
}

void aw_step_function_forget(AwaitableObject *self)
{
    struct aw_extras *extras = self->extras;
    PyAwaitable_Free free_arg = extras->step_free;

    extras->step_free = NULL;
    if (free_arg)
        free_arg(extras->step_arg);
}
