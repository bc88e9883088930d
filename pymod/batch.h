/* Batch: many frames in one object: a contiguous copy of their slots, with no
 * object for each.
 *
 * It exports them as a buffer of structs, which numpy reads as a structured
 * array. Immutable; holds no reference that could close a cycle. */
#ifndef AW_PYMOD_BATCH_H
#define AW_PYMOD_BATCH_H

#include "pymod/queue.h"

/* The method Queue.get_batch(n, min=1, timeout=None). */
PyObject *aw_queue_get_batch(PyObject *self, PyObject *arguments,
                             PyObject *keywords) AW_WITH_GIL;

/* At most `limit` frames, their slots released; NULL without an exception where
 * there are fewer than `minimum`. With `minimum` 0 it may be empty. */
PyObject *aw_batch_take(QueueObject *queue, Py_ssize_t limit,
                        Py_ssize_t minimum) AW_WITH_GIL;

#endif
