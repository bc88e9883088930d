/* The threads of scripts, as the host lists them. No Python here: the lock that
 * guards the list is never held while somebody waits for the GIL. The bridge
 * alone adds and takes away; main reads (host_main.c). */
#ifndef AW_HOST_THREADS_H
#define AW_HOST_THREADS_H

#include "pymod/host_state.h"

/* Of a generation of a script, with a heartbeat, not started and not listed.
 * NULL without memory. */
struct aw_host_thread *aw_host_thread_new(struct aw_host *host, size_t script,
                                          uint64_t generation);

/* Of one that is not listed, and does not run. */
void aw_host_thread_free(struct aw_host_thread *own);

/* Lists one that was started: the host's from now on. */
void aw_host_threads_add(struct aw_host_thread *own);

/* That generation is not wanted: it may be blocked for ever, and is nobody's
 * stall (whoever calls this has the GIL, so it does not). */
void aw_host_threads_discard(struct aw_host *host, size_t script,
                             uint64_t generation);

/* Frees the threads that have ended: what stays is one for each script, and
 * what was given up and is blocked. Does not wait for any. */
void aw_host_threads_sweep(struct aw_host *host);

/* Waits for all, and frees them. Without the GIL. */
void aw_host_threads_join(struct aw_host *host);

#endif
