/* Running an awaitable: one loop, however it is entered.
 *
 * A step that is over begins the next at once, in the loop and not by calling,
 * so that a million of ready steps need no more stack than one. */
#include "pymod/coroutine/awaitable.h"
#include "pymod/wait.h"

/* ---- the loop ---- */

/* The exception goes outwards: the steps up to the exit of the block that it
 * leaves are dropped, and that exit is told. False: there is none. */
static bool unwind(AwaitableObject *self)
{
    PyObject *exception = aw_raised_take();
    struct aw_step step;

    while (self->steps.count &&
           aw_steps_at(&self->steps, 0)->kind != AW_STEP_EXIT) {
        aw_steps_pop(&self->steps, &step);
        aw_step_drop(&step);
    }
    if (self->steps.count) {
        Py_XSETREF(self->exception, exception);
        return true;
    }
    aw_raised_set(exception);
    return false;
}

/* PEP 479: a StopIteration that left it would be taken for its result. */
static void replace_stop(void)
{
    PyObject *cause, *error;

    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return;
    cause = aw_raised_take();
    aw_raise_format(PyExc_RuntimeError, "coroutine raised StopIteration");
    error = aw_raised_take();
    PyException_SetContext(error, Py_NewRef(cause));
    PyException_SetCause(error, cause);
    aw_raised_set(error);
}

static PySendResult fail(AwaitableObject *self)
{
    aw_awaitable_end(self);
    replace_stop();
    return PYGEN_ERROR;
}

static PySendResult finish(AwaitableObject *self, PyObject **ret_value)
{
    PyObject *result = self->result;

    self->result = NULL;
    aw_awaitable_end(self);
    *ret_value = result ? result : Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* Goes on from `result` and `value`, which the step that runs has given. */
static PySendResult run(AwaitableObject *self, PySendResult result,
                        PyObject *value, PyObject **ret_value)
{
    self->life = AW_LIFE_RUNNING;
    while (result != PYGEN_NEXT) {
        if (aw_step_end(self, result == PYGEN_RETURN ? value : NULL) < 0 &&
            !unwind(self))
            return fail(self);
        if (!aw_steps_pop(&self->steps, &self->step))
            return finish(self, ret_value);
        result = aw_step_begin(self, &value);
    }
    self->life = AW_LIFE_SUSPENDED;
    *ret_value = value;
    return PYGEN_NEXT;
}

/* ---- send ---- */

static PySendResult refuse(AwaitableObject *self)
{
    if (self->life == AW_LIFE_RUNNING)
        aw_raise_format(PyExc_ValueError, "awaitable already executing");
    else
        aw_raise_format(PyExc_RuntimeError,
                        "cannot reuse already awaited awaitable");
    return PYGEN_ERROR;
}

static PySendResult start(AwaitableObject *self, PyObject *value,
                          PyObject **ret_value)
{
    PyObject *yielded = NULL;
    PySendResult result;

    if (value != Py_None) {
        aw_raise_format(PyExc_TypeError, "can't send non-None value to a "
                                         "just-started awaitable");
        return PYGEN_ERROR;
    }
    self->life = AW_LIFE_RUNNING;
    if (!aw_steps_pop(&self->steps, &self->step))
        return finish(self, ret_value);
    result = aw_step_begin(self, &yielded);
    return run(self, result, yielded, ret_value);
}

PySendResult aw_awaitable_send(PyObject *object, PyObject *value,
                               PyObject **ret_value)
{
    AwaitableObject *self = (AwaitableObject *)object;
    PyObject *given = NULL;
    PySendResult result;

    if (self->life == AW_LIFE_NEW)
        return start(self, value, ret_value);
    if (self->life != AW_LIFE_SUSPENDED)
        return refuse(self);
    self->life = AW_LIFE_RUNNING;
    result = aw_step_send(self, value, &given);
    return run(self, result, given, ret_value);
}

PyObject *aw_awaitable_iternext(PyObject *self)
{
    return aw_wait_iternext(self, aw_awaitable_send);
}

PyObject *aw_awaitable_send_method(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, aw_awaitable_send);
}

/* ---- throw and close ---- */

/* Into what is awaited; GeneratorExit closes that instead, and is raised in its
 * place (PEP 380). */
static PySendResult throw_in(AwaitableObject *self, PyObject *exception,
                             PyObject **ret_value)
{
    PyObject *given = NULL;
    PySendResult result = PYGEN_ERROR;

    self->life = AW_LIFE_RUNNING;
    if (PyErr_GivenExceptionMatches(exception, PyExc_GeneratorExit))
        aw_step_close(self, exception);
    else
        result = aw_step_throw(self, exception, &given);
    /* As in an `except`: what is raised there knows what it interrupts. */
    if (result == PYGEN_ERROR && self->exception)
        aw_raised_chain(self->exception);
    return run(self, result, given, ret_value);
}

PyObject *aw_awaitable_throw(PyObject *object, PyObject *const *arguments,
                             Py_ssize_t count)
{
    AwaitableObject *self = (AwaitableObject *)object;
    PyObject *exception, *value = NULL;
    PySendResult result;

    if (!aw_wait_raise(arguments, count))
        return NULL;
    if (self->life == AW_LIFE_RUNNING || self->life == AW_LIFE_ENDED) {
        refuse(self);
        return NULL;
    }
    if (self->life == AW_LIFE_NEW) {
        fail(self);
        return NULL;
    }
    exception = aw_raised_take();
    result = throw_in(self, exception, &value);
    Py_DECREF(exception);
    return aw_wait_result(result, value);
}

static PyObject *close_waiting(AwaitableObject *self)
{
    PyObject *exit = PyObject_CallNoArgs(PyExc_GeneratorExit), *value = NULL;
    PySendResult result;

    if (!exit)
        return NULL;
    result = throw_in(self, exit, &value);
    Py_DECREF(exit);
    Py_XDECREF(value);
    if (result == PYGEN_NEXT)
        aw_raise_format(PyExc_RuntimeError, "awaitable ignored GeneratorExit");
    else if (result == PYGEN_ERROR &&
             PyErr_ExceptionMatches(PyExc_GeneratorExit))
        PyErr_Clear();
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

PyObject *aw_awaitable_close(PyObject *object, PyObject *Py_UNUSED(unused))
{
    AwaitableObject *self = (AwaitableObject *)object;

    switch (self->life) {
    case AW_LIFE_RUNNING:
        refuse(self);
        return NULL;
    case AW_LIFE_SUSPENDED:
        return close_waiting(self);
    case AW_LIFE_NEW:
        aw_awaitable_end(self);
        break;
    case AW_LIFE_ENDED:
        break;
    }
    Py_RETURN_NONE;
}
