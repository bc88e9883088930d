/* System calls, and what the C library makes of them, each with the errors that
 * it can have on a healthy machine that is out of something. Left out is what
 * cannot fail but by our own mistake: close(), clock_gettime(), a write to an
 * eventfd that is far from full, setting a timer. */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/faults/inject.h"

#define UNPACK(...) __VA_ARGS__

/* A function that returns `failure` and sets errno. */
#define CALL(type, name, failure, parameters, arguments, ...)                  \
    type __wrap_##name(UNPACK parameters);                                     \
    type __wrap_##name(UNPACK parameters)                                      \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
                                                                               \
        if (code) {                                                            \
            errno = code;                                                      \
            return failure;                                                    \
        }                                                                      \
        return name(UNPACK arguments);                                         \
    }

/* One that makes a descriptor. */
#define FD_CALL(name, parameters, arguments, ...)                              \
    int __wrap_##name(UNPACK parameters);                                      \
    int __wrap_##name(UNPACK parameters)                                       \
    {                                                                          \
        int code = INJECT(#name, __VA_ARGS__);                                 \
        int made = code ? -1 : name(UNPACK arguments);                         \
                                                                               \
        if (code)                                                              \
            errno = code;                                                      \
        inject_own_fd(made);                                                   \
        return made;                                                           \
    }

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
CALL(void *, mmap, MAP_FAILED,
     (void *place, size_t size, int protection, int flags, int fd, off_t at),
     (place, size, protection, flags, fd, at), ENOMEM)
CALL(FILE *, fopen, NULL, (const char *path, const char *mode), (path, mode),
     EMFILE, EIO)
CALL(int, setenv, -1, (const char *name, const char *value, int over),
     (name, value, over), ENOMEM)

/* ---- those that return their error ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    int code = INJECT("pthread_create", EAGAIN);

    return code ? code : pthread_create(thread, attributes, start, argument);
}

/* ---- those of a variable number of arguments, here always one more ---- */

int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_fcntl(int fd, int command, long argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_close(int fd);

static int failed(int code)
{
    errno = code;
    return -1;
}

int __wrap_open(const char *path, int flags, mode_t mode)
{
    int code = INJECT("open", EMFILE, EIO);
    int fd = code ? failed(code) : open(path, flags, mode);

    inject_own_fd(fd);
    return fd;
}

int __wrap_fcntl(int fd, int command, long argument)
{
    int code = INJECT("fcntl", EBUSY);

    return code ? failed(code) : fcntl(fd, command, argument);
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    int code = INJECT("ioctl", ENODEV, EINTR);

    return code ? failed(code) : ioctl(fd, request, argument);
}

int __wrap_close(int fd)
{
    inject_disown_fd(fd);
    return close(fd);
}
