/* Lease: frames on trial. `async with q.lease(n) as frames:` takes them, and
 * only when the block ends without an exception are they delivered; else they
 * are pending again, in order, for the next taker: at least once.
 *
 * A lease holds a claim of the queue. It ends by __aexit__(), or when the
 * object goes, which is what becomes of a script that is torn down. */
#ifndef AW_PYMOD_LEASE_H
#define AW_PYMOD_LEASE_H

#include "pymod/queue.h"

/* Claims are few (AW_RUNS_HELD_MAX); these are left to those who take. */
#define AW_LEASES_MAX (AW_RUNS_HELD_MAX - 2)

/* The method Queue.lease(n=1, timeout=None). */
PyObject *aw_queue_lease(PyObject *self, PyObject *arguments,
                         PyObject *keywords) AW_WITH_GIL;

/* Takes at most the lease's number of frames as a list, which it then holds;
 * NULL without an exception if there is none. */
PyObject *aw_lease_take(PyObject *lease) AW_WITH_GIL;

#endif
