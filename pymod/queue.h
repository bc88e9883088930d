/* Queue: a script's view of its subscription.
 *
 * Frames are taken from the ring with the GIL held, so there is one consumer at
 * a time. Waiting `get()`s stand in a list, oldest first. At any moment, if
 * there are waiters, one of three things is true: the oldest has been woken and
 * will, when it resumes or is cancelled, look after the next; or the queue is
 * armed, and the bridge, or the loop itself by an fd, will wake it. */
#ifndef AW_PYMOD_QUEUE_H
#define AW_PYMOD_QUEUE_H

#include "pymod/device.h"
#include "pymod/module.h"
#include "pymod/wait_object.h"

#include "devices/queue/queue_latency.h"

struct get_object;

typedef struct queue_object {
    PyObject_HEAD struct aw_queue *queue;
    DeviceObject *device;
    PyObject *owner;    /* the hosted script, or NULL */
    PyObject *name;     /* str */
    PyObject *loop;     /* that first waited, or NULL */
    PyObject *doorbell; /* doorbell.h, with wakeup="fd"; else NULL */
    struct get_object *first, *last; /* waiters, borrowed */
    struct aw_waker bell;            /* of a blocked recv() */
    unsigned long receiver;          /* the thread blocked in recv(), or 0 */
    bool interrupted;                /* recv() is to raise KeyboardInterrupt */
    bool retired;
    bool gaps;      /* Gap objects in the stream */
    bool gap_given; /* that of the frame which is next, as known by these: */
    uint64_t gap_seq, gap_ns; /* its seq and monotonic_ns */
    bool unnamed;             /* its name is the number that it was given */
    bool resumed;    /* a task that slept for it takes frames: see get_send() */
    bool yield_once; /* the next step of a get() is to let the loop turn */
    struct queue_object *next_receiver;
    PyObject *weak_references;
} QueueObject;

enum get_mode {
    GET_ONE,
    GET_MANY,
    GET_NEXT,  /* async for */
    GET_BATCH, /* batch.h */
    GET_LEASE, /* lease.h */
    GET_READY, /* takes nothing: True, or False when the time is up or at the
                  end */
};

typedef struct get_object {
    WaitObject wait;
    QueueObject *queue;
    PyObject *timer;    /* asyncio.TimerHandle, or NULL */
    double timeout_s;   /* negative: none */
    PyObject *lease;    /* GET_LEASE */
    Py_ssize_t limit;   /* GET_MANY, GET_BATCH, GET_LEASE */
    Py_ssize_t minimum; /* frames to wait for; 1 but for GET_BATCH */
    enum get_mode mode;
    bool listed; /* among the queue's waiters */
    bool woken;  /* its waiter has been resolved by the queue */
    bool timed_out;
    struct get_object *previous, *next;
} GetObject;

/* A new Queue of `device` for an attached `queue`, whose reference it takes
 * over, also on failure. `by_fd`: woken by an fd that the loop watches; `gaps`:
 * gives Gap objects. */
PyObject *aw_queue_object_new(struct aw_module *module, DeviceObject *device,
                              struct aw_queue *queue, PyObject *owner,
                              bool by_fd, bool gaps) AW_WITH_GIL;

/* At the end of a `with` block, with the arguments of __exit__: does the
 * script's next version go on with it? -1 with an exception. */
int aw_queue_is_left(QueueObject *self, PyObject *arguments) AW_WITH_GIL;

/* What an earlier version of the owner has left in place of a new queue: its
 * object, whose C queue then is to be passed on. NULL without an exception if
 * there is none. `name`: as given to queue(), or NULL. */
QueueObject *aw_queue_inherit(PyObject *owner, DeviceObject *device,
                              PyObject *name) AW_WITH_GIL;

/* The C queue of `old`, for an object of the new version: the same, if it is as
 * `config` wants it, or one that has taken its place on the device. What is
 * left of `old` is closed and empty. A reference, or NULL with an exception. */
struct aw_queue *
aw_queue_pass_on(QueueObject *old,
                 const struct aw_queue_config *config) AW_WITH_GIL;

/* The oldest frame as an object, its slot released, or the Gap before it; NULL
 * without an exception if there is none. */
PyObject *aw_queue_take(QueueObject *self) AW_WITH_GIL;

/* At most `limit` frames as a list, in one step, besides the Gap objects before
 * them; NULL without an exception if there is none. */
PyObject *aw_queue_take_many(QueueObject *self, Py_ssize_t limit) AW_WITH_GIL;

/* The claimed frames, of which objects have been made, are the script's: notes
 * how long they took. Before they are released. */
static inline void aw_queue_given(QueueObject *self,
                                  const struct aw_claim *claim)
{
    aw_queue_note_given(self->queue, claim, self->resumed);
    self->resumed = false;
}

/* All frames of a claim as a list of objects. NULL with an exception; the claim
 * stands either way. */
PyObject *aw_queue_list(QueueObject *self,
                        const struct aw_claim *claim) AW_WITH_GIL;

/* Looking without taking: the methods snapshot, peek and _head
 * (queue_peek.c). */
PyObject *aw_queue_snapshot(PyObject *self, PyObject *unused) AW_WITH_GIL;
PyObject *aw_queue_peek_key(PyObject *self, PyObject *key) AW_WITH_GIL;
PyObject *aw_queue_head(PyObject *self, PyObject *unused) AW_WITH_GIL;

/* Waiting (queue_wait.c). */

/* Forgets the loop it is tied to, and its waiters, which will never resume, if
 * that loop has been closed. 0, or -1 with an exception. */
int aw_queue_forget_closed(QueueObject *self) AW_WITH_GIL;

/* Ties the queue to the running loop, or finds it tied to it. -1 with an
 * exception if another live loop, or a blocked recv(), has it. */
int aw_queue_bind(QueueObject *self) AW_WITH_GIL;

/* Keeps the promise at the head of this file, after a waiter came, went or was
 * served. On the loop's thread. 0, or -1 with an exception. */
int aw_queue_settle(QueueObject *self) AW_WITH_GIL;

/* The same, waking as `how` says. */
int aw_queue_settle_how(QueueObject *self, enum aw_wake how) AW_WITH_GIL;

/* The same from any thread: has it done on the loop, if there are waiters. */
int aw_queue_settle_soon(QueueObject *self) AW_WITH_GIL;

/* The bridge: has the queue's waiters looked after on their loop. */
void aw_queue_announce(struct aw_bridge *bridge,
                       struct aw_queue *queue) AW_WITH_GIL;

/* A new awaitable (get.c). */
PyObject *aw_get_new(QueueObject *queue, enum get_mode mode, Py_ssize_t limit,
                     double timeout_s) AW_WITH_GIL;

/* Blocks until a frame is there: recv() (recv.c). */
PyObject *aw_queue_recv(QueueObject *self, double timeout_s) AW_WITH_GIL;

/* Makes a recv() blocked in the thread `ident` raise KeyboardInterrupt; false
 * if there is none. */
bool aw_recv_interrupt(struct aw_module *module,
                       unsigned long ident) AW_WITH_GIL;

/* A timeout argument: None is negative. 0, or -1 with an exception. */
int aw_parse_timeout(PyObject *object, double *ret_timeout_s) AW_WITH_GIL;

#endif
