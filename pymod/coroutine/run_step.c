/* How a step begins, is driven and ends. */
#include "pymod/coroutine/awaitable.h"

/* ---- callbacks ---- */

int aw_step_code(int code)
{
    bool raised = PyErr_Occurred();

    if (code >= 0 && raised) {
        PyErr_Clear();
        aw_raise_format(PyExc_SystemError,
                        "a callback returned no error with an exception set");
        return -2;
    }
    if (code < 0 && !raised)
        aw_raise_format(PyExc_SystemError,
                        "a callback returned %d without setting an exception",
                        code);
    return code < 0 ? code : 0;
}

/* Calls `error` with the exception that is set. 0: dealt with; -1: with an
 * exception. Any code but 0 and -1 raises what is set now. */
static int call_error(AwaitableObject *self, PyAwaitable_Error error)
{
    PyObject *exception = aw_raised_take();
    PyObject *outer = aw_handled_begin(exception);
    int code = error((PyObject *)self, exception);

    aw_handled_end(outer);
    if (code == -1) {
        PyErr_Clear();
        aw_raised_set(exception);
        return -1;
    }
    Py_DECREF(exception);
    return aw_step_code(code) < 0 ? -1 : 0;
}

/* ---- what is awaited ---- */

/* Of `async def`, or of types.coroutine(). */
static bool is_coroutine(PyObject *object)
{
    PyCodeObject *code;
    int flags;

    if (PyCoro_CheckExact(object))
        return true;
    if (!PyGen_CheckExact(object))
        return false;
#if PY_VERSION_HEX >= 0x030C0000
    code = PyGen_GetCode((PyGenObject *)object);
#else
    code = (PyCodeObject *)Py_NewRef(((PyGenObject *)object)->gi_code);
#endif
    flags = code->co_flags;
    Py_DECREF(code);
    return flags & CO_ITERABLE_COROUTINE;
}

bool aw_can_await(PyObject *object)
{
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;

    return (methods && methods->am_await) || is_coroutine(object);
}

/* `await` refuses a coroutine that another awaits; to send to it would disturb
 * that one. */
static bool is_awaited(AwaitableObject *self, PyObject *coroutine)
{
    getter awaits = aw_module_of_type(Py_TYPE(self))->coroutine_awaits;
    PyObject *awaited = awaits ? awaits(coroutine, NULL) : NULL;

    Py_XDECREF(awaited);
    return awaited && awaited != Py_None;
}

static PyObject *check_iterator(PyObject *iterator)
{
    if (!iterator)
        return NULL;
    if (PyIter_Check(iterator) && !is_coroutine(iterator))
        return iterator;
    if (PyIter_Check(iterator) || PyCoro_CheckExact(iterator))
        aw_raise_format(PyExc_TypeError, "__await__() returned a coroutine");
    else
        aw_raise_format(PyExc_TypeError,
                        "__await__() returned non-iterator of type '%.100s'",
                        Py_TYPE(iterator)->tp_name);
    Py_DECREF(iterator);
    return NULL;
}

PyObject *aw_iterator_of(AwaitableObject *self, PyObject *object)
{
    PyObject *iterator;

    if (PyCoro_CheckExact(object)) {
        if (!is_awaited(self, object))
            return object;
        Py_DECREF(object);
        aw_raise_format(PyExc_RuntimeError,
                        "coroutine is being awaited already");
        return NULL;
    }
    if (is_coroutine(object))
        return object;
    iterator = Py_TYPE(object)->tp_as_async->am_await(object);
    Py_DECREF(object);
    return check_iterator(iterator);
}

/* ---- driving it ---- */

/* What runs in between has `self->exception`, if any, as the one handled; and
 * the stack is looked after, as only a frame of Python's would do it else. */
static int guard_begin(AwaitableObject *self, PyObject **ret_outer)
{
    if (Py_EnterRecursiveCall(" while awaiting"))
        return -1;
    *ret_outer = self->exception ? aw_handled_begin(self->exception) : NULL;
    return 0;
}

static void guard_end(AwaitableObject *self, PyObject *outer)
{
    if (self->exception)
        aw_handled_end(outer);
    Py_LeaveRecursiveCall();
}

PySendResult aw_step_send(AwaitableObject *self, PyObject *value,
                          PyObject **ret_value)
{
    PySendResult result;
    PyObject *outer;

    if (PyCoro_CheckExact(self->awaited) && !self->exception)
        return PyIter_Send(self->awaited, value, ret_value);
    if (guard_begin(self, &outer) < 0)
        return PYGEN_ERROR;
    result = PyIter_Send(self->awaited, value, ret_value);
    guard_end(self, outer);
    return result;
}

/* Calls a method that `awaited` may have. NULL without an exception: it has
 * none. */
static PyObject *call_method(AwaitableObject *self, PyObject *name,
                             PyObject *argument)
{
    PyObject *method = PyObject_GetAttr(self->awaited, name);
    PyObject *result = NULL, *outer;

    if (!method) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Clear();
        return NULL;
    }
    if (guard_begin(self, &outer) == 0) {
        result = argument ? PyObject_CallOneArg(method, argument)
                          : PyObject_CallNoArgs(method);
        guard_end(self, outer);
    }
    Py_DECREF(method);
    return result;
}

/* The result that StopIteration carries, which must be set. */
static PySendResult take_stop(PyObject **ret_value)
{
    PyObject *stop = aw_raised_take();
    PyObject *value = PyObject_GetAttrString(stop, "value");

    Py_DECREF(stop);
    if (!value)
        return PYGEN_ERROR;
    *ret_value = value;
    return PYGEN_RETURN;
}

PySendResult aw_step_throw(AwaitableObject *self, PyObject *exception,
                           PyObject **ret_value)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *yielded = call_method(self, module->names.throw, exception);

    if (yielded) {
        *ret_value = yielded;
        return PYGEN_NEXT;
    }
    if (!PyErr_Occurred())
        aw_raised_set(Py_NewRef(exception));
    else if (PyErr_ExceptionMatches(PyExc_StopIteration))
        return take_stop(ret_value);
    return PYGEN_ERROR;
}

void aw_step_close(AwaitableObject *self, PyObject *exception)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *result = call_method(self, module->names.close, NULL);

    Py_XDECREF(result);
    if (!PyErr_Occurred())
        aw_raised_set(Py_NewRef(exception));
}

/* ---- beginning and ending ---- */

/* A step that does not await is over when it has begun. */
static PySendResult over(int code, PyObject **ret_value)
{
    if (code < 0)
        return PYGEN_ERROR;
    *ret_value = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

PySendResult aw_step_begin(AwaitableObject *self, PyObject **ret_value)
{
    struct aw_step *step = &self->step;
    PyObject *object = step->object;

    switch (step->kind) {
    case AW_STEP_AWAIT:
    case AW_STEP_RESULT:
    case AW_STEP_STATE:
        step->object = NULL;
        self->awaited = aw_iterator_of(self, object);
        break;
    case AW_STEP_ENTER:
        self->awaited = aw_with_enter(self);
        break;
    case AW_STEP_EXIT:
        self->awaited = aw_with_exit(self);
        break;
    case AW_STEP_UNMADE:
        aw_step_drop(step);
        return over(0, ret_value);
    case AW_STEP_DEFER:
        return over(aw_step_code(step->then.defer((PyObject *)self)),
                    ret_value);
    case AW_STEP_CALL:
        return over(
            aw_step_function_call(self, step->then.states.next, Py_None),
            ret_value);
    }
    if (!self->awaited)
        return PYGEN_ERROR;
    return aw_step_send(self, Py_None, ret_value);
}

static int give(AwaitableObject *self, PyObject *value)
{
    switch (self->step.kind) {
    case AW_STEP_AWAIT:
        if (!self->step.then.callback)
            return 0;
        return aw_step_code(self->step.then.callback((PyObject *)self, value));
    case AW_STEP_RESULT:
        Py_XSETREF(self->result, Py_NewRef(value));
        return 0;
    case AW_STEP_ENTER:
        return aw_with_entered(self, value);
    case AW_STEP_EXIT:
        return aw_with_exited(self, value);
    case AW_STEP_STATE:
        return aw_step_function_call(self, self->step.then.states.next, value);
    case AW_STEP_DEFER:
    case AW_STEP_CALL:
    case AW_STEP_UNMADE:
        break;
    }
    return 0;
}

/* The step raised. A code as a callback's. */
static int lose(AwaitableObject *self)
{
    if (!PyErr_Occurred())
        aw_raise_format(PyExc_SystemError,
                        "what was awaited failed without an exception");
    if (self->step.kind == AW_STEP_EXIT)
        return aw_with_exited(self, NULL);
    if (self->step.kind == AW_STEP_STATE)
        return aw_step_function_error(self);
    return -1;
}

int aw_step_end(AwaitableObject *self, PyObject *value)
{
    int code;

    Py_CLEAR(self->awaited);
    code = value ? give(self, value) : lose(self);
    Py_XDECREF(value);
    if (code == -1 && self->step.error)
        code = call_error(self, self->step.error);
    return code < 0 ? -1 : 0;
}
