/* The host's state, shared by its two halves: control.c, which is the main
 * thread's and knows no Python, and host.c, which is the bridge's and the
 * scripts'. Private to pymod/. */
#ifndef AW_HOST_STATE_H
#define AW_HOST_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/queue/waker.h"
#include "pymod/host.h"

/* What main asks of the bridge. */
enum aw_request_kind {
    AW_REQUEST_START,
    AW_REQUEST_ADMIT,
    AW_REQUEST_DISCARD,
    AW_REQUEST_DROP,
    AW_REQUEST_CANCEL,
    AW_REQUEST_CONFIGURE,
    AW_REQUEST_REMOVE,
    AW_REQUEST_ADD_DEVICE,
    AW_REQUEST_REMOVE_DEVICE,
    AW_REQUEST_TELL_USERS,
};

struct aw_host_request {
    struct aw_host_request *next;
    enum aw_request_kind kind;
    size_t script;
    uint64_t generation;
    enum aw_host_start start; /* START */
    enum aw_host_why why;     /* CANCEL, and so are these */
    int signal;
    bool again;
    struct aw_host_script *settings; /* CONFIGURE: a copy, the request's */
    double executor_timeout_s;
    struct aw_device *device; /* ADD_DEVICE: a reference */
    char name[64];            /* of a device */
    uint64_t number;          /* of a device */
};

/* A copy of all of it, or NULL without memory. Accepts NULL to free. */
struct aw_host_script *aw_host_script_copy(const struct aw_host_script *script);
void aw_host_script_free(struct aw_host_script *script);

/* Accepts NULL. */
void aw_host_request_free(struct aw_host_request *request);

/* The thread of one generation of a script. */
struct aw_host_thread {
    struct aw_host_thread *next;
    struct aw_host *host;
    size_t script;
    uint64_t generation;
    pthread_t thread;
    bool created;      /* the bridge's */
    _Atomic(int) tid;  /* while it runs; for its stack dump */
    atomic_bool ended; /* it may be joined, and that does not wait */
};

struct aw_host {
    const struct aw_host_config *config;
    void *bridge; /* struct aw_bridge, which needs Python to be named */
    int bell;     /* the bridge's, to be rung after a request */
    atomic_bool finish;
    pthread_t thread; /* the bridge */

    /* Guards all below; held for a copy or a link at most, never while the GIL
     * is asked for. */
    pthread_mutex_t lock;
    struct aw_host_thread *threads; /* the bridge adds and takes away */
    struct aw_host_request *requests, **requests_end; /* oldest first */
    struct aw_host_event *events; /* for main, oldest first */
    size_t event_count, event_capacity;
    int event_fd;
};

/* What main has asked for since, oldest first: the caller's to free. */
struct aw_host_request *aw_host_take_requests(struct aw_host *host);

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

#endif
