/* A reload, step by step.
 *
 *  1. The new version is started beside the old one, and held where it would
 *     receive or send for the first time. An error before that, or no hold
 *     within start_timeout_s: it is thrown away, and the old one never knew.
 *  2. The old one is asked to end, `finally` and all. If it does not, the new
 *     one is thrown away.
 *  3. The new one goes on, with the queues the old one has left.
 *  4. An error of the new one within reload_settle_s: the old code is started
 *     again, from memory, with the same queues.
 *
 * Nobody is answered before all is as it is to be: whoever is may ask for the
 * next thing at once. */
#include <errno.h>
#include <stdio.h>

#include "daemon/stack_text.h"
#include "daemon/supervisor_state.h"
#include "devices/queue/log.h"

#define LOOK_EVERY_S 0.1 /* whether a thread has written where it stands */
#define LOOKS_MAX    20  /* one that is not scheduled writes later */

/* After a reload, whatever came of it: one for all who asked meanwhile. */
static void go_on(struct aw_supervised *script) AW_ON(main) AW_NO_GIL
{
    bool anyway = script->again_anyway;

    if (!script->again)
        return;
    script->again = script->again_anyway = false;
    script->reloads = aw_waiting_take(&script->next_reloads);
    aw_reload_begin(script, anyway);
}

void aw_reload_begin(struct aw_supervised *script, bool anyway)
{
    const struct aw_supervisor_config *config = script->supervisor->config;

    script->phase = AW_RELOAD_PREPARING;
    script->died.generation = 0;
    script->looks = 0;
    script->reverts = script->alive;
    ev_timer_stop(script->supervisor->loop, &script->backoff);
    aw_supervised_start(script,
                        anyway ? AW_HOST_RELOAD : AW_HOST_RELOAD_CHANGED);
    aw_supervised_after(script, &script->patience, config->start_timeout_s);
}

void aw_reload_held(struct aw_supervised *script)
{
    ev_timer_stop(script->supervisor->loop, &script->patience);
    if (!script->alive) {
        aw_reload_admit(script);
        return;
    }
    script->phase = AW_RELOAD_YIELDING;
    aw_supervised_ask_end(script, AW_HOST_WHY_RELOAD);
}

void aw_reload_admit(struct aw_supervised *script)
{
    struct aw_supervisor *supervisor = script->supervisor;

    script->generation = script->candidate;
    script->candidate = 0;
    script->died.generation = 0;
    script->alive = true;
    script->held_off = script->parked = false;
    script->phase = AW_RELOAD_SETTLING;
    aw_supervised_say(script, AW_SCRIPT_RUNNING);
    aw_host_admit(supervisor->host, script->index, script->generation);
    aw_supervised_after(script, &script->patience,
                        supervisor->config->reload_settle_s);
}

static void note_success(struct aw_supervised *script)
{
    script->reload_count++;
    script->reload_failed = false;
    script->last_error[0] = '\0';
    aw_log(AW_LOG_INFO, "script %s is reloaded: generation %llu", script->name,
           (unsigned long long)script->generation);
}

/* The reload has failed, and why. */
static void note_failure(struct aw_supervised *script, int result,
                         const char *text)
{
    script->failed_reload_count++;
    /* One that was overtaken says nothing of the file. */
    if (result != -ECANCELED)
        script->reload_failed = true;
    snprintf(script->last_error, sizeof(script->last_error), "%s", text);
    aw_log(AW_LOG_WARNING, "script %s: reload failed: %s", script->name, text);
}

/* The old one has ended meanwhile: that counts now, unless somebody wants one
 * more reload. */
static void count_end(struct aw_supervised *script,
                      const struct aw_host_event *event) AW_ON(main) AW_NO_GIL
{
    go_on(script);
    if (script->phase == AW_RELOAD_PREPARING)
        script->died = *event;
    else
        aw_supervised_apply_policy(script, event);
}

/* It is ending, for a new version that has failed: it is started again behind
 * that, from the file as it is, which is what others wait for. */
static void restart_old(struct aw_supervised *script)
{
    script->why = AW_HOST_WHY_RESTART;
    script->again = script->again_anyway = false;
    aw_waiting_join(&script->restarts, aw_waiting_take(&script->next_reloads));
}

/* The old one goes on, if it still does. Whoever waited is told. */
static void resume_old(struct aw_supervised *script, int result,
                       const char *text) AW_ON(main) AW_NO_GIL
{
    struct aw_waiting *waiting = aw_waiting_take(&script->reloads);
    struct aw_host_event died = script->died;

    script->phase = AW_RELOAD_NONE;
    script->died.generation = 0;
    if (script->stopping) {
        restart_old(script);
    } else if (died.generation != 0) {
        count_end(script, &died);
    } else {
        if (script->state == AW_SCRIPT_BACKING_OFF)
            aw_supervised_after(script, &script->backoff, script->delay_s);
        if (script->alive && script->inherits)
            aw_supervised_let_inherit(script);
        go_on(script);
    }
    aw_replies_answer(&waiting, script, result, text);
    aw_supervisor_check_idle(script->supervisor);
}

void aw_reload_failed(struct aw_supervised *script,
                      const struct aw_host_event *event)
{
    char text[AW_SCRIPT_ERROR_BYTES];

    ev_timer_stop(script->supervisor->loop, &script->patience);
    script->candidate = 0;
    if (event->unchanged) {
        script->reload_failed = false;
        resume_old(script, 0, "unchanged");
        return;
    }
    snprintf(text, sizeof(text), "%s",
             event->text[0] ? event->text : "the new version has ended");
    note_failure(script, -EINVAL, text);
    resume_old(script, -EINVAL, text);
}

void aw_reload_give_up(struct aw_supervised *script, int result,
                       const char *text)
{
    struct aw_supervisor *supervisor = script->supervisor;

    ev_timer_stop(supervisor->loop, &script->patience);
    aw_host_discard(supervisor->host, script->index, script->candidate);
    script->candidate = 0;
    script->phase = AW_RELOAD_NONE;
    note_failure(script, result, text);
}

/* The stack of the new version's thread, once that has written it. False while
 * it may yet do so: it was asked for it, now or at an earlier look. */
static bool take_stack(struct aw_supervised *script, char *stack, size_t size)
    AW_ON(main) AW_NO_GIL
{
    struct aw_host *host = script->supervisor->host;

    stack[0] = '\0';
    if (script->looks == 0)
        return !aw_host_ask_stack(host, script->index, script->candidate);
    return aw_host_read_stack(host, script->index, script->candidate, stack,
                              size) > 0 ||
           script->looks == LOOKS_MAX;
}

/* Gives it up. Its stack tells where it stands: FILE:LINE, or else its name. */
static void give_up_start(struct aw_supervised *script, const char *stack)
    AW_ON(main) AW_NO_GIL
{
    char place[320], text[AW_SCRIPT_ERROR_BYTES];

    aw_stack_text_place(stack, script->path, place, sizeof(place));
    if (!place[0])
        snprintf(place, sizeof(place), "%.80s: ", script->name);
    snprintf(text, sizeof(text),
             "%sthe new version has not come to its first queue(), send() or "
             "await within %g s",
             place, script->supervisor->config->start_timeout_s);
    aw_reload_give_up(script, -ETIMEDOUT, text);
    resume_old(script, -ETIMEDOUT, text);
}

void aw_reload_impatient(struct aw_supervised *script)
{
    char stack[4096];

    if (take_stack(script, stack, sizeof(stack))) {
        give_up_start(script, stack);
        return;
    }
    script->looks++;
    aw_supervised_after(script, &script->patience, LOOK_EVERY_S);
}

/* ---- behind the hold ---- */

void aw_reload_settled(struct aw_supervised *script)
{
    struct aw_waiting *waiting = aw_waiting_take(&script->reloads);

    script->phase = AW_RELOAD_NONE;
    note_success(script);
    aw_supervised_inherited(script);
    go_on(script);
    aw_replies_answer(&waiting, script, 0, "");
}

void aw_reload_ended(struct aw_supervised *script,
                     const struct aw_host_event *event)
{
    struct aw_waiting *waiting = aw_waiting_take(&script->reloads);
    int result = event->status == 0 ? 0 : -EINVAL;
    char text[AW_SCRIPT_ERROR_BYTES] = "";

    ev_timer_stop(script->supervisor->loop, &script->patience);
    script->phase = AW_RELOAD_NONE;
    if (result < 0) {
        snprintf(text, sizeof(text), "%.420s%s",
                 event->text[0] ? event->text : "the new version has ended",
                 script->reverts ? " (the version before runs again)" : "");
        note_failure(script, result, text);
    } else {
        note_success(script);
    }
    if (result < 0 && script->reverts) {
        aw_supervised_start_again(script, AW_HOST_REVERT);
        go_on(script);
    } else {
        count_end(script, event);
    }
    aw_replies_answer(&waiting, script, result, text);
}
