#include "config/keys.h"

#include <string.h>

#include "config/document.h"

/* The keys that there are at a place which is no device's. */
struct keys {
    const struct aw_option *options;
    size_t count;
    const char *words;
};

static const struct keys *keys_at(const char *around)
{
    static const struct aw_option root_keys[] = {{.name = "devices"},
                                                 {.name = "scripts"},
                                                 {.name = "stop_grace_s"},
                                                 {.name = "stop_timeout_s"},
                                                 {.name = "start_timeout_s"},
                                                 {.name = "reload_settle_s"},
                                                 {.name = "stall_ms"},
                                                 {.name = "stall_kill_s"},
                                                 {.name = "environment"},
                                                 {.name = "cwd"},
                                                 {.name = "venv"},
                                                 {.name = "control"},
                                                 {.name = "metrics"}};
    static const struct aw_option script_keys[] = {{.name = "name"},
                                                   {.name = "path"},
                                                   {.name = "args"},
                                                   {.name = "paths"}};
    static const struct keys root = {
        root_keys, 13,
        "devices, scripts, stop_grace_s, stop_timeout_s, start_timeout_s, "
        "reload_settle_s, stall_ms, stall_kill_s, environment, cwd, venv, "
        "control and metrics"};
    static const struct keys script = {
        script_keys, 4,
        "name, path, args, paths, restart, restart_delay_s, restart_limit, "
        "restart_interval_s, on_restart, state, stall_ms and stall_kill_s"};
    static const struct keys control = {aw_control_keys, AW_CONTROL_KEY_COUNT,
                                        "socket, read_group and admin_group"};
    static const struct keys metrics = {aw_metrics_keys, AW_METRICS_KEY_COUNT,
                                        "listen"};

    if (around[0] == '\0')
        return &root;
    if (strcmp(around, "control") == 0)
        return &control;
    return strcmp(around, "metrics") == 0 ? &metrics : &script;
}

bool aw_keys_are_scripts(const char *around)
{
    return strncmp(around, "scripts[", strlen("scripts[")) == 0;
}

const char *aw_keys_suggest(const char *around, const char *key)
{
    const struct keys *keys = keys_at(around);
    const char *meant = aw_options_suggest(keys->options, keys->count, key);

    if (meant || !aw_keys_are_scripts(around))
        return meant;
    return aw_options_suggest(aw_script_options, AW_SCRIPT_KEY_COUNT, key);
}

const char *aw_keys_words(const char *around)
{
    return keys_at(around)->words;
}
