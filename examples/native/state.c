/* What one step leaves for the next: it is kept on the awaitable. A callback
 * has no other way to know what its function was called with. */
#include "example.h"

static int give_result(PyObject *aw, PyObject *value)
{
    return PyAwaitable_SetResult(aw, value);
}

/* ---- objects ---- */

static int use_default(PyObject *aw, PyObject *exception)
{
    PyObject *value;

    if (!PyErr_GivenExceptionMatches(exception, PyExc_LookupError))
        return -1;
    value = PyAwaitable_GetValue(aw, 0);
    return value && PyAwaitable_SetResult(aw, value) == 0 ? 0 : -2;
}

PyObject *example_value_or(PyObject *module, PyObject *args)
{
    PyObject *aw, *coro, *value;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &coro, &value))
        return NULL;
    aw = PyAwaitable_New();
    if (aw && (PyAwaitable_SaveValues(aw, 1, value) < 0 ||
               PyAwaitable_AddAwait(aw, coro, give_result, use_default) < 0))
        Py_CLEAR(aw);
    return aw;
}

/* ---- arguments ---- */

static int call_bar(PyObject *aw, PyObject *value)
{
    int a, b;
    PyObject *foo, *bar, *result;
    long number = PyLong_AsLong(value);
    int status;

    if (number == -1 && PyErr_Occurred())
        return -1;
    if (PyAwaitable_UnpackArgs(aw, &a, &b, &foo, &bar) < 0)
        return -1;
    result = PyObject_CallFunction(bar, "l", number + a + b);
    status = result ? PyAwaitable_SetResult(aw, result) : -1;
    Py_XDECREF(result);
    return status;
}

PyObject *example_something(PyObject *module, PyObject *args)
{
    PyObject *aw = PyAwaitable_New();
    int a, b;
    PyObject *foo, *bar;

    (void)module;
    if (!aw)
        return NULL;
    if (PyAwaitable_ParseArgs(aw, args, "iiOO", &a, &b, &foo, &bar) < 0 ||
        PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(foo), call_bar, NULL) < 0) {
        PyAwaitable_Cancel(aw); // it is dropped, and that on purpose
        Py_CLEAR(aw);
    }
    return aw;
}

/* ---- async with ---- */

static int in_context(PyObject *aw, PyObject *value)
{
    PyObject *coro = PyAwaitable_GetValue(aw, 0);

    (void)value; // what `as` would name
    if (!coro)
        return -1;
    return PyAwaitable_InsertAwait(aw, coro, give_result, NULL);
}

PyObject *example_locked(PyObject *module, PyObject *args)
{
    PyObject *aw, *context, *coro;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &context, &coro))
        return NULL;
    aw = PyAwaitable_New();
    if (aw && (PyAwaitable_SaveValues(aw, 1, coro) < 0 ||
               PyAwaitable_AsyncWith(aw, context, in_context, NULL) < 0))
        Py_CLEAR(aw);
    return aw;
}
