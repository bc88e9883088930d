/* Being awaited in C: what QueueGet and DeviceSend have in common.
 *
 * Waiting is on a Waiter (waiter.h), which carries readiness only. */
#ifndef AW_WAIT_H
#define AW_WAIT_H

#include "pymod/waiter.h"

/* One step of an awaitable that waits on `*waiter`; `resuming` if it has been
 * yielded before. PYGEN_NEXT: `*ret_value` is to be yielded; PYGEN_RETURN: the
 * wait is over and `*waiter` is NULL; PYGEN_ERROR: it was cancelled, or, with
 * RuntimeError naming `what`, somebody else awaits it already. `value` is what
 * was sent: None but by trio. */
PySendResult aw_wait_step(PyObject **waiter, bool resuming, const char *what,
                          PyObject *value, PyObject **ret_value) AW_WITH_GIL;

/* The protocol of a coroutine on top of an am_send function. */

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
