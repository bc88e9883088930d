/* The protocol of a coroutine on top of an am_send function: for awaitables of
 * C that wait (wait_object.h), and for coroutines of C (coroutine/). */
#ifndef AW_WAIT_H
#define AW_WAIT_H

#include "pymod/module.h"

/* What a method that resumes gives for these results of am_send: what was
 * yielded, or NULL with StopIteration or the error. Takes over `value`. */
PyObject *aw_wait_result(PySendResult result, PyObject *value) AW_WITH_GIL;

/* tp_iternext: what `await` uses from 3.12 on. */
PyObject *aw_wait_iternext(PyObject *awaitable, sendfunc send) AW_WITH_GIL;

/* The method send(value). */
PyObject *aw_wait_send(PyObject *awaitable, PyObject *value,
                       sendfunc send) AW_WITH_GIL;

/* Raises what throw(type[, value[, traceback]]) was given; or TypeError, and
 * returns false. */
bool aw_wait_raise(PyObject *const *arguments, Py_ssize_t count) AW_WITH_GIL;

#endif
