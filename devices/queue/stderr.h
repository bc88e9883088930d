/* Standard error, for those who must not wait for its reader. */
#ifndef AW_STDERR_H
#define AW_STDERR_H

/* A descriptor for stderr; where that is a pipe, another way into it, which
 * does not block: what poll() says of a pipe is wrong once somebody else has
 * filled it, as the writer of what scripts print does. Not stderr's own flag,
 * which others have as well. A socket, or a pipe that /proc does not let in to,
 * is itself, and may block. Any thread; never fails; aw_stderr_leave() it. */
int aw_stderr_enter(void);

void aw_stderr_leave(int fd);

#endif
