/* Awaitables with a step, or with none; result callbacks and error callbacks.
 */
#include "example.h"

PyObject *example_answer(PyObject *module, PyObject *unused)
{
    PyObject *aw = PyAwaitable_New();
    PyObject *number = aw ? PyLong_FromLong(42) : NULL;

    (void)module;
    (void)unused;
    if (!number || PyAwaitable_SetResult(aw, number) < 0)
        Py_CLEAR(aw);
    Py_XDECREF(number);
    return aw;
}

PyObject *example_trampoline(PyObject *module, PyObject *coro)
{
    PyObject *aw = PyAwaitable_New();

    (void)module;
    if (aw && PyAwaitable_AddAwaitResult(aw, coro) < 0)
        Py_CLEAR(aw);
    return aw;
}

/* ---- a result callback ---- */

static int got_number(PyObject *aw, PyObject *value)
{
    PyObject *doubled = PyNumber_Add(value, value);
    int status = doubled ? PyAwaitable_SetResult(aw, doubled) : -1;

    Py_XDECREF(doubled);
    return status;
}

PyObject *example_doubled(PyObject *module, PyObject *coro)
{
    PyObject *aw = PyAwaitable_New();

    (void)module;
    if (aw && PyAwaitable_AddAwait(aw, coro, got_number, NULL) < 0)
        Py_CLEAR(aw);
    return aw;
}

/* ---- an error callback ---- */

static int reached(PyObject *aw, PyObject *value)
{
    (void)value;
    return PyAwaitable_SetResult(aw, Py_True);
}

static int not_reached(PyObject *aw, PyObject *exception)
{
    if (!PyErr_GivenExceptionMatches(exception, PyExc_TimeoutError))
        return -1; // not ours: raise it again
    return PyAwaitable_SetResult(aw, Py_False) < 0 ? -2 : 0;
}

PyObject *example_is_reachable(PyObject *module, PyObject *make_request)
{
    PyObject *aw = PyAwaitable_New();

    (void)module;
    if (aw && PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(make_request),
                                  reached, not_reached) < 0)
        Py_CLEAR(aw);
    return aw;
}
