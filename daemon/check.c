#include "daemon/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/effective.h"
#include "daemon/control_socket.h"
#include "daemon/exit_status.h"
#include "daemon/package_path.h"
#include "daemon/settings.h"
#include "pymod/host.h"

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* Bare, as compilers print it: editors jump to FILE:LINE. */
static int complain(int result, const struct aw_error *error)
{
    fprintf(stderr, "%s\n", error->text);
    return result == -ENOMEM ? AW_EXIT_INTERNAL : AW_EXIT_CONFIG;
}

/* Does every script compile? */
static int check_scripts(const struct aw_config *config) AW_ON(main) AW_NO_GIL
{
    struct aw_host_script *scripts =
        calloc(config->script_count + 1, sizeof(*scripts));
    char package_path[PATH_MAX];
    struct aw_host_config host = {
        .scripts = scripts,
        .script_count = config->script_count,
        .package_path = package_path,
        .venv = config->venv,
    };
    int found;

    if (!scripts)
        return AW_EXIT_INTERNAL;
    for (size_t i = 0; i < config->script_count; i++)
        scripts[i].path = config->scripts[i].path;
    aw_package_path(package_path);
    found = config->script_count > 0 ? aw_host_check_scripts(&host, stderr) : 0;
    free(scripts);
    if (found < 0)
        return AW_EXIT_INTERNAL;
    return found > 0 ? AW_EXIT_CONFIG : AW_EXIT_OK;
}

static void print_effective(const struct aw_arguments *arguments,
                            const struct aw_config *config)
{
    char usual_socket[AW_CONTROL_PATH_MAX];
    struct aw_effective_flags flags = {
        .usual_socket =
            aw_control_default_path(usual_socket) ? usual_socket : NULL,
        .service = arguments->service,
    };

    flags.socket = aw_settings_socket(arguments, &flags.socket_origin);
    aw_config_print_effective(config, &flags, stdout);
}

/* As a package installs it: no error, as long as nobody has it run. */
static void note_nothing(const char *path)
{
    fprintf(stderr,
            "%s: no devices and no scripts: a service would have nothing to "
            "run\n",
            path);
}

static int flush(int status)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? status : AW_EXIT_INTERNAL;
}

/* What a configuration that could be loaded comes to. */
static int judge(const struct aw_arguments *arguments,
                 const struct aw_config *config) AW_ON(main) AW_NO_GIL
{
    struct aw_error error = {0};
    int result = aw_config_check(config, &error);
    int status = result < 0 ? complain(result, &error) : check_scripts(config);

    if (status == AW_EXIT_OK && config->device_count == 0 &&
        config->script_count == 0)
        note_nothing(arguments->config_path);
    if (arguments->print_effective)
        print_effective(arguments, config);
    else if (status == AW_EXIT_OK)
        printf("%s: ok, %zu device%s, %zu script%s\n", arguments->config_path,
               config->device_count, plural(config->device_count),
               config->script_count, plural(config->script_count));
    return flush(status);
}

int aw_check(const struct aw_arguments *arguments)
{
    struct aw_config *config = NULL;
    struct aw_error error = {0};
    int result = aw_settings_read(arguments, &config, &error);
    int status =
        result < 0 ? complain(result, &error) : judge(arguments, config);

    aw_config_free(config);
    return status;
}

int aw_print_effective(const struct aw_arguments *arguments)
{
    struct aw_config *config = NULL;
    struct aw_error error = {0};
    int result = aw_settings_read(arguments, &config, &error);
    int status = AW_EXIT_OK;

    if (result < 0)
        status = complain(result, &error);
    else
        print_effective(arguments, config);
    aw_config_free(config);
    return flush(status);
}
