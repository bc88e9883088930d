/* `_awaitd`: the extension's state. One C file a type; each file makes its type
 * in aw_<type>_setup() and keeps it here (module_make.c calls them). All of it
 * is used with the GIL. */
#ifndef AW_MODULE_H
#define AW_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "devices/queue/roles.h"

struct aw_bridge;
struct aw_device;

/* What the daemon has ready before the module is imported. */
struct aw_hosted {
    struct aw_bridge *bridge;
    struct aw_device *const *devices;
    size_t device_count;
};

/* Interned strings, for calls that are made often. */
struct aw_names {
    PyObject *call_soon, *call_soon_threadsafe, *run, *throw, *close;
    PyObject *context_keyword; /* the tuple ("context",) */
};

struct aw_module {
    /* Exceptions (errors.c), awaitd.Error and below. */
    PyObject *error, *queue_empty, *queue_closed, *device_error, *device_lost,
        *device_down, *send_timeout, *send_expired, *send_queue_full,
        *config_error;

    /* Types. */
    PyTypeObject *frame_type;     /* frame.c: Frame, the base of the others */
    PyTypeObject *can_frame_type; /* can_frame.c: CanFrame */
    PyTypeObject *datagram_type;  /* datagram.c: Datagram */
    PyTypeObject *j1939_message_type; /* j1939.c: J1939Message */
    PyTypeObject *can_error_type, *can_protocol_error_type; /* can_error.c */
    PyTypeObject *event_type;                               /* event.c: Event */
    PyTypeObject *device_type; /* device.c: Device, the base of these: */
    PyTypeObject *can_device_type, *datagram_device_type, *bytes_device_type;
    PyTypeObject *spi_device_type; /* spi_device.c: SpiDevice */
    PyTypeObject
        *transfer_type; /* transfer.c: what `await transfer()` awaits */
    PyTypeObject *j1939_device_type;
    PyTypeObject *periodic_type; /* periodic.c: PeriodicSend */
    PyTypeObject *queue_type;    /* queue.c: Queue */
    PyTypeObject *send_type;     /* send.c: what `await device.send()` awaits */
    PyTypeObject *stats_type;    /* stats.c: QueueStats */
    PyTypeObject *send_stats_type; /* stats.c: SendStats */
    PyTypeObject *get_type;        /* get.c: what `await queue.get()` awaits */
    PyTypeObject *gap_type;        /* gap.c: Gap */
    PyTypeObject *lease_type;      /* lease.c: what queue.lease() gives */
    PyTypeObject *batch_type;      /* batch.c: Batch */
    PyTypeObject *ethernet_frame_type, *ethernet_device_type; /* Ethernet's */
    PyTypeObject *waiter_type;   /* waiter.c: what these yield to a task */
    PyTypeObject *doorbell_type; /* doorbell.c: an fd that a loop watches */
    PyTypeObject *completion_wait_type; /* coroutine/completion_wait.c */
    PyTypeObject *fd_wait_type;         /* coroutine/fd_wait.c */
    PyObject *fd_claims;                /* the same: which fds are awaited */
    PyTypeObject *awaitable_type; /* coroutine/awaitable.c: a coroutine in C */
    PyTypeObject *trio_type;      /* awaitd/_trio.py: TrioLoop, or NULL */

    /* Interned and imported once (module_make.c). */
    PyObject *get_running_loop;                      /* asyncio's own */
    PyObject *cancelled_error, *invalid_state_error; /* asyncio's own */
    struct aw_names names;

    PyObject *owner_hook; /* the host's: which script is this? or NULL */
    PyObject *gate_hook;  /* the host's: may this version do that? or NULL */

    bool forked;                    /* this is a child made by os.fork() */
    getter coroutine_awaits;        /* a coroutine's cr_await, or NULL */
    bool shut_down;                 /* the interpreter is about to go */
    struct get_object *spare_get;   /* memory for the next one (get.c) */
    struct queue_object *receivers; /* queues with a blocked recv() */
    struct aw_bridge *bridge;       /* bridge.c; started when first needed */
};

/* The state of the module object, or of the module that made a type of ours. */
struct aw_module *aw_module_state(PyObject *module) AW_WITH_GIL;
struct aw_module *aw_module_of_type(PyTypeObject *type) AW_WITH_GIL;

/* True in a child made by fork: no thread of ours runs there. */
bool aw_module_forked(const struct aw_module *module);

/* 0, or -1 with an exception in a child made by fork. */
int aw_module_check_fork(struct aw_module *module) AW_WITH_GIL;

/* The script that runs now: a new reference, or NULL, without an exception
 * where there is none (outside the daemon). */
PyObject *aw_module_owner(struct aw_module *module) AW_WITH_GIL;

/* Before a script receives or sends: waits while its version is held. 0, or -1
 * with an exception where it may not. */
int aw_module_pass_gate(struct aw_module *module) AW_WITH_GIL;

/* Its name, "" where there is none. 0, or -1 with an exception. */
int aw_module_owner_name(struct aw_module *module, char *name,
                         size_t size) AW_WITH_GIL;

/* What runs on this thread: asyncio's running loop or, as a loop of trio_type,
 * trio's run. A new reference, or NULL with RuntimeError. */
PyObject *aw_module_running_loop(struct aw_module *module) AW_WITH_GIL;

/* Set once by the host, before Python starts; NULL in plain Python. */
void aw_module_set_hosted(const struct aw_hosted *hosted);
const struct aw_hosted *aw_module_hosted(void);

/* The attribute `name` of a Python module. A new reference, or NULL with an
 * exception. */
PyObject *aw_module_import(const char *module_name,
                           const char *name) AW_WITH_GIL;

/* Functions of the module (open.c). */
PyObject *aw_open_device(PyObject *module, PyObject *arguments) AW_WITH_GIL;
PyObject *aw_parse_device(PyObject *module, PyObject *text) AW_WITH_GIL;
PyObject *aw_read_config(PyObject *module, PyObject *path) AW_WITH_GIL;
PyObject *aw_hosted_devices(PyObject *module, PyObject *unused) AW_WITH_GIL;

/* Each adds to the module what its file makes. 0, or -1 with an exception. */
int aw_errors_setup(PyObject *module) AW_WITH_GIL;
int aw_frame_setup(PyObject *module) AW_WITH_GIL;
int aw_can_frame_setup(PyObject *module) AW_WITH_GIL;
int aw_datagram_setup(PyObject *module) AW_WITH_GIL;
int aw_j1939_setup(PyObject *module) AW_WITH_GIL;
int aw_periodic_setup(PyObject *module) AW_WITH_GIL;
int aw_ethernet_frame_setup(PyObject *module) AW_WITH_GIL;
int aw_can_error_setup(PyObject *module) AW_WITH_GIL;
int aw_event_setup(PyObject *module) AW_WITH_GIL;
int aw_device_setup(PyObject *module) AW_WITH_GIL;
int aw_queue_setup(PyObject *module) AW_WITH_GIL;
int aw_get_setup(PyObject *module) AW_WITH_GIL;
int aw_waiter_setup(PyObject *module) AW_WITH_GIL;
int aw_doorbell_setup(PyObject *module) AW_WITH_GIL;
int aw_send_setup(PyObject *module) AW_WITH_GIL;
int aw_spi_device_setup(PyObject *module) AW_WITH_GIL;
int aw_transfer_setup(PyObject *module) AW_WITH_GIL;
int aw_stats_setup(PyObject *module) AW_WITH_GIL;
int aw_gap_setup(PyObject *module) AW_WITH_GIL;
int aw_lease_setup(PyObject *module) AW_WITH_GIL;
int aw_batch_setup(PyObject *module) AW_WITH_GIL;
int aw_completion_wait_setup(PyObject *module) AW_WITH_GIL;
int aw_fd_wait_setup(PyObject *module) AW_WITH_GIL;
int aw_awaitable_setup(PyObject *module) AW_WITH_GIL;
int aw_capsule_setup(PyObject *module) AW_WITH_GIL;

/* The module is about to drop the type of awaitables. */
void aw_awaitable_forget(struct aw_module *state) AW_WITH_GIL;

/* The inittab entry of the built-in, and the extension's entry. */
PyMODINIT_FUNC PyInit__awaitd(void);

#endif
