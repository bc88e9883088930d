/* The bridge: from readers, which never take the GIL, to event loops.
 *
 * One thread sleeps on a bell. It takes the GIL once for everything that is
 * ready and calls `loop.call_soon_threadsafe` once for each queue with a waiter
 * and each frame that was sent. In the daemon it is the thread that initialises
 * Python, so that no script is Python's main thread; in plain Python it is
 * started when the first coroutine waits. */
#ifndef AW_BRIDGE_H
#define AW_BRIDGE_H

#include <stdatomic.h>

#include <pthread.h>

#include "devices/device.h"
#include "devices/queue/waker.h"
#include "pymod/module.h"

/* Called with the GIL each time the bell has rung: the host's messages. */
typedef void aw_bridge_hook(void *context);

struct aw_bridge {
    struct aw_waker waker;
    _Atomic(struct aw_send *) completions; /* sent or failed, newest first */
    atomic_bool stopping;
    aw_bridge_hook *hook; /* NULL outside the daemon */
    void *hook_context;
    uint64_t closed_loops; /* wakes for a loop that was closed meanwhile */
    pthread_t thread;      /* outside the daemon */
};

int aw_bridge_init(struct aw_bridge *bridge);
void aw_bridge_deinit(struct aw_bridge *bridge);

/* Serves until aw_bridge_stop(). Called with the GIL, returns with it; gives it
 * up while it sleeps. */
void aw_bridge_run(struct aw_bridge *bridge) AW_WITH_GIL;

/* Ends aw_bridge_run(). Any thread; does not wait. */
void aw_bridge_stop(struct aw_bridge *bridge);

/* The bridge that serves `module`: the daemon's, or one started now if need be.
 * NULL with an exception if it cannot be. */
struct aw_bridge *aw_bridge_get(struct aw_module *module) AW_WITH_GIL;

/* Outside the daemon: ends the thread, waiting for it without the GIL. For
 * atexit, before the interpreter goes. */
void aw_bridge_shutdown(struct aw_module *module) AW_WITH_GIL;

/* An aw_send.done: hands the result to the bridge. `user` is a PendingSend of
 * send.c. The reader's thread. */
void aw_bridge_complete(struct aw_send *send, int result);

#endif
