/* WaitObject: what the awaitables of C have in common that wait for one thing,
 * once: a frame, a send, a transfer, an fd, another thread's completion.
 *
 * The protocol of a coroutine, the steps of a wait and the life of the object
 * are here. A type has a WaitObject at its head, and a table that says what is
 * its own. A coroutine in C (coroutine/) awaits these; it is none of them, as
 * it never waits itself. */
#ifndef AW_WAIT_OBJECT_H
#define AW_WAIT_OBJECT_H

#include "pymod/waiter.h"

struct aw_wait_kind;

typedef struct {
    PyObject_HEAD const struct aw_wait_kind *kind;
    PyObject *waiter; /* waiter.h; NULL: not waiting */
    PyObject *weak_references;
    bool begun;
    bool finished; /* or about to give its outcome */
} WaitObject;

/* How a wait ends. */
enum aw_wait_end {
    AW_WAIT_OVER,      /* on the loop's thread: with an outcome, or thrown at */
    AW_WAIT_CLOSED,    /* close(), on any thread */
    AW_WAIT_COLLECTED, /* what it refers to may be half taken apart */
};

struct aw_wait_kind {
    const char *name, *doc; /* the type's */
    int bytes;              /* of an object */
    /* As in "cannot reuse already awaited CALL" and "WHAT is being awaited
     * already". */
    const char *call, *what;

    /* am_send: aw_wait_object_step(), or something like it, which then is all
     * that calls the next two. */
    sendfunc step;

    /* The first step: makes self->waiter and sees to it that it is woken, or
     * leaves it NULL if there is nothing to wait for. 0, or -1 with an
     * exception. */
    int (*begin)(WaitObject *self);

    /* Woken, or not to wait: a new reference, or NULL with an exception. */
    PyObject *(*outcome)(WaitObject *self);

    reprfunc repr;

    /* What follows may be NULL. */

    /* Nobody waits any more; called once or more, for any end. Keeps the
     * exception that is set. */
    void (*leave)(WaitObject *self, enum aw_wait_end end);

    /* Drops what the object holds beyond its waiter; after leave(). */
    void (*drop)(WaitObject *self);
    traverseproc traverse; /* visits that */
    destructor finalize;
    destructor dealloc;   /* one of its own, which does all of it */
    PyMethodDef *methods; /* AW_WAIT_METHODS and others; NULL: those alone */
};

#define AW_WAIT_METHODS                                                        \
    {"send", aw_wait_object_send, METH_O,                                      \
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."}, \
        {"throw", (PyCFunction)(void (*)(void))aw_wait_object_throw,           \
         METH_FASTCALL,                                                        \
         "throw(typ, val=None, tb=None)\n--\n\nRaise an exception where it "   \
         "waits."},                                                            \
    {                                                                          \
        "close", aw_wait_object_close, METH_NOARGS,                            \
            "close()\n--\n\nGive up waiting."                                  \
    }

PyObject *aw_wait_object_send(PyObject *self, PyObject *value) AW_WITH_GIL;
PyObject *aw_wait_object_throw(PyObject *self, PyObject *const *arguments,
                               Py_ssize_t count) AW_WITH_GIL;
PyObject *aw_wait_object_close(PyObject *self, PyObject *unused) AW_WITH_GIL;

/* Makes the type. 0, or -1 with an exception. */
int aw_wait_object_setup(PyObject *module, const struct aw_wait_kind *kind,
                         PyTypeObject **ret_type) AW_WITH_GIL;

/* An object, zeroed behind its head and not tracked yet. NULL with an
 * exception. */
void *aw_wait_object_new(PyTypeObject *type,
                         const struct aw_wait_kind *kind) AW_WITH_GIL;

/* For tp_finalize: warns of one that nobody has awaited (RuntimeWarning), and
 * keeps the exception that is set. The format is PyUnicode_FromFormat()'s. */
void aw_wait_object_warn_unawaited(PyObject *object, const char *format,
                                   ...) AW_WITH_GIL;

/* A step of one that waits once. */
PySendResult aw_wait_object_step(PyObject *object, PyObject *value,
                                 PyObject **ret_value) AW_WITH_GIL;

/* For a step of one's own: raises that it is finished; awaits self->waiter.
 * `resuming`: the waiter has been yielded before. The wait's
 * result is PYGEN_NEXT: `*ret_value` is to be yielded; PYGEN_RETURN: it is over
 * and self->waiter NULL; PYGEN_ERROR: it was cancelled, or, if self->waiter is
 * still there, somebody else awaits it already. `value` is what was sent: None
 * but by trio. */
PySendResult aw_wait_object_refuse(const WaitObject *self) AW_WITH_GIL;
PySendResult aw_wait_object_await(WaitObject *self, bool resuming,
                                  PyObject *value,
                                  PyObject **ret_value) AW_WITH_GIL;
/* For repr(): ", waiting", ", finished" or "". */
const char *aw_wait_object_state(const WaitObject *self);

#endif
