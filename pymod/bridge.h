/* The bridge: from readers, which never take the GIL, to event loops.
 *
 * One thread sleeps on a bell. It takes the GIL once for everything that is
 * ready and calls `loop.call_soon_threadsafe` once for each queue with a
 * waiter, each send that is settled and each completion that is awaited. In the
 * daemon it is the thread that initialises Python, so that no script is
 * Python's main thread; in plain Python it is started when the first coroutine
 * waits. */
#ifndef AW_BRIDGE_H
#define AW_BRIDGE_H

#include "pymod/bridge_signal.h"
#include "pymod/module.h"
#include "pymod/waiter.h"

int aw_bridge_init(struct aw_bridge *bridge);
void aw_bridge_deinit(struct aw_bridge *bridge);

/* Serves until aw_bridge_stop(). Called with the GIL, returns with it; gives it
 * up while it sleeps. */
void aw_bridge_run(struct aw_bridge *bridge) AW_WITH_GIL;

/* The bridge that serves `module`: the daemon's, or one started now if need be.
 * NULL with an exception if it cannot be. */
struct aw_bridge *aw_bridge_get(struct aw_module *module) AW_WITH_GIL;

/* As aw_waiter_resolve(), but not AW_WAKE_INLINE: where there is no memory for
 * it, the bridge sees to it as soon as there is. 0, or -1 with an exception, as
 * where the loop was closed meanwhile. */
int aw_bridge_resolve(struct aw_bridge *bridge, PyObject *waiter,
                      enum aw_wake how) AW_WITH_GIL;

/* Wakes the task that waits on `waiter` (NULL: there is none), from the bridge.
 * That its loop was closed meanwhile is counted. */
void aw_bridge_wake(struct aw_bridge *bridge, PyObject *waiter) AW_WITH_GIL;

/* Nothing is handed to Python any more. Outside the daemon: ends the thread,
 * waiting for it without the GIL. For atexit, before the interpreter goes. */
void aw_bridge_shutdown(struct aw_module *module) AW_WITH_GIL;

#endif
