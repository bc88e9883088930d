/* Coroutines from C: return an awaitable, await others, get their results and
 * their errors. Usable from C and C++.
 *
 *     static int got(PyObject *aw, PyObject *value)
 *     {
 *         return PyAwaitable_SetResult(aw, value);
 *     }
 *
 *     PyObject *aw = PyAwaitable_New();
 *     if (!aw || PyAwaitable_AddExpr(aw, call_something(), got, NULL) < 0) {
 *         Py_XDECREF(aw);
 *         return NULL;
 *     }
 *     return aw; // `await` it
 *
 * An awaitable is a list of steps. Nothing runs until it is awaited; then each
 * step is awaited in turn and its callback called. It is used once, on the
 * thread and the event loop that await it, and never needs asyncio, except
 * where said. All functions need the GIL unless said otherwise; those that take
 * `aw` raise TypeError if it is no awaitable of this API. Where nothing else is
 * said, they return 0, or -1 with an exception set.
 *
 * They are reached through a capsule of the extension `_awaitd`: nothing has to
 * be linked, and one implementation serves every extension of the process. Call
 * PyAwaitable_Init() once when your module is imported, before all others. */
#ifndef AWAITD_AWAITABLE_H
#define AWAITD_AWAITABLE_H

#include <Python.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- callbacks ---- */

/* A step's result callback: `aw` is the awaitable, `value` the result, both
 * borrowed. Returns 0 to go on; -1 with an exception set, which this step's
 * error callback then gets, or which propagates if there is none; -2 with an
 * exception set, which propagates past the error callback. */
typedef int (*PyAwaitable_Callback)(PyObject *aw, PyObject *value);

/* A step's error callback: gets what the step, or its result callback, raised
 * (borrowed), with no exception set; it is the one being handled, so that what
 * is raised meanwhile has it as its __context__. Closing `aw` gives
 * GeneratorExit here, as it does in a coroutine. Returns 0 if that is dealt
 * with: the next step follows; -1 to raise the same exception again, its
 * traceback kept; -2 to raise the one that is set now instead. */
typedef int (*PyAwaitable_Error)(PyObject *aw, PyObject *exception);

/* A step in C alone. Returns 0, or -1 with an exception set. */
typedef int (*PyAwaitable_Defer)(PyObject *aw);

/* One function for all steps: see PyAwaitable_SetStep(). */
typedef int (*PyAwaitable_Step)(PyObject *aw, int state, PyObject *value,
                                void *arg);

/* What another thread completes: see PyAwaitable_AddCompletion(). Opaque. */
typedef struct PyAwaitable_Completion PyAwaitable_Completion;

/* Makes the object that a completion gives (a new reference, or NULL with an
 * exception set) from what PyAwaitable_Complete() was given. Called with the
 * GIL, once, by the thread that awaits. */
typedef PyObject *(*PyAwaitable_Convert)(void *value);

/* Frees what it is given. Called once; with the GIL unless said otherwise. */
typedef void (*PyAwaitable_Free)(void *value);

/* ---- the functions, as the capsule has them ---- */

#define PyAwaitable_CAPSULE "_awaitd.awaitable"

/* The capsule's layout. Members are only ever added at the end; `version`
 * counts them up, and PyAwaitable_Init() refuses one older than this header. */
#define PyAwaitable_CAPSULE_VERSION 1

struct PyAwaitable_Functions {
    int version;
    PyTypeObject *(*get_type)(void);
    PyObject *(*new_awaitable)(void);
    int (*add_await)(PyObject *, PyObject *, PyAwaitable_Callback,
                     PyAwaitable_Error);
    int (*add_expr)(PyObject *, PyObject *, PyAwaitable_Callback,
                    PyAwaitable_Error);
    int (*add_await_result)(PyObject *, PyObject *);
    int (*insert_await)(PyObject *, PyObject *, PyAwaitable_Callback,
                        PyAwaitable_Error);
    int (*defer_await)(PyObject *, PyAwaitable_Defer);
    int (*async_with)(PyObject *, PyObject *, PyAwaitable_Callback,
                      PyAwaitable_Error);
    int (*set_result)(PyObject *, PyObject *);
    int (*set_name)(PyObject *, const char *);
    void (*cancel)(PyObject *);

    int (*save_values)(PyObject *, Py_ssize_t, ...);
    int (*unpack_values)(PyObject *, ...);
    PyObject *(*get_value)(PyObject *, Py_ssize_t);
    int (*set_value)(PyObject *, Py_ssize_t, PyObject *);
    int (*save_arb_values)(PyObject *, Py_ssize_t, ...);
    int (*unpack_arb_values)(PyObject *, ...);
    void *(*get_arb_value)(PyObject *, Py_ssize_t);
    int (*set_arb_value)(PyObject *, Py_ssize_t, void *);

    int (*set_step)(PyObject *, PyAwaitable_Step, void *, PyAwaitable_Free);
    int (*step_await)(PyObject *, PyObject *, int, int);
    int (*parse_args)(PyObject *, PyObject *, const char *, ...);
    int (*unpack_args)(PyObject *, ...);

    int (*add_queue_get)(PyObject *, PyObject *, double, PyAwaitable_Callback,
                         PyAwaitable_Error);
    int (*add_sleep)(PyObject *, double, PyAwaitable_Callback,
                     PyAwaitable_Error);
    int (*add_timeout)(PyObject *, PyObject *, double, PyAwaitable_Callback,
                       PyAwaitable_Error);
    int (*add_fd)(PyObject *, int, int, PyAwaitable_Callback,
                  PyAwaitable_Error);
    int (*add_completion)(PyObject *, PyAwaitable_Convert, PyAwaitable_Free,
                          PyAwaitable_Completion **, PyAwaitable_Callback,
                          PyAwaitable_Error);
    void (*complete)(PyAwaitable_Completion *, void *);
    void (*abandon)(PyAwaitable_Completion *);
};

/* One pointer an extension, however many files it has: hidden, so that another
 * extension's is not taken for it, and weak, so that the files share it. */
__attribute__((weak, visibility("hidden")))
const struct PyAwaitable_Functions *PyAwaitable_functions_;

/* Imports the capsule. Any number of times, once for each interpreter at
 * least. ImportError if `_awaitd` is missing or older than this header. */
static inline int PyAwaitable_Init(void)
{
    const struct PyAwaitable_Functions *functions;
    PyObject *module = PyImport_ImportModule("_awaitd");

    /* PyCapsule_Import() would not say what the matter is. */
    if (!module)
        return -1;
    Py_DECREF(module);
    functions = (const struct PyAwaitable_Functions *)PyCapsule_Import(
        PyAwaitable_CAPSULE, 0);
    if (!functions)
        return -1;
    if (functions->version < PyAwaitable_CAPSULE_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "this extension needs version %d of %s, which has %d",
                     PyAwaitable_CAPSULE_VERSION, PyAwaitable_CAPSULE,
                     functions->version);
        return -1;
    }
    PyAwaitable_functions_ = functions;
    return 0;
}

/* The type, borrowed; NULL with an exception before PyAwaitable_Init(). */
static inline PyTypeObject *PyAwaitable_GetType(void)
{
    if (!PyAwaitable_functions_ && PyAwaitable_Init() < 0)
        return NULL;
    return PyAwaitable_functions_->get_type();
}

/* ---- an awaitable and its steps ---- */

/* A new awaitable without steps. NULL with MemoryError. Dropped without being
 * awaited it warns (ResourceWarning), and closes what was added. */
static inline PyObject *PyAwaitable_New(void)
{
    if (!PyAwaitable_functions_ && PyAwaitable_Init() < 0)
        return NULL;
    return PyAwaitable_functions_->new_awaitable();
}

/* Queues `coro` (anything that `await` takes; a reference is kept) behind the
 * steps there are: from a callback too, even from the last one's. `cb` gets its
 * result and `err` its exception; both may be NULL. A result without `cb` is
 * discarded; an exception without `err` propagates. TypeError for what cannot
 * be awaited, ValueError for NULL and for `aw` itself, RuntimeError once `aw`
 * has ended. */
static inline int PyAwaitable_AddAwait(PyObject *aw, PyObject *coro,
                                       PyAwaitable_Callback cb,
                                       PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_await(aw, coro, cb, err);
}

/* The same, taking over the reference to `expr`, on errors too. NULL keeps the
 * exception that is set, so that a call can stand in its place. */
static inline int PyAwaitable_AddExpr(PyObject *aw, PyObject *expr,
                                      PyAwaitable_Callback cb,
                                      PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_expr(aw, expr, cb, err);
}

/* `return await coro`: its result is that of `aw`. Later steps still run. */
static inline int PyAwaitable_AddAwaitResult(PyObject *aw, PyObject *coro)
{
    return PyAwaitable_functions_->add_await_result(aw, coro);
}

/* As PyAwaitable_AddAwait(), as the very next step instead of the last: of two
 * that are inserted the later comes first. */
static inline int PyAwaitable_InsertAwait(PyObject *aw, PyObject *coro,
                                          PyAwaitable_Callback cb,
                                          PyAwaitable_Error err)
{
    return PyAwaitable_functions_->insert_await(aw, coro, cb, err);
}

/* Queues `cb`, called when its turn comes. */
static inline int PyAwaitable_DeferAwait(PyObject *aw, PyAwaitable_Defer cb)
{
    return PyAwaitable_functions_->defer_await(aw, cb);
}

/* `async with ctx as value:` with `cb(aw, value)` as its body, together with
 * the steps that `cb` inserts by PyAwaitable_InsertAwait(). `__aexit__` is
 * always awaited once `__aenter__` has returned, and its result decides whether
 * the body's exception is swallowed. `err` gets what then is left of it, and
 * what `__aenter__` and `__aexit__` raise. `cb` may be NULL. TypeError if `ctx`
 * is no asynchronous context manager. */
static inline int PyAwaitable_AsyncWith(PyObject *aw, PyObject *ctx,
                                        PyAwaitable_Callback cb,
                                        PyAwaitable_Error err)
{
    return PyAwaitable_functions_->async_with(aw, ctx, cb, err);
}

/* What `await aw` gives: any object; None if it is never set. The last one
 * counts. */
static inline int PyAwaitable_SetResult(PyObject *aw, PyObject *value)
{
    return PyAwaitable_functions_->set_result(aw, value);
}

/* Its __name__ and __qualname__, which task dumps show: UTF-8, copied. */
static inline int PyAwaitable_SetName(PyObject *aw, const char *qualname)
{
    return PyAwaitable_functions_->set_name(aw, qualname);
}

/* Drops the steps that have not begun, closing their coroutines, and silences
 * the warning for `aw` if it was never awaited. Steps may be added afterwards.
 * Keeps an exception that is set; else an object that is no awaitable leaves
 * TypeError set. */
static inline void PyAwaitable_Cancel(PyObject *aw)
{
    PyAwaitable_functions_->cancel(aw);
}

/* ---- state carried between steps ---- */

/* (aw, Py_ssize_t count, ...): appends `count` values, PyObject * each;
 * references are kept. */
#define PyAwaitable_SaveValues (PyAwaitable_functions_->save_values)

/* (aw, ...): all values that were saved, borrowed, into as many PyObject **;
 * NULL skips one. RuntimeError if there are none. */
#define PyAwaitable_UnpackValues (PyAwaitable_functions_->unpack_values)

/* The value at `index`, borrowed; NULL with IndexError. */
static inline PyObject *PyAwaitable_GetValue(PyObject *aw, Py_ssize_t index)
{
    return PyAwaitable_functions_->get_value(aw, index);
}

/* Replaces the value at `index`; IndexError. A reference is kept. */
static inline int PyAwaitable_SetValue(PyObject *aw, Py_ssize_t index,
                                       PyObject *value)
{
    return PyAwaitable_functions_->set_value(aw, index, value);
}

/* The same for void *, which are not looked into, nor freed. GetArbValue gives
 * NULL with IndexError: a NULL without one is a value. */
#define PyAwaitable_SaveArbValues   (PyAwaitable_functions_->save_arb_values)
#define PyAwaitable_UnpackArbValues (PyAwaitable_functions_->unpack_arb_values)
static inline void *PyAwaitable_GetArbValue(PyObject *aw, Py_ssize_t index)
{
    return PyAwaitable_functions_->get_arb_value(aw, index);
}
static inline int PyAwaitable_SetArbValue(PyObject *aw, Py_ssize_t index,
                                          void *value)
{
    return PyAwaitable_functions_->set_arb_value(aw, index, value);
}

/* (aw, args, format, ...): parses `args`, a tuple, as PyArg_ParseTuple() does,
 * into the variables named after `format`. `aw` keeps the tuple, so that what
 * was borrowed from it, "O" and "s" alike, stays good as long as `aw` does. The
 * length of "s#" and "y#" is a Py_ssize_t. */
#define PyAwaitable_ParseArgs (PyAwaitable_functions_->parse_args)

/* (aw, ...): the same values once more, in a later step: into variables of the
 * same types. RuntimeError if nothing was parsed. */
#define PyAwaitable_UnpackArgs (PyAwaitable_functions_->unpack_args)

/* ---- one function with a switch ---- */

/* Has `step(aw, 0, None, arg)` called when `aw` is awaited. Each time it awaits
 * something by PyAwaitable_StepAwait() and returns 0, it is called again with
 * the state it named and the result as `value` (borrowed); the call that awaits
 * nothing is the last. -1 with an exception set ends `aw` with it. A call in an
 * error state gets the exception as `value`, and 0 means that it is dealt with.
 * `free_arg` (NULL: nothing) gets `arg` when `aw` needs it no more, but not if
 * this fails. One step function an awaitable; it may be mixed with the other
 * steps. */
static inline int PyAwaitable_SetStep(PyObject *aw, PyAwaitable_Step step,
                                      void *arg, PyAwaitable_Free free_arg)
{
    return PyAwaitable_functions_->set_step(aw, step, arg, free_arg);
}

/* In a step function: awaits `coro`, taking over the reference (NULL keeps the
 * exception that is set), then goes on in `state`, or with its exception in
 * `error_state`; there, a negative number lets exceptions propagate. */
static inline int PyAwaitable_StepAwait(PyObject *aw, PyObject *coro, int state,
                                        int error_state)
{
    return PyAwaitable_functions_->step_await(aw, coro, state, error_state);
}

/* ---- what is awaited in C most ---- */

/* The next frame of `queue`, an awaitd.Queue; within `timeout` seconds, or
 * TimeoutError; a negative one waits for ever. */
static inline int PyAwaitable_AddQueueGet(PyObject *aw, PyObject *queue,
                                          double timeout,
                                          PyAwaitable_Callback cb,
                                          PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_queue_get(aw, queue, timeout, cb, err);
}

/* `seconds` from when its turn comes; `cb` gets None. Under asyncio, uvloop and
 * what else has loop.call_later(). ValueError for NaN. */
static inline int PyAwaitable_AddSleep(PyObject *aw, double seconds,
                                       PyAwaitable_Callback cb,
                                       PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_sleep(aw, seconds, cb, err);
}

/* `async with asyncio.timeout(seconds): await coro`, the time counted from when
 * its turn comes: `err` gets TimeoutError when it is over. In a task of asyncio
 * or uvloop, on every Python. Errors as PyAwaitable_AddAwait(); ValueError for
 * NaN. */
static inline int PyAwaitable_AddTimeout(PyObject *aw, PyObject *coro,
                                         double seconds,
                                         PyAwaitable_Callback cb,
                                         PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_timeout(aw, coro, seconds, cb, err);
}

/* Waits until `fd` can be read or written without blocking: `events` is
 * PyAwaitable_READ, PyAwaitable_WRITE or both; `cb` gets what it is ready for,
 * as an int. By loop.add_reader() and add_writer(), from when its turn comes
 * until the step is over, however it ends: the loop must have them, as
 * asyncio's and uvloop's have, and the fd must stay open until then. They take
 * one waiter a direction and fd: RuntimeError for a second, while a callback
 * that somebody else has added there is replaced, as always. What they raise
 * for an fd that is closed (OSError) or a file on disk (PermissionError) has a
 * note that says which fd it is. ValueError for a negative fd, or other events.
 */
#define PyAwaitable_READ  1
#define PyAwaitable_WRITE 2
static inline int PyAwaitable_AddFd(PyObject *aw, int fd, int events,
                                    PyAwaitable_Callback cb,
                                    PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_fd(aw, fd, events, cb, err);
}

/* Waits for another thread. `*ret_completion` is for that thread: it calls
 * PyAwaitable_Complete() or PyAwaitable_Abandon() with it exactly once,
 * whatever becomes of `aw`, which may be cancelled or gone by then, as Python
 * itself may. The awaiting thread has `convert` make the result of the value;
 * NULL: None. Each value goes to `free_value` (NULL: nothing) once: after
 * `convert`, or without it when nobody awaits any more. That is called where
 * this is found out, by the awaiting thread or in PyAwaitable_Complete(), with
 * or without the GIL: it must not use Python. What waits when Python ends is
 * not freed if Python leaves `aw` behind.
 *
 * As everywhere in asyncio somebody must hold the task that waits: the other
 * thread does not, and does not keep it alive. */
static inline int
PyAwaitable_AddCompletion(PyObject *aw, PyAwaitable_Convert convert,
                          PyAwaitable_Free free_value,
                          PyAwaitable_Completion **ret_completion,
                          PyAwaitable_Callback cb, PyAwaitable_Error err)
{
    return PyAwaitable_functions_->add_completion(aw, convert, free_value,
                                                  ret_completion, cb, err);
}

/* Wakes the awaiting task by the bridge. Any thread, without the GIL or with
 * it; lock-free, never blocks, calls no Python. The completion is gone. Where
 * nobody awaits it, the value and the memory are freed here. What this thread
 * did before is seen by `convert` and the callbacks. */
static inline void PyAwaitable_Complete(PyAwaitable_Completion *completion,
                                        void *value)
{
    PyAwaitable_functions_->complete(completion, value);
}

/* There will be no value: the awaiting task gets RuntimeError. As above. */
static inline void PyAwaitable_Abandon(PyAwaitable_Completion *completion)
{
    PyAwaitable_functions_->abandon(completion);
}

#ifdef __cplusplus
}
#endif

#endif
