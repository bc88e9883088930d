/* The runtime: the main thread's loop, from the first signal handler to the
 * last script's end.
 *
 * It waits for three things alone: what the host tells, signals, and the timers
 * of the stop. Nothing here can block on Python; the shutdown order is stated
 * at the head of runtime.c. */
#ifndef AW_RUNTIME_H
#define AW_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/device_table.h"
#include "daemon/supervisor.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"
#include "pymod/host.h"

struct aw_reconfigure;
struct aw_runtime;
struct ev_loop;

/* A reload changes its times. */
struct aw_runtime_config {
    struct aw_host_config host;
    struct aw_supervisor_config supervisor;
    struct aw_device_table *devices; /* that it closes at the end */
    struct aw_reconfigure *reconfigure;
    bool watch;            /* reload scripts when they are saved */
    double stop_grace_s;   /* from the signal to the second cancel */
    double stop_timeout_s; /* from the signal to the forced end */
};

enum aw_runtime_state {
    AW_RUNTIME_STARTING, /* Python is not up, or a script not started */
    AW_RUNTIME_UP,
    AW_RUNTIME_STOPPING, /* by a signal, or because no script is left */
};

struct aw_outcome {
    int status;     /* the process's exit status, as far as scripts decide it */
    bool abandoned; /* threads are left behind: end by _exit() alone */
};

/* Makes the loop and takes the signals: from here on SIGTERM and SIGINT are
 * kept until aw_runtime_run(). Returns 0 or a negative errno. */
int aw_runtime_new(struct aw_runtime **ret_runtime) AW_ON(main) AW_NO_GIL;

/* Runs the scripts to their end, or to the end of a stop, and closes the
 * devices. `config` must stay as long as the runtime, and for ever if the
 * outcome is `abandoned`. Returns 0, or a negative errno with a sentence if
 * Python could not be started. */
int aw_runtime_run(struct aw_runtime *runtime,
                   const struct aw_runtime_config *config,
                   struct aw_outcome *ret_outcome, struct aw_error *error)
    AW_ON(main) AW_NO_GIL;

/* For those who serve beside it on the main thread: its loop, and, while
 * aw_runtime_run() is under way, the supervisor of its scripts, else NULL. */
struct ev_loop *aw_runtime_loop(const struct aw_runtime *runtime)
    AW_ON(main) AW_NO_GIL;
struct aw_supervisor *aw_runtime_supervisor(const struct aw_runtime *runtime)
    AW_ON(main) AW_NO_GIL;
struct aw_host *aw_runtime_host(const struct aw_runtime *runtime)
    AW_ON(main) AW_NO_GIL;

/* Nobody has asked for the end yet, and there are scripts. */
bool aw_runtime_is_running(const struct aw_runtime *runtime)
    AW_ON(main) AW_NO_GIL;

/* Where scripts are reloaded when they are saved: this one as well. */
void aw_runtime_watch_script(struct aw_runtime *runtime,
                             const struct aw_host_script *script)
    AW_ON(main) AW_NO_GIL;

/* Scripts were added, or are configured otherwise: stalls are looked for as
 * often as they need now. */
void aw_runtime_configured(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL;

enum aw_runtime_state aw_runtime_state(const struct aw_runtime *runtime)
    AW_ON(main) AW_NO_GIL;

/* Were the scripts ever started? */
bool aw_runtime_was_up(const struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL;

/* Gives the signals back. Accepts NULL. Not after an `abandoned` outcome. */
void aw_runtime_free(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL;

#endif
