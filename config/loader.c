#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/document.h"
#include "config/index.h"

/* One file on its way to a configuration: its bytes, where things stand in
 * them, what libcyaml made of them, and what came out. */
struct loader {
    const char *file;
    char *content;
    size_t length;
    struct aw_index *index;
    struct aw_document *document;
    struct aw_config *config;
    struct aw_error *error;
};

static int refuse_memory(const struct loader *loader)
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

/* Fills in the error, with the line where `path` stands. Returns -EINVAL. */
__attribute__((format(printf, 3, 4))) static int
refuse(const struct loader *loader, const char *path, const char *format, ...)
{
    char reason[sizeof(loader->error->text)];
    va_list values;

    va_start(values, format);
    vsnprintf(reason, sizeof(reason), format, values);
    va_end(values);
    flatten(reason);
    return aw_error_set(loader->error, EINVAL, "%s:%u: %s%s%s", loader->file,
                        aw_index_line(loader->index, path), path,
                        path[0] ? ": " : "", reason);
}

/* Passes on why something failed, said about `path`. */
static int pass_on(const struct loader *loader, const char *path, int result,
                   const struct aw_error *reason)
{
    if (result == -ENOMEM)
        return refuse_memory(loader);
    return refuse(loader, path, "%s", reason->text);
}

/* ---- reading ---- */

static int refuse_file(const struct loader *loader, int code)
{
    return aw_error_set(loader->error, code, "%s: %s", loader->file,
                        strerror(code));
}

/* Reads to the end, from a pipe as well. */
static int read_all(struct loader *loader, FILE *stream)
{
    loader->content = malloc(AW_CONFIG_BYTES_MAX + 1);
    if (!loader->content)
        return refuse_memory(loader);
    errno = 0;
    loader->length = fread(loader->content, 1, AW_CONFIG_BYTES_MAX + 1, stream);
    if (ferror(stream))
        return refuse_file(loader, errno ? errno : EIO);
    if (loader->length > AW_CONFIG_BYTES_MAX)
        return aw_error_set(loader->error, EINVAL,
                            "%s: larger than %u KiB, which is no "
                            "configuration",
                            loader->file, AW_CONFIG_BYTES_MAX / 1024);
    return 0;
}

static int read_file(struct loader *loader)
{
    FILE *stream = fopen(loader->file, "re");
    int result;

    if (!stream)
        return refuse_file(loader, errno);
    result = read_all(loader, stream);
    fclose(stream);
    return result;
}

/* A path of the file, made relative to the file's folder. The caller's. */
static char *resolve(const struct loader *loader, const char *path)
{
    const char *slash = strrchr(loader->file, '/');
    char *resolved;

    if (path[0] == '/' || path[0] == '\0' || !slash)
        return strdup(path);
    if (asprintf(&resolved, "%.*s/%s", (int)(slash - loader->file),
                 loader->file, path) < 0)
        return NULL;
    return resolved;
}

/* ---- shape ---- */

static const char *suggest_own_key(const char *key)
{
    static const struct aw_option own[] = {{.name = "name"},
                                           {.name = "driver"}};

    return aw_options_suggest(own, sizeof(own) / sizeof(own[0]), key);
}

static bool is_near_option(const char *driver, const char *key)
{
    const struct aw_driver *found = aw_driver_find(driver);

    return found &&
           (aw_options_suggest(found->options, found->option_count, key) ||
            aw_options_suggest(aw_common_options, AW_COMMON_COUNT, key));
}

/* No driver has `key`. What else it might be, the device's own driver knows. */
static int refuse_option(const struct loader *loader, const char *driver_path,
                         const char *path, const char *key)
{
    const char *driver = aw_index_find(loader->index, driver_path)->text;
    struct aw_device_config *device;
    struct aw_error reason = {""};
    int result;

    /* Whatever its name: the driver's own words about the key are wanted. */
    result = aw_device_config_new("device", driver, &device, &reason);
    if (result < 0)
        return pass_on(loader, driver_path, result, &reason);
    result = aw_device_config_set(device, key, "", &reason);
    aw_device_config_free(device);
    return pass_on(loader, path, result, &reason);
}

static int refuse_device_key(const struct loader *loader, const char *around,
                             const char *path, const char *key)
{
    char driver_path[AW_INDEX_PATH_MAX + 8];
    const char *meant = suggest_own_key(key);
    const struct aw_index_entry *driver;

    snprintf(driver_path, sizeof(driver_path), "%s.driver", around);
    driver = aw_index_find(loader->index, driver_path);
    if (driver && driver->text && (!meant || is_near_option(driver->text, key)))
        return refuse_option(loader, driver_path, path, key);
    if (meant)
        return refuse(loader, path, "unknown key; did you mean \"%s\"?", meant);
    return refuse(loader, around, "\"driver\" is missing");
}

static int refuse_other_key(const struct loader *loader, bool top,
                            const char *path, const char *key)
{
    static const struct aw_option root[] = {
        {.name = "devices"},      {.name = "scripts"},
        {.name = "stop_grace_s"}, {.name = "stop_timeout_s"},
        {.name = "stall_ms"},     {.name = "stall_kill_s"}};
    static const struct aw_option script[] = {
        {.name = "name"}, {.name = "path"}, {.name = "args"}};
    const char *meant = top ? aw_options_suggest(root, 6, key)
                            : aw_options_suggest(script, 3, key);

    if (meant)
        return refuse(loader, path, "unknown key; did you mean \"%s\"?", meant);
    return refuse(
        loader, path, "unknown key; there are %s",
        top ? "devices, scripts, stop_grace_s, stop_timeout_s, stall_ms "
              "and stall_kill_s"
            : "name, path and args");
}

static int refuse_key(const struct loader *loader, const char *around,
                      const char *key)
{
    char path[AW_INDEX_PATH_MAX + 130];

    snprintf(path, sizeof(path), "%s%s%s", around, around[0] ? "." : "", key);
    if (strncmp(around, "devices[", strlen("devices[")) == 0)
        return refuse_device_key(loader, around, path, key);
    return refuse_other_key(loader, around[0] == '\0', path, key);
}

static int refuse_shape(const struct loader *loader, const char *path,
                        const char *expected)
{
    const struct aw_index_entry *entry = aw_index_find(loader->index, path);

    if (entry && entry->empty)
        return refuse(loader, path, "there is no value");
    return refuse(loader, path, "should be a %s", expected);
}

static int refuse_document(const struct loader *loader,
                           const struct aw_document_problem *problem)
{
    const char *path = problem->path;

    switch (problem->fault) {
    case AW_FAULT_UNKNOWN_KEY:
        return refuse_key(loader, path, problem->detail);
    case AW_FAULT_MISSING_KEY:
        return refuse(loader, path, "\"%s\" is missing", problem->detail);
    case AW_FAULT_TWICE:
        return refuse(loader, path, "given twice");
    case AW_FAULT_SHAPE:
        return refuse_shape(loader, path, problem->detail);
    case AW_FAULT_TOO_MANY:
        return refuse(loader, path, "more than %s entries", problem->detail);
    case AW_FAULT_OTHER:
        break;
    }
    return refuse(loader, path, "%s", problem->detail);
}

/* A key with nothing behind it is a line that somebody did not finish. */
static int refuse_empty(const struct loader *loader)
{
    for (size_t i = 0; i < loader->index->count; i++) {
        const struct aw_index_entry *entry = &loader->index->entries[i];

        if (entry->empty)
            return refuse(loader, entry->path, "there is no value");
    }
    return 0;
}

static int load_document(struct loader *loader)
{
    struct aw_document_problem problem;
    int result = aw_index_new(loader->file, loader->content, loader->length,
                              &loader->index, loader->error);

    if (result < 0)
        return result;
    result = aw_document_new(loader->content, loader->length, &loader->document,
                             &problem);
    if (result == -ENOMEM)
        return refuse_memory(loader);
    if (result < 0)
        return refuse_document(loader, &problem);
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
        [AW_SETTING_STALL] = &config->stall_ms,
        [AW_SETTING_STALL_KILL] = &config->stall_kill_s,
    };

    for (size_t i = 0; i < AW_SETTING_COUNT; i++) {
        struct aw_value value = {.set = false};
        struct aw_error reason = {""};
        int result;

        if (!texts[i])
            continue;
        result = aw_option_parse(&aw_settings[i], texts[i], &value, &reason);
        if (result < 0)
            return pass_on(loader, aw_settings[i].name, result, &reason);
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
        return refuse(loader, "stop_timeout_s",
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
                      const char *text, struct aw_error *error)
{
    char *resolved;
    int result;

    if (!is_path(device->driver, key))
        return aw_device_config_set(device, key, text, error);
    resolved = resolve(loader, text);
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
        result = set_option(loader, device, key, row[i], reason);
        if (result < 0) {
            snprintf(path + length, AW_INDEX_PATH_MAX - length, ".%s", key);
            return result;
        }
    }
    return aw_device_config_check(device, reason);
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
    result = aw_device_config_new(row[AW_DEVICE_KEY_NAME],
                                  row[AW_DEVICE_KEY_DRIVER], &device, &reason);
    if (result < 0)
        return pass_on(loader, result == -ENOENT ? driver_path : name_path,
                       result, &reason);
    result = set_options(loader, row, device, path, &reason);
    if (result < 0) {
        aw_device_config_free(device);
        return pass_on(loader, path, result, &reason);
    }
    result = aw_config_put_device(loader->config, device, &reason);
    return result < 0 ? pass_on(loader, name_path, result, &reason) : 0;
}

/* Where the path of a script stands, for messages that come later. */
static char *origin_of(const struct loader *loader, const char *path)
{
    char *origin;

    if (asprintf(&origin, "%s:%u: %s", loader->file,
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

static int put_script(struct loader *loader,
                      const struct aw_document_script *given, size_t index)
{
    char path[40];
    struct aw_config_script script = {.name = given->name};
    struct aw_error reason = {""};
    int result;

    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    script.path = resolve(loader, given->path);
    script.origin = origin_of(loader, path);
    script.arguments = borrow_arguments(given);
    if (!script.path || !script.origin || !script.arguments)
        result = -ENOMEM;
    else
        result = aw_config_put_script(loader->config, &script, &reason);
    free(script.path);
    free(script.origin);
    free(script.arguments);
    if (given->name)
        snprintf(path, sizeof(path), "scripts[%zu].name", index);
    return result < 0 ? pass_on(loader, path, result, &reason) : 0;
}

static int take_script(struct loader *loader, size_t index)
{
    const struct aw_document_script *given =
        &loader->document->data->scripts[index];
    char path[40];

    if (given->path[0] != '\0')
        return put_script(loader, given, index);
    snprintf(path, sizeof(path), "scripts[%zu].path", index);
    return refuse(loader, path, "there is no value");
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
        return refuse_memory(&loader);
    result = read_file(&loader);
    if (result == 0)
        result = load_document(&loader);
    if (result == 0)
        result = take_all(&loader);
    if (result < 0)
        aw_config_free(loader.config);
    else
        *ret_config = loader.config;
    aw_document_free(loader.document);
    aw_index_free(loader.index);
    free(loader.content);
    return result;
}
