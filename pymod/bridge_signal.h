/* The bridge as threads without the GIL see it: what they may ring and hand
 * over. No Python in this pair of files, nor in anything they call, so that no
 * reader can reach the GIL through its one callback (a test checks it). */
#ifndef AW_BRIDGE_SIGNAL_H
#define AW_BRIDGE_SIGNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/queue/waker.h"

struct aw_inbox;

/* Called with the GIL each time the bell has rung: the host's messages. */
typedef void aw_bridge_hook(void *context);

struct aw_bridge {
    struct aw_waker waker;
    _Atomic(struct aw_send *) completions; /* sent or failed, newest first */
    struct aw_inbox *inbox; /* what other threads have completed */
    atomic_bool stopping;
    aw_bridge_hook *hook; /* NULL outside the daemon */
    void *hook_context;
    uint64_t closed_loops; /* wakes for a loop that was closed meanwhile */
    void *owed; /* waiters that there was no memory to wake; with the GIL */
    pthread_t thread; /* outside the daemon */
};

/* Tells an awaitable, with the GIL, what came of its request, and drops it. */
typedef void aw_bridge_finish(struct aw_bridge *bridge, struct aw_send *send);

/* What aw_send.user points to, as long as the reader or the bridge has it. */
struct aw_pending_send {
    struct aw_bridge *bridge;
    void *awaitable; /* a reference, dropped by `finish` */
    int result;      /* written by the reader, then read by the bridge */
    size_t *left;    /* how many that belong together are not settled, the
                        reader's; NULL: it is alone */
    aw_bridge_finish *finish;
};

/* Ends aw_bridge_run(). Any thread; does not wait. */
void aw_bridge_stop(struct aw_bridge *bridge) AW_NO_GIL;

/* An aw_send.done, where aw_send.user is a struct aw_pending_send: hands the
 * result to the bridge; of frames that belong together, with the last. Runs on
 * the reader's thread. */
void aw_bridge_complete(struct aw_send *send, int result) AW_NO_GIL;

/* An aw_send.done for a frame that nobody waits for: frees it. */
void aw_send_discard(struct aw_send *send, int result) AW_NO_GIL;

#endif
