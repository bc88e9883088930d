/* The functions of this extension, each in the file of its subject. Each
 * returns an awaitable; equivalents.py has the same ones in Python. */
#ifndef NATIVE_EXAMPLE_H
#define NATIVE_EXAMPLE_H

#include <awaitd/awaitable.h>

/* basics.c: steps, callbacks and error callbacks. */
PyObject *example_answer(PyObject *module, PyObject *unused);
PyObject *example_trampoline(PyObject *module, PyObject *coro);
PyObject *example_doubled(PyObject *module, PyObject *coro);
PyObject *example_is_reachable(PyObject *module, PyObject *make_request);

/* state.c: what one step leaves for the next. */
PyObject *example_value_or(PyObject *module, PyObject *args);
PyObject *example_something(PyObject *module, PyObject *args);
PyObject *example_locked(PyObject *module, PyObject *args);

/* steps.c: one function with a switch. */
PyObject *example_total(PyObject *module, PyObject *args);

/* waits.c: timers and queues. */
PyObject *example_my_sleep(PyObject *module, PyObject *seconds);
PyObject *example_nap(PyObject *module, PyObject *seconds);
PyObject *example_speed(PyObject *module, PyObject *queue);

/* threads.c: what another thread completes. */
PyObject *example_checksum(PyObject *module, PyObject *data);

#endif
