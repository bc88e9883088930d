/* What the files of the extension `awaitable_waits` share. */
#ifndef AWAITD_TESTS_WAITS_H
#define AWAITD_TESTS_WAITS_H

#define PY_SSIZE_T_CLEAN
#include <awaitd/awaitable.h>

/* A result callback: the value is the awaitable's result. */
int waits_keep(PyObject *aw, PyObject *value);

/* An error callback that makes the exception the awaitable's result. */
int waits_keep_error(PyObject *aw, PyObject *exception);

/* Each file's functions. */
extern PyMethodDef waits_step_functions[];
extern PyMethodDef threads_completion_functions[];
extern PyMethodDef threads_pool_functions[];

/* A value that another thread gives: made, converted and freed once, all of
 * which is counted. Any thread. NULL without an exception: no memory. */
void *threads_value_new(long number);

/* The completion in `handle`, which threads_completion.c made and which is
 * spent by it; NULL with ValueError if it was spent before. */
PyAwaitable_Completion *threads_take_handle(PyObject *handle);

#endif
