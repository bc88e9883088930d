/* The shutdown order, in its one place. A run without a signal starts at 4.
 *
 *  1. SIGTERM or Ctrl-C: each running script is asked once: its stop callback,
 *     or else its main task is cancelled. Its `finally` may await and send.
 *  2. stop_grace_s after that, or at a second Ctrl-C: each script still running
 *     is cancelled whatever it did with the first request.
 *  3. stop_timeout_s after the signal, or at a third Ctrl-C, or when a script
 * is blocked past all of stall_kill_s (stall.c): the stack of every thread is
 * printed, and a moment later the scripts are abandoned: on with 4 and 7, then
 * _exit(1).
 *  4. No script runs any more, and from here on none is started, whoever asks.
 *     Each device is closed in turn: what was accepted for sending is flushed
 *     (for send_timeout_s at most, in which the loop stands still), its queues
 *     end with `stopped`, its reader ends.
 *  5. The host finalises Python. A thread that a script left behind can keep it
 *     from that for ever: after FINISH_TIMEOUT_S, or at a Ctrl-C, on with 7,
 *     then _exit(status).
 *  6. The bridge is joined and the loop is freed.
 *  7. The ledgers are read and printed, and the devices freed (run.c).
 *
 * 4 before 5: a reader that is alive might still wake the bridge. 5 before 7:
 * what Python's last objects throw away belongs into the ledger. */
#include "daemon/runtime.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/exit_status.h"
#include "daemon/reconfigure.h"
#include "daemon/span_clock.h"
#include "daemon/stall.h"
#include "daemon/supervisor.h"
#include "daemon/watch.h"
#include "devices/queue/clock.h"
#include "devices/queue/log.h"

#define FINISH_TIMEOUT_S 2.0
#define DUMP_MOMENT_S    1.0 /* for the handler that prints the stacks */
#define SAME_CTRL_C_S    0.5 /* the terminal's, and a wrapper's copy of it */

enum phase {
    PHASE_RUNNING,
    PHASE_ASKED,     /* 1 */
    PHASE_CANCELLED, /* 2 */
    PHASE_DUMPED,    /* 3 */
    PHASE_FINISHING, /* 5 */
};

struct aw_runtime {
    const struct aw_runtime_config *config;
    struct ev_loop *loop;
    struct aw_host *host;
    enum phase phase;
    int stop_signal;      /* SIGTERM, SIGINT, or 0 */
    double interrupted_s; /* when a Ctrl-C was last heeded, or 0 */
    int status;           /* of the forced end, or of the scripts */
    bool output_lost;     /* Python could not write all that was printed */
    int failure;          /* negative errno: Python did not start */
    bool up;              /* Python is, and each script was started */
    bool abandoned;
    struct aw_supervisor *supervisor;
    struct aw_watch *watch; /* or NULL */
    struct aw_error error;
    ev_io events;
    ev_signal terminate, interrupt, hangup;
    ev_timer grace, deadline, moment, watchdog, look;
    struct aw_stall_watch *stalls; /* NULL: not watched */
};

/* ---- the stop ---- */

static void start_timer(struct aw_runtime *runtime, ev_timer *timer,
                        double seconds)
{
    /* Closing devices may have taken a while: the loop's time is then old. */
    ev_now_update(runtime->loop);
    ev_timer_set(timer, seconds, 0.);
    ev_timer_start(runtime->loop, timer);
}

static void stop_ask(struct aw_runtime *runtime, int signal)
    AW_ON(main) AW_NO_GIL
{
    runtime->phase = PHASE_ASKED;
    runtime->stop_signal = signal;
    start_timer(runtime, &runtime->grace, runtime->config->stop_grace_s);
    start_timer(runtime, &runtime->deadline, runtime->config->stop_timeout_s);
    /* The host serves it once the scripts have been started. */
    if (runtime->supervisor)
        aw_supervisor_end_all(runtime->supervisor, signal, false);
}

static void stop_cancel(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    runtime->phase = PHASE_CANCELLED;
    ev_timer_stop(runtime->loop, &runtime->grace);
    aw_supervisor_warn_running(runtime->supervisor, "cancelled again");
    aw_supervisor_end_all(runtime->supervisor, runtime->stop_signal, true);
}

static void stop_force(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    runtime->phase = PHASE_DUMPED;
    ev_timer_stop(runtime->loop, &runtime->grace);
    ev_timer_stop(runtime->loop, &runtime->deadline);
    ev_timer_stop(runtime->loop, &runtime->look);
    aw_supervisor_warn_running(runtime->supervisor,
                               "abandoned, here is where it stands");
    aw_host_dump_stacks(runtime->host);
    aw_supervisor_close(runtime->supervisor);
    start_timer(runtime, &runtime->moment, DUMP_MOMENT_S);
}

static void abandon(struct aw_runtime *runtime)
{
    runtime->abandoned = true;
    ev_break(runtime->loop, EVBREAK_ALL);
}

static void finish(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    runtime->phase = PHASE_FINISHING;
    ev_timer_stop(runtime->loop, &runtime->grace);
    ev_timer_stop(runtime->loop, &runtime->deadline);
    ev_timer_stop(runtime->loop, &runtime->look);
    /* The loop turns on while Python ends, and whoever asks is answered. */
    aw_supervisor_close(runtime->supervisor);
    aw_device_table_close_all(runtime->config->devices);
    aw_host_finish(runtime->host);
    start_timer(runtime, &runtime->watchdog, FINISH_TIMEOUT_S);
}

/* ---- what the host tells ---- */

/* The supervisor: no script runs, and none is to be started any more. */
static void on_idle(void *context) AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = context;

    /* Else its end looks again: it may start some. */
    if (runtime->phase == PHASE_RUNNING &&
        aw_reconfigure_is_busy(runtime->config->reconfigure))
        return;
    if (runtime->phase < PHASE_DUMPED)
        finish(runtime);
}

static void host_told(struct aw_runtime *runtime,
                      const struct aw_host_event *event) AW_ON(main) AW_NO_GIL
{
    switch (event->kind) {
    case AW_HOST_STARTED:
        runtime->up = true;
        aw_reconfigure_event(runtime->config->reconfigure, event);
        break;
    case AW_HOST_DEVICE_USED:
    case AW_HOST_DEVICE_TOLD:
    case AW_HOST_DEVICE_UNUSED:
        aw_reconfigure_event(runtime->config->reconfigure, event);
        break;
    case AW_HOST_FAILED:
        runtime->failure = aw_error_set(
            &runtime->error, EIO, "Python did not start: %s", event->text);
        aw_device_table_close_all(runtime->config->devices);
        ev_break(runtime->loop, EVBREAK_ALL);
        break;
    case AW_HOST_SCRIPT_HELD:
    case AW_HOST_SCRIPT_ENDED:
        aw_supervisor_event(runtime->supervisor, event);
        break;
    case AW_HOST_FINISHED:
        runtime->output_lost = event->status != 0;
        ev_break(runtime->loop, EVBREAK_ALL);
        break;
    }
}

/* ---- callbacks of the loop ---- */

static void on_host(struct ev_loop *loop, ev_io *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = watcher->data;
    struct aw_host_event event;

    (void)loop;
    (void)events;
    while (aw_host_next(runtime->host, &event))
        host_told(runtime, &event);
}

/* A wrapper may pass on the Ctrl-C that the terminal has sent to us as well:
 * two that come together are one request. Measured from the last one that was
 * heeded, so that holding the keys down still hurries a stop. */
static bool is_copy(struct aw_runtime *runtime)
{
    double now_s = aw_span_clock_s();

    if (runtime->interrupted_s > 0 &&
        now_s - runtime->interrupted_s < SAME_CTRL_C_S)
        return true;
    runtime->interrupted_s = now_s;
    return false;
}

/* Only a Ctrl-C hurries a stop: SIGTERM may well be sent twice, to the process
 * and to its group. */
static void on_stop(struct ev_loop *loop, ev_signal *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = watcher->data;

    (void)loop;
    (void)events;
    if (watcher->signum == SIGINT && is_copy(runtime))
        return;
    if (runtime->phase == PHASE_RUNNING)
        stop_ask(runtime, watcher->signum);
    else if (watcher->signum != SIGINT)
        return;
    else if (runtime->phase == PHASE_ASKED)
        stop_cancel(runtime);
    else if (runtime->phase == PHASE_CANCELLED)
        stop_force(runtime);
    else if (runtime->phase == PHASE_FINISHING)
        abandon(runtime);
}

static void on_hangup(struct ev_loop *loop, ev_signal *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = watcher->data;

    (void)loop;
    (void)events;
    if (runtime->phase == PHASE_RUNNING && runtime->supervisor)
        aw_reconfigure_ask(runtime->config->reconfigure, NULL, NULL);
}

static void on_grace(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    (void)loop;
    (void)events;
    stop_cancel(watcher->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    (void)loop;
    (void)events;
    stop_force(watcher->data);
}

/* A stop has deadlines of its own. */
static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = watcher->data;

    (void)loop;
    (void)events;
    if (aw_stall_watch_look(runtime->stalls, aw_clock_monotonic_ns()) &&
        runtime->phase == PHASE_RUNNING)
        stop_force(runtime);
}

static void on_moment(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_runtime *runtime = watcher->data;

    (void)loop;
    (void)events;
    runtime->status = AW_EXIT_FORCED;
    aw_device_table_close_all(runtime->config->devices);
    abandon(runtime);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    aw_log(AW_LOG_WARNING,
           "Python has not ended after %.0f s, because of a thread that a "
           "script left behind: ended without it",
           FINISH_TIMEOUT_S);
    abandon(watcher->data);
}

/* ---- the object ---- */

static void start_signal(struct aw_runtime *runtime, ev_signal *watcher)
{
    watcher->data = runtime;
    ev_signal_start(runtime->loop, watcher);
}

static void init_watchers(struct aw_runtime *runtime)
{
    ev_signal_init(&runtime->terminate, on_stop, SIGTERM);
    ev_signal_init(&runtime->interrupt, on_stop, SIGINT);
    ev_signal_init(&runtime->hangup, on_hangup, SIGHUP);
    ev_timer_init(&runtime->grace, on_grace, 0., 0.);
    ev_timer_init(&runtime->deadline, on_deadline, 0., 0.);
    ev_timer_init(&runtime->moment, on_moment, 0., 0.);
    ev_timer_init(&runtime->watchdog, on_watchdog, 0., 0.);
    ev_timer_init(&runtime->look, on_look, 0., 0.);
    runtime->look.data = runtime;
    runtime->grace.data = runtime;
    runtime->deadline.data = runtime;
    runtime->moment.data = runtime;
    runtime->watchdog.data = runtime;
    start_signal(runtime, &runtime->terminate);
    start_signal(runtime, &runtime->interrupt);
    start_signal(runtime, &runtime->hangup);
}

int aw_runtime_new(struct aw_runtime **ret_runtime)
{
    struct aw_runtime *runtime = calloc(1, sizeof(*runtime));

    AW_ASSERT_ROLE(MAIN);
    if (!runtime)
        return -ENOMEM;
    /* Not the default loop, which would reap the scripts' children; and its
     * signals stay unmasked, because a child inherits the mask. */
    runtime->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOSIGMASK);
    if (!runtime->loop) {
        free(runtime);
        return -ENOMEM;
    }
    init_watchers(runtime);
    *ret_runtime = runtime;
    return 0;
}

static void set_looks(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    double interval_s = aw_stall_watch_interval_s(runtime->stalls);

    ev_timer_stop(runtime->loop, &runtime->look);
    if (interval_s <= 0)
        return;
    ev_timer_set(&runtime->look, interval_s, interval_s);
    ev_timer_start(runtime->loop, &runtime->look);
}

/* Without it scripts run all the same. */
static void start_looking(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    const struct aw_stall_config config = {
        .supervisor_config = &runtime->config->supervisor,
        .host = runtime->host,
        .supervisor = runtime->supervisor,
    };

    if (aw_stall_watch_new(&config, &runtime->stalls) == 0)
        set_looks(runtime);
}

/* The host is up: waits for its end. Only an abandoned host is not freed. */
static void run_loop(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    ev_io_init(&runtime->events, on_host, aw_host_fd(runtime->host), EV_READ);
    runtime->events.data = runtime;
    ev_io_start(runtime->loop, &runtime->events);
    start_looking(runtime);
    ev_run(runtime->loop, 0);
    ev_timer_stop(runtime->loop, &runtime->look);
    ev_io_stop(runtime->loop, &runtime->events);
    if (!runtime->abandoned)
        aw_host_free(runtime->host);
}

static int start_host(struct aw_runtime *runtime, struct aw_error *error)
    AW_ON(main) AW_NO_GIL
{
    const struct aw_runtime_config *config = runtime->config;
    int result =
        aw_supervisor_new(&config->supervisor, &config->host, runtime->loop,
                          on_idle, runtime, &runtime->supervisor);

    if (result < 0)
        return aw_error_set(error, ENOMEM, "out of memory");
    result = aw_host_start(&config->host, &runtime->host, error);
    if (result < 0)
        aw_device_table_close_all(runtime->config->devices);
    else
        aw_supervisor_begin(runtime->supervisor, runtime->host);
    return result;
}

/* Without it everything else works. */
static void start_watch(struct aw_runtime *runtime) AW_ON(main) AW_NO_GIL
{
    int result = runtime->config->watch
                     ? aw_watch_new(runtime->loop, &runtime->config->host,
                                    runtime->supervisor, &runtime->watch)
                     : 0;

    if (result < 0)
        aw_log(AW_LOG_WARNING, "cannot watch for changes: %s",
               strerror(-result));
}

int aw_runtime_run(struct aw_runtime *runtime,
                   const struct aw_runtime_config *config,
                   struct aw_outcome *ret_outcome, struct aw_error *error)
{
    int result;

    AW_ASSERT_ROLE(MAIN);
    runtime->config = config;
    result = start_host(runtime, error);
    if (result < 0)
        return result;
    start_watch(runtime);
    run_loop(runtime);
    if (runtime->failure < 0)
        return aw_error_set(error, -runtime->failure, "%s",
                            runtime->error.text);
    if (runtime->status == 0)
        runtime->status = aw_supervisor_exit_status(runtime->supervisor);
    if (runtime->status == 0 && runtime->stop_signal == SIGINT)
        runtime->status = AW_EXIT_INTERRUPTED;
    if (runtime->status == 0 && runtime->output_lost)
        runtime->status = AW_EXIT_OUTPUT;
    ret_outcome->status = runtime->status;
    ret_outcome->abandoned = runtime->abandoned;
    return 0;
}

struct ev_loop *aw_runtime_loop(const struct aw_runtime *runtime)
{
    return runtime->loop;
}

struct aw_supervisor *aw_runtime_supervisor(const struct aw_runtime *runtime)
{
    return runtime->supervisor;
}

enum aw_runtime_state aw_runtime_state(const struct aw_runtime *runtime)
{
    if (runtime->phase != PHASE_RUNNING)
        return AW_RUNTIME_STOPPING;
    return runtime->up ? AW_RUNTIME_UP : AW_RUNTIME_STARTING;
}

bool aw_runtime_was_up(const struct aw_runtime *runtime)
{
    return runtime->up;
}

struct aw_host *aw_runtime_host(const struct aw_runtime *runtime)
{
    return runtime->host;
}

bool aw_runtime_is_running(const struct aw_runtime *runtime)
{
    return runtime->phase == PHASE_RUNNING && runtime->supervisor;
}

void aw_runtime_watch_script(struct aw_runtime *runtime,
                             const struct aw_host_script *script)
{
    if (runtime->watch)
        aw_watch_script(runtime->watch, script);
}

void aw_runtime_configured(struct aw_runtime *runtime)
{
    if (runtime->stalls && runtime->phase < PHASE_DUMPED)
        set_looks(runtime);
}

void aw_runtime_free(struct aw_runtime *runtime)
{
    AW_ASSERT_ROLE(MAIN);
    if (!runtime)
        return;
    ev_signal_stop(runtime->loop, &runtime->terminate);
    ev_signal_stop(runtime->loop, &runtime->interrupt);
    ev_signal_stop(runtime->loop, &runtime->hangup);
    aw_watch_free(runtime->watch);
    aw_supervisor_free(runtime->supervisor);
    ev_loop_destroy(runtime->loop);
    aw_stall_watch_free(runtime->stalls);
    free(runtime);
}
