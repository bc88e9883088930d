#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/document.h"

/* What a script may be called: it is the owner of queues, whose name has this
 * much room. */
#define NAME_BYTES (sizeof(((struct aw_send *)NULL)->owner))

static int refuse_memory(struct aw_error *error)
{
    return aw_error_set(error, ENOMEM, "not enough memory");
}

int aw_config_new(struct aw_config **ret_config)
{
    struct aw_config *config = calloc(1, sizeof(*config));

    if (!config)
        return -ENOMEM;
    config->stop_grace_s = AW_STOP_GRACE_S;
    config->stop_timeout_s = AW_STOP_TIMEOUT_S;
    config->start_timeout_s = AW_START_TIMEOUT_S;
    config->reload_settle_s = AW_RELOAD_SETTLE_S;
    config->stall_ms = AW_STALL_MS;
    *ret_config = config;
    return 0;
}

/* What a script has whose configuration says nothing of it. */
static struct aw_config_supervision
default_supervision(const struct aw_config *config)
{
    return (struct aw_config_supervision){.restart = AW_CONFIG_RESTART_NO,
                                          .delay_s = 0.5,
                                          .interval_s = 60,
                                          .limit = 5,
                                          .stall_ms = config->stall_ms,
                                          .stall_kill_s = config->stall_kill_s};
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

static void script_deinit(struct aw_config_script *script)
{
    free(script->name);
    free(script->path);
    free(script->origin);
    free_texts(script->arguments);
    free_texts(script->paths);
}

void aw_config_free(struct aw_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->device_count; i++)
        aw_device_config_free(config->devices[i]);
    for (size_t i = 0; i < config->script_count; i++)
        script_deinit(&config->scripts[i]);
    free(config->cwd);
    free(config->venv);
    free_texts(config->environment);
    free(config->devices);
    free(config->scripts);
    free(config->control_socket);
    free(config->control_read_group);
    free(config->control_admin_group);
    free(config->metrics_listen);
    aw_index_free(config->index);
    free(config);
}

/* ---- devices ---- */

static struct aw_device_config **device_slot(const struct aw_config *config,
                                             const char *name)
{
    for (size_t i = 0; i < config->device_count; i++) {
        if (strcmp(config->devices[i]->name, name) == 0)
            return &config->devices[i];
    }
    return NULL;
}

static int append_device(struct aw_config *config,
                         struct aw_device_config *device,
                         struct aw_error *error)
{
    struct aw_device_config **devices;

    if (config->device_count == AW_DEVICES_MAX)
        return aw_error_set(error, EINVAL, "more than %d devices",
                            AW_DEVICES_MAX);
    devices = reallocarray(config->devices, config->device_count + 1,
                           sizeof(struct aw_device_config *));
    if (!devices)
        return refuse_memory(error);
    devices[config->device_count++] = device;
    config->devices = devices;
    return 0;
}

int aw_config_put_device(struct aw_config *config,
                         struct aw_device_config *device,
                         struct aw_error *error)
{
    int result;

    if (device_slot(config, device->name))
        result =
            aw_error_set(error, EINVAL, "there is another device called \"%s\"",
                         device->name);
    else
        result = append_device(config, device, error);
    if (result < 0)
        aw_device_config_free(device);
    return result;
}

int aw_config_add_device(struct aw_config *config, const char *short_form,
                         struct aw_error *error)
{
    struct aw_device_config *device, **slot;
    int result = aw_device_config_parse(short_form, &device, error);

    if (result < 0)
        return result;
    slot = device_slot(config, device->name);
    if (!slot)
        return aw_config_put_device(config, device, error);
    aw_device_config_free(*slot);
    *slot = device;
    return 0;
}

/* ---- scripts ---- */

static bool has_script(const struct aw_config *config, const char *name)
{
    for (size_t i = 0; i < config->script_count; i++) {
        if (strcmp(config->scripts[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool is_script_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length >= NAME_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f || name[i] == '/')
            return false;
    }
    return true;
}

/* The name of a file without folders and without .py; the caller's to free. */
static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t length = strlen(file);

    if (length > 3 && strcmp(file + length - 3, ".py") == 0)
        length -= 3;
    return strndup(file, length);
}

static int check_name(const struct aw_config *config, const char *name,
                      struct aw_error *error)
{
    if (!is_script_name(name))
        return aw_error_set(error, EINVAL,
                            "\"%.80s\" cannot be the name of a script: it "
                            "must have 1 to %zu characters, no / among them",
                            name, NAME_BYTES - 1);
    if (has_script(config, name))
        return aw_error_set(error, EINVAL,
                            "there is another script called \"%s\"; give one "
                            "of them a name of its own",
                            name);
    return 0;
}

static char **copy_arguments(char *const *arguments)
{
    size_t count = 0;
    char **copies;

    while (arguments && arguments[count])
        count++;
    copies = calloc(count + 1, sizeof(*copies));
    for (size_t i = 0; copies && i < count; i++) {
        copies[i] = strdup(arguments[i]);
        if (!copies[i]) {
            while (i > 0)
                free(copies[--i]);
            free(copies);
            return NULL;
        }
    }
    return copies;
}

/* Fills `copy`, which is the caller's to deinit, also on failure. */
static int copy_script(const struct aw_config_script *script,
                       struct aw_config_script *copy)
{
    copy->name =
        script->name ? strdup(script->name) : name_of_file(script->path);
    copy->path = strdup(script->path);
    copy->arguments = copy_arguments(script->arguments);
    copy->paths = copy_arguments(script->paths);
    copy->supervision = script->supervision;
    copy->origin = script->origin ? strdup(script->origin) : NULL;
    if (!copy->name || !copy->path || !copy->arguments || !copy->paths)
        return -ENOMEM;
    return script->origin && !copy->origin ? -ENOMEM : 0;
}

static int append_script(struct aw_config *config,
                         const struct aw_config_script *script,
                         struct aw_error *error)
{
    struct aw_config_script *scripts;
    int result;

    if (config->script_count == AW_SCRIPTS_MAX)
        return aw_error_set(error, EINVAL, "more than %d scripts",
                            AW_SCRIPTS_MAX);
    result = check_name(config, script->name, error);
    if (result < 0)
        return result;
    scripts = reallocarray(config->scripts, config->script_count + 1,
                           sizeof(*scripts));
    if (!scripts)
        return refuse_memory(error);
    scripts[config->script_count++] = *script;
    config->scripts = scripts;
    return 0;
}

int aw_config_put_script(struct aw_config *config,
                         const struct aw_config_script *script,
                         struct aw_error *error)
{
    struct aw_config_script copy = {.name = NULL};
    int result = copy_script(script, &copy);

    if (result < 0)
        refuse_memory(error);
    else
        result = append_script(config, &copy, error);
    if (result < 0)
        script_deinit(&copy);
    return result;
}

/* The name of the file, numbered if it is taken; the caller's to free. */
static char *free_name(const struct aw_config *config, const char *path)
{
    char *plain = name_of_file(path);
    char *name = plain;

    for (unsigned number = 2; name && has_script(config, name); number++) {
        if (name != plain)
            free(name);
        if (asprintf(&name, "%s-%u", plain, number) < 0)
            name = NULL;
    }
    if (name != plain)
        free(plain);
    return name;
}

int aw_config_add_script(struct aw_config *config, const char *path,
                         char *const *arguments, struct aw_error *error)
{
    struct aw_config_script script = {
        .name = free_name(config, path),
        .path = strdup(path),
        .arguments = copy_arguments(arguments),
        .supervision = default_supervision(config),
    };
    int result;

    if (!script.name || !script.path || !script.arguments)
        result = refuse_memory(error);
    else
        result = append_script(config, &script, error);
    if (result < 0)
        script_deinit(&script);
    return result;
}

/* ---- checking ---- */

static int check_readable(const char *path)
{
    struct stat status;
    int result = 0;
    /* Opened, as access() would go by the real user; without waiting for the
     * other end of a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        result = -errno;
    else if (S_ISDIR(status.st_mode))
        result = -EISDIR;
    close(fd);
    return result;
}

/* A number need not have a name. */
static int check_group(const struct aw_config *config, const char *path,
                       const char *group, struct aw_error *error)
{
    const struct aw_index *index = config->index;

    if (!group || getgrnam(group) ||
        (group[0] && group[strspn(group, "0123456789")] == '\0'))
        return 0;
    return aw_error_set(error, EINVAL, "%s:%u: %s: there is no group \"%s\"",
                        aw_index_nearest(index, path)->file,
                        aw_index_line(index, path), path, group);
}

int aw_config_check(const struct aw_config *config, struct aw_error *error)
{
    int found = check_group(config, "control.read_group",
                            config->control_read_group, error);

    if (found == 0)
        found = check_group(config, "control.admin_group",
                            config->control_admin_group, error);
    if (found < 0)
        return found;
    for (size_t i = 0; i < config->script_count; i++) {
        const struct aw_config_script *script = &config->scripts[i];
        int result = check_readable(script->path);

        if (result < 0)
            return aw_error_set(error, -result,
                                "%s%sscript %s: cannot read %s: %s",
                                script->origin ? script->origin : "",
                                script->origin ? ": " : "", script->name,
                                script->path, strerror(-result));
    }
    return 0;
}
