/* Code as PyAwaitable's users have it: compiled once as C, in forwarded_c.c,
 * and once as C++, in forwarded_cpp.cpp, into an extension each. MODULE is its
 * name. */
#ifndef AWAITD_TESTS_FORWARDED_H
#define AWAITD_TESTS_FORWARDED_H

#include <pyawaitable.h>

#if !defined(PyAwaitable_MAJOR_VERSION) || PyAwaitable_MAJOR_VERSION != 2
#error "pyawaitable.h names the version that it stands for"
#endif

#define TEXT_OF(name) #name
#define TEXT(name)    TEXT_OF(name)
#define INIT_OF(name) PyInit_##name
#define INIT(name)    INIT_OF(name)

#ifdef __cplusplus
#define METHOD(function) reinterpret_cast<PyCFunction>(function)
#else
#define METHOD(function) (function)
#endif

/* The names of 1.x and of 2.x are the same types. */
static int add_one(PyObject *awaitable, PyObject *value)
{
    PyObject *one = PyLong_FromLong(1);
    PyObject *sum = one ? PyNumber_Add(value, one) : NULL;
    int status = sum ? PyAwaitable_SetResult(awaitable, sum) : -1;

    Py_XDECREF(one);
    Py_XDECREF(sum);
    return status;
}

/* Through the two helpers that Python has from 3.12 on. */
static int raise_again(PyObject *awaitable, PyObject *exception)
{
    PyObject *same;

    (void)awaitable;
    Py_INCREF(exception);
    PyErr_SetRaisedException(exception);
    same = PyErr_GetRaisedException();
    if (same != exception || PyErr_Occurred()) {
        Py_XDECREF(same);
        PyErr_SetString(PyExc_AssertionError, "another exception came back");
        return -2;
    }
    PyErr_SetRaisedException(same);
    return -2;
}

static int defer_nothing(PyObject *awaitable)
{
    (void)awaitable;
    return 0;
}

static awaitcallback old_callback = add_one;
static awaitcallback_err old_error = raise_again;
static PyAwaitable_Callback new_callback = add_one;
static PyAwaitable_Error new_error = raise_again;
static PyAwaitable_Defer deferred = defer_nothing;

/* async def plus_one(coro): return await coro + 1 */
static PyObject *plus_one(PyObject *module, PyObject *coro)
{
    PyObject *awaitable = PyAwaitable_New();

    (void)module;
    if (awaitable &&
        (PyAwaitable_DeferAwait(awaitable, deferred) < 0 ||
         PyAwaitable_AddAwait(awaitable, coro, old_callback, new_error) < 0))
        Py_CLEAR(awaitable);
    return awaitable;
}

/* A function of the API as a callback. */
static PyObject *same(PyObject *module, PyObject *coro)
{
    static const awaitcallback give = PyAwaitable_SetResult;
    PyObject *awaitable = PyAwaitable_New();

    (void)module;
    if (awaitable && PyAwaitable_AddAwait(awaitable, coro, give, NULL) < 0)
        Py_CLEAR(awaitable);
    return awaitable;
}

/* The state of a step, both kinds. */
static PyObject *remember(PyObject *module, PyObject *value)
{
    PyObject *awaitable = PyAwaitable_New();
    PyObject *saved = NULL;
    void *pointer = NULL;

    (void)module;
    (void)new_callback;
    (void)old_error;
    if (awaitable && (PyAwaitable_SaveValues(awaitable, 1, value) < 0 ||
                      PyAwaitable_UnpackValues(awaitable, &saved) < 0 ||
                      PyAwaitable_SaveArbValues(awaitable, 1, value) < 0 ||
                      PyAwaitable_UnpackArbValues(awaitable, &pointer) < 0 ||
                      saved != (PyObject *)pointer ||
                      PyAwaitable_SetResult(awaitable, saved) < 0))
        Py_CLEAR(awaitable);
    return awaitable;
}

static PyMethodDef functions[] = {
    {"plus_one", METHOD(plus_one), METH_O, NULL},
    {"same", METHOD(same), METH_O, NULL},
    {"remember", METHOD(remember), METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    TEXT(MODULE),
    NULL,
    0,
    functions,
    NULL,
    NULL,
    NULL,
    NULL,
};

PyMODINIT_FUNC INIT(MODULE)(void);

PyMODINIT_FUNC INIT(MODULE)(void)
{
    if (PyAwaitable_Init() < 0)
        return NULL;
    return PyModule_Create(&definition);
}

#endif
