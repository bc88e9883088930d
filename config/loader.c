#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "devices/driver_load.h"

int aw_loader_refuse_memory(const struct loader *loader)
{
    return aw_error_set(loader->error, ENOMEM, "%s: not enough memory",
                        loader->file);
}

/* A reason stays one line, whatever the values that it quotes. */
static void flatten(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
    }
}

const char *aw_loader_file(const struct loader *loader, const char *path)
{
    const struct aw_index_entry *entry = aw_index_nearest(loader->index, path);

    return entry ? entry->file : loader->file;
}

int aw_loader_refuse(const struct loader *loader, const char *path,
                     const char *format, ...)
{
    char reason[sizeof(loader->error->text)];
    va_list values;

    va_start(values, format);
    vsnprintf(reason, sizeof(reason), format, values);
    va_end(values);
    flatten(reason);
    return aw_error_set(
        loader->error, EINVAL, "%s:%u: %s%s%s", aw_loader_file(loader, path),
        aw_index_line(loader->index, path), path, path[0] ? ": " : "", reason);
}

/* Passes on why something failed, said about `path`. */
int aw_loader_pass_on(const struct loader *loader, const char *path, int result,
                      const struct aw_error *reason)
{
    if (result == -ENOMEM)
        return aw_loader_refuse_memory(loader);
    return aw_loader_refuse(loader, path, "%s", reason->text);
}

/* `text` relative to the folder of `file`: the caller's. */
static char *resolve(const char *file, const char *text)
{
    const char *slash = strrchr(file, '/');
    char *resolved;

    if (text[0] == '/' || text[0] == '\0' || !slash)
        return strdup(text);
    if (asprintf(&resolved, "%.*s/%s", (int)(slash - file), file, text) < 0)
        return NULL;
    return resolved;
}

char *aw_loader_resolve(const struct loader *loader, const char *path,
                        const char *text)
{
    return resolve(aw_loader_file(loader, path), text);
}

/* ---- drivers ---- */

char *aw_loader_resolve_driver(const struct loader *loader, const char *path,
                               const char *text)
{
    return aw_driver_is_path(text) ? aw_loader_resolve(loader, path, text)
                                   : strdup(text);
}

static int load_driver(const struct loader *loader,
                       const struct aw_index_entry *entry)
{
    char *path = resolve(entry->file, entry->text);
    const struct aw_driver *driver;
    struct aw_error reason = {""};
    int result = path ? aw_driver_load(path, &driver, &reason) : -ENOMEM;

    free(path);
    return result < 0 ? aw_loader_pass_on(loader, entry->path, result, &reason)
                      : 0;
}

static bool is_driver_key(const char *path)
{
    unsigned index;
    int length = 0;

    return sscanf(path, "devices[%u].driver%n", &index, &length) == 1 &&
           length > 0 && path[length] == '\0';
}

/* Before there is a schema: it has the keys of every driver in it. */
static int load_drivers(const struct loader *loader)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < loader->index->count; i++) {
        const struct aw_index_entry *entry = &loader->index->entries[i];

        if (entry->text && is_driver_key(entry->path) &&
            aw_driver_is_path(entry->text))
            result = load_driver(loader, entry);
    }
    return result;
}

/* A key with nothing behind it is a line that somebody did not finish. */
static int refuse_empty(const struct loader *loader)
{
    for (size_t i = 0; i < loader->index->count; i++) {
        const struct aw_index_entry *entry = &loader->index->entries[i];

        if (entry->empty)
            return aw_loader_refuse(loader, entry->path, "there is no value");
    }
    return 0;
}

static int load_document(struct loader *loader)
{
    struct aw_document_problem problem;
    int result = load_drivers(loader);

    if (result < 0)
        return result;
    result = aw_document_new(loader->content, loader->length, &loader->document,
                             &problem);
    if (result == -ENOMEM)
        return aw_loader_refuse_memory(loader);
    if (result < 0)
        return aw_loader_refuse_document(loader, &problem);
    return refuse_empty(loader);
}

/* ---- meaning ---- */

static int take_settings(struct loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;
    double *const targets[AW_SETTING_COUNT] = {
        [AW_SETTING_STOP_GRACE] = &config->stop_grace_s,
        [AW_SETTING_STOP_TIMEOUT] = &config->stop_timeout_s,
        [AW_SETTING_START_TIMEOUT] = &config->start_timeout_s,
        [AW_SETTING_RELOAD_SETTLE] = &config->reload_settle_s,
        [AW_SETTING_STALL] = &config->stall_ms,
        [AW_SETTING_STALL_KILL] = &config->stall_kill_s,
    };

    for (size_t i = 0; i < AW_SETTING_COUNT; i++) {
        struct aw_value value = {.set = false};
        struct aw_error reason = {""};
        int result;

        if (!texts[i] || !targets[i])
            continue;
        result = aw_option_parse(&aw_settings[i], texts[i], &value, &reason);
        if (result < 0)
            return aw_loader_pass_on(loader, aw_settings[i].name, result,
                                     &reason);
        *targets[i] = value.number;
        aw_value_deinit(&value);
    }
    return 0;
}

/* Where only one of the two is given, the other one makes room. */
static int settle_stop(struct loader *loader)
{
    char *const *texts = loader->document->data->settings;
    struct aw_config *config = loader->config;

    if (config->stop_grace_s <= config->stop_timeout_s)
        return 0;
    if (!texts[AW_SETTING_STOP_GRACE])
        config->stop_grace_s = config->stop_timeout_s;
    else if (!texts[AW_SETTING_STOP_TIMEOUT])
        config->stop_timeout_s = config->stop_grace_s;
    else
        return aw_loader_refuse(loader, "stop_timeout_s",
                                "must not be less than stop_grace_s");
    return 0;
}

/* True if the value of `key` is the path of a file. */
static bool is_path(const struct aw_driver *driver, const char *key)
{
    int index = aw_options_find(driver->options, driver->option_count, key);

    return index >= 0 && driver->options[index].type == AW_OPTION_PATH;
}

static int set_option(const struct loader *loader,
                      struct aw_device_config *device, const char *key,
                      const char *text, const char *path,
                      struct aw_error *error)
{
    char *resolved;
    int result;

    if (!is_path(device->driver, key))
        return aw_device_config_set(device, key, text, error);
    resolved = aw_loader_resolve(loader, path, text);
    if (!resolved)
        return -ENOMEM;
    result = aw_device_config_set(device, key, resolved, error);
    free(resolved);
    return result;
}

/* Sets what the row of a device gives, and checks it. On failure `path`, which
 * is that of the device, becomes the path of what is wrong. */
static int set_options(const struct loader *loader, char *const *row,
                       struct aw_device_config *device,
                       char path[AW_INDEX_PATH_MAX], struct aw_error *reason)
{
    const struct aw_document *document = loader->document;
    size_t length = strlen(path);

    for (size_t i = AW_DEVICE_KEY_COUNT; i < document->key_count; i++) {
        const char *key = aw_document_key(document, i);
        int result;

        if (!row[i])
            continue;
        snprintf(path + length, AW_INDEX_PATH_MAX - length, ".%s", key);
        result = set_option(loader, device, key, row[i], path, reason);
        if (result < 0)
            return result;
        path[length] = '\0';
    }
    return aw_device_config_check(device, reason);
}

static int make_device(const struct loader *loader, char *const *row,
                       const char *driver_path,
                       struct aw_device_config **ret_device,
                       struct aw_error *reason)
{
    char *driver = aw_loader_resolve_driver(loader, driver_path,
                                            row[AW_DEVICE_KEY_DRIVER]);
    int result = -ENOMEM;

    if (driver)
        result = aw_device_config_new(row[AW_DEVICE_KEY_NAME], driver,
                                      ret_device, reason);
    free(driver);
    return result;
}

static int take_device(struct loader *loader, size_t index)
{
    char *const *row = aw_document_device(loader->document, index);
    char path[AW_INDEX_PATH_MAX], name_path[40], driver_path[40];
    struct aw_device_config *device;
    struct aw_error reason = {""};
    int result;

    snprintf(path, sizeof(path), "devices[%zu]", index);
    snprintf(name_path, sizeof(name_path), "devices[%zu].name", index);
    snprintf(driver_path, sizeof(driver_path), "devices[%zu].driver", index);
    result = make_device(loader, row, driver_path, &device, &reason);
    if (result < 0)
        return aw_loader_pass_on(loader,
                                 result == -ENOENT ? driver_path : name_path,
                                 result, &reason);
    device->place = (int)index;
    result = set_options(loader, row, device, path, &reason);
    if (result < 0) {
        aw_device_config_free(device);
        return aw_loader_pass_on(loader, path, result, &reason);
    }
    result = aw_config_put_device(loader->config, device, &reason);
    return result < 0 ? aw_loader_pass_on(loader, name_path, result, &reason)
                      : 0;
}

/* Where the path of a script stands, for messages that come later. */
static char *origin_of(const struct loader *loader, const char *path)
{
    char *origin;

    if (asprintf(&origin, "%s:%u: %s", aw_loader_file(loader, path),
                 aw_index_line(loader->index, path), path) < 0)
        return NULL;
    return origin;
}

/* The arguments of a script, NULL at the end: the texts stay the document's. */
static char **borrow_arguments(const struct aw_document_script *given)
{
    char **arguments = calloc(given->arg_count + 1, sizeof(*arguments));

    for (unsigned i = 0; arguments && i < given->arg_count; i++)
        arguments[i] = given->args[i];
    return arguments;
}

/* The folders that a script adds to sys.path; the caller's. */
static char **resolve_paths(const struct loader *loader,
                            const struct aw_document_script *given,
                            size_t index)
{
    char **paths = calloc(given->path_count + 1, sizeof(*paths));
    char path[40];

    snprintf(path, sizeof(path), "scripts[%zu].paths", index);
    for (unsigned i = 0; paths && i < given->path_count; i++)
        paths[i] = aw_loader_resolve(loader, path, given->paths[i]);
    return paths;
}

static void free_paths(char **paths)
{
    for (size_t i = 0; paths && paths[i]; i++)
        free(paths[i]);
    free(paths);
}

static void take_supervision(const struct aw_config *config,
                             const struct aw_value *values,
                             struct aw_config_supervision *ret)
{
    const struct aw_value *stall = &values[AW_SCRIPT_KEY_STALL];
    const struct aw_value *kill = &values[AW_SCRIPT_KEY_STALL_KILL];

    *ret = (struct aw_config_supervision){
        .restart =
            (enum aw_config_restart)values[AW_SCRIPT_KEY_RESTART].integer,
        .delay_s = values[AW_SCRIPT_KEY_RESTART_DELAY].number,
        .interval_s = values[AW_SCRIPT_KEY_RESTART_INTERVAL].number,
        .limit = (unsigned)values[AW_SCRIPT_KEY_RESTART_LIMIT].integer,
        .flush = values[AW_SCRIPT_KEY_ON_RESTART].integer == 1,
        .persist = values[AW_SCRIPT_KEY_STATE].integer == 1,
        .stall_ms = stall->set ? stall->number : config->stall_ms,
        .stall_kill_s = kill->set ? kill->number : config->stall_kill_s,
    };
}

static int parse_supervision(const struct loader *loader, size_t index,
                             struct aw_config_supervision *ret)
{
    char *const *texts = loader->document->data->scripts[index].options;
    struct aw_value values[AW_SCRIPT_KEY_COUNT] = {{.set = false}};
    int result = 0;

    for (size_t i = 0; result == 0 && i < AW_SCRIPT_KEY_COUNT; i++) {
        const struct aw_option *option = &aw_script_options[i];
        const char *text = texts[i] ? texts[i] : option->fallback;
        struct aw_error reason = {""};
        char path[80];

        if (!text)
            continue;
        snprintf(path, sizeof(path), "scripts[%zu].%s", index, option->name);
        result = aw_option_parse(option, text, &values[i], &reason);
        if (result < 0)
            result = aw_loader_pass_on(loader, path, result, &reason);
    }
    if (result == 0)
        take_supervision(loader->config, values, ret);
    for (size_t i = 0; i < AW_SCRIPT_KEY_COUNT; i++)
        aw_value_deinit(&values[i]);
    return result;
}

static int put_script(struct loader *loader,
                      const struct aw_document_script *given, size_t index)
{
    char path[40];
    struct aw_config_script script = {.name = given->name};
    struct aw_error reason = {""};
    int result = parse_supervision(loader, index, &script.supervision);

    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    script.paths = resolve_paths(loader, given, index);
    script.path = aw_loader_resolve(loader, path, given->path);
    script.origin = origin_of(loader, path);
    script.arguments = borrow_arguments(given);
    if (!script.path || !script.origin || !script.arguments || !script.paths)
        result = -ENOMEM;
    else
        result = aw_config_put_script(loader->config, &script, &reason);
    free_paths(script.paths);
    free(script.path);
    free(script.origin);
    free(script.arguments);
    if (given->name)
        snprintf(path, sizeof(path), "scripts[%zu].name", index);
    return result < 0 ? aw_loader_pass_on(loader, path, result, &reason) : 0;
}

static int take_script(struct loader *loader, size_t index)
{
    const struct aw_document_script *given =
        &loader->document->data->scripts[index];
    char path[40];

    if (given->path[0] != '\0')
        return put_script(loader, given, index);
    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    return aw_loader_refuse(loader, path, "there is no value");
}

static int take_all(struct loader *loader)
{
    const struct aw_document_data *data = loader->document->data;
    int result;

    if (!data)
        return 0;
    result = take_settings(loader);
    if (result == 0)
        result = settle_stop(loader);
    if (result == 0)
        result = aw_loader_take_process(loader);
    if (result == 0)
        result = aw_loader_take_control(loader);
    for (unsigned i = 0; result == 0 && i < data->device_count; i++)
        result = take_device(loader, i);
    for (unsigned i = 0; result == 0 && i < data->script_count; i++)
        result = take_script(loader, i);
    return result;
}

int aw_config_load(const char *path, struct aw_config **ret_config,
                   struct aw_error *error)
{
    struct loader loader = {.file = path, .error = error};
    int result = aw_config_new(&loader.config);

    if (result < 0)
        return aw_loader_refuse_memory(&loader);
    result = aw_loader_read(&loader);
    if (result == 0)
        result = load_document(&loader);
    if (result == 0)
        result = take_all(&loader);
    /* For as long as somebody may ask where a value came from. */
    loader.config->index = loader.index;
    if (result < 0)
        aw_config_free(loader.config);
    else
        *ret_config = loader.config;
    aw_document_free(loader.document);
    free(loader.content);
    return result;
}
