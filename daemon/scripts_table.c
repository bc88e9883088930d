/* The scripts there are: from the first configuration, and from those after it.
 *
 * A script's index and its memory stay while it is configured, and longer:
 * until it has ended. Then another one may have its place. Generations count on
 * there, so that nothing that is still said of the one before is taken for its.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor_state.h"

/* Copies of both, in place of what was there. Returns 0 or -ENOMEM. */
static int set_names(struct aw_supervised *script, const char *name,
                     const char *path)
{
    char *name_copy = strdup(name), *path_copy = strdup(path);

    if (!name_copy || !path_copy) {
        free(name_copy);
        free(path_copy);
        return -ENOMEM;
    }
    free(script->name);
    free(script->path);
    script->name = name_copy;
    script->path = path_copy;
    return 0;
}

/* A place at the end of the table; NULL without memory. */
static struct aw_supervised *append(struct aw_supervisor *supervisor)
{
    struct aw_supervised **scripts = reallocarray(
        supervisor->scripts, supervisor->count + 1, sizeof(*scripts));
    struct aw_supervised *script;

    if (!scripts)
        return NULL;
    supervisor->scripts = scripts;
    script = calloc(1, sizeof(*script));
    if (!script)
        return NULL;
    script->supervisor = supervisor;
    script->index = supervisor->count;
    script->removed = script->leaving = true;
    aw_supervised_init_timers(script);
    scripts[supervisor->count++] = script;
    return script;
}

static struct aw_supervised *find_place(struct aw_supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->scripts[i]->removed)
            return supervisor->scripts[i];
    return append(supervisor);
}

/* A place taken by a script that does not run yet. Returns 0 or -ENOMEM. */
static int occupy(struct aw_supervised *script,
                  const struct aw_host_script *settings,
                  const struct aw_supervision *policy)
{
    if (set_names(script, settings->name, settings->path) < 0)
        return -ENOMEM;
    script->removed = script->leaving = false;
    script->policy = *policy;
    script->exit_status = -1;
    return 0;
}

int aw_supervisor_add(struct aw_supervisor *supervisor,
                      const struct aw_host_script *settings,
                      const struct aw_supervision *policy,
                      double executor_timeout_s)
{
    struct aw_supervised *script = find_place(supervisor);

    AW_ASSERT_ROLE(MAIN);
    if (!script || occupy(script, settings, policy) < 0)
        return -ENOMEM;
    aw_host_configure(supervisor->host, script->index, settings,
                      executor_timeout_s);
    aw_supervised_start(script, AW_HOST_START);
    return (int)script->index;
}

int aw_supervisor_configure(struct aw_supervisor *supervisor, size_t index,
                            const struct aw_host_script *settings,
                            const struct aw_supervision *policy,
                            double executor_timeout_s)
{
    struct aw_supervised *script = supervisor->scripts[index];

    AW_ASSERT_ROLE(MAIN);
    if (set_names(script, settings->name, settings->path) < 0)
        return -ENOMEM;
    script->policy = *policy;
    aw_host_configure(supervisor->host, index, settings, executor_timeout_s);
    return 0;
}

void aw_supervised_vacate(struct aw_supervised *script)
{
    uint64_t newest = script->newest;

    aw_supervised_stop_timers(script);
    aw_host_remove(script->supervisor->host, script->index);
    free(script->name);
    free(script->path);
    *script = (struct aw_supervised){
        .supervisor = script->supervisor,
        .index = script->index,
        .newest = newest,
        .leaving = true,
        .removed = true,
    };
    aw_supervised_init_timers(script);
}

void aw_supervisor_remove(struct aw_supervisor *supervisor, size_t index,
                          aw_script_replied replied, void *context)
{
    struct aw_supervised *script = supervisor->scripts[index];
    bool alive = script->alive;
    struct aw_ask *ask = aw_ask_new(replied, context, 1);

    AW_ASSERT_ROLE(MAIN);
    if (!ask) {
        replied(context, &(struct aw_script_reply){
                             .script = script->name,
                             .result = -ENOMEM,
                             .generation = script->generation,
                             .text = "not enough memory",
                         });
        return;
    }
    script->leaving = true;
    aw_supervised_stop(script, ask);
    /* What runs is forgotten when it has ended. */
    if (!alive)
        aw_supervised_vacate(script);
}

/* ---- life ---- */

int aw_supervisor_new(const struct aw_supervisor_config *config,
                      const struct aw_host_config *host_config,
                      struct ev_loop *loop, void (*idle)(void *context),
                      void *context, struct aw_supervisor **ret_supervisor)
{
    struct aw_supervisor *supervisor = calloc(1, sizeof(*supervisor));
    int result = supervisor ? 0 : -ENOMEM;

    if (result < 0)
        return result;
    supervisor->config = config;
    supervisor->output = host_config->output;
    supervisor->loop = loop;
    supervisor->idle = idle;
    supervisor->context = context;
    for (size_t i = 0; result == 0 && i < host_config->script_count; i++) {
        struct aw_supervised *script = append(supervisor);

        result = script ? occupy(script, &host_config->scripts[i],
                                 &config->scripts[i])
                        : -ENOMEM;
        if (result < 0)
            break;
        /* The host starts these by itself. */
        script->generation = script->newest = 1;
        script->alive = true;
        aw_supervised_say(script, AW_SCRIPT_RUNNING);
    }
    if (result < 0)
        aw_supervisor_free(supervisor);
    else
        *ret_supervisor = supervisor;
    return result;
}

static void free_script(struct aw_supervised *script) AW_ON(main) AW_NO_GIL
{
    struct aw_waiting *waiting = aw_waiting_take_all(script);

    aw_supervised_stop_timers(script);
    aw_replies_answer(&waiting, script, -ECANCELED, "the daemon has ended");
    free(script->name);
    free(script->path);
    free(script);
}

void aw_supervisor_free(struct aw_supervisor *supervisor)
{
    if (!supervisor)
        return;
    supervisor->ending = true;
    for (size_t i = 0; i < supervisor->count; i++)
        free_script(supervisor->scripts[i]);
    free(supervisor->scripts);
    free(supervisor);
}
