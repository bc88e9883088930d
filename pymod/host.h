/* The interpreter host, as the daemon's main thread sees it.
 *
 * The host owns the bridge thread, which initialises Python, starts one thread
 * a script, resolves waiting coroutines, and finalises Python. The main thread
 * never takes the GIL: what it asks for travels to the bridge as a message, and
 * what happened comes back as an event behind a file descriptor. Every function
 * here runs on the main thread, returns at once, and lives in an object that
 * uses no symbol of Python's (a test checks it). */
#ifndef AW_HOST_H
#define AW_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"

struct aw_host_script {
    const char *name;       /* unique; the file's name without .py by default */
    const char *path;       /* of the Python file */
    char *const *arguments; /* sys.argv[1:], NULL at the end; or NULL */
    char *const *paths;     /* more of sys.path, NULL at the end; or NULL */
    /* When it ends by itself its queues stay, and fill, until it is started
     * again or aw_host_drop_queues() is called. */
    bool keeps_queues;
    bool flush_backlog; /* started again, it finds them empty */
    /* The file that keeps awaitd.script.state, or NULL. */
    const char *state_path;
};

struct aw_host_config {
    struct aw_device *const *devices;
    size_t device_count;
    const struct aw_host_script *scripts;
    size_t script_count;
    /* The folder that holds the package awaitd/. */
    const char *package_path;
    const char *cwd;  /* that scripts run in, or NULL: this one */
    const char *venv; /* the virtual environment, or NULL */
    /* Put "NAME: " before each line that a script prints. */
    bool prefix_output;
    /* Seconds that a script's default executor gets to finish its work when
     * the script's runner closes. */
    double executor_timeout_s;
};

enum aw_host_event_kind {
    AW_HOST_STARTED,       /* Python is up and every script thread runs */
    AW_HOST_FAILED,        /* Python could not be initialised; see `text` */
    AW_HOST_SCRIPT_HELD,   /* a version to be admitted has come to its hold */
    AW_HOST_SCRIPT_ENDED,  /* see `status`, `cancelled`, `text` */
    AW_HOST_FINISHED,      /* Python is finalised and the bridge has ended */
    AW_HOST_DEVICE_USED,   /* `script` uses `device` */
    AW_HOST_DEVICE_TOLD,   /* aw_host_tell_users(`device`) is answered */
    AW_HOST_DEVICE_UNUSED, /* it is not configured, and nobody uses it */
};

struct aw_host_event {
    enum aw_host_event_kind kind;
    size_t script;       /* index into aw_host_config.scripts */
    uint64_t generation; /* of that script */
    int status;          /* the script's exit status, 0..255 */
    bool unchanged;      /* AW_HOST_RELOAD_CHANGED: nothing has */
    bool cancelled;      /* it ended by the cancellation that was asked for */
    uint64_t device;     /* the number that the daemon has given it */
    char text[400];      /* one line: FILE:LINE: the error it ended by, or "" */
};

/* Why a script is started: its awaitd.script.start_reason. */
enum aw_host_start {
    AW_HOST_START,
    AW_HOST_RESTART, /* it takes over what was left of the last run */
    /* A new version beside the one that runs: it is held at its first turn of
     * the loop, its first queue(), send(), open() or look at its state, or at
     * its end, until aw_host_admit(). */
    AW_HOST_RELOAD,
    /* The same, but if nothing has changed it ends before its first line. */
    AW_HOST_RELOAD_CHANGED,
    AW_HOST_REVERT, /* the code before the newest, as it is in memory */
};

/* Why a script is to end: its awaitd.script.stopping. After all but a stop its
 * queues stay, as with keeps_queues. */
enum aw_host_why { AW_HOST_WHY_STOP, AW_HOST_WHY_RELOAD, AW_HOST_WHY_RESTART };

struct aw_host;

/* Starts the bridge, and every script as its generation 1. `config` must stay
 * until aw_host_free(), and what it says of scripts and devices until
 * AW_HOST_STARTED. Returns 0 or a negative errno. */
int aw_host_start(const struct aw_host_config *config,
                  struct aw_host **ret_host, struct aw_error *error)
    AW_ON(main) AW_NO_GIL;

/* Readable when aw_host_next() has something. */
int aw_host_fd(const struct aw_host *host);

/* Takes the oldest event; false if there is none. */
bool aw_host_next(struct aw_host *host, struct aw_host_event *ret_event)
    AW_ON(main) AW_NO_GIL;

/* Starts a script once more, as `generation`, which is larger than all before
 * it; AW_HOST_SCRIPT_ENDED will follow, also if its thread cannot be made. Only
 * with AW_HOST_RELOAD may another generation of it still run. */
void aw_host_start_script(struct aw_host *host, size_t script,
                          uint64_t generation, enum aw_host_start how)
    AW_ON(main) AW_NO_GIL;

/* The generation started with AW_HOST_RELOAD goes on, with the queues that the
 * one before has left: which has ended. */
void aw_host_admit(struct aw_host *host, size_t script, uint64_t generation)
    AW_ON(main) AW_NO_GIL;

/* That generation is not wanted: it is made to end, and never receives or
 * sends. One that is blocked may take its time. */
void aw_host_discard(struct aw_host *host, size_t script, uint64_t generation)
    AW_ON(main) AW_NO_GIL;

/* What the script has left and not taken over by now is closed, and counted. */
void aw_host_drop_queues(struct aw_host *host, size_t script)
    AW_ON(main) AW_NO_GIL;

/* Asks a generation of a script to end: its stop callback is called if it
 * registered one for `signal` (SIGINT or SIGTERM) with loop.add_signal_handler,
 * else its main task is cancelled, as asyncio.run does on Ctrl-C. With `again`
 * the main task is cancelled whatever happened before. No effect on one that
 * has ended. */
void aw_host_cancel(struct aw_host *host, size_t script, uint64_t generation,
                    enum aw_host_why why, int signal, bool again)
    AW_ON(main) AW_NO_GIL;

/* ---- another configuration; once AW_HOST_STARTED has come ---- */

/* `script` is the index of a script, of one that was removed, or the number of
 * those there have been so far. What is said of it (all of which is copied)
 * holds for the next version; keeps_queues, flush_backlog and state_path hold
 * at once. A new script is started by aw_host_start_script(). */
void aw_host_configure(struct aw_host *host, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s) AW_ON(main) AW_NO_GIL;

/* The script has ended, and is not to be started again. */
void aw_host_remove(struct aw_host *host, size_t script) AW_ON(main) AW_NO_GIL;

/* Scripts find this device from now on; where there is one of its name, in its
 * place, and that one leaves: see below. `replaced` is the number of that one,
 * and numbers are not 0. Takes a reference. */
void aw_host_add_device(struct aw_host *host, struct aw_device *device,
                        uint64_t replaced) AW_ON(main) AW_NO_GIL;

/* Scripts do not find the device `name` any more. It leaves: those who use it
 * go on with it, and when nobody does AW_HOST_DEVICE_UNUSED comes, once. */
void aw_host_remove_device(struct aw_host *host, const char *name,
                           uint64_t number) AW_ON(main) AW_NO_GIL;

/* Has an AW_HOST_DEVICE_USED come for each script that uses the device, then
 * AW_HOST_DEVICE_TOLD, all with this number. It is the one that is found as
 * `name`; where that is "", the one that leaves and has this number. */
void aw_host_tell_users(struct aw_host *host, const char *name, uint64_t number)
    AW_ON(main) AW_NO_GIL;

/* Writes the Python stack of every thread to stderr, whoever holds the GIL. */
void aw_host_dump_stacks(struct aw_host *host) AW_ON(main) AW_NO_GIL;

/* Finalises Python, once every script has ended; AW_HOST_FINISHED follows. If
 * it does not (a thread that a script left behind may prevent it), the process
 * must end by _exit(). */
void aw_host_finish(struct aw_host *host) AW_ON(main) AW_NO_GIL;

/* Joins the bridge. Only after AW_HOST_FINISHED or AW_HOST_FAILED. */
void aw_host_free(struct aw_host *host) AW_ON(main) AW_NO_GIL;

#endif
