/* Threads of awaitd's own. */
#ifndef AW_THREAD_H
#define AW_THREAD_H

#include <pthread.h>

/* Starts a thread that takes no signals, but for those that it causes itself: a
 * crash is told of by whoever handles it. Joined by the caller. Any thread;
 * returns 0 or a negative errno. */
int aw_thread_start(pthread_t *ret_thread, void *(*entry)(void *),
                    void *argument);

#endif
