/* The interpreter host, as the daemon's main thread sees it.
 *
 * The host owns the bridge thread, which initialises Python, starts one thread
 * a script, resolves waiting coroutines, and finalises Python. The main thread
 * never takes the GIL: what it asks for travels to the bridge as a message, and
 * what happened comes back as an event behind a file descriptor. Every function
 * here runs on the main thread, returns at once unless it says so, and lives in
 * an object that uses no symbol of Python's (a test checks it). */
#ifndef AW_HOST_H
#define AW_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "devices/device.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"

struct aw_host_script {
    const char *name;       /* unique; the file's name without .py by default */
    const char *path;       /* of the Python file */
    char *const *arguments; /* sys.argv[1:], NULL at the end; or NULL */
    char *const *paths;     /* more of sys.path, NULL at the end; or NULL */
    /* When it fails its queues stay, and fill, until it is started again or
     * aw_host_drop_queues() is called; also when it ends well, if `always`. */
    bool keeps_queues, always_keeps;
    bool flush_backlog; /* started again, it finds them empty */
    /* The file that keeps awaitd.script.state, or NULL. */
    const char *state_path;
    /* A turn of its loop that is as long as this is a stall; 0: none. */
    uint64_t stall_ns;
};

/* A line of a script's output. */
struct aw_host_line {
    size_t script;    /* index; SIZE_MAX: of no script */
    int stream;       /* 1 or 2, as the descriptor */
    int priority;     /* as syslog's */
    const char *file; /* of the code that wrote it, or NULL */
    unsigned line;
    const char *text; /* of `length` bytes, without a line end */
    size_t length;
    size_t cut; /* bytes behind it that are left out */
};

/* Where the lines go. All are called on scripts' threads and on the bridge;
 * `dropped` on any thread. */
struct aw_host_output {
    /* Takes a copy; called with the GIL, and so by one thread at a time; must
     * not block. 0, or -EPIPE when nobody reads that stream any more. */
    int (*put)(void *context, const struct aw_host_line *line);
    /* Without the GIL: waits until all is written; false at the timeout. */
    bool (*drain)(void *context, double timeout_s);
    /* Lines of that script that were not written, and will not be. */
    uint64_t (*dropped)(void *context, size_t script);
    /* The script of that index has this name from now on, of which a copy is
     * made: lines that were put before keep theirs. On main. 0 or -ENOMEM. */
    int (*name)(void *context, size_t script, const char *name);
    void *context;
    bool located; /* `file` and `line` are wanted */
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
    /* Takes what scripts print; `put` NULL: they print as python3 does. */
    struct aw_host_output output;
    bool plain_alone; /* one that is the only one does so, too */
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
    int status;          /* the script's exit status, 0..255; of FINISHED:
                          * not 0 if not all that was printed was taken */
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

/* The turns of a script's loop, from one wait for events to the next, over all
 * its generations.
 * buckets[i] counts those of 2^i to 2^(i+1) microseconds; the first one has the
 * shorter ones, too, and the last one the longer ones. */
#define AW_TURN_BUCKETS 32

struct aw_turns {
    uint64_t began_ns;   /* of the present turn, CLOCK_MONOTONIC; 0: it waits */
    uint64_t generation; /* whose turn that is */
    uint64_t turns;      /* those that have ended, as all below */
    uint64_t stalls;     /* of stall_ns or longer */
    uint64_t longest_ns;
    uint64_t busy_ns;  /* of all of them together */
    uint64_t stall_ns; /* that holds at present; 0: no turn is one */
    uint64_t buckets[AW_TURN_BUCKETS];
};

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

/* What the script has left and not taken over by now is closed, and counted:
 * what that generation has not called for, unless it has just ended, and leaves
 * its own to what comes next; of generation 0, all that was left. */
void aw_host_drop_queues(struct aw_host *host, size_t script,
                         uint64_t generation) AW_ON(main) AW_NO_GIL;

/* Asks a generation of a script to end: its stop callback is called if it
 * registered one for `signal` (SIGINT or SIGTERM) with loop.add_signal_handler,
 * else its main task is cancelled, as asyncio.run does on Ctrl-C. With `again`
 * the main task is cancelled whatever happened before. One that is ending is
 * only told why with `signal` 0. No effect on one that has ended. */
void aw_host_cancel(struct aw_host *host, size_t script, uint64_t generation,
                    enum aw_host_why why, int signal, bool again)
    AW_ON(main) AW_NO_GIL;

/* What the loop of a script has done, whoever holds the GIL. Loops of other
 * threads are not in it; of those that cannot be seen to wait (uvloop's) the
 * turns are what a timer was late by. The present turn is the oldest one of its
 * generations; of one that was discarded it does not count. */
void aw_host_turns(struct aw_host *host, size_t script,
                   struct aw_turns *ret_turns) AW_ON(main) AW_NO_GIL;

/* Has the thread of a generation write its Python stack, to be read by
 * aw_host_read_stack() a moment later; what was not yet read of another one is
 * thrown away. False if it does not run. One is asked at a time: whoever asked
 * before finds nothing. */
bool aw_host_ask_stack(struct aw_host *host, size_t script, uint64_t generation)
    AW_ON(main) AW_NO_GIL;

/* What that generation has written since it was asked, in faulthandler's form:
 * at most `size` - 1 bytes and a 0. Returns their number, 0 if there is nothing
 * yet, or another one was asked since. */
size_t aw_host_read_stack(struct aw_host *host, size_t script,
                          uint64_t generation, char *buffer, size_t size)
    AW_ON(main) AW_NO_GIL;

/* Raises KeyboardInterrupt in the thread of a generation, at its next line; no
 * effect inside C code that does not return, and on one that has ended. */
void aw_host_interrupt(struct aw_host *host, size_t script, uint64_t generation)
    AW_ON(main) AW_NO_GIL;

/* ---- another configuration; once AW_HOST_STARTED has come ---- */

/* `script` is the index of a script, of one that was removed, or the number of
 * those there have been so far. What is said of it (all of which is copied)
 * holds for the next version; keeps_queues, always_keeps, flush_backlog,
 * state_path and stall_ns hold at once. A new script is started by
 * aw_host_start_script(). */
void aw_host_configure(struct aw_host *host, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s) AW_ON(main) AW_NO_GIL;

/* The script has ended, and is not to be started again. */
void aw_host_remove(struct aw_host *host, size_t script) AW_ON(main) AW_NO_GIL;

/* Scripts find this device from now on; where there is one of its name, in its
 * place, and that one leaves: see below. `replaced` is the number of that one,
 * and numbers are not 0. One with start=ready is held until aw_host_settled()
 * at least. Takes a reference. */
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

/* Whoever is started again for a device that was added has been. */
void aw_host_settled(struct aw_host *host) AW_ON(main) AW_NO_GIL;

/* Writes the Python stack of every thread to stderr, whoever holds the GIL. */
void aw_host_dump_stacks(struct aw_host *host) AW_ON(main) AW_NO_GIL;

/* Finalises Python, once every script has ended; AW_HOST_FINISHED follows. If
 * it does not (a thread that a script left behind may prevent it), the process
 * must end by _exit(). */
void aw_host_finish(struct aw_host *host) AW_ON(main) AW_NO_GIL;

/* Compiles each script as it would be run, and does not run it: writes a line
 * FILE:LINE:COLUMN: ERROR for each that has an error. Blocks until that is
 * done. Of `config` it uses scripts, package_path and venv. Returns how many
 * have one, or a negative errno with a line. Instead of aw_host_start(), and
 * once in a process. */
int aw_host_check_scripts(const struct aw_host_config *config, FILE *to)
    AW_ON(main) AW_NO_GIL;

/* Joins the bridge. Only after AW_HOST_FINISHED or AW_HOST_FAILED. */
void aw_host_free(struct aw_host *host) AW_ON(main) AW_NO_GIL;

#endif
