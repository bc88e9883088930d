/* One function for all steps. Its argument is a Python callable, called as
 * step(aw, state, value), and counted when it is freed. */
#include "probe.h"

static int freed_count;

static int step(PyObject *aw, int state, PyObject *value, void *arg)
{
    if (PyErr_Occurred()) {
        PyErr_Clear();
        PyErr_SetString(PyExc_AssertionError, "called with an exception set");
        return -1;
    }
    return probe_code(PyObject_CallFunction(arg, "OiO", aw, state, value), -1);
}

static void free_step(void *arg)
{
    freed_count++;
    Py_DECREF((PyObject *)arg);
}

static PyObject *set_step(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *callable;
    int status;

    if (!PyArg_ParseTuple(args, "OO", &aw, &callable))
        return NULL;
    status = PyAwaitable_SetStep(aw, step, Py_NewRef(callable), free_step);
    if (status < 0)
        Py_DECREF(callable);
    return probe_checked(status);
}

/* Without an argument to free. */
static int set_result_42(PyObject *aw, int Py_UNUSED(state),
                         PyObject *Py_UNUSED(value), void *arg)
{
    PyObject *result = PyLong_FromLong(arg ? -1 : 42);
    int status = result ? PyAwaitable_SetResult(aw, result) : -1;

    Py_XDECREF(result);
    return status;
}

static PyObject *set_bare_step(PyObject *Py_UNUSED(module), PyObject *aw)
{
    return probe_checked(PyAwaitable_SetStep(aw, set_result_42, NULL, NULL));
}

static PyObject *freed(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return PyLong_FromLong(freed_count);
}

static PyObject *step_await(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *coro;
    int state, error_state = -1;

    if (!PyArg_ParseTuple(args, "OOi|i", &aw, &coro, &state, &error_state))
        return NULL;
    return probe_checked(
        PyAwaitable_StepAwait(aw, Py_NewRef(coro), state, error_state));
}

static PyObject *step_await_failed(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *exception;

    if (!PyArg_ParseTuple(args, "OO", &aw, &exception))
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return probe_checked(PyAwaitable_StepAwait(aw, NULL, 1, -1));
}

PyMethodDef probe_switch_functions[] = {
    {"set_step", set_step, METH_VARARGS, NULL},
    {"set_bare_step", set_bare_step, METH_O, NULL},
    {"freed", freed, METH_NOARGS, NULL},
    {"step_await", step_await, METH_VARARGS, NULL},
    {"step_await_failed", step_await_failed, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
