/* An extension that shows the coroutine API to Python's tests: each function as
 * it is, with Python callables as callbacks. It knows the public header alone.
 *
 * Each function here hands on what the API's function returned. A return code
 * that does not fit the exception that is set is an AssertionError. */
#ifndef AWAITD_TESTS_PROBE_H
#define AWAITD_TESTS_PROBE_H

#include <awaitd/awaitable.h>

/* None for 0; NULL, with its exception, for -1. `status` is a return code of
 * the API, just returned. */
PyObject *probe_checked(int status);

/* A borrowed result as an object of one's own, NULL with its exception. */
PyObject *probe_borrowed(PyObject *value);

/* Converters for "O&" of PyArg_ParseTuple(): what Python names as a callback.
 * None is NULL; a str is one of the callbacks in C (see probe_callbacks.c);
 * anything else is called, and kept until release(). It returns the callback's
 * return code (None for 0), or (code, exception) to set that too. What it
 * raises is -1 of a result callback, and -2 of an error callback. */
int probe_as_callback(PyObject *object, PyAwaitable_Callback *ret);
int probe_as_error(PyObject *object, PyAwaitable_Error *ret);
int probe_as_defer(PyObject *object, PyAwaitable_Defer *ret);

/* The return code in what a callable returned; takes over `result`. */
int probe_code(PyObject *result, int code_if_raised);

/* Each file's functions. */
extern PyMethodDef probe_callback_functions[];
extern PyMethodDef probe_step_functions[];
extern PyMethodDef probe_value_functions[];
extern PyMethodDef probe_switch_functions[];
extern PyMethodDef probe_memory_functions[];
extern PyMethodDef probe_slot_functions[];

#endif
