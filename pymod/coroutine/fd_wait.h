/* FdWait: what a coroutine awaits until an fd can be read or written.
 *
 * The loop watches the fd, by add_reader() and add_writer(), from the first
 * step until the wait is over, however it ends. A loop knows one callback for
 * an fd and direction and would silently replace it: so a second wait of ours
 * on the same is refused. While the loop watches it keeps the wait, and so the
 * task, alive. */
#ifndef AW_FD_WAIT_H
#define AW_FD_WAIT_H

#include "pymod/module.h"

/* An awaitable that gives which of `events`, PyAwaitable_READ and
 * PyAwaitable_WRITE, the fd is ready for. NULL with an exception: ValueError if
 * there is neither, or something else, or `fd` is negative. */
PyObject *aw_fd_wait_new(struct aw_module *module, int fd,
                         int events) AW_WITH_GIL;

#endif
