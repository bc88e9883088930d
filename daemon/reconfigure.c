/* A round, step by step.
 *
 *  1. The file is read; what it says of scripts is complete; the devices that
 *     are new, or have other options, are opened beside those there are. An
 *     error in any of this, and nothing has changed.
 *  2. A device that cannot be opened beside the one in force, because that one
 *     has its address: the scripts that use it are ended, and those that have
 *     begun to meanwhile, until none does; it is closed and opened anew. Where
 *     that fails it is opened as it was.
 *  3. Scripts find the new devices; those that are new are started, those that
 *     are not configured any more are stopped, the others are reloaded if they
 *     have changed.
 *  4. Who still uses a device that another one has replaced is restarted; who
 *     uses one that is not configured any more goes on with it. It is closed
 *     when nobody does, be it in this round or long after it. */
#include "daemon/reconfigure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/compare.h"
#include "daemon/drop_in.h"
#include "daemon/reconfigure_state.h"
#include "daemon/settings.h"
#include "devices/queue/log.h"

struct aw_supervisor *
aw_reconfigure_supervisor(const struct aw_reconfigure *reconfigure)
{
    return aw_runtime_supervisor(reconfigure->config.runtime);
}

struct aw_host *aw_reconfigure_host(const struct aw_reconfigure *reconfigure)
{
    return aw_runtime_host(reconfigure->config.runtime);
}

void aw_reconfigure_note(struct aw_reconfigure *reconfigure, const char *format,
                         ...)
{
    char **notes = reallocarray(reconfigure->notes, reconfigure->note_count + 1,
                                sizeof(*notes));
    char *line = NULL;
    va_list values;

    if (notes)
        reconfigure->notes = notes;
    va_start(values, format);
    if (vasprintf(&line, format, values) < 0)
        line = NULL;
    va_end(values);
    if (line)
        aw_log(AW_LOG_WARNING, "%s", line);
    if (line && notes)
        notes[reconfigure->note_count++] = line;
    else
        free(line);
}

/* ---- who waits ---- */

static void answer(struct aw_reconfigure_ask *ask,
                   const struct aw_reconfigured *outcome)
{
    while (ask) {
        struct aw_reconfigure_ask *next = ask->next;

        if (ask->done)
            ask->done(ask->context, outcome);
        free(ask);
        ask = next;
    }
}

static void forget(struct aw_reconfigure_ask *ask, const void *context)
{
    for (; ask; ask = ask->next)
        if (ask->context == context)
            ask->done = NULL;
}

bool aw_reconfigure_is_busy(const struct aw_reconfigure *reconfigure)
{
    return reconfigure->step != AW_RECONFIGURE_IDLE || reconfigure->again;
}

uint64_t aw_reconfigure_rounds(const struct aw_reconfigure *reconfigure)
{
    return reconfigure->rounds;
}

bool aw_reconfigure_has_failed(const struct aw_reconfigure *reconfigure)
{
    return reconfigure->failed;
}

void aw_reconfigure_forget(struct aw_reconfigure *reconfigure,
                           const void *context)
{
    forget(reconfigure->asks, context);
    forget(reconfigure->next_asks, context);
}

/* ---- the end of a round ---- */

static void clean_round(struct aw_reconfigure *reconfigure)
{
    aw_reconfigure_free_scripts(reconfigure);
    aw_config_free(reconfigure->wanted);
    reconfigure->wanted = NULL;
    for (size_t i = 0; i < reconfigure->note_count; i++)
        free(reconfigure->notes[i]);
    free(reconfigure->notes);
    free(reconfigure->replies);
    free(reconfigure->touched);
    reconfigure->notes = NULL;
    reconfigure->replies = NULL;
    reconfigure->touched = NULL;
    reconfigure->note_count = reconfigure->reply_count = 0;
    reconfigure->touched_count = 0;
    memset(reconfigure->changes, 0, sizeof(reconfigure->changes));
    memset(reconfigure->opened, 0, sizeof(reconfigure->opened));
    reconfigure->error = (struct aw_error){.text = ""};
}

static void begin_round(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

static void end_round(struct aw_reconfigure *reconfigure, int result)
    AW_ON(main) AW_NO_GIL
{
    const struct aw_reconfigured outcome = {
        .result = result,
        .error = reconfigure->error.text,
        .scripts = reconfigure->replies,
        .script_count = reconfigure->reply_count,
        .notes = reconfigure->notes,
        .note_count = reconfigure->note_count,
    };
    struct aw_reconfigure_ask *asks = reconfigure->asks;

    if (result < 0)
        aw_log(AW_LOG_WARNING, "reload failed: %s", reconfigure->error.text);
    /* Also then: a device may have been put in the place of another. */
    if (aw_runtime_is_running(reconfigure->config.runtime))
        aw_host_settled(aw_reconfigure_host(reconfigure));
    reconfigure->failed = result < 0 && result != -ECANCELED;
    reconfigure->asks = NULL;
    /* Who asks again meanwhile waits: this round is still being told of. */
    reconfigure->step = AW_RECONFIGURE_SETTLING;
    answer(asks, &outcome);
    clean_round(reconfigure);
    reconfigure->step = AW_RECONFIGURE_IDLE;
    if (reconfigure->again)
        begin_round(reconfigure);
    else if (aw_runtime_is_running(reconfigure->config.runtime))
        aw_supervisor_check_idle(aw_reconfigure_supervisor(reconfigure));
}

/* ---- steps 3 and 4 ---- */

/* Several answers may come at once: the step goes on behind the last. */
static void one_less(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL;

static void say_what_stays(struct aw_reconfigure *reconfigure)
{
    struct aw_config *running = *reconfigure->config.config;
    char keys[300];

    if (aw_compare_process(running, reconfigure->wanted, keys, sizeof(keys)) >
        0)
        aw_reconfigure_note(reconfigure,
                            "%s: changed, which needs a restart of the daemon",
                            keys);
    aw_compare_keep_process(reconfigure->wanted, running);
}

static void exchange(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    const struct aw_reconfigure_config *config = &reconfigure->config;

    reconfigure->step = AW_RECONFIGURE_RELOADING;
    reconfigure->left = 1;
    if (reconfigure->wanted) {
        struct aw_config *before = *config->config;

        say_what_stays(reconfigure);
        aw_settings_times(reconfigure->wanted, config->runtime_config);
        aw_reconfigure_exchange_devices(reconfigure);
        aw_reconfigure_exchange_scripts(reconfigure);
        aw_runtime_configured(config->runtime);
        aw_reconfigure_free_scripts(reconfigure);
        *config->config = reconfigure->wanted;
        reconfigure->wanted = NULL;
        aw_config_free(before);
    } else {
        aw_reconfigure_exchange_scripts(reconfigure);
    }
    one_less(reconfigure);
}

static void look_after_leaving(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL
{
    reconfigure->step = AW_RECONFIGURE_SETTLING;
    reconfigure->left = 1;
    /* Python may not answer any more once the daemon ends. */
    if (aw_runtime_is_running(reconfigure->config.runtime))
        reconfigure->left += aw_reconfigure_find_last_users(reconfigure);
    one_less(reconfigure);
}

/* ---- step 2 ---- */

static void abandon(struct aw_reconfigure *reconfigure, int result)
    AW_ON(main) AW_NO_GIL
{
    aw_reconfigure_close_opened(reconfigure);
    aw_reconfigure_unpark_scripts(reconfigure);
    end_round(reconfigure, result);
}

static void open_late(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    int result = aw_reconfigure_open_late(reconfigure);

    if (result < 0)
        abandon(reconfigure, result);
    else
        exchange(reconfigure);
}

/* Returns 0, or a negative errno with a sentence: a script has not ended, or
 * the daemon is about to. */
static int check_goes_on(struct aw_reconfigure *reconfigure) AW_ON(main)
{
    if (reconfigure->error.text[0])
        return -EBUSY;
    if (aw_runtime_is_running(reconfigure->config.runtime))
        return 0;
    return aw_error_set(&reconfigure->error, ECANCELED,
                        "the daemon is stopping");
}

/* Each time there is a script that was not found before, or it is over. */
static void go_on_found(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL
{
    int result = check_goes_on(reconfigure);

    if (result < 0) {
        abandon(reconfigure, result);
        return;
    }
    reconfigure->step = AW_RECONFIGURE_PARKING;
    reconfigure->left = 1;
    if (aw_reconfigure_park_scripts(reconfigure) > 0)
        one_less(reconfigure);
    else
        open_late(reconfigure);
}

static void find(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    reconfigure->step = AW_RECONFIGURE_FINDING;
    reconfigure->left = aw_reconfigure_find_users(reconfigure);
}

/* Another script may have come to use the device while these have ended. */
static void go_on_parked(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL
{
    int result = check_goes_on(reconfigure);

    if (result < 0)
        abandon(reconfigure, result);
    else
        find(reconfigure);
}

static void go_on(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    switch (reconfigure->step) {
    case AW_RECONFIGURE_IDLE:
        break;
    case AW_RECONFIGURE_FINDING:
        go_on_found(reconfigure);
        break;
    case AW_RECONFIGURE_PARKING:
        go_on_parked(reconfigure);
        break;
    case AW_RECONFIGURE_RELOADING:
        look_after_leaving(reconfigure);
        break;
    case AW_RECONFIGURE_SETTLING:
        end_round(reconfigure, 0);
        break;
    }
}

static void one_less(struct aw_reconfigure *reconfigure)
{
    if (--reconfigure->left == 0)
        go_on(reconfigure);
}

static void on_next(struct ev_loop *loop, ev_timer *timer, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_reconfigure *reconfigure = timer->data;

    (void)loop;
    (void)events;
    go_on(reconfigure);
}

/* ---- step 1 ---- */

/* Room for a mark on each script. */
static int make_marks(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    size_t count = aw_supervisor_count(aw_reconfigure_supervisor(reconfigure)) +
                   AW_SCRIPTS_MAX;

    reconfigure->touched = calloc(count, sizeof(*reconfigure->touched));
    if (!reconfigure->touched)
        return aw_error_set(&reconfigure->error, ENOMEM, "not enough memory");
    reconfigure->touched_count = count;
    return 0;
}

/* As at the start: what the unit does not allow is told of in the log. */
static int check_drop_ins(struct aw_reconfigure *reconfigure)
{
    const struct aw_arguments *arguments = reconfigure->config.arguments;

    if (!arguments->service ||
        aw_drop_ins_check(reconfigure->wanted, arguments->unit))
        return 0;
    return aw_error_set(&reconfigure->error, EACCES,
                        "the service lacks a drop-in for a device: its log "
                        "says which, and how to get it");
}

/* Without a file there is nothing but what the command line says. */
static int read_again(struct aw_reconfigure *reconfigure) AW_ON(main) AW_NO_GIL
{
    const struct aw_arguments *arguments = reconfigure->config.arguments;
    int result = make_marks(reconfigure);

    if (result < 0 || !arguments->config_path)
        return result;
    result =
        aw_settings_load(arguments, &reconfigure->wanted, &reconfigure->error);
    if (result == 0)
        result = check_drop_ins(reconfigure);
    if (result == 0)
        result = aw_reconfigure_read_scripts(reconfigure);
    if (result == 0)
        result = aw_reconfigure_open(reconfigure);
    if (result == 0)
        reconfigure->error.text[0] = '\0';
    return result;
}

static void begin_round(struct aw_reconfigure *reconfigure)
{
    int result;

    reconfigure->asks = reconfigure->next_asks;
    reconfigure->next_asks = NULL;
    reconfigure->again = false;
    reconfigure->rounds++;
    result = check_goes_on(reconfigure);
    if (result == 0)
        result = read_again(reconfigure);
    if (result < 0) {
        end_round(reconfigure, result);
        return;
    }
    find(reconfigure);
    if (reconfigure->left == 0)
        exchange(reconfigure);
}

/* ---- asking ---- */

void aw_reconfigure_ask(struct aw_reconfigure *reconfigure,
                        aw_reconfigured_done done, void *context)
{
    struct aw_reconfigure_ask *ask = done ? malloc(sizeof(*ask)) : NULL;
    struct aw_reconfigure_ask **end = &reconfigure->next_asks;

    AW_ASSERT_ROLE(MAIN);
    while (*end)
        end = &(*end)->next;
    if (ask)
        *ask = (struct aw_reconfigure_ask){NULL, done, context};
    else if (done) /* the round is made all the same */
        done(context, &(struct aw_reconfigured){
                          .result = -ENOMEM,
                          .error = "not enough memory to tell what becomes of "
                                   "the reload"});
    *end = ask;
    reconfigure->again = true;
    if (reconfigure->started && reconfigure->step == AW_RECONFIGURE_IDLE)
        begin_round(reconfigure);
}

/* ---- what comes ---- */

/* The last answer of a script is what counts. */
static struct aw_reconfigured_script *
reply_of(struct aw_reconfigure *reconfigure, const char *name)
{
    struct aw_reconfigured_script *replies;

    for (size_t i = 0; i < reconfigure->reply_count; i++)
        if (strcmp(reconfigure->replies[i].name, name) == 0)
            return &reconfigure->replies[i];
    replies = reallocarray(reconfigure->replies, reconfigure->reply_count + 1,
                           sizeof(*replies));
    if (!replies)
        return NULL;
    reconfigure->replies = replies;
    return &replies[reconfigure->reply_count++];
}

void aw_reconfigure_keep(struct aw_reconfigure *reconfigure,
                         const struct aw_script_reply *reply)
{
    struct aw_reconfigured_script *kept = reply_of(reconfigure, reply->script);

    if (!kept)
        return;
    kept->result = reply->result;
    kept->generation = reply->generation;
    snprintf(kept->name, sizeof(kept->name), "%s", reply->script);
    snprintf(kept->text, sizeof(kept->text), "%s", reply->text);
}

/* One that is not configured any more has ended, or could not. */
static bool has_left(const struct aw_reconfigure *reconfigure,
                     const struct aw_script_reply *reply) AW_ON(main) AW_NO_GIL
{
    return reply->result == 0 &&
           aw_supervisor_find(aw_reconfigure_supervisor(reconfigure),
                              reply->script) < 0;
}

void aw_reconfigure_replied(void *context, const struct aw_script_reply *reply)
{
    struct aw_reconfigure *reconfigure = context;
    struct aw_script_reply kept = *reply;

    if (reconfigure->step == AW_RECONFIGURE_PARKING) {
        if (reply->result < 0)
            aw_error_set(&reconfigure->error, -reply->result, "%.300s",
                         reply->text);
    } else {
        if (has_left(reconfigure, reply))
            kept.text = "removed";
        aw_reconfigure_keep(reconfigure, &kept);
    }
    /* Not out of an answer: the supervisor is in the middle of something, and
     * the next step may add and remove scripts. */
    if (--reconfigure->left == 0)
        ev_timer_start(aw_runtime_loop(reconfigure->config.runtime),
                       &reconfigure->next);
}

static void close_unused(struct aw_reconfigure *reconfigure, uint64_t number)
    AW_ON(main) AW_NO_GIL
{
    struct aw_device_table *table = reconfigure->config.devices;
    struct aw_leaving_device *leaving = aw_device_table_leaving(table, number);

    if (!leaving)
        return;
    aw_log(AW_LOG_INFO, "device %s%s is closed",
           aw_device_name(leaving->device),
           leaving->replaced ? ", as it was configured before," : "");
    aw_device_table_close(table, leaving,
                          !reconfigure->config.arguments->quiet);
}

static void take_user(struct aw_reconfigure *reconfigure,
                      const struct aw_host_event *event) AW_ON(main) AW_NO_GIL
{
    struct aw_leaving_device *leaving =
        aw_device_table_leaving(reconfigure->config.devices, event->device);

    if (event->script >= reconfigure->touched_count)
        return;
    if (reconfigure->step == AW_RECONFIGURE_FINDING &&
        reconfigure->touched[event->script] == AW_TOUCH_NONE)
        reconfigure->touched[event->script] = AW_TOUCH_FOUND;
    else if (reconfigure->step == AW_RECONFIGURE_SETTLING && leaving)
        aw_reconfigure_last_user(reconfigure, event->script, leaving);
}

void aw_reconfigure_event(struct aw_reconfigure *reconfigure,
                          const struct aw_host_event *event)
{
    AW_ASSERT_ROLE(MAIN);
    switch (event->kind) {
    case AW_HOST_STARTED:
        reconfigure->started = true;
        if (reconfigure->again)
            begin_round(reconfigure);
        break;
    case AW_HOST_DEVICE_USED:
        take_user(reconfigure, event);
        break;
    case AW_HOST_DEVICE_TOLD:
        one_less(reconfigure);
        break;
    case AW_HOST_DEVICE_UNUSED:
        close_unused(reconfigure, event->device);
        break;
    case AW_HOST_FAILED:
    case AW_HOST_SCRIPT_HELD:
    case AW_HOST_SCRIPT_ENDED:
    case AW_HOST_FINISHED:
        break;
    }
}

/* ---- life ---- */

int aw_reconfigure_new(const struct aw_reconfigure_config *config,
                       struct aw_reconfigure **ret_reconfigure)
{
    struct aw_reconfigure *reconfigure = calloc(1, sizeof(*reconfigure));

    if (!reconfigure)
        return -ENOMEM;
    reconfigure->config = *config;
    ev_timer_init(&reconfigure->next, on_next, 0., 0.);
    reconfigure->next.data = reconfigure;
    *ret_reconfigure = reconfigure;
    return 0;
}

static void free_asks(struct aw_reconfigure_ask *ask)
{
    while (ask) {
        struct aw_reconfigure_ask *next = ask->next;

        free(ask);
        ask = next;
    }
}

void aw_reconfigure_free(struct aw_reconfigure *reconfigure)
{
    struct aw_supervisor *supervisor;

    if (!reconfigure)
        return;
    supervisor = aw_reconfigure_supervisor(reconfigure);
    if (supervisor)
        aw_supervisor_forget(supervisor, reconfigure);
    ev_timer_stop(aw_runtime_loop(reconfigure->config.runtime),
                  &reconfigure->next);
    for (size_t i = 0; i < AW_DEVICES_MAX; i++)
        aw_device_unref(reconfigure->opened[i]);
    clean_round(reconfigure);
    free_asks(reconfigure->asks);
    free_asks(reconfigure->next_asks);
    free(reconfigure);
}
