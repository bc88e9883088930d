/* What goes into an awaitable: steps, and its result. */
#include "pymod/coroutine/awaitable.h"

bool aw_is_open(PyObject *aw)
{
    AwaitableObject *self = aw_awaitable_cast(aw);

    if (!self)
        return false;
    if (self->life != AW_LIFE_ENDED)
        return true;
    aw_raise_format(PyExc_RuntimeError, "the awaitable has ended");
    return false;
}

bool aw_can_add(PyObject *aw, PyObject *coro)
{
    if (!aw_is_open(aw))
        return false;
    if (!coro)
        aw_raise_null("what is to be awaited");
    else if (coro == aw)
        aw_raise_format(PyExc_ValueError, "an awaitable cannot await itself");
    return coro && coro != aw;
}

struct aw_step *aw_add(PyObject *aw, PyObject *coro, enum aw_step_kind kind,
                       bool next)
{
    AwaitableObject *self = (AwaitableObject *)aw;
    struct aw_step *step;

    if (!aw_can_add(aw, coro))
        return NULL;
    if (!aw_can_await(coro)) {
        aw_raise_format(PyExc_TypeError,
                        "object %.100s can't be used in 'await' expression",
                        Py_TYPE(coro)->tp_name);
        return NULL;
    }
    step =
        next ? aw_steps_prepend(&self->steps) : aw_steps_append(&self->steps);
    if (!step)
        return NULL;
    step->object = Py_NewRef(coro);
    step->error = NULL;
    step->kind = kind;
    return step;
}

static int add_with_callbacks(PyObject *aw, PyObject *coro, bool next,
                              PyAwaitable_Callback callback,
                              PyAwaitable_Error error)
{
    struct aw_step *step = aw_add(aw, coro, AW_STEP_AWAIT, next);

    if (!step)
        return -1;
    step->then.callback = callback;
    step->error = error;
    return 0;
}

int aw_add_await(PyObject *aw, PyObject *coro, PyAwaitable_Callback callback,
                 PyAwaitable_Error error)
{
    return add_with_callbacks(aw, coro, false, callback, error);
}

int aw_insert_await(PyObject *aw, PyObject *coro, PyAwaitable_Callback callback,
                    PyAwaitable_Error error)
{
    return add_with_callbacks(aw, coro, true, callback, error);
}

int aw_add_expr(PyObject *aw, PyObject *expr, PyAwaitable_Callback callback,
                PyAwaitable_Error error)
{
    int result;

    if (!expr && PyErr_Occurred())
        return -1;
    result = add_with_callbacks(aw, expr, false, callback, error);
    Py_XDECREF(expr);
    return result;
}

int aw_add_await_result(PyObject *aw, PyObject *coro)
{
    return aw_add(aw, coro, AW_STEP_RESULT, false) ? 0 : -1;
}

int aw_defer_await(PyObject *aw, PyAwaitable_Defer callback)
{
    struct aw_step *step;

    if (!aw_is_open(aw))
        return -1;
    if (!callback)
        return aw_raise_null("the callback");
    step = aw_steps_append(&((AwaitableObject *)aw)->steps);
    if (!step)
        return -1;
    *step = (struct aw_step){.kind = AW_STEP_DEFER};
    step->then.defer = callback;
    return 0;
}

int aw_set_result(PyObject *aw, PyObject *value)
{
    if (!aw_is_open(aw))
        return -1;
    if (!value)
        return aw_raise_null("the result");
    Py_XSETREF(((AwaitableObject *)aw)->result, Py_NewRef(value));
    return 0;
}

/* The exits of blocks stay: an __aexit__ is always awaited. They are few, and
 * in front, if anywhere, once it runs. */
void aw_cancel(PyObject *aw)
{
    AwaitableObject *self = (AwaitableObject *)aw;
    size_t kept = 0;

    if (!aw || !aw_awaitable_check(aw)) {
        if (!PyErr_Occurred())
            aw_awaitable_cast(aw);
        return;
    }
    self->silent = true;
    for (size_t left = self->steps.count; left && kept < self->steps.count;
         left--) {
        if (aw_step_is_exit(aw_steps_at(&self->steps, kept))) {
            kept++;
        } else {
            struct aw_step step = aw_steps_remove(&self->steps, kept);

            aw_step_drop(&step);
        }
    }
}
