/* CompletionWait: what a coroutine awaits for another thread to complete.
 *
 * It holds its half of a completion (completion.h) until the wait is over, and
 * waits on a Waiter that the bridge resolves; where the value is there already
 * it does not suspend. The bridge and the completion know it without keeping
 * it, so a task that nobody holds may be collected while it waits, as asyncio's
 * documentation says of tasks. */
#ifndef AW_COMPLETION_WAIT_H
#define AW_COMPLETION_WAIT_H

#include "pymod/coroutine/completion.h"
#include "pymod/include/awaitd/awaitable.h"
#include "pymod/module.h"

struct aw_bridge;

/* An awaitable, and the half of its completion that is for the other thread,
 * which must complete or abandon it, once. The awaitable gives what `convert`
 * makes of the value (NULL: None). NULL with an exception: `*ret_completion` is
 * untouched. */
PyObject *aw_completion_wait_new(
    struct aw_module *module, PyAwaitable_Convert convert,
    PyAwaitable_Free free_value,
    struct PyAwaitable_Completion **ret_completion) AW_WITH_GIL;

/* Wakes who waits for `completion`, whose reference it takes over. The
 * bridge. */
void aw_completion_announce(struct aw_bridge *bridge,
                            struct PyAwaitable_Completion *completion)
    AW_WITH_GIL;

#endif
