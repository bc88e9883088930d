/* Standard error, for those who must not wait for its reader. */
#ifndef AW_STDERR_H
#define AW_STDERR_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor for stderr; where that is a pipe, another way into it, which
 * does not block: what poll() says of a pipe is wrong once somebody else has
 * filled it, as the writer of what scripts print does. Not stderr's own flag,
 * which others have as well. A socket, or a pipe that /proc does not let in to,
 * is itself, and may block. Any thread; never fails; aw_stderr_leave() it. */
int aw_stderr_enter(void);

void aw_stderr_leave(int fd);

/* Writes as much of `text` as goes at once: what poll() says has room takes
 * PIPE_BUF bytes. Returns how many were taken; 0: there was no room for as long
 * as `timeout_ms`; or a negative errno, -EINTR and -EAGAIN among them. Any
 * thread. */
ssize_t aw_stderr_write(int fd, const char *text, size_t length,
                        int timeout_ms);

#endif
