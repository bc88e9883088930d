#include "pymod/bridge.h"

#include <errno.h>
#include <pthread.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/thread.h"
#include "pymod/coroutine/completion_wait.h"
#include "pymod/coroutine/inbox.h"
#include "pymod/queue.h"
#include "pymod/waiter.h"

#define OWED_NS (int64_t)(10 * AW_NS_PER_MS) /* until it is tried again */

int aw_bridge_init(struct aw_bridge *bridge)
{
    int result;

    *bridge = (struct aw_bridge){.hook = NULL};
    result = aw_waker_init(&bridge->waker, true);
    if (result < 0)
        return result;
    result = aw_inbox_new(bridge->waker.fd, &bridge->inbox);
    if (result < 0)
        aw_waker_deinit(&bridge->waker);
    return result;
}

void aw_bridge_deinit(struct aw_bridge *bridge)
{
    aw_inbox_unref(bridge->inbox);
    aw_waker_deinit(&bridge->waker);
}

/* ---- serving, with the GIL ---- */

/* What has failed for want of memory is not lost, and no error. Takes the
 * result of trying it. */
static int owe(struct aw_bridge *bridge, PyObject *waiter, int result)
{
    PyObject *owed;

    if (result == 0 || !PyErr_ExceptionMatches(PyExc_MemoryError))
        return result;
    PyErr_Clear();
    owed = bridge->owed;
    aw_waiter_push(waiter, &owed);
    bridge->owed = owed;
    return 0;
}

int aw_bridge_resolve(struct aw_bridge *bridge, PyObject *waiter,
                      enum aw_wake how)
{
    int result;

    /* Its task may let go of it as soon as the GIL is given up. */
    Py_INCREF(waiter);
    result = owe(bridge, waiter, aw_waiter_resolve(waiter, how));
    Py_DECREF(waiter);
    if (bridge->owed)
        aw_eventfd_ring(bridge->waker.fd);
    return result;
}

static void count_closed(struct aw_bridge *bridge, int result)
{
    if (result < 0) {
        PyErr_Clear();
        bridge->closed_loops++;
    }
}

void aw_bridge_wake(struct aw_bridge *bridge, PyObject *waiter)
{
    if (waiter)
        count_closed(bridge,
                     aw_bridge_resolve(bridge, waiter, AW_WAKE_THREADSAFE));
}

/* To those whose wake is owed; or `nobody` is woken any more. */
static void pay(struct aw_bridge *bridge, bool nobody) AW_WITH_GIL
{
    PyObject *owed = bridge->owed, *waiter;

    bridge->owed = NULL;
    while ((waiter = aw_waiter_pop(&owed))) {
        if (!nobody)
            count_closed(bridge, owe(bridge, waiter, aw_waiter_again(waiter)));
        Py_DECREF(waiter);
    }
}

static void finish_sends(struct aw_bridge *bridge) AW_WITH_GIL
{
    /* Acquire: partner of aw_bridge_complete(). */
    struct aw_send *send = atomic_exchange_explicit(&bridge->completions, NULL,
                                                    memory_order_acquire);
    struct aw_send *oldest = NULL;

    while (send) {
        struct aw_send *next = send->next;

        send->next = oldest;
        oldest = send;
        send = next;
    }
    while (oldest) {
        struct aw_send *next = oldest->next;
        const struct aw_pending_send *pending = oldest->user;

        pending->finish(bridge, oldest);
        oldest = next;
    }
}

static void
finish_completions(struct aw_bridge *bridge,
                   struct PyAwaitable_Completion *completion) AW_WITH_GIL
{
    while (completion) {
        struct PyAwaitable_Completion *next = completion->next;

        aw_completion_announce(bridge, completion);
        completion = next;
    }
}

static void announce(struct aw_bridge *bridge,
                     struct aw_queue *queue) AW_WITH_GIL
{
    while (queue) {
        struct aw_queue *next = aw_waker_next(queue);

        aw_queue_announce(bridge, queue);
        aw_queue_unref(queue);
        queue = next;
    }
}

void aw_bridge_run(struct aw_bridge *bridge)
{
    /* Acquire: partner of aw_bridge_stop(). */
    while (!atomic_load_explicit(&bridge->stopping, memory_order_acquire)) {
        int64_t sleep_ns = bridge->owed ? OWED_NS : -1;
        struct aw_queue *ready;

        Py_BEGIN_ALLOW_THREADS
        aw_eventfd_wait(bridge->waker.fd, sleep_ns);
        Py_END_ALLOW_THREADS
        /* Taken with the GIL in hand: what became ready while it was waited
         * for is served in the same turn. */
        ready = aw_waker_take(&bridge->waker);
        pay(bridge, false);
        announce(bridge, ready);
        finish_sends(bridge);
        finish_completions(bridge, aw_inbox_take(bridge->inbox));
        if (bridge->hook)
            bridge->hook(bridge->hook_context);
    }
}

/* ---- outside the daemon ---- */

static void *bridge_main(void *argument)
{
    struct aw_bridge *bridge = argument;
    PyGILState_STATE state;

    aw_role_enter(AW_ROLE_BRIDGE);
    aw_role_assume(&aw_role_bridge);
    state = PyGILState_Ensure();
    aw_bridge_run(bridge);
    PyGILState_Release(state);
    return NULL;
}

static struct aw_bridge *start(void) AW_WITH_GIL
{
    struct aw_bridge *bridge = PyMem_RawCalloc(1, sizeof(*bridge));
    int result = bridge ? aw_bridge_init(bridge) : -ENOMEM;

    if (result == 0) {
        result = aw_thread_start(&bridge->thread, bridge_main, bridge);
        if (result < 0)
            aw_bridge_deinit(bridge);
    }
    if (result == 0)
        return bridge;
    PyMem_RawFree(bridge);
    errno = -result;
    if (result == -ENOMEM)
        PyErr_NoMemory();
    else
        PyErr_SetFromErrno(PyExc_OSError);
    return NULL;
}

struct aw_bridge *aw_bridge_get(struct aw_module *module)
{
    const struct aw_hosted *hosted = aw_module_hosted();

    if (aw_module_check_fork(module) < 0)
        return NULL;
    if (!module->bridge && module->shut_down)
        PyErr_SetString(module->error, "the interpreter is shutting down");
    else if (!module->bridge)
        module->bridge = hosted ? hosted->bridge : start();
    return module->bridge;
}

void aw_bridge_shutdown(struct aw_module *module)
{
    struct aw_bridge *bridge = module->bridge;

    module->shut_down = true;
    if (!bridge || aw_module_forked(module))
        return;
    if (!aw_module_hosted()) {
        module->bridge = NULL;
        aw_bridge_stop(bridge);
        Py_BEGIN_ALLOW_THREADS
        pthread_join(bridge->thread, NULL);
        Py_END_ALLOW_THREADS
    }
    pay(bridge, true);
    /* Threads that are not ours may complete at any time: from here on they
     * free what they would have handed over. */
    finish_completions(bridge, aw_inbox_close(bridge->inbox));
    /* Readers that still run may ring it: it stays in memory until the process
     * ends, which is near. */
}
