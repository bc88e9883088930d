/* What code that was written for PyAwaitable includes. awaitd provides its
 * functions: awaitd/awaitable.h describes them. Usable from C and C++. */
#ifndef AWAITD_PYAWAITABLE_H
#define AWAITD_PYAWAITABLE_H

#include <awaitd/awaitable.h>

/* The PyAwaitable whose API this is. */
#define PyAwaitable_MAJOR_VERSION 2
#define PyAwaitable_MINOR_VERSION 0
#define PyAwaitable_MICRO_VERSION 0
#define PyAwaitable_PATCH_VERSION PyAwaitable_MICRO_VERSION
#define PYAWAITABLE_MAJOR_VERSION PyAwaitable_MAJOR_VERSION
#define PYAWAITABLE_MINOR_VERSION PyAwaitable_MINOR_VERSION
#define PYAWAITABLE_MICRO_VERSION PyAwaitable_MICRO_VERSION
#define PYAWAITABLE_PATCH_VERSION PyAwaitable_MICRO_VERSION

/* The names of PyAwaitable 1. */
typedef PyAwaitable_Callback awaitcallback;
typedef PyAwaitable_Error awaitcallback_err;
typedef PyAwaitable_Defer defer_callback;

#if PY_VERSION_HEX < 0x030C0000
/* As in Python 3.12: takes the exception that is set, as one object with its
 * traceback; a new reference, NULL if none is set. */
static inline PyObject *PyErr_GetRaisedException(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    if (!type)
        return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* As in Python 3.12: sets it, taking over the reference; NULL: sets none. */
static inline void PyErr_SetRaisedException(PyObject *exception)
{
    PyObject *type = NULL, *traceback = NULL;

    if (exception) {
        type = (PyObject *)Py_TYPE(exception);
        Py_INCREF(type);
        traceback = PyException_GetTraceback(exception);
    }
    PyErr_Restore(type, exception, traceback);
}
#endif

#endif
