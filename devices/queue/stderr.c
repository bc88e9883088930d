#include "devices/queue/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

int aw_stderr_enter(void)
{
    int fd = -1;

    if (fcntl(STDERR_FILENO, F_GETPIPE_SZ) >= 0)
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? STDERR_FILENO : fd;
}

void aw_stderr_leave(int fd)
{
    if (fd != STDERR_FILENO)
        close(fd);
}

ssize_t aw_stderr_write(int fd, const char *text, size_t length, int timeout_ms)
{
    struct pollfd place = {.fd = fd, .events = POLLOUT};
    ssize_t result = poll(&place, 1, timeout_ms);

    /* A poll() that a signal ends says nothing of room: the write might wait
     * for ever. */
    if (result > 0)
        result = write(fd, text, length < PIPE_BUF ? length : PIPE_BUF);
    return result < 0 ? -errno : result;
}
