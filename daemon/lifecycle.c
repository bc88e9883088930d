/* How a script starts and ends, and what its policy makes of that. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/span_clock.h"
#include "daemon/supervisor_state.h"
#include "devices/queue/log.h"

#define DELAY_MAX_S 30.0
#define JITTER      0.1 /* of a delay, either way: not all at once */

void aw_supervised_say(struct aw_supervised *script, enum aw_script_state state)
{
    script->state = state;
    script->since_s = aw_span_clock_s();
}

void aw_supervised_after(struct aw_supervised *script, ev_timer *timer,
                         double seconds)
{
    struct ev_loop *loop = script->supervisor->loop;

    ev_timer_stop(loop, timer);
    /* The loop's time may be old. */
    ev_now_update(loop);
    ev_timer_set(timer, seconds, 0.);
    ev_timer_start(loop, timer);
}

void aw_supervised_start(struct aw_supervised *script, enum aw_host_start how)
{
    uint64_t generation = ++script->newest;

    if (how == AW_HOST_RELOAD || how == AW_HOST_RELOAD_CHANGED) {
        script->candidate = generation;
    } else {
        script->generation = generation;
        script->alive = true;
        script->held_off = script->parked = false;
        /* From the file as it is; a revert comes from memory. */
        if (how != AW_HOST_REVERT)
            script->reload_failed = false;
        aw_supervised_say(script, AW_SCRIPT_RUNNING);
    }
    aw_host_start_script(script->supervisor->host, script->index, generation,
                         how);
}

void aw_supervised_let_inherit(struct aw_supervised *script)
{
    script->inherits = true;
    aw_supervised_after(script, &script->patience,
                        script->supervisor->config->reload_settle_s);
}

void aw_supervised_inherited(struct aw_supervised *script)
{
    script->inherits = false;
    aw_host_drop_queues(script->supervisor->host, script->index,
                        script->generation);
}

void aw_supervised_start_again(struct aw_supervised *script,
                               enum aw_host_start how)
{
    aw_supervised_start(script, how);
    aw_supervised_let_inherit(script);
}

void aw_supervised_ask_end(struct aw_supervised *script, enum aw_host_why why)
{
    const struct aw_supervisor_config *config = script->supervisor->config;

    script->stopping = true;
    script->why = why;
    aw_host_cancel(script->supervisor->host, script->index, script->generation,
                   why, SIGTERM, false);
    aw_supervised_after(script, &script->grace, config->stop_grace_s);
    aw_supervised_after(script, &script->deadline, config->stop_timeout_s);
}

static bool is_over(const struct aw_supervised *script)
{
    if (script->removed)
        return true;
    return !script->alive && script->phase == AW_RELOAD_NONE &&
           script->state != AW_SCRIPT_BACKING_OFF && !script->held_off;
}

void aw_supervisor_check_idle(struct aw_supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        const struct aw_supervised *script = supervisor->scripts[i];

        if (supervisor->ending ? script->alive : !is_over(script))
            return;
    }
    supervisor->idle(supervisor->context);
}

void aw_supervised_close(struct aw_supervised *script, int status)
{
    struct aw_supervisor *supervisor = script->supervisor;

    if (supervisor->status == 0)
        supervisor->status = status;
    if (status != 0 && supervisor->count > 1)
        aw_log(AW_LOG_WARNING, "script %s ended with status %d", script->name,
               status);
    aw_supervised_say(script,
                      status == 0 ? AW_SCRIPT_STOPPED : AW_SCRIPT_FAILED);
    script->inherits = false;
    aw_host_drop_queues(supervisor->host, script->index, 0);
    aw_supervisor_check_idle(supervisor);
}

/* ---- policies ---- */

/* Has it been started again so often that it must not be once more? Counts. */
static bool is_at_limit(struct aw_supervised *script)
{
    double now_s = aw_span_clock_s();

    if (script->in_interval == 0 ||
        now_s - script->interval_since_s >= script->policy.interval_s) {
        script->interval_since_s = now_s;
        script->in_interval = 0;
    }
    return script->policy.limit > 0 &&
           script->in_interval++ >= script->policy.limit;
}

/* A run as long as the interval was a healthy one. */
static void forgive(struct aw_supervised *script)
{
    double lasted_s = aw_span_clock_s() - script->since_s;

    if (script->delay_s > 0 && lasted_s < script->policy.interval_s)
        return;
    script->delay_s = script->policy.delay_s;
    script->in_interval = 0;
}

static void back_off(struct aw_supervised *script, int status)
{
    double jitter = (drand48() * 2 - 1) * JITTER;
    double delay_s = script->delay_s * (1 + jitter);

    aw_log(AW_LOG_WARNING,
           "script %s ended with status %d, and is started again in %.1f s",
           script->name, status, delay_s);
    aw_supervised_say(script, AW_SCRIPT_BACKING_OFF);
    aw_supervised_after(script, &script->backoff, delay_s);
    script->delay_s = fmin(script->delay_s * 2, DELAY_MAX_S);
}

static bool is_wanted(const struct aw_supervised *script, int status)
{
    if (script->policy.restart == AW_RESTART_ON_FAILURE)
        return status != 0;
    return script->policy.restart == AW_RESTART_ALWAYS;
}

void aw_supervised_apply_policy(struct aw_supervised *script,
                                const struct aw_host_event *event)
{
    if (!is_wanted(script, event->status)) {
        aw_supervised_close(script, event->status);
        return;
    }
    forgive(script);
    if (!is_at_limit(script)) {
        back_off(script, event->status);
        return;
    }
    aw_log(AW_LOG_ERROR,
           "script %s was started again %u times within %g s, and is not any "
           "more",
           script->name, script->policy.limit, script->policy.interval_s);
    aw_supervised_close(script, event->status ? event->status : 1);
}

/* ---- the end of a version ---- */

/* Tells those on the list, and who wanted it parked, that it has. */
static void answer_ended(struct aw_supervised *script, struct aw_waiting **list)
    AW_ON(main) AW_NO_GIL
{
    struct aw_waiting *waiting = aw_waiting_take(list);

    /* One list: whoever is answered may ask again at once. */
    aw_waiting_join(&waiting, aw_waiting_take(&script->parks));
    aw_replies_answer(&waiting, script, 0, "");
}

/* It was asked to. */
static void stopped(struct aw_supervised *script,
                    const struct aw_host_event *event) AW_ON(main) AW_NO_GIL
{
    struct aw_supervisor *supervisor = script->supervisor;

    if (script->why == AW_HOST_WHY_STOP) {
        script->held_off = !supervisor->ending;
        aw_supervised_close(script, event->cancelled ? 0 : event->status);
        answer_ended(script, &script->stops);
        if (script->leaving) {
            aw_supervised_vacate(script);
            aw_supervisor_check_idle(supervisor);
        }
        return;
    }
    if (script->parked) {
        script->held_off = true;
        aw_supervised_say(script, AW_SCRIPT_STOPPED);
        answer_ended(script, &script->restarts);
        return;
    }
    /* Somebody wants it to run, be it by a reload that was given up. */
    aw_supervised_start_again(script, AW_HOST_RESTART);
    answer_ended(script, &script->restarts);
}

static void note_end(struct aw_supervised *script,
                     const struct aw_host_event *event)
{
    struct ev_loop *loop = script->supervisor->loop;

    script->alive = false;
    script->exit_status = event->cancelled ? 0 : event->status;
    if (event->text[0])
        snprintf(script->last_error, sizeof(script->last_error), "%s",
                 event->text);
    ev_timer_stop(loop, &script->grace);
    ev_timer_stop(loop, &script->deadline);
}

void aw_supervised_ended(struct aw_supervised *script,
                         const struct aw_host_event *event)
{
    bool asked = script->stopping;

    note_end(script, event);
    script->stopping = false;
    if (script->supervisor->ending) {
        aw_supervised_close(script, script->exit_status);
    } else if (script->phase == AW_RELOAD_YIELDING) {
        aw_reload_admit(script);
    } else if (script->phase == AW_RELOAD_PREPARING) {
        script->died = *event;
        script->reverts = false;
    } else if (script->phase == AW_RELOAD_SETTLING) {
        aw_reload_ended(script, event);
    } else if (asked) {
        stopped(script, event);
    } else {
        aw_supervised_apply_policy(script, event);
    }
}
