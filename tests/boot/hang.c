/* Makes a daemon hang, by LD_PRELOAD: the libraries' calls pass through here.
 *
 * SIGRTMIN+1: main, in its loop's next epoll_wait(). SIGRTMIN+2: every reader,
 * which are known by their names, in its next ppoll(). They never come back, as
 * in a driver's endless loop; the other threads go on. */
/* It defines what fortified headers define themselves. */
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static atomic_bool main_hangs, readers_hang;

static void on_signal(int signal)
{
    /* Relaxed, like the loads: nothing else is told by it. */
    atomic_store_explicit(signal == SIGRTMIN + 1 ? &main_hangs : &readers_hang,
                          true, memory_order_relaxed);
}

__attribute__((constructor)) static void listen_to_signals(void)
{
    signal(SIGRTMIN + 1, on_signal);
    signal(SIGRTMIN + 2, on_signal);
}

static void hang_if(const atomic_bool *hangs)
{
    while (atomic_load_explicit(hangs, memory_order_relaxed))
        pause();
}

static bool is_reader(void)
{
    char name[16] = "";

    prctl(PR_GET_NAME, name);
    return strncmp(name, "aw:", 3) == 0;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count,
                      int timeout_ms)
{
    int (*real)(int, struct epoll_event *, int, int) =
        (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT,
                                                            "epoll_wait");
    int result = real(fd, events, count, timeout_ms);

    if (gettid() == getpid())
        hang_if(&main_hangs);
    return result;
}

static int poll_on(struct pollfd *fds, nfds_t count,
                   const struct timespec *timeout, const sigset_t *mask)
{
    int (*real)(struct pollfd *, nfds_t, const struct timespec *,
                const sigset_t *) =
        (int (*)(struct pollfd *, nfds_t, const struct timespec *,
                 const sigset_t *))dlsym(RTLD_NEXT, "ppoll");
    int result = real(fds, count, timeout, mask);

    if (is_reader())
        hang_if(&readers_hang);
    return result;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count,
                 const struct timespec *timeout, const sigset_t *mask)
{
    return poll_on(fds, count, timeout, mask);
}

/* What ppoll() is called as by fortified code. */
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count,
                       const struct timespec *timeout, const sigset_t *mask,
                       size_t bytes);
EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count,
                       const struct timespec *timeout, const sigset_t *mask,
                       size_t bytes)
{
    (void)bytes;
    return poll_on(fds, count, timeout, mask);
}
