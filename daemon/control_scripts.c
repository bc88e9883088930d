/* Scripts: how they are, and what they are told to do.
 *
 * The supervisor answers when something is done, which may be seconds later,
 * once for each script. The answers are collected, and told to the client that
 * asked, if it is still there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control_internal.h"
#include "daemon/json_text.h"
#include "daemon/latency_json.h"
#include "daemon/reconfigure.h"
#include "daemon/supervisor.h"
#include "devices/queue/clock.h"

#define ASKINGS_MAX 64

struct aw_control_asking {
    struct aw_control_asking *next;
    struct aw_control *control;
    uint64_t client;
    json_t *id, *replies;
};

static struct aw_supervisor *
supervisor_of(const struct aw_control_request *request) AW_ON(main)
{
    struct aw_supervisor *supervisor =
        aw_runtime_supervisor(request->control->config.runtime);

    if (!supervisor)
        aw_control_refuse(request->client, request->id, "stopping",
                          "no script runs any more");
    return supervisor;
}

/* ---- how they are ---- */

static json_t *status_json(const struct aw_script_status *status)
{
    return json_pack(
        "{s:o, s:o, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:i, s:f, s:f, s:o,"
        " s:I, s:o}",
        "name", aw_json_text(status->name), "path", aw_json_text(status->path),
        "state", aw_script_state_name(status->state), "reloading",
        (int)status->reloading, "stopping", (int)status->stopping, "generation",
        (json_int_t)status->generation, "restarts",
        (json_int_t)status->restarts, "reloads", (json_int_t)status->reloads,
        "failed_reloads", (json_int_t)status->failed_reloads, "exit_status",
        status->exit_status, "since_s", status->since_s, "wait_s",
        status->wait_s, "last_error", aw_json_text(status->last_error),
        "dropped_lines", (json_int_t)status->dropped_lines, "turns",
        aw_turns_json(&status->turns, aw_clock_monotonic_ns()));
}

void aw_control_scripts(struct aw_control_request *request)
{
    struct aw_supervisor *supervisor = supervisor_of(request);
    json_t *scripts;

    if (!supervisor)
        return;
    scripts = json_array();
    for (size_t i = 0; i < aw_supervisor_count(supervisor); i++) {
        struct aw_script_status status;

        if (!aw_supervisor_has(supervisor, i))
            continue;
        aw_supervisor_status(supervisor, i, &status);
        json_array_append_new(scripts, status_json(&status));
    }
    aw_control_answer(request->client, request->id,
                      json_pack("{s:o}", "scripts", scripts));
}

/* ---- what they are told ---- */

static void free_asking(struct aw_control_asking *asking)
{
    struct aw_control_asking **link = &asking->control->askings;

    while (*link != asking)
        link = &(*link)->next;
    *link = asking->next;
    asking->control->asking_count--;
    json_decref(asking->id);
    json_decref(asking->replies);
    free(asking);
}

static void add_reply(struct aw_control_asking *asking, const char *script,
                      int result, uint64_t generation, const char *text)
{
    json_array_append_new(
        asking->replies,
        json_pack("{s:o, s:b, s:I, s:o}", "script", aw_json_text(script), "ok",
                  result == 0, "generation", (json_int_t)generation, "text",
                  aw_json_text(text[0] || result == 0
                                   ? text
                                   : strerrordesc_np(-result))));
}

static void on_reply(void *context, const struct aw_script_reply *reply)
    AW_ON(main)
{
    struct aw_control_asking *asking = context;
    struct aw_control_client *client;

    add_reply(asking, reply->script, reply->result, reply->generation,
              reply->text);
    if (reply->left > 0)
        return;
    client = aw_control_awaited(asking->control, asking->client);
    if (client)
        aw_control_answer(client, asking->id,
                          json_pack("{s:O}", "scripts", asking->replies));
    free_asking(asking);
}

static struct aw_control_asking *
new_asking(const struct aw_control_request *request)
{
    struct aw_control *control = request->control;
    struct aw_control_asking *asking = NULL;

    if (control->asking_count < ASKINGS_MAX)
        asking = calloc(1, sizeof(*asking));
    if (!asking) {
        aw_control_refuse(request->client, request->id, "busy",
                          "too much is asked of the scripts at once");
        return NULL;
    }
    asking->control = control;
    asking->client = request->client->number;
    asking->id = json_incref(request->id);
    asking->replies = json_array();
    asking->next = control->askings;
    control->askings = asking;
    control->asking_count++;
    request->client->awaited++;
    return asking;
}

/* Says which there are, as far as a line goes. */
static void refuse_script(const struct aw_control_request *request,
                          const struct aw_supervisor *supervisor,
                          const char *name) AW_ON(main)
{
    size_t count = aw_supervisor_count(supervisor), length = 0;
    char names[160] = "";

    for (size_t i = 0; i < count && length < sizeof(names); i++) {
        struct aw_script_status status;

        if (!aw_supervisor_has(supervisor, i))
            continue;
        aw_supervisor_status(supervisor, i, &status);
        length +=
            (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
                             length > 0 ? ", " : ": there are ", status.name);
    }
    aw_control_refuse(request->client, request->id, "no-such-script",
                      "there is no script \"%.80s\"%s", name, names);
}

/* The script that is meant; AW_SCRIPT_ALL where none is named. */
static bool find_script(struct aw_control_request *request,
                        const struct aw_supervisor *supervisor,
                        size_t *ret_script) AW_ON(main)
{
    const char *name;
    int found;

    *ret_script = AW_SCRIPT_ALL;
    if (!json_object_get(request->object, "script"))
        return true;
    name = aw_control_text(request, "script");
    if (!name)
        return false;
    found = aw_supervisor_find(supervisor, name);
    if (found < 0) {
        refuse_script(request, supervisor, name);
        return false;
    }
    *ret_script = (size_t)found;
    return true;
}

/* `asking` may be gone when the supervisor returns. */
static void tell(struct aw_control_request *request,
                 void (*act)(struct aw_supervisor *supervisor, size_t script,
                             aw_script_replied replied, void *context))
    AW_ON(main)
{
    struct aw_supervisor *supervisor = supervisor_of(request);
    struct aw_control_asking *asking;
    size_t script;

    if (!supervisor || !find_script(request, supervisor, &script))
        return;
    asking = new_asking(request);
    if (asking)
        act(supervisor, script, on_reply, asking);
}

/* ---- a reload of all: the configuration too ---- */

static json_t *outcome_json(struct aw_control_asking *asking,
                            const struct aw_reconfigured *outcome)
{
    json_t *notes = json_array();

    for (size_t i = 0; i < outcome->script_count; i++)
        add_reply(asking, outcome->scripts[i].name, outcome->scripts[i].result,
                  outcome->scripts[i].generation, outcome->scripts[i].text);
    for (size_t i = 0; i < outcome->note_count; i++)
        json_array_append_new(notes, aw_json_text(outcome->notes[i]));
    return json_pack("{s:O, s:o}", "scripts", asking->replies, "notes", notes);
}

static void on_reconfigured(void *context,
                            const struct aw_reconfigured *outcome) AW_ON(main)
{
    struct aw_control_asking *asking = context;
    struct aw_control_client *client =
        aw_control_awaited(asking->control, asking->client);

    if (client && outcome->result < 0)
        aw_control_refuse(client, asking->id, "bad-configuration", "%s",
                          outcome->error);
    else if (client)
        aw_control_answer(client, asking->id, outcome_json(asking, outcome));
    free_asking(asking);
}

void aw_control_reload(struct aw_control_request *request)
{
    struct aw_control_asking *asking;

    if (json_object_get(request->object, "script")) {
        tell(request, aw_supervisor_reload);
        return;
    }
    asking = supervisor_of(request) ? new_asking(request) : NULL;
    if (asking)
        aw_reconfigure_ask(request->control->config.reconfigure,
                           on_reconfigured, asking);
}

void aw_control_restart(struct aw_control_request *request)
{
    tell(request, aw_supervisor_restart);
}

void aw_control_stop(struct aw_control_request *request)
{
    tell(request, aw_supervisor_stop);
}

void aw_control_forget_askings(struct aw_control *control)
{
    struct aw_supervisor *supervisor =
        aw_runtime_supervisor(control->config.runtime);

    while (control->askings) {
        aw_reconfigure_forget(control->config.reconfigure, control->askings);
        if (supervisor)
            aw_supervisor_forget(supervisor, control->askings);
        free_asking(control->askings);
    }
}
