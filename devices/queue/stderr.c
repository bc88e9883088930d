#include "devices/queue/stderr.h"

#include <fcntl.h>
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
