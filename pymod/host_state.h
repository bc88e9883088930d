/* The host's state, shared by its two halves: control.c, which is the main
 * thread's and knows no Python, and host.c, which is the bridge's and the
 * scripts'. Private to pymod/. */
#ifndef AW_HOST_STATE_H
#define AW_HOST_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/queue/waker.h"
#include "pymod/heartbeat.h"
#include "pymod/host.h"

/* What main has asked for, a script's request word. */
#define AW_REQUEST_CANCEL      0x100u
#define AW_REQUEST_AGAIN       0x200u
#define AW_REQUEST_INTERRUPT   0x400u
#define AW_REQUEST_SIGNAL_MASK 0x0ffu

struct aw_host_thread {
    struct aw_host *host;
    size_t script;
    pthread_t thread;
    bool created;
    _Atomic(unsigned) request; /* AW_REQUEST_*, taken by the bridge */
    _Atomic(int) tid;          /* while it runs; for its stack dump */
    struct aw_heartbeat heartbeat;
};

struct aw_host {
    const struct aw_host_config *config;
    void *bridge; /* struct aw_bridge, which needs Python to be named */
    int bell;     /* the bridge's, to be rung after a request */
    atomic_bool finish;
    pthread_t thread; /* the bridge */
    struct aw_host_thread *threads;

    /* Events for main, oldest first; bounded, since each kind comes once, for
     * each script. The lock is held for a copy at most, never while the GIL is
     * asked for. */
    pthread_mutex_t lock;
    struct aw_host_event *events;
    size_t event_count, event_capacity;
    int event_fd;
    /* A pipe, neither end of which blocks, for the stack of one script. */
    int stack_read_fd, stack_write_fd;
};

/* Posts an event to main. Any thread. */
void aw_host_post(struct aw_host *host, const struct aw_host_event *event);

/* ---- host.c, for control.c ---- */

/* Makes the bridge and sets `bridge` and `bell`. 0 or a negative errno. */
int aw_host_bridge_new(struct aw_host *host);
void aw_host_bridge_free(struct aw_host *host);

/* The bridge's thread, from Py_Initialize to Py_Finalize. */
void *aw_host_bridge_main(void *host);

/* The signal whose handler dumps all Python stacks. */
int aw_host_dump_signal(void);

/* The one whose handler writes the stack of its own thread to the pipe. */
int aw_host_stack_signal(void);

#endif
