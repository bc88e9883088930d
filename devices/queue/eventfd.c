#include "devices/queue/eventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "devices/queue/clock.h"

int aw_eventfd_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int aw_eventfd_dup(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -errno : copy;
}

void aw_eventfd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

void aw_eventfd_ring(int fd)
{
    /* EAGAIN means that 2^64-2 rings are unanswered: it rings all the same. */
    (void)eventfd_write(fd, 1);
}

bool aw_eventfd_clear(int fd)
{
    eventfd_t rings;

    return eventfd_read(fd, &rings) == 0;
}

int aw_eventfd_wait(int fd, int64_t timeout_ns)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct timespec timeout = {0};
    int count;

    if (timeout_ns >= 0) {
        timeout.tv_sec = timeout_ns / (int64_t)AW_NS_PER_S;
        timeout.tv_nsec = timeout_ns % (int64_t)AW_NS_PER_S;
    }
    count = ppoll(&poll_fd, 1, timeout_ns < 0 ? NULL : &timeout, NULL);
    return count < 0 ? -errno : count;
}
