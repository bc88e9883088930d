#include "daemon/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"

/* Who starts a program by hand is there to be told that a device is missing. A
 * service starts with the machine, and may well be the first. Returns 0 or
 * -ENOMEM. */
static int wait_for_missing(const struct aw_config *config,
                            struct aw_error *error)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < config->device_count; i++) {
        struct aw_device_config *device = config->devices[i];

        if (device->common_given[AW_COMMON_REQUIRED])
            continue;
        result = aw_device_config_set(device, "required", "no", error);
        /* It stays a fallback, though not the usual one. */
        device->common_given[AW_COMMON_REQUIRED] = false;
    }
    return result;
}

int aw_settings_read(const struct aw_arguments *arguments,
                     struct aw_config **ret_config, struct aw_error *error)
{
    const char *path = arguments->config_path;
    int result = path ? aw_config_load(path, ret_config, error)
                      : aw_config_new(ret_config);

    for (size_t i = 0; result == 0 && i < arguments->device_count; i++)
        result =
            aw_config_add_device(*ret_config, arguments->devices[i], error);
    for (size_t i = 0; result == 0 && i < arguments->script_count; i++)
        result = aw_config_add_script(*ret_config, arguments->scripts[i], NULL,
                                      error);
    if (result == 0 && arguments->script)
        result = aw_config_add_script(*ret_config, arguments->script[0],
                                      arguments->script + 1, error);
    if (result == 0 && arguments->service)
        result = wait_for_missing(*ret_config, error);
    return result;
}

int aw_settings_load(const struct aw_arguments *arguments,
                     struct aw_config **ret_config, struct aw_error *error)
{
    struct aw_config *config = NULL;
    int result;

    aw_error_set(error, ENOMEM, "not enough memory");
    result = aw_settings_read(arguments, &config, error);
    if (result == 0)
        result = aw_config_check(config, error);
    if (result == 0 && config->script_count == 0)
        result = aw_error_set(error, EINVAL, "%s: no scripts, nothing to run",
                              arguments->config_path);
    if (result < 0) {
        aw_config_free(config);
        return result;
    }
    *ret_config = config;
    return 0;
}

const char *aw_settings_socket(const struct aw_arguments *arguments,
                               const char **ret_origin)
{
    *ret_origin = "command line";
    if (arguments->socket_path)
        return arguments->socket_path;
    *ret_origin = "$AWAITD_SOCKET";
    return getenv("AWAITD_SOCKET");
}

/* Where a script's state is kept, or NULL: the caller's. */
static int state_path(const struct aw_config_script *script, char **ret_path,
                      struct aw_error *error)
{
    const char *folder = getenv("STATE_DIRECTORY");

    *ret_path = NULL;
    if (!script->supervision.persist)
        return 0;
    if (!folder || !folder[0])
        return aw_error_set(error, EINVAL,
                            "%s%sscript %s: state: persist needs a folder in "
                            "$STATE_DIRECTORY",
                            script->origin ? script->origin : "",
                            script->origin ? ": " : "", script->name);
    /* systemd lists several, with colons: the first is ours. */
    if (asprintf(ret_path, "%.*s/%s.json", (int)strcspn(folder, ":"), folder,
                 script->name) < 0)
        return aw_error_set(error, ENOMEM, "not enough memory");
    return 0;
}

int aw_settings_script(const struct aw_config_script *script,
                       struct aw_host_script *ret_script,
                       struct aw_supervision *ret_supervision,
                       struct aw_error *error)
{
    const struct aw_config_supervision *given = &script->supervision;
    char *path;
    int result = state_path(script, &path, error);

    if (result < 0)
        return result;
    *ret_script = (struct aw_host_script){
        .name = script->name,
        .path = script->path,
        .arguments = script->arguments,
        .paths = script->paths,
        .keeps_queues = given->restart != AW_CONFIG_RESTART_NO,
        .always_keeps = given->restart == AW_CONFIG_RESTART_ALWAYS,
        .flush_backlog = given->flush,
        .state_path = path,
        .stall_ns = (uint64_t)(given->stall_ms * (double)AW_NS_PER_MS),
    };
    *ret_supervision = (struct aw_supervision){
        .restart = (enum aw_restart)given->restart,
        .delay_s = given->delay_s,
        .limit = given->limit,
        .interval_s = given->interval_s,
        .stall_kill_ns = (uint64_t)(given->stall_kill_s * (double)AW_NS_PER_S),
    };
    return 0;
}

void aw_settings_script_deinit(struct aw_host_script *script)
{
    free((void *)(uintptr_t)script->state_path);
    script->state_path = NULL;
}

void aw_settings_times(const struct aw_config *config,
                       struct aw_runtime_config *runtime_config)
{
    double rest_s = config->stop_timeout_s - config->stop_grace_s;
    struct aw_supervisor_config *supervisor = &runtime_config->supervisor;

    /* After a `finally` that took all of the grace there is still time for it
     * before the forced end. */
    runtime_config->host.executor_timeout_s = rest_s > 0 ? rest_s : 0;
    runtime_config->stop_grace_s = config->stop_grace_s;
    runtime_config->stop_timeout_s = config->stop_timeout_s;
    supervisor->stop_grace_s = config->stop_grace_s;
    supervisor->stop_timeout_s = config->stop_timeout_s;
    supervisor->start_timeout_s = config->start_timeout_s;
    supervisor->reload_settle_s = config->reload_settle_s;
}
