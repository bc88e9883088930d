/* What is asked of the supervisor, and when its timers run out. */
#include "daemon/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/span_clock.h"
#include "daemon/supervisor_state.h"
#include "devices/queue/log.h"

#define OVERTAKEN "overtaken by a restart or a stop"

const char *aw_script_state_name(enum aw_script_state state)
{
    static const char *const names[] = {
        [AW_SCRIPT_RUNNING] = "running",
        [AW_SCRIPT_BACKING_OFF] = "backing-off",
        [AW_SCRIPT_STOPPED] = "stopped",
        [AW_SCRIPT_FAILED] = "failed",
    };

    return names[state];
}

/* ---- looking ---- */

size_t aw_supervisor_count(const struct aw_supervisor *supervisor)
{
    return supervisor->count;
}

bool aw_supervisor_has(const struct aw_supervisor *supervisor, size_t script)
{
    return script < supervisor->count && !supervisor->scripts[script]->leaving;
}

int aw_supervisor_find(const struct aw_supervisor *supervisor, const char *name)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (aw_supervisor_has(supervisor, i) &&
            strcmp(supervisor->scripts[i]->name, name) == 0)
            return (int)i;
    return -ENOENT;
}

void aw_supervisor_status(const struct aw_supervisor *supervisor, size_t index,
                          struct aw_script_status *ret_status)
{
    const struct aw_supervised *script = supervisor->scripts[index];
    const struct aw_host_output *output = &supervisor->output;

    *ret_status = (struct aw_script_status){
        .name = script->name,
        .path = script->path,
        .stall_kill_ns = script->policy.stall_kill_ns,
        .state = script->state,
        .reloading = script->phase != AW_RELOAD_NONE,
        .reload_failed = script->reload_failed,
        .stopping = script->stopping,
        .generation = script->generation,
        .restarts = script->restart_count,
        .reloads = script->reload_count,
        .failed_reloads = script->failed_reload_count,
        .exit_status = script->exit_status,
        .since_s = aw_span_clock_s() - script->since_s,
        .last_error = script->last_error,
        .dropped_lines =
            output->dropped ? output->dropped(output->context, index) : 0,
    };
    aw_host_turns(supervisor->host, index, &ret_status->turns);
    if (script->state == AW_SCRIPT_BACKING_OFF &&
        ev_is_active(&script->backoff))
        ret_status->wait_s = ev_timer_remaining(
            supervisor->loop, (ev_timer *)(uintptr_t)&script->backoff);
}

int aw_supervisor_exit_status(const struct aw_supervisor *supervisor)
{
    return supervisor->status;
}

/* ---- asking ---- */

typedef void serve_script(struct aw_supervised *script, struct aw_ask *ask);

/* It cannot even be remembered who asks. */
static void refuse_all(const struct aw_supervisor *supervisor, size_t first,
                       size_t end, size_t count, aw_script_replied replied,
                       void *context) AW_ON(main) AW_NO_GIL
{
    for (size_t i = first; i < end; i++) {
        if (!aw_supervisor_has(supervisor, i))
            continue;
        replied(context, &(struct aw_script_reply){
                             .script = supervisor->scripts[i]->name,
                             .result = -ENOMEM,
                             .generation = supervisor->scripts[i]->generation,
                             .text = "not enough memory",
                             .left = --count,
                         });
    }
}

static void serve(struct aw_supervisor *supervisor, size_t index,
                  serve_script *serve_one, aw_script_replied replied,
                  void *context) AW_ON(main) AW_NO_GIL
{
    bool all = index == AW_SCRIPT_ALL;
    size_t first = all ? 0 : index;
    size_t end = all ? supervisor->count : index + 1;
    struct aw_ask *ask = NULL;
    size_t count = 0;

    for (size_t i = first; i < end; i++)
        count += aw_supervisor_has(supervisor, i);
    if (replied && count > 0) {
        ask = aw_ask_new(replied, context, count);
        if (!ask) {
            refuse_all(supervisor, first, end, count, replied, context);
            return;
        }
    }
    for (size_t i = first; i < end; i++) {
        struct aw_supervised *script = supervisor->scripts[i];

        if (!aw_supervisor_has(supervisor, i))
            continue;
        if (supervisor->ending)
            aw_ask_answer(ask, script, -ECANCELED, "the daemon is stopping");
        else
            serve_one(script, ask);
    }
}

/* It was asked to end, and has the time for that. */
static bool is_ending(const struct aw_supervised *script)
{
    return script->stopping && ev_is_active(&script->deadline);
}

static void reload(struct aw_supervised *script, struct aw_ask *ask,
                   bool anyway) AW_ON(main) AW_NO_GIL
{
    if (script->phase != AW_RELOAD_NONE) {
        aw_ask_wait(ask, &script->next_reloads);
        script->again = true;
        script->again_anyway |= anyway;
    } else if (is_ending(script) && script->why == AW_HOST_WHY_RESTART) {
        /* Which is from the file as it is. */
        aw_ask_wait(ask, &script->restarts);
    } else if (script->stopping) {
        aw_ask_answer(ask, script, -EBUSY,
                      "the version that runs was asked to end, and has not");
    } else {
        aw_ask_wait(ask, &script->reloads);
        aw_reload_begin(script, anyway);
    }
}

static void reload_one(struct aw_supervised *script, struct aw_ask *ask)
    AW_ON(main) AW_NO_GIL
{
    reload(script, ask, true);
}

static void reload_changed(struct aw_supervised *script, struct aw_ask *ask)
    AW_ON(main) AW_NO_GIL
{
    if (script->held_off)
        aw_ask_answer(ask, script, 0, "stopped");
    else
        reload(script, ask, false);
}

/* Who asked for what a restart or a stop overtakes. They are answered when that
 * is under way: whoever is answered may ask again at once. */
struct overtaken {
    struct aw_waiting *reloads, *next_reloads, *others;
    int result; /* of the reload */
};

/* A restart or a stop overtakes a reload, and `others`. */
static struct overtaken overtake(struct aw_supervised *script,
                                 struct aw_waiting **others)
    AW_ON(main) AW_NO_GIL
{
    struct overtaken overtaken = {
        .reloads = aw_waiting_take(&script->reloads),
        .next_reloads = aw_waiting_take(&script->next_reloads),
        .others = aw_waiting_take(others),
    };

    if (script->phase == AW_RELOAD_SETTLING) {
        script->phase = AW_RELOAD_NONE;
        script->reload_count++;
        script->reload_failed = false;
    } else if (script->phase != AW_RELOAD_NONE) {
        overtaken.result = -ECANCELED;
        aw_reload_give_up(script, -ECANCELED, OVERTAKEN);
    }
    script->died.generation = 0;
    script->again = script->again_anyway = false;
    ev_timer_stop(script->supervisor->loop, &script->backoff);
    /* What was left is for the version that follows, if one does. */
    ev_timer_stop(script->supervisor->loop, &script->patience);
    return overtaken;
}

static void tell_overtaken(const struct aw_supervised *script,
                           struct overtaken *overtaken) AW_ON(main) AW_NO_GIL
{
    aw_replies_answer(&overtaken->reloads, script, overtaken->result,
                      overtaken->result ? OVERTAKEN : "");
    aw_replies_answer(&overtaken->next_reloads, script, -ECANCELED, OVERTAKEN);
    aw_replies_answer(&overtaken->others, script, -ECANCELED, OVERTAKEN);
}

/* It is ending, and is told why. To ask it once more would cut short what it
 * does in `finally`. */
static void end_instead_for(struct aw_supervised *script, enum aw_host_why why)
    AW_ON(main) AW_NO_GIL
{
    if (script->why == why)
        return;
    script->why = why;
    aw_host_cancel(script->supervisor->host, script->index, script->generation,
                   why, 0, false);
}

/* Has the version that runs end; one that is ending anyway does so for this.
 * One that was given up is asked anew. */
static void end_for(struct aw_supervised *script, enum aw_host_why why)
    AW_ON(main) AW_NO_GIL
{
    if (is_ending(script))
        end_instead_for(script, why);
    else
        aw_supervised_ask_end(script, why);
}

static bool is_stopped(const struct aw_supervised *script)
{
    return script->alive ? script->stopping && script->why == AW_HOST_WHY_STOP
                         : script->held_off && !script->parked &&
                               script->phase == AW_RELOAD_NONE;
}

bool aw_supervisor_is_stopped(const struct aw_supervisor *supervisor,
                              size_t script)
{
    return is_stopped(supervisor->scripts[script]);
}

/* `parked`: it is not started again before somebody asks for that. */
static void restart(struct aw_supervised *script, struct aw_ask *ask,
                    bool parked) AW_ON(main) AW_NO_GIL
{
    struct overtaken overtaken = overtake(script, &script->stops);

    script->parked = parked;
    if (script->alive) {
        aw_ask_wait(ask, parked ? &script->parks : &script->restarts);
        end_for(script, AW_HOST_WHY_RESTART);
        tell_overtaken(script, &overtaken);
        return;
    }
    if (parked) {
        script->held_off = true;
        aw_supervised_say(script, AW_SCRIPT_STOPPED);
    } else {
        aw_supervised_start_again(script, AW_HOST_RESTART);
    }
    tell_overtaken(script, &overtaken);
    aw_ask_answer(ask, script, 0, "");
}

void aw_supervised_restart(struct aw_supervised *script, struct aw_ask *ask)
{
    restart(script, ask, false);
}

static void park_one(struct aw_supervised *script, struct aw_ask *ask)
    AW_ON(main) AW_NO_GIL
{
    if (!is_stopped(script)) {
        restart(script, ask, true);
    } else if (script->alive) {
        aw_ask_wait(ask, &script->parks);
        end_for(script, AW_HOST_WHY_STOP);
    } else {
        aw_ask_answer(ask, script, 0, "");
    }
}

void aw_supervised_stop(struct aw_supervised *script, struct aw_ask *ask)
{
    struct overtaken overtaken = overtake(script, &script->restarts);

    /* Who parks it waits for its end, and has it. */
    script->parked = false;
    if (script->alive) {
        aw_ask_wait(ask, &script->stops);
        end_for(script, AW_HOST_WHY_STOP);
        tell_overtaken(script, &overtaken);
        return;
    }
    script->held_off = true;
    aw_supervised_close(script, 0);
    tell_overtaken(script, &overtaken);
    aw_ask_answer(ask, script, 0, "");
}

void aw_supervisor_reload(struct aw_supervisor *supervisor, size_t script,
                          aw_script_replied replied, void *context)
{
    AW_ASSERT_ROLE(MAIN);
    serve(supervisor, script, reload_one, replied, context);
}

void aw_supervisor_reload_changed(struct aw_supervisor *supervisor,
                                  size_t script, aw_script_replied replied,
                                  void *context)
{
    AW_ASSERT_ROLE(MAIN);
    serve(supervisor, script, reload_changed, replied, context);
}

void aw_supervisor_restart(struct aw_supervisor *supervisor, size_t script,
                           aw_script_replied replied, void *context)
{
    AW_ASSERT_ROLE(MAIN);
    serve(supervisor, script, aw_supervised_restart, replied, context);
}

void aw_supervisor_stop(struct aw_supervisor *supervisor, size_t script,
                        aw_script_replied replied, void *context)
{
    AW_ASSERT_ROLE(MAIN);
    serve(supervisor, script, aw_supervised_stop, replied, context);
}

void aw_supervisor_park(struct aw_supervisor *supervisor, size_t script,
                        aw_script_replied replied, void *context)
{
    AW_ASSERT_ROLE(MAIN);
    serve(supervisor, script, park_one, replied, context);
}

/* ---- what the host tells ---- */

void aw_supervisor_begin(struct aw_supervisor *supervisor, struct aw_host *host)
{
    supervisor->host = host;
}

void aw_supervisor_event(struct aw_supervisor *supervisor,
                         const struct aw_host_event *event)
{
    struct aw_supervised *script;

    AW_ASSERT_ROLE(MAIN);
    if (event->script >= supervisor->count)
        return;
    script = supervisor->scripts[event->script];
    if (event->generation == script->candidate && script->candidate != 0) {
        if (event->kind == AW_HOST_SCRIPT_ENDED)
            aw_reload_failed(script, event);
        else if (script->phase == AW_RELOAD_PREPARING)
            aw_reload_held(script);
    } else if (event->kind == AW_HOST_SCRIPT_ENDED && script->alive &&
               event->generation == script->generation) {
        aw_supervised_ended(script, event);
    }
    /* Else it is of a version that was given up. */
}

/* ---- timers ---- */

static void on_backoff(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_supervised *script = timer->data;

    (void)loop;
    (void)events;
    script->restart_count++;
    aw_supervised_start_again(script, AW_HOST_RESTART);
}

static void on_grace(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_supervised *script = timer->data;

    (void)loop;
    (void)events;
    aw_log(AW_LOG_WARNING, "script %s has not stopped yet: cancelled again",
           script->name);
    aw_host_cancel(script->supervisor->host, script->index, script->generation,
                   script->why, SIGTERM, true);
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_supervised *script = timer->data;
    struct aw_waiting *waiting = aw_waiting_take_all(script);
    char text[200];

    (void)loop;
    (void)events;
    snprintf(text, sizeof(text),
             "%.80s: the version that runs has not ended within %g s",
             script->name, script->supervisor->config->stop_timeout_s);
    aw_log(AW_LOG_WARNING, "script %s has not stopped: here is where it stands",
           script->name);
    aw_host_dump_stacks(script->supervisor->host);
    if (script->phase == AW_RELOAD_YIELDING)
        aw_reload_give_up(script, -ETIMEDOUT, text);
    /* It may well live on, and what was left must not fill for ever. */
    aw_supervised_inherited(script);
    script->again = script->again_anyway = false;
    aw_replies_answer(&waiting, script, -ETIMEDOUT, text);
}

/* A new version takes too long, or has lasted long enough; or a version that
 * was started again has had the time to open its queues. */
static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_supervised *script = timer->data;

    (void)loop;
    (void)events;
    if (script->phase == AW_RELOAD_PREPARING)
        aw_reload_impatient(script);
    else if (script->phase == AW_RELOAD_SETTLING)
        aw_reload_settled(script);
    else if (script->alive)
        aw_supervised_inherited(script);
}

/* ---- the end ---- */

static void end_one(struct aw_supervised *script) AW_ON(main) AW_NO_GIL
{
    static const char text[] = "the daemon is stopping";
    struct aw_supervisor *supervisor = script->supervisor;
    struct aw_waiting *waiting = aw_waiting_take_all(script);

    if (script->candidate != 0)
        aw_host_discard(supervisor->host, script->index, script->candidate);
    script->candidate = 0;
    script->phase = AW_RELOAD_NONE;
    /* Nothing comes in its place any more. */
    if (script->died.generation != 0 && supervisor->status == 0 &&
        script->policy.restart == AW_RESTART_NO)
        supervisor->status = script->exit_status;
    aw_supervised_stop_timers(script);
    aw_replies_answer(&waiting, script, -ECANCELED, text);
    if (!script->alive)
        aw_host_drop_queues(supervisor->host, script->index, 0);
}

void aw_supervisor_close(struct aw_supervisor *supervisor)
{
    AW_ASSERT_ROLE(MAIN);
    if (supervisor->ending)
        return;
    supervisor->ending = true;
    for (size_t i = 0; i < supervisor->count; i++)
        end_one(supervisor->scripts[i]);
}

void aw_supervisor_end_all(struct aw_supervisor *supervisor, int signal,
                           bool again)
{
    bool first = !supervisor->ending;

    AW_ASSERT_ROLE(MAIN);
    supervisor->ending = true;
    for (size_t i = 0; i < supervisor->count; i++) {
        struct aw_supervised *script = supervisor->scripts[i];
        bool asked = is_ending(script);

        if (first)
            end_one(script);
        if (script->alive && asked && !again)
            end_instead_for(script, AW_HOST_WHY_STOP);
        else if (script->alive)
            aw_host_cancel(supervisor->host, i, script->generation,
                           AW_HOST_WHY_STOP, signal, again);
    }
    if (first)
        aw_supervisor_check_idle(supervisor);
}

void aw_supervisor_warn_running(const struct aw_supervisor *supervisor,
                                const char *what)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->scripts[i]->alive)
            aw_log(AW_LOG_WARNING, "script %s has not stopped yet: %s",
                   supervisor->scripts[i]->name, what);
}

/* ---- life ---- */

void aw_supervised_init_timers(struct aw_supervised *script)
{
    ev_timer_init(&script->backoff, on_backoff, 0., 0.);
    ev_timer_init(&script->grace, on_grace, 0., 0.);
    ev_timer_init(&script->deadline, on_deadline, 0., 0.);
    ev_timer_init(&script->patience, on_patience, 0., 0.);
    script->backoff.data = script;
    script->grace.data = script;
    script->deadline.data = script;
    script->patience.data = script;
}

void aw_supervised_stop_timers(struct aw_supervised *script)
{
    struct ev_loop *loop = script->supervisor->loop;

    ev_timer_stop(loop, &script->backoff);
    ev_timer_stop(loop, &script->grace);
    ev_timer_stop(loop, &script->deadline);
    ev_timer_stop(loop, &script->patience);
}
