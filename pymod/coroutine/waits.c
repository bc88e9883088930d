#include "pymod/coroutine/waits.h"

#include <math.h>

#include "pymod/coroutine/awaitable.h"
#include "pymod/coroutine/completion_wait.h"
#include "pymod/coroutine/fd_wait.h"
#include "pymod/queue.h"

/* The module's state, if `aw` is an awaitable; else NULL with an exception. */
static struct aw_module *module_for(PyObject *aw)
{
    return aw_awaitable_cast(aw) ? aw_module_of_type(Py_TYPE(aw)) : NULL;
}

static int check_seconds(const char *what, double seconds)
{
    if (!isnan(seconds))
        return 0;
    return aw_raise_format(PyExc_ValueError, "%s must not be NaN", what);
}

/* asyncio.NAME(argument); takes over the reference to `argument`. */
static PyObject *call_asyncio(const char *name, PyObject *argument)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *result = NULL;

    if (asyncio && argument)
        result = PyObject_CallMethod(asyncio, name, "O", argument);
    Py_XDECREF(argument);
    Py_XDECREF(asyncio);
    return result;
}

/* ---- queue, sleep, fd, completion ---- */

int aw_add_queue_get(PyObject *aw, PyObject *queue, double timeout_s,
                     PyAwaitable_Callback callback, PyAwaitable_Error error)
{
    struct aw_module *module = module_for(aw);

    if (!module || check_seconds("timeout", timeout_s) < 0)
        return -1;
    if (!queue)
        return aw_raise_null("the queue");
    if (!PyObject_TypeCheck(queue, module->queue_type))
        return aw_raise_format(PyExc_TypeError,
                               "expected an awaitd.Queue, not %.200s",
                               Py_TYPE(queue)->tp_name);
    return aw_add_expr(aw,
                       aw_get_new((QueueObject *)queue, GET_ONE, 1, timeout_s),
                       callback, error);
}

int aw_add_sleep(PyObject *aw, double seconds, PyAwaitable_Callback callback,
                 PyAwaitable_Error error)
{
    if (!module_for(aw) || check_seconds("seconds", seconds) < 0)
        return -1;
    return aw_add_expr(aw, call_asyncio("sleep", PyFloat_FromDouble(seconds)),
                       callback, error);
}

int aw_add_fd(PyObject *aw, int fd, int events, PyAwaitable_Callback callback,
              PyAwaitable_Error error)
{
    struct aw_module *module = module_for(aw);

    if (!module)
        return -1;
    return aw_add_expr(aw, aw_fd_wait_new(module, fd, events), callback, error);
}

int aw_add_completion(PyObject *aw, PyAwaitable_Convert convert,
                      PyAwaitable_Free free_value,
                      PyAwaitable_Completion **ret_completion,
                      PyAwaitable_Callback callback, PyAwaitable_Error error)
{
    struct aw_module *module = module_for(aw);
    PyAwaitable_Completion *completion = NULL;
    PyObject *wait;

    if (!module)
        return -1;
    if (!ret_completion)
        return aw_raise_null("ret_completion");
    wait = aw_completion_wait_new(module, convert, free_value, &completion);
    if (aw_add_expr(aw, wait, callback, error) < 0) {
        /* Nobody will complete what nobody was given. */
        if (completion)
            aw_completion_abandon(completion);
        return -1;
    }
    *ret_completion = completion;
    return 0;
}

/* ---- timeout ---- */

/* `timeout`, an asyncio.Timeout that was entered, gets its time from here on.
 */
static int start_clock(PyObject *inner, PyObject *timeout)
{
    struct aw_module *module = module_for(inner);
    double seconds = PyFloat_AsDouble(aw_get_value(inner, 0));
    PyObject *loop = PyObject_CallNoArgs(module->get_running_loop);
    PyObject *now = loop ? PyObject_CallMethod(loop, "time", NULL) : NULL;
    PyObject *result = NULL;

    if (now)
        result = PyObject_CallMethod(timeout, "reschedule", "d",
                                     PyFloat_AsDouble(now) + seconds);
    Py_XDECREF(now);
    Py_XDECREF(loop);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* What was added behind the block moves into it, to before its exit: there it
 * would have been inserted, had it not to be a step from the start, which is
 * closed like any other if none of it runs. */
static int enter_block(PyObject *inner, PyObject *timeout)
{
    struct aw_steps *steps = &((AwaitableObject *)inner)->steps;
    struct aw_step step = aw_steps_remove(steps, 1);

    /* There is room: one has just been removed. */
    *aw_steps_prepend(steps) = step;
    return start_clock(inner, timeout);
}

/* An awaitable that does, or NULL with an exception:
 *
 *     async with timeout:
 *         return await coro */
static PyObject *new_timeout(PyObject *coro, double seconds)
{
    /* One that has not been told its end yet can be made outside a loop. */
    PyObject *timeout = call_asyncio("timeout_at", Py_NewRef(Py_None));
    PyObject *length = PyFloat_FromDouble(seconds);
    PyObject *inner = aw_awaitable_new();

    if (!timeout || !length || !inner ||
        aw_awaitable_set_name(inner, "timeout") < 0 ||
        aw_save_values(inner, 1, length) < 0 ||
        aw_async_with(inner, timeout, enter_block, NULL) < 0 ||
        aw_add_await_result(inner, coro) < 0) {
        if (inner)
            aw_awaitable_silence((AwaitableObject *)inner);
        Py_CLEAR(inner);
    }
    Py_XDECREF(length);
    Py_XDECREF(timeout);
    return inner;
}

int aw_add_timeout(PyObject *aw, PyObject *coro, double seconds,
                   PyAwaitable_Callback callback, PyAwaitable_Error error)
{
    if (!module_for(aw) || check_seconds("seconds", seconds) < 0)
        return -1;
    if (coro == aw)
        return aw_raise_format(PyExc_ValueError,
                               "an awaitable cannot await itself");
    return aw_add_expr(aw, new_timeout(coro, seconds), callback, error);
}
