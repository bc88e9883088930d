/* The waits that an awaitable can have as steps, beside other coroutines: what
 * the public header promises under their names. All of it needs the GIL. */
#ifndef AW_COROUTINE_WAITS_H
#define AW_COROUTINE_WAITS_H

#include "pymod/coroutine/completion.h"
#include "pymod/include/awaitd/awaitable.h"

#include "devices/queue/roles.h"

int aw_add_queue_get(PyObject *aw, PyObject *queue, double timeout_s,
                     PyAwaitable_Callback callback,
                     PyAwaitable_Error error) AW_WITH_GIL;
int aw_add_sleep(PyObject *aw, double seconds, PyAwaitable_Callback callback,
                 PyAwaitable_Error error) AW_WITH_GIL;
int aw_add_timeout(PyObject *aw, PyObject *coro, double seconds,
                   PyAwaitable_Callback callback,
                   PyAwaitable_Error error) AW_WITH_GIL;
int aw_add_fd(PyObject *aw, int fd, int events, PyAwaitable_Callback callback,
              PyAwaitable_Error error) AW_WITH_GIL;

/* PyAwaitable_Complete() and PyAwaitable_Abandon() are
 * aw_completion_complete() and aw_completion_abandon() themselves. */
int aw_add_completion(PyObject *aw, PyAwaitable_Convert convert,
                      PyAwaitable_Free free_value,
                      PyAwaitable_Completion **ret_completion,
                      PyAwaitable_Callback callback,
                      PyAwaitable_Error error) AW_WITH_GIL;

#endif
