/* The supervisor: what becomes of each script, from its first start to the end.
 *
 * It starts a script again when its policy says so, after a delay that doubles,
 * until it has failed too often; it reloads, restarts and stops scripts when
 * somebody asks, and answers when that is done or has failed. At most one
 * version of a script is past the point where it could receive or send.
 *
 * Everything runs on the main thread, returns at once and knows no Python: what
 * a script does is the host's (pymod/host.h), which tells it by events. The
 * process's own stop is the runtime's (runtime.h). */
#ifndef AW_SUPERVISOR_H
#define AW_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/error.h"
#include "devices/queue/roles.h"
#include "pymod/host.h"

struct ev_loop;
struct aw_supervisor;

enum aw_restart { AW_RESTART_NO, AW_RESTART_ON_FAILURE, AW_RESTART_ALWAYS };

/* How one script is supervised; seconds. All of it is copied, here and below.
 */
struct aw_supervision {
    enum aw_restart restart;
    double delay_s;    /* before the first restart; then twice as long */
    unsigned limit;    /* restarts in `interval_s`; one more: failed. 0: none */
    double interval_s; /* a run as long as this forgets what was before it */
    /* A loop that is blocked for so long is interrupted; after as long again
     * the process ends, with status 1. 0: never. */
    uint64_t stall_kill_ns;
};

/* Main may change these while the supervisor uses them: what begins later goes
 * by the new ones. */
struct aw_supervisor_config {
    const struct aw_supervision *scripts; /* one for each of the host's */
    double stop_grace_s; /* from asking a script to end to the second cancel */
    double stop_timeout_s;  /* from asking to giving up */
    double start_timeout_s; /* for a new version to come to where it is held */
    double reload_settle_s; /* an error this soon brings the old version back */
};

enum aw_script_state {
    AW_SCRIPT_RUNNING,
    AW_SCRIPT_BACKING_OFF, /* it is started again in `wait_s` */
    AW_SCRIPT_STOPPED,     /* it came to its end, or somebody stopped it */
    AW_SCRIPT_FAILED,      /* it ended with an error, and is not restarted */
};

/* "running", "backing-off", "stopped", "failed". */
const char *aw_script_state_name(enum aw_script_state state);

/* A snapshot; the strings are good until the loop goes on. */
struct aw_script_status {
    const char *name, *path; /* NULL: it was removed, and has ended */
    uint64_t stall_kill_ns;  /* of its policy */
    enum aw_script_state state;
    bool reloading;      /* a new version is being prepared, or settles */
    bool reload_failed;  /* the last one: what runs is not what the file says */
    bool stopping;       /* it was asked to end */
    uint64_t generation; /* of the version that runs or ran last; from 1 */
    uint64_t restarts;   /* by its policy */
    uint64_t reloads;    /* that succeeded */
    uint64_t failed_reloads;
    int exit_status;        /* of the last end, or -1: none yet */
    double since_s;         /* seconds in this state */
    double wait_s;          /* backing off: seconds left; else 0 */
    struct aw_turns turns;  /* of its loop */
    uint64_t dropped_lines; /* of its output, by all its versions */
    const char
        *last_error; /* FILE:LINE: what the last end or reload said; "" */
};

/* The answer to one request, for one script. */
struct aw_script_reply {
    const char *script;  /* its name */
    int result;          /* 0, or a negative errno; -ECANCELED: overtaken */
    uint64_t generation; /* that runs now, or ran last */
    const char *text;    /* of a failure: one line, FILE:LINE first where it has
                            one; else why nothing was to be done, or "" */
    size_t left;         /* answers still to come for the same request */
};

/* Called on the main thread, once for each script asked for; perhaps before the
 * call that asked returns. The strings are good during the call. It may ask for
 * the next thing, but not add or remove a script. */
typedef void (*aw_script_replied)(void *context,
                                  const struct aw_script_reply *reply);

/* In place of an index: every script. */
#define AW_SCRIPT_ALL SIZE_MAX

/* ---- for those who control ---- */

/* Indices below this may be of a script; see aw_supervisor_has(). */
size_t aw_supervisor_count(const struct aw_supervisor *supervisor)
    AW_ON(main) AW_NO_GIL;

/* Is this a script, and not one that was removed? */
bool aw_supervisor_has(const struct aw_supervisor *supervisor, size_t script)
    AW_ON(main) AW_NO_GIL;

/* The script's index, for as long as it is configured, or -ENOENT. */
int aw_supervisor_find(const struct aw_supervisor *supervisor, const char *name)
    AW_ON(main) AW_NO_GIL;

void aw_supervisor_status(const struct aw_supervisor *supervisor, size_t script,
                          struct aw_script_status *ret_status)
    AW_ON(main) AW_NO_GIL;

/* Somebody has stopped the script, or it is ending for that, and nobody wants
 * it to run since. One that is parked is not stopped. */
bool aw_supervisor_is_stopped(const struct aw_supervisor *supervisor,
                              size_t script) AW_ON(main) AW_NO_GIL;

/* Puts a new version in the place of the one that runs, or starts one that does
 * not run. Requests that come while one is being served share the next. Answers
 * when the new version has lasted for reload_settle_s, or why the old one goes
 * on; where that one is on its way to its end for a new version that has
 * failed, when it has been started again from its file. `replied` may be NULL.
 */
void aw_supervisor_reload(struct aw_supervisor *supervisor, size_t script,
                          aw_script_replied replied, void *context)
    AW_ON(main) AW_NO_GIL;

/* The same, if its file or a module in its folder has changed: else the answer
 * is 0 at once, and the script is not touched; nor is one that somebody has
 * stopped. For SIGHUP. */
void aw_supervisor_reload_changed(struct aw_supervisor *supervisor,
                                  size_t script, aw_script_replied replied,
                                  void *context) AW_ON(main) AW_NO_GIL;

/* Ends the script and starts it again, from its file; answers when it has been
 * started, or -ETIMEDOUT if it does not end. One that did not is asked anew. */
void aw_supervisor_restart(struct aw_supervisor *supervisor, size_t script,
                           aw_script_replied replied, void *context)
    AW_ON(main) AW_NO_GIL;

/* Ends the script and leaves it so; answers when it has ended, or -ETIMEDOUT.
 */
void aw_supervisor_stop(struct aw_supervisor *supervisor, size_t script,
                        aw_script_replied replied, void *context)
    AW_ON(main) AW_NO_GIL;

/* Ends the script, as a restart does, and leaves it so until it is restarted or
 * reloaded: its queues stay, and fill. One that is stopped stays that, and is
 * only waited for; so is one that is stopped meanwhile. Answers as
 * aw_supervisor_stop(). */
void aw_supervisor_park(struct aw_supervisor *supervisor, size_t script,
                        aw_script_replied replied, void *context)
    AW_ON(main) AW_NO_GIL;

/* ---- another configuration ---- */

/* Adds a script and starts it. Returns its index, or -ENOMEM. */
int aw_supervisor_add(struct aw_supervisor *supervisor,
                      const struct aw_host_script *settings,
                      const struct aw_supervision *policy,
                      double executor_timeout_s) AW_ON(main) AW_NO_GIL;

/* What is said of a script may have changed: its policy is another at once, the
 * rest with its next version. Returns 0 or -ENOMEM. */
int aw_supervisor_configure(struct aw_supervisor *supervisor, size_t script,
                            const struct aw_host_script *settings,
                            const struct aw_supervision *policy,
                            double executor_timeout_s) AW_ON(main) AW_NO_GIL;

/* Stops the script and forgets it; answers as aw_supervisor_stop(). If it does
 * not end in time it stays, and is forgotten when it has ended. */
void aw_supervisor_remove(struct aw_supervisor *supervisor, size_t script,
                          aw_script_replied replied, void *context)
    AW_ON(main) AW_NO_GIL;

/* Tells the runtime if nothing runs any more, nor ever will: when scripts have
 * been removed. */
void aw_supervisor_check_idle(struct aw_supervisor *supervisor)
    AW_ON(main) AW_NO_GIL;

/* Nobody waits for these answers any more: `context` is not used again. */
void aw_supervisor_forget(struct aw_supervisor *supervisor, const void *context)
    AW_ON(main) AW_NO_GIL;

/* ---- for the runtime ---- */

/* `idle` is called, from the loop, whenever the last script has ended and none
 * is to be started again. `config` must stay, and so must its `scripts` until
 * this returns; of `host_config` the scripts are copied. Returns 0 or -ENOMEM.
 */
int aw_supervisor_new(const struct aw_supervisor_config *config,
                      const struct aw_host_config *host_config,
                      struct ev_loop *loop, void (*idle)(void *context),
                      void *context, struct aw_supervisor **ret_supervisor)
    AW_ON(main) AW_NO_GIL;

/* The host runs, and will run every script: before its first event. */
void aw_supervisor_begin(struct aw_supervisor *supervisor, struct aw_host *host)
    AW_ON(main) AW_NO_GIL;

/* An event of the host that is about a script. */
void aw_supervisor_event(struct aw_supervisor *supervisor,
                         const struct aw_host_event *event)
    AW_ON(main) AW_NO_GIL;

/* The process is to end: nothing is started any more, and every script is asked
 * to end, as aw_host_cancel() says; at first only those that are not ending
 * already. Again and again, as the runtime likes. */
void aw_supervisor_end_all(struct aw_supervisor *supervisor, int signal,
                           bool again) AW_ON(main) AW_NO_GIL;

/* Nothing is started any more, nor is a script asked to end: who waits is
 * answered, who asks from here on is refused. For an end without a signal; once
 * the process is ending this does nothing. */
void aw_supervisor_close(struct aw_supervisor *supervisor)
    AW_ON(main) AW_NO_GIL;

/* Says which scripts still run, and `what` about them. */
void aw_supervisor_warn_running(const struct aw_supervisor *supervisor,
                                const char *what) AW_ON(main) AW_NO_GIL;

/* The exit status of the first script that failed for good, or 0. */
int aw_supervisor_exit_status(const struct aw_supervisor *supervisor)
    AW_ON(main) AW_NO_GIL;

/* Accepts NULL. Answers who still waits. */
void aw_supervisor_free(struct aw_supervisor *supervisor) AW_ON(main) AW_NO_GIL;

#endif
