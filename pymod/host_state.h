/* The host's state, shared by its two halves: host_main.c, which is the main
 * thread's and knows no Python, and host.c, which is the bridge's and the
 * scripts'. Private to pymod/. */
#ifndef AW_HOST_STATE_H
#define AW_HOST_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "devices/queue/waker.h"
#include "pymod/heartbeat.h"
#include "pymod/host.h"

/* What main asks of the bridge. */
enum aw_request_kind {
    AW_REQUEST_START,
    AW_REQUEST_ADMIT,
    AW_REQUEST_DISCARD,
    AW_REQUEST_DROP,
    AW_REQUEST_CANCEL,
    AW_REQUEST_INTERRUPT,
    AW_REQUEST_CONFIGURE,
    AW_REQUEST_REMOVE,
    AW_REQUEST_ADD_DEVICE,
    AW_REQUEST_REMOVE_DEVICE,
    AW_REQUEST_TELL_USERS,
    AW_REQUEST_SETTLED,
};

struct aw_host_request {
    struct aw_host_request *next;
    bool spare; /* of those kept for when there is no memory */
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

/* Frees what it carries, and not the request. */
void aw_host_request_deinit(struct aw_host_request *request);

/* What the host keeps of a script as long as it is one. */
struct aw_host_place {
    struct aw_turns ended; /* what its freed threads have counted */
    uint64_t stall_ns;
};

/* The thread of one generation of a script. */
struct aw_host_thread {
    struct aw_host_thread *next;
    struct aw_host *host;
    size_t script;
    uint64_t generation;
    pthread_t thread;
    bool discarded; /* with the host's lock: it is not wanted, … */
    bool forgotten; /* … and its script is not any more, nor what it counts */
    _Atomic(int) tid;  /* while it runs; for its stack dump */
    atomic_bool ended; /* it may be joined, and that does not wait */
    struct aw_heartbeat *heartbeat; /* a reference */
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
    struct aw_host_request *spares;
    struct aw_host_event *events; /* for main, oldest first */
    size_t event_count, event_capacity;
    int event_fd;
    struct aw_host_place *places; /* by script */
    size_t place_count;
    /* A pipe, neither end of which blocks, for the stack of one script. */
    int stack_read_fd, stack_write_fd;
    /* Whose stack was asked for; main's alone. */
    size_t stack_script;
    uint64_t stack_generation;
};

/* What main has asked for since, oldest first: the caller's. */
struct aw_host_request *aw_host_take_requests(struct aw_host *host);

/* It has been served. Any thread. */
void aw_host_free_request(struct aw_host *host,
                          struct aw_host_request *request);

/* Posts an event to main. Any thread. */
void aw_host_post(struct aw_host *host, const struct aw_host_event *event);

/* ---- host.c, for host_main.c ---- */

/* Makes the bridge and sets `bridge` and `bell`. 0 or a negative errno. */
int aw_host_bridge_new(struct aw_host *host);
void aw_host_bridge_free(struct aw_host *host);

/* The bridge's thread, from Py_Initialize to Py_Finalize. */
void *aw_host_bridge_main(void *host);

/* The signal whose handler dumps all Python stacks. */
int aw_host_dump_signal(void);

/* The one whose handler writes the stack of its own thread to the pipe. */
int aw_host_stack_signal(void);

/* ---- check.c, for host_main.c ---- */

struct aw_host_check {
    const struct aw_host_config *config;
    FILE *to;
    int result; /* of aw_host_check_scripts() */
};

/* A thread's life: Python is initialised, used and finalised on it. */
void *aw_host_check_main(void *check);

#endif
