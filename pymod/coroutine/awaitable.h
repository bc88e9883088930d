/* Awaitable: the object behind PyAwaitable_New(), as its files share it.
 *
 *     awaitable.c      the type and its life
 *     steps.c          the steps that are still to come
 *     add.c            puts steps there
 *     drive.c          send(), throw(), close(): runs them
 *     run_step.c       how a step of each kind begins and ends
 *     raised.c         exceptions
 *     async_with.c     the two steps of a block
 *     step_function.c  one function for all steps
 *     values.c         values kept between steps
 *     arguments.c      arguments kept between steps
 *     warn.c           the warning for one that was never awaited
 *     capsule.c        the table of functions that extensions use
 *
 * The functions behind the public header have its names, aw_ before them: what
 * they promise is said there. All of it needs the GIL. */
#ifndef AW_COROUTINE_AWAITABLE_H
#define AW_COROUTINE_AWAITABLE_H

#include "pymod/coroutine/steps.h"
#include "pymod/module.h"

enum aw_life {
    AW_LIFE_NEW,       /* nothing has run */
    AW_LIFE_SUSPENDED, /* `awaited` has yielded */
    AW_LIFE_RUNNING,   /* send(), throw() or close() is at work */
    AW_LIFE_ENDED,     /* has given its result, or an exception */
};

/* What an extension has saved. */
struct aw_kept {
    void **items;
    Py_ssize_t count;
};

/* What few awaitables have: made when it is first needed. */
struct aw_extras {
    struct aw_kept values; /* PyObject *, owned */
    struct aw_kept arbs;   /* not looked into */
    PyObject *qualname;    /* str, or NULL */
    PyObject *arguments;   /* the tuple that was parsed, or NULL */
    char *format;
    PyAwaitable_Step step;
    void *step_arg;
    PyAwaitable_Free step_free;
    bool stepping; /* in a step function that has not awaited yet */
};

typedef struct {
    PyObject_HEAD PyObject *awaited; /* the iterator of `step`, or NULL */
    PyObject *result;                /* NULL: None */
    PyObject *exception;             /* what the __aexit__ in `awaited` is to
                                        decide about, or NULL */
    struct aw_extras *extras;        /* or NULL */
    PyObject *weak_references;
    enum aw_life life;
    bool silent;           /* no warning if it is never awaited */
    struct aw_step step;   /* the step that runs, its `object` moved on */
    struct aw_steps steps; /* those to come; last: not all of it is written */
} AwaitableObject;

/* ---- awaitable.c ---- */

/* The deallocator also tells the type: it is no base type, and one that an
 * earlier module made is as good. */
void aw_awaitable_dealloc(PyObject *object) AW_WITH_GIL;

static inline bool aw_awaitable_check(PyObject *object)
{
    return Py_TYPE(object)->tp_dealloc == aw_awaitable_dealloc;
}

/* The object, borrowed, or NULL with TypeError (NULL: ValueError). */
AwaitableObject *aw_awaitable_cast(PyObject *object) AW_WITH_GIL;

/* Its extras; NULL with MemoryError. */
struct aw_extras *aw_awaitable_extras(AwaitableObject *self) AW_WITH_GIL;

/* Ends one that has not run, as close() does, but leaves its steps to its
 * deallocation, so that this calls nothing. */
void aw_awaitable_silence(AwaitableObject *self) AW_WITH_GIL;

/* Ends it: drops what is only for running. Keeps the exception that is set. */
void aw_awaitable_end(AwaitableObject *self) AW_WITH_GIL;

PyTypeObject *aw_awaitable_get_type(void) AW_WITH_GIL;
PyObject *aw_awaitable_new(void) AW_WITH_GIL;
int aw_awaitable_set_name(PyObject *aw, const char *qualname) AW_WITH_GIL;

/* ---- warn.c ---- */

/* Says that it was never awaited. What that raises is unraisable. */
void aw_awaitable_warn(AwaitableObject *self) AW_WITH_GIL;

/* ---- drive.c ---- */

PySendResult aw_awaitable_send(PyObject *self, PyObject *value,
                               PyObject **ret_value) AW_WITH_GIL;
PyObject *aw_awaitable_iternext(PyObject *self) AW_WITH_GIL;
PyObject *aw_awaitable_send_method(PyObject *self, PyObject *value) AW_WITH_GIL;
PyObject *aw_awaitable_throw(PyObject *self, PyObject *const *arguments,
                             Py_ssize_t count) AW_WITH_GIL;
PyObject *aw_awaitable_close(PyObject *self, PyObject *unused) AW_WITH_GIL;

/* ---- run_step.c ---- */

/* Sends `value` to what the step awaits; as PyIter_Send(). */
PySendResult aw_step_send(AwaitableObject *self, PyObject *value,
                          PyObject **ret_value) AW_WITH_GIL;

/* Throws `exception` into it; the same results. */
PySendResult aw_step_throw(AwaitableObject *self, PyObject *exception,
                           PyObject **ret_value) AW_WITH_GIL;

/* Closes it, and sets the exception that is then raised in its place: what its
 * close() raised, or else `exception`. */
void aw_step_close(AwaitableObject *self, PyObject *exception) AW_WITH_GIL;

/* Begins `self->step`. PYGEN_NEXT: it awaits, and `*ret_value` is to be
 * yielded; the others: it is over. */
PySendResult aw_step_begin(AwaitableObject *self,
                           PyObject **ret_value) AW_WITH_GIL;

/* Ends `self->step` with `value`, which it takes over, or with the exception
 * that is set if that is NULL. 0: go on; -1: with an exception. */
int aw_step_end(AwaitableObject *self, PyObject *value) AW_WITH_GIL;

/* What a callback returned: itself, or -2 with SystemError where it does not
 * fit with the exception that is set, or is not. */
int aw_step_code(int code) AW_WITH_GIL;

/* What `await object` iterates over; takes over the reference to what
 * aw_can_await() allows. NULL with an exception. */
PyObject *aw_iterator_of(AwaitableObject *self, PyObject *object) AW_WITH_GIL;

/* Is it something that `await` takes? */
bool aw_can_await(PyObject *object) AW_WITH_GIL;

/* ---- raised.c ---- */

/* Raises `type` with a message, whose format is PyUnicode_FromFormat()'s; or
 * MemoryError. Returns -1. */
int aw_raise_format(PyObject *type, const char *format, ...) AW_WITH_GIL;

/* The same for an argument that is NULL: ValueError, unless the call that gave
 * it has set an exception. Returns -1. */
int aw_raise_null(const char *what) AW_WITH_GIL;

/* Takes the exception that is set, with its traceback; a new reference. There
 * must be one. */
PyObject *aw_raised_take(void) AW_WITH_GIL;

/* Sets it; takes the reference. */
void aw_raised_set(PyObject *exception) AW_WITH_GIL;

/* Makes `exception` the one that is being handled, so that those raised
 * meanwhile have it as their context; aw_handled_end() gets what this gave. */
PyObject *aw_handled_begin(PyObject *exception) AW_WITH_GIL;
void aw_handled_end(PyObject *outer) AW_WITH_GIL;

/* Gives the exception that is set `handled` as its context. */
void aw_raised_chain(PyObject *handled) AW_WITH_GIL;

/* ---- add.c, async_with.c, step_function.c ---- */

/* True for an awaitable that has not ended; and with something else to be
 * awaited. False with an exception. */
bool aw_is_open(PyObject *aw) AW_WITH_GIL;
bool aw_can_add(PyObject *aw, PyObject *coro) AW_WITH_GIL;

/* A step of `kind`, without callbacks, that awaits `coro`: at the end, or at
 * the front if `next`. NULL with an exception: see PyAwaitable_AddAwait(). */
struct aw_step *aw_add(PyObject *aw, PyObject *coro, enum aw_step_kind kind,
                       bool next) AW_WITH_GIL;

int aw_add_await(PyObject *aw, PyObject *coro, PyAwaitable_Callback callback,
                 PyAwaitable_Error error) AW_WITH_GIL;
int aw_add_expr(PyObject *aw, PyObject *expr, PyAwaitable_Callback callback,
                PyAwaitable_Error error) AW_WITH_GIL;
int aw_add_await_result(PyObject *aw, PyObject *coro) AW_WITH_GIL;
int aw_insert_await(PyObject *aw, PyObject *coro, PyAwaitable_Callback callback,
                    PyAwaitable_Error error) AW_WITH_GIL;
int aw_defer_await(PyObject *aw, PyAwaitable_Defer callback) AW_WITH_GIL;
int aw_async_with(PyObject *aw, PyObject *context,
                  PyAwaitable_Callback callback,
                  PyAwaitable_Error error) AW_WITH_GIL;
int aw_set_result(PyObject *aw, PyObject *value) AW_WITH_GIL;
void aw_cancel(PyObject *aw) AW_WITH_GIL;

int aw_set_step(PyObject *aw, PyAwaitable_Step step, void *arg,
                PyAwaitable_Free free_arg) AW_WITH_GIL;
int aw_step_await(PyObject *aw, PyObject *coro, int state,
                  int error_state) AW_WITH_GIL;

/* The awaitables of `async with`: begins __aenter__ of `self->step`, or its
 * __aexit__ with `self->exception`; a new reference. */
PyObject *aw_with_enter(AwaitableObject *self) AW_WITH_GIL;
PyObject *aw_with_exit(AwaitableObject *self) AW_WITH_GIL;

/* What follows when they have given `value` (for the exit, or raised: NULL).
 * Codes as a callback's. */
int aw_with_entered(AwaitableObject *self, PyObject *value) AW_WITH_GIL;
int aw_with_exited(AwaitableObject *self, PyObject *value) AW_WITH_GIL;

/* Calls the step function in `state`. A code as a callback's. */
int aw_step_function_call(AwaitableObject *self, int state,
                          PyObject *value) AW_WITH_GIL;

/* The step function's error state gets the exception that is set. 0, or -1
 * with an exception. */
int aw_step_function_error(AwaitableObject *self) AW_WITH_GIL;

/* Frees the step function's argument, once. */
void aw_step_function_forget(AwaitableObject *self) AW_WITH_GIL;

/* ---- values.c, arguments.c ---- */

int aw_save_values(PyObject *aw, Py_ssize_t count, ...) AW_WITH_GIL;
int aw_unpack_values(PyObject *aw, ...) AW_WITH_GIL;
PyObject *aw_get_value(PyObject *aw, Py_ssize_t index) AW_WITH_GIL;
int aw_set_value(PyObject *aw, Py_ssize_t index, PyObject *value) AW_WITH_GIL;
int aw_save_arb_values(PyObject *aw, Py_ssize_t count, ...) AW_WITH_GIL;
int aw_unpack_arb_values(PyObject *aw, ...) AW_WITH_GIL;
void *aw_get_arb_value(PyObject *aw, Py_ssize_t index) AW_WITH_GIL;
int aw_set_arb_value(PyObject *aw, Py_ssize_t index, void *value) AW_WITH_GIL;

int aw_parse_args(PyObject *aw, PyObject *args, const char *format,
                  ...) AW_WITH_GIL;
int aw_unpack_args(PyObject *aw, ...) AW_WITH_GIL;

#endif
