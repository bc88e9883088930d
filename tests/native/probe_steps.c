/* An awaitable and its steps. */
#include "probe.h"

static PyObject *init(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return probe_checked(PyAwaitable_Init());
}

static PyObject *get_type(PyObject *Py_UNUSED(module),
                          PyObject *Py_UNUSED(unused))
{
    return probe_borrowed((PyObject *)PyAwaitable_GetType());
}

static PyObject *new (PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(unused))
{
    return PyAwaitable_New();
}

/* What the functions that add a step have in common. */
struct step {
    PyObject *aw;
    PyObject *awaited;
    PyAwaitable_Callback cb;
    PyAwaitable_Error err;
};

static int parse_step(PyObject *args, struct step *ret)
{
    *ret = (struct step){0};
    return PyArg_ParseTuple(args, "OO|O&O&", &ret->aw, &ret->awaited,
                            probe_as_callback, &ret->cb, probe_as_error,
                            &ret->err);
}

static PyObject *add_await(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct step it;

    if (!parse_step(args, &it))
        return NULL;
    return probe_checked(
        PyAwaitable_AddAwait(it.aw, it.awaited, it.cb, it.err));
}

static PyObject *add_expr(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct step it;

    if (!parse_step(args, &it))
        return NULL;
    return probe_checked(
        PyAwaitable_AddExpr(it.aw, Py_NewRef(it.awaited), it.cb, it.err));
}

static PyObject *insert_await(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct step it;

    if (!parse_step(args, &it))
        return NULL;
    return probe_checked(
        PyAwaitable_InsertAwait(it.aw, it.awaited, it.cb, it.err));
}

static PyObject *async_with(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct step it;

    if (!parse_step(args, &it))
        return NULL;
    return probe_checked(
        PyAwaitable_AsyncWith(it.aw, it.awaited, it.cb, it.err));
}

static PyObject *add_await_result(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct step it;

    if (!parse_step(args, &it))
        return NULL;
    return probe_checked(PyAwaitable_AddAwaitResult(it.aw, it.awaited));
}

/* NULL in place of the coroutine, the callback or the result. */
static PyObject *add_nothing(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    const char *by;

    if (!PyArg_ParseTuple(args, "Os", &aw, &by))
        return NULL;
    switch (by[0]) {
    case 'i':
        return probe_checked(PyAwaitable_InsertAwait(aw, NULL, NULL, NULL));
    case 'r':
        return probe_checked(PyAwaitable_AddAwaitResult(aw, NULL));
    case 'w':
        return probe_checked(PyAwaitable_AsyncWith(aw, NULL, NULL, NULL));
    case 'd':
        return probe_checked(PyAwaitable_DeferAwait(aw, NULL));
    case 's':
        return probe_checked(PyAwaitable_SetResult(aw, NULL));
    default:
        return probe_checked(PyAwaitable_AddAwait(aw, NULL, NULL, NULL));
    }
}

/* NULL in place of the awaitable, as after a New() that was not looked at. */
static PyObject *add_to_nothing(PyObject *Py_UNUSED(module),
                                PyObject *exception)
{
    if (exception != Py_None)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return probe_checked(PyAwaitable_AddAwait(NULL, Py_None, NULL, NULL));
}

/* As a call that fails in AddExpr()'s place. */
static PyObject *add_failed_expr(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *exception;

    if (!PyArg_ParseTuple(args, "OO", &aw, &exception))
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    return probe_checked(PyAwaitable_AddExpr(aw, NULL, NULL, NULL));
}

static PyObject *defer_await(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    PyAwaitable_Defer cb;

    if (!PyArg_ParseTuple(args, "OO&", &aw, probe_as_defer, &cb))
        return NULL;
    return probe_checked(PyAwaitable_DeferAwait(aw, cb));
}

static PyObject *set_result(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *value;

    if (!PyArg_ParseTuple(args, "OO", &aw, &value))
        return NULL;
    return probe_checked(PyAwaitable_SetResult(aw, value));
}

static PyObject *set_name(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    const char *name;

    if (!PyArg_ParseTuple(args, "Os", &aw, &name))
        return NULL;
    return probe_checked(PyAwaitable_SetName(aw, name));
}

/* Cancel() has no return code: with an exception set it has failed. */
static PyObject *cancel(PyObject *Py_UNUSED(module), PyObject *aw)
{
    PyAwaitable_Cancel(aw);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *cancel_while_raising(PyObject *Py_UNUSED(module),
                                      PyObject *args)
{
    PyObject *aw, *exception;

    if (!PyArg_ParseTuple(args, "OO", &aw, &exception))
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    PyAwaitable_Cancel(aw);
    return NULL;
}

PyMethodDef probe_step_functions[] = {
    {"init", init, METH_NOARGS, NULL},
    {"get_type", get_type, METH_NOARGS, NULL},
    {"new", new, METH_NOARGS, NULL},
    {"add_await", add_await, METH_VARARGS, NULL},
    {"add_expr", add_expr, METH_VARARGS, NULL},
    {"add_nothing", add_nothing, METH_VARARGS, NULL},
    {"add_to_nothing", add_to_nothing, METH_O, NULL},
    {"add_failed_expr", add_failed_expr, METH_VARARGS, NULL},
    {"add_await_result", add_await_result, METH_VARARGS, NULL},
    {"insert_await", insert_await, METH_VARARGS, NULL},
    {"async_with", async_with, METH_VARARGS, NULL},
    {"defer_await", defer_await, METH_VARARGS, NULL},
    {"set_result", set_result, METH_VARARGS, NULL},
    {"set_name", set_name, METH_VARARGS, NULL},
    {"cancel", cancel, METH_O, NULL},
    {"cancel_while_raising", cancel_while_raising, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
