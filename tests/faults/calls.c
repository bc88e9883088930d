/* System calls, and what the C library makes of them, each with the errors that
 * it can have on a machine that is out of something. */
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/faults/wrap.h"

FD_CALL(socket, (int domain, int type, int protocol), (domain, type, protocol),
        EMFILE, ENOBUFS)
FD_CALL(accept4, (int fd, struct sockaddr *name, socklen_t *size, int flags),
        (fd, name, size, flags), EMFILE, ECONNABORTED)
FD_CALL(eventfd, (unsigned count, int flags), (count, flags), EMFILE)
FD_CALL(timerfd_create, (int clock, int flags), (clock, flags), EMFILE)
FD_CALL(epoll_create1, (int flags), (flags), EMFILE)
FD_CALL(memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE,
        ENOMEM)
FD_CALL(inotify_init1, (int flags), (flags), EMFILE)

CALL(int, bind, -1, (int fd, const struct sockaddr *name, socklen_t size),
     (fd, name, size), EADDRINUSE, ENOMEM)
CALL(int, connect, -1, (int fd, const struct sockaddr *name, socklen_t size),
     (fd, name, size), EINTR, ENOMEM)
CALL(int, listen, -1, (int fd, int backlog), (fd, backlog), EADDRINUSE)
CALL(int, getsockname, -1, (int fd, struct sockaddr *name, socklen_t *size),
     (fd, name, size), ENOBUFS)
CALL(int, setsockopt, -1,
     (int fd, int level, int option, const void *value, socklen_t size),
     (fd, level, option, value, size), ENOPROTOOPT, ENOMEM)
CALL(int, getsockopt, -1,
     (int fd, int level, int option, void *value, socklen_t *size),
     (fd, level, option, value, size), ENOPROTOOPT)
CALL(ssize_t, send, -1, (int fd, const void *data, size_t size, int flags),
     (fd, data, size, flags), EINTR, EPIPE, ENOBUFS)
CALL(ssize_t, sendto, -1,
     (int fd, const void *data, size_t size, int flags,
      const struct sockaddr *name, socklen_t name_size),
     (fd, data, size, flags, name, name_size), EINTR, ENOBUFS)
CALL(int, sendmmsg, -1,
     (int fd, struct mmsghdr *messages, unsigned count, int flags),
     (fd, messages, count, flags), EINTR, EAGAIN, ENOBUFS, EPERM)
CALL(ssize_t, recv, -1, (int fd, void *data, size_t size, int flags),
     (fd, data, size, flags), EINTR, ECONNRESET)
CALL(int, recvmmsg, -1,
     (int fd, struct mmsghdr *messages, unsigned count, int flags,
      struct timespec *timeout),
     (fd, messages, count, flags, timeout), EINTR, EAGAIN, ENOMEM)
CALL(int, ppoll, -1,
     (struct pollfd * fds, nfds_t count, const struct timespec *timeout,
      const sigset_t *mask),
     (fds, count, timeout, mask), EINTR, ENOMEM)
CALL(int, epoll_ctl, -1,
     (int epoll, int how, int fd, struct epoll_event *event),
     (epoll, how, fd, event), ENOMEM)
CALL(int, eventfd_read, -1, (int fd, eventfd_t *value), (fd, value), EAGAIN)
CALL(ssize_t, read, -1, (int fd, void *data, size_t size), (fd, data, size),
     EINTR, EAGAIN)
CALL(ssize_t, write, -1, (int fd, const void *data, size_t size),
     (fd, data, size), EINTR, EAGAIN)
CALL(int, ftruncate, -1, (int fd, off_t size), (fd, size), EINTR, ENOSPC)
CALL(int, fstat, -1, (int fd, struct stat *status), (fd, status), EIO)
CALL(int, stat, -1, (const char *path, struct stat *status), (path, status),
     EIO)
CALL(int, access, -1, (const char *path, int mode), (path, mode), EIO)
CALL(int, chmod, -1, (const char *path, mode_t mode), (path, mode), EPERM)
CALL(int, mkdir, -1, (const char *path, mode_t mode), (path, mode), ENOSPC)
CALL(int, unlink, -1, (const char *path), (path), EIO)
CALL(ssize_t, readlink, -1, (const char *path, char *target, size_t size),
     (path, target, size), EIO)
CALL(int, inotify_add_watch, -1, (int fd, const char *path, uint32_t mask),
     (fd, path, mask), ENOSPC)
CALL(int, inotify_rm_watch, -1, (int fd, int watch), (fd, watch), EINVAL)
CALL(int, statvfs, -1, (const char *path, struct statvfs *status),
     (path, status), EIO)
CALL(void *, mmap, MAP_FAILED,
     (void *place, size_t size, int protection, int flags, int fd, off_t at),
     (place, size, protection, flags, fd, at), ENOMEM)
CALL(int, setenv, -1, (const char *name, const char *value, int over),
     (name, value, over), ENOMEM)

CALL(int, poll, -1, (struct pollfd * fds, nfds_t count, int timeout),
     (fds, count, timeout), EINTR, ENOMEM)
CALL(int, faccessat, -1, (int folder, const char *path, int mode, int flags),
     (folder, path, mode, flags), EIO)
CALL(int, lstat, -1, (const char *path, struct stat *status), (path, status),
     EIO)
CALL(int, mlock, -1, (const void *memory, size_t size), (memory, size), ENOMEM,
     EPERM)
CALL(int, munmap, -1, (void *memory, size_t size), (memory, size), ENOMEM)
CALL(ssize_t, getrandom, -1, (void *bytes, size_t size, unsigned flags),
     (bytes, size, flags), EINTR, ENOSYS)
CALL(int, unshare, -1, (int what), (what), EPERM)
CALL(int, sched_setaffinity, -1,
     (pid_t thread, size_t size, const cpu_set_t *cpus), (thread, size, cpus),
     EPERM)

/* The counter is full, so that it rings all the same; a descriptor is closed
 * whatever close() says. */
DONE_CALL(int, eventfd_write, -1, (int fd, eventfd_t count), (fd, count),
          EAGAIN)

CODE_CALL(pthread_create,
          (pthread_t * thread, const pthread_attr_t *attributes,
           void *(*start)(void *), void *argument),
          (thread, attributes, start, argument), EAGAIN)
CODE_CALL(pthread_mutex_init,
          (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),
          (mutex, attributes), ENOMEM)
CODE_CALL(pthread_cond_init,
          (pthread_cond_t * condition, const pthread_condattr_t *attributes),
          (condition, attributes), ENOMEM)
CODE_CALL(pthread_setschedparam,
          (pthread_t thread, int policy, const struct sched_param *parameters),
          (thread, policy, parameters), EPERM)
CODE_CALL(pthread_setaffinity_np,
          (pthread_t thread, size_t size, const cpu_set_t *cpus),
          (thread, size, cpus), EINVAL)

/* ---- those that make descriptors in ways of their own ---- */

static int failed(int code)
{
    errno = code;
    return -1;
}

int __wrap_pipe2(int ends[2], int flags);
int __wrap_close(int fd);

int __wrap_pipe2(int ends[2], int flags)
{
    int code = INJECT("pipe2", EMFILE);
    int result = code ? failed(code) : pipe2(ends, flags);

    if (result == 0) {
        inject_own_fd(ends[0]);
        inject_own_fd(ends[1]);
    }
    return result;
}

int __wrap_close(int fd)
{
    int code = INJECT("close", EINTR, EIO);
    int result;

    inject_disown_fd(fd);
    result = close(fd);
    if (code)
        errno = code;
    return code ? -1 : result;
}

/* ---- those of a variable number of arguments, here always one more ---- */

int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_openat(int folder, const char *path, int flags, mode_t mode);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d);

int __wrap_open(const char *path, int flags, mode_t mode)
{
    int code = INJECT("open", EMFILE, EIO);
    int fd = code ? failed(code) : open(path, flags, mode);

    inject_own_fd(fd);
    return fd;
}

int __wrap_openat(int folder, const char *path, int flags, mode_t mode)
{
    int code = INJECT("openat", EMFILE, EIO);
    int fd = code ? failed(code) : openat(folder, path, flags, mode);

    inject_own_fd(fd);
    return fd;
}

int __wrap_fcntl(int fd, int command, long argument)
{
    int code = INJECT("fcntl", EMFILE);
    int result = code ? failed(code) : fcntl(fd, command, argument);

    if (command == F_DUPFD_CLOEXEC)
        inject_own_fd(result);
    return result;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    int code = INJECT("ioctl", ENODEV, EINTR);

    return code ? failed(code) : ioctl(fd, request, argument);
}

int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                 unsigned long d)
{
    int code = INJECT("prctl", EINVAL);

    return code ? failed(code) : prctl(option, a, b, c, d);
}
