/* Doorbell: an eventfd that an event loop watches, for queues opened with
 * wakeup="fd".
 *
 * The reader rings it, and the loop's own selector wakes the loop: no bridge,
 * no other thread, no second hand-over of the GIL. The loop must have
 * add_reader(). The loop keeps the doorbell, and the doorbell knows its queue
 * only as long as the queue lives, so neither keeps the queue alive. */
#ifndef AW_DOORBELL_H
#define AW_DOORBELL_H

#include "pymod/module.h"

#include "devices/queue/waker.h"

struct queue_object;

/* A doorbell for `queue`, watched by no loop yet. NULL with an exception. */
PyObject *aw_doorbell_new(struct aw_module *module,
                          struct queue_object *queue) AW_WITH_GIL;

/* What the queue is armed with. */
struct aw_waker *aw_doorbell_waker(PyObject *doorbell) AW_WITH_GIL;

/* Has `loop`, the running one, watch it. 0, or -1 with an exception: the loop
 * cannot. */
int aw_doorbell_watch(PyObject *doorbell, PyObject *loop) AW_WITH_GIL;

/* The queue has let go of it, detached, from any thread: the loop is told to
 * watch it no more, and then it goes. */
void aw_doorbell_retire(PyObject *doorbell) AW_WITH_GIL;

#endif
