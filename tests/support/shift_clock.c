/* A monotonic clock that can be put forward, for a whole process, by
 * LD_PRELOAD: it stands before libc's clock_gettime(). Each SIGRTMIN+1 adds
 * SHIFT_S to CLOCK_MONOTONIC. What the kernel itself times (poll, futexes)
 * takes as long as ever. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SHIFT_S 30

static _Atomic time_t shift_s;

static void on_signal(int signal)
{
    (void)signal;
    /* Relaxed, like the load: nothing else is told by it. */
    atomic_fetch_add_explicit(&shift_s, SHIFT_S, memory_order_relaxed);
}

__attribute__((constructor)) static void listen_to_signals(void)
{
    signal(SIGRTMIN + 1, on_signal);
}

/* The kernel's own, not the next library's: stacks are logged from signal
 * handlers, where dlsym() may not be called. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                         struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);

    if (result == 0 && clock == CLOCK_MONOTONIC)
        time->tv_sec += atomic_load_explicit(&shift_s, memory_order_relaxed);
    return result;
}
