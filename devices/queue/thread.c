#include "devices/queue/thread.h"

#include <signal.h>

/* A thread inherits its maker's mask. */
int aw_thread_start(pthread_t *ret_thread, void *(*entry)(void *),
                    void *argument)
{
    sigset_t blocked, before;
    int error;

    sigfillset(&blocked);
    /* Blocked, these would end the process without a word. */
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGBUS);
    sigdelset(&blocked, SIGFPE);
    sigdelset(&blocked, SIGILL);
    sigdelset(&blocked, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    error = pthread_create(ret_thread, NULL, entry, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}
