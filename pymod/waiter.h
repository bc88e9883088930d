/* Waiter: asyncio's future protocol in C, for one purpose: to be yielded to a
 * task and to wake it.
 *
 * A task that is given a future adds a callback to it, and the future schedules
 * that callback when it is done. A Waiter lets its callback be scheduled from
 * where the wake comes from: by call_soon_threadsafe straight from the bridge,
 * so that the task runs in the loop's next turn and not in the one after; by
 * call_soon on the loop; or at once, inside a reader callback of the loop. */
#ifndef AW_WAITER_H
#define AW_WAITER_H

#include "pymod/module.h"

/* How a waiter's callback gets to run. */
enum aw_wake {
    AW_WAKE_SOON,       /* loop.call_soon: on the loop's thread */
    AW_WAKE_THREADSAFE, /* loop.call_soon_threadsafe: from anywhere */
    AW_WAKE_INLINE, /* now: on the loop's thread, and from the loop itself */
};

/* A pending waiter of `loop`. NULL with an exception. */
PyObject *aw_waiter_new(struct aw_module *module, PyObject *loop) AW_WITH_GIL;

/* The same of the loop that runs on this thread. */
PyObject *aw_waiter_here(struct aw_module *module) AW_WITH_GIL;

/* Done: its callback runs, if it has one, once. 0, or -1 with an exception:
 * where there was no memory for it, the callback stays, but for AW_WAKE_INLINE,
 * and aw_waiter_again() is to be called. */
int aw_waiter_resolve(PyObject *waiter, enum aw_wake how) AW_WITH_GIL;

/* Tries it again, from anywhere: has the loop run a callback that stayed,
 * unless it has come to run meanwhile: who had no memory to ring the loop's
 * bell may have scheduled it all the same. 0, or -1 with an exception. */
int aw_waiter_again(PyObject *waiter) AW_WITH_GIL;

/* A list of waiters, by links of their own: it needs no memory. Puts one in
 * front, with a reference of the list's; one that is in a list stays there. */
void aw_waiter_push(PyObject *waiter, PyObject **list) AW_WITH_GIL;

/* Takes the first one, and gives away the list's reference; NULL: there is
 * none. */
PyObject *aw_waiter_pop(PyObject **list) AW_WITH_GIL;

/* One step of awaiting it: PYGEN_NEXT and `*ret_value` to be yielded, with
 * `_asyncio_future_blocking` set as a task wants it; PYGEN_RETURN once done;
 * PYGEN_ERROR with CancelledError once cancelled. A task of trio is given what
 * trio wants instead, and sends by `value` how its sleep ended. */
PySendResult aw_waiter_step(PyObject *waiter, PyObject *value,
                            PyObject **ret_value) AW_WITH_GIL;

#endif
