/* Waiting on an asyncio future from a C awaitable: what QueueGet and DeviceSend
 * have in common.
 *
 * The future carries readiness only. It is made on the running loop, yielded to
 * the task as any future is, and resolved on the loop's own thread. */
#ifndef AW_WAIT_H
#define AW_WAIT_H

#include "pymod/module.h"

struct aw_wait {
    PyObject *future;   /* NULL: not waiting */
    PyObject *iterator; /* of future.__await__() */
};

/* A new future of `loop`. 0, or -1 with an exception. */
int aw_wait_begin(struct aw_wait *wait, PyObject *loop) AW_WITH_GIL;

/* One step of `yield from future`. PYGEN_NEXT: `*ret_value` is to be yielded;
 * PYGEN_RETURN: resolved, the wait is over; PYGEN_ERROR: it raised. */
PySendResult aw_wait_step(struct aw_wait *wait,
                          PyObject **ret_value) AW_WITH_GIL;

/* For a step that was to resume, and yielded `value`, which it drops: it is not
 * resolved yet, so somebody else awaits it. Sets RuntimeError naming `what`. */
PySendResult aw_wait_refuse(PyObject **value, const char *what) AW_WITH_GIL;

/* Resolves the future with None unless it is done. On the loop's thread. 0, or
 * -1 with an exception. */
int aw_wait_resolve(struct aw_wait *wait) AW_WITH_GIL;

void aw_wait_clear(struct aw_wait *wait) AW_WITH_GIL;
int aw_wait_traverse(const struct aw_wait *wait, visitproc visit, void *arg);

/* The protocol of a coroutine on top of an am_send function. */

/* tp_iternext: what `await` uses from 3.12 on. */
PyObject *aw_wait_iternext(PyObject *awaitable, sendfunc send) AW_WITH_GIL;

/* The method send(value). */
PyObject *aw_wait_send(PyObject *awaitable, PyObject *value,
                       sendfunc send) AW_WITH_GIL;

/* Raises what throw(type[, value[, traceback]]) was given. Returns NULL. */
PyObject *aw_wait_raise(PyObject *const *arguments,
                        Py_ssize_t count) AW_WITH_GIL;

#endif
