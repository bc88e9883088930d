/* A round's dealings with scripts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/reconfigure_state.h"
#include "daemon/settings.h"
#include "devices/queue/log.h"

/* ---- what is wanted ---- */

int aw_reconfigure_read_scripts(struct aw_reconfigure *reconfigure)
{
    const struct aw_config *wanted = reconfigure->wanted;
    int result = 0;

    reconfigure->scripts =
        calloc(wanted->script_count, sizeof(*reconfigure->scripts));
    if (!reconfigure->scripts)
        return aw_error_set(&reconfigure->error, ENOMEM, "not enough memory");
    for (size_t i = 0; result == 0 && i < wanted->script_count; i++)
        result = aw_settings_script(
            &wanted->scripts[i], &reconfigure->scripts[i].settings,
            &reconfigure->scripts[i].policy, &reconfigure->error);
    if (result < 0)
        aw_reconfigure_free_scripts(reconfigure);
    return result;
}

void aw_reconfigure_free_scripts(struct aw_reconfigure *reconfigure)
{
    size_t count = reconfigure->wanted ? reconfigure->wanted->script_count : 0;

    for (size_t i = 0; reconfigure->scripts && i < count; i++)
        aw_settings_script_deinit(&reconfigure->scripts[i].settings);
    free(reconfigure->scripts);
    reconfigure->scripts = NULL;
}

static bool is_wanted(const struct aw_reconfigure *reconfigure,
                      const char *name)
{
    const struct aw_config *wanted = reconfigure->wanted;

    /* Without a file all that there are. */
    for (size_t i = 0; wanted && i < wanted->script_count; i++)
        if (strcmp(wanted->scripts[i].name, name) == 0)
            return true;
    return !wanted;
}

/* ---- ending those whose device must be closed ---- */

size_t aw_reconfigure_park_scripts(struct aw_reconfigure *reconfigure)
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);
    size_t count = 0;

    for (size_t i = 0; i < reconfigure->touched_count; i++) {
        if (reconfigure->touched[i] != AW_TOUCH_FOUND)
            continue;
        reconfigure->touched[i] = AW_TOUCH_DONE;
        count++;
        if (!aw_supervisor_has(supervisor, i))
            continue;
        reconfigure->left++;
        aw_supervisor_park(supervisor, i, aw_reconfigure_replied, reconfigure);
    }
    return count;
}

/* It was ended for this round, and nobody has stopped it: before, or since. */
static bool is_to_restart(const struct aw_reconfigure *reconfigure,
                          size_t script) AW_ON(main) AW_NO_GIL
{
    return reconfigure->touched[script] != AW_TOUCH_NONE &&
           !aw_supervisor_is_stopped(aw_reconfigure_supervisor(reconfigure),
                                     script);
}

void aw_reconfigure_unpark_scripts(struct aw_reconfigure *reconfigure)
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);

    for (size_t i = 0; i < reconfigure->touched_count; i++)
        if (aw_supervisor_has(supervisor, i) && is_to_restart(reconfigure, i))
            aw_supervisor_restart(supervisor, i, NULL, NULL);
}

/* ---- the exchange ---- */

/* One that was not there before this round. Returns as aw_supervisor_add(). */
static int start(struct aw_reconfigure *reconfigure,
                 const struct aw_wanted_script *wanted) AW_ON(main) AW_NO_GIL
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);
    double timeout_s =
        reconfigure->config.runtime_config->host.executor_timeout_s;
    struct aw_script_status status;
    int index = aw_supervisor_add(supervisor, &wanted->settings,
                                  &wanted->policy, timeout_s);

    if (index < 0)
        return index;
    aw_log(AW_LOG_INFO, "script %s is started", wanted->settings.name);
    aw_supervisor_status(supervisor, (size_t)index, &status);
    aw_reconfigure_keep(reconfigure, &(struct aw_script_reply){
                                         .script = status.name,
                                         .generation = status.generation,
                                         .text = "started",
                                     });
    return index;
}

static void configure(struct aw_reconfigure *reconfigure,
                      const struct aw_wanted_script *wanted)
    AW_ON(main) AW_NO_GIL
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);
    double timeout_s =
        reconfigure->config.runtime_config->host.executor_timeout_s;
    int found = aw_supervisor_find(supervisor, wanted->settings.name);
    int result;

    if (found >= 0)
        result = aw_supervisor_configure(supervisor, (size_t)found,
                                         &wanted->settings, &wanted->policy,
                                         timeout_s);
    else
        result = start(reconfigure, wanted);
    aw_runtime_watch_script(reconfigure->config.runtime, &wanted->settings);
    if (result < 0)
        aw_reconfigure_note(reconfigure, "script %s: not enough memory",
                            wanted->settings.name);
}

/* One that was there before this round. */
static void go_on(struct aw_reconfigure *reconfigure, size_t index,
                  const char *name) AW_ON(main) AW_NO_GIL
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);

    reconfigure->left++;
    if (!is_wanted(reconfigure, name)) {
        aw_log(AW_LOG_INFO, "script %s is not configured any more", name);
        aw_supervisor_remove(supervisor, index, aw_reconfigure_replied,
                             reconfigure);
    } else if (is_to_restart(reconfigure, index)) {
        aw_supervisor_restart(supervisor, index, aw_reconfigure_replied,
                              reconfigure);
    } else {
        aw_supervisor_reload_changed(supervisor, index, aw_reconfigure_replied,
                                     reconfigure);
    }
}

void aw_reconfigure_exchange_scripts(struct aw_reconfigure *reconfigure)
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);
    const struct aw_config *wanted = reconfigure->wanted;
    size_t count = aw_supervisor_count(supervisor);
    /* New ones may get a place among these. */
    bool *old = calloc(count + 1, sizeof(*old));

    for (size_t i = 0; old && i < count; i++)
        old[i] = aw_supervisor_has(supervisor, i);
    /* First, so that there is something that runs. */
    for (size_t i = 0; wanted && i < wanted->script_count; i++)
        configure(reconfigure, &reconfigure->scripts[i]);
    for (size_t i = 0; old && i < count; i++) {
        struct aw_script_status status;

        if (!old[i])
            continue;
        aw_supervisor_status(supervisor, i, &status);
        go_on(reconfigure, i, status.name);
    }
    free(old);
}

/* ---- the last users of a device ---- */

/* A version that could not be replaced goes on with what it has. */
static bool has_failed(const struct aw_reconfigure *reconfigure,
                       const char *name)
{
    for (size_t i = 0; i < reconfigure->reply_count; i++)
        if (strcmp(reconfigure->replies[i].name, name) == 0)
            return reconfigure->replies[i].result < 0;
    return false;
}

void aw_reconfigure_last_user(struct aw_reconfigure *reconfigure, size_t script,
                              const struct aw_leaving_device *leaving)
{
    struct aw_supervisor *supervisor = aw_reconfigure_supervisor(reconfigure);
    const char *device = aw_device_name(leaving->device);
    struct aw_script_status status;

    if (!aw_supervisor_has(supervisor, script))
        return;
    aw_supervisor_status(supervisor, script, &status);
    if (!leaving->replaced) {
        aw_reconfigure_note(reconfigure,
                            "device %s is not configured any more, but script "
                            "%s uses it: it is closed when that has ended, or "
                            "is reloaded without it",
                            device, status.name);
    } else if (has_failed(reconfigure, status.name)) {
        aw_reconfigure_note(reconfigure,
                            "script %s goes on with device %s as it was "
                            "configured before",
                            status.name, device);
    } else if (reconfigure->touched[script] == AW_TOUCH_NONE &&
               !aw_supervisor_is_stopped(supervisor, script)) {
        aw_log(AW_LOG_INFO,
               "script %s is restarted, as device %s is another one now",
               status.name, device);
        reconfigure->touched[script] = AW_TOUCH_DONE;
        reconfigure->left++;
        aw_supervisor_restart(supervisor, script, aw_reconfigure_replied,
                              reconfigure);
    }
}
