/* What is said of a file that the schema does not take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "config/loader.h"
#include "devices/driver_load.h"

static const char *suggest_own_key(const char *key)
{
    static const struct aw_option own[] = {{.name = "name"},
                                           {.name = "driver"}};

    return aw_options_suggest(own, sizeof(own) / sizeof(own[0]), key);
}

/* A loaded driver's own words are wanted whatever the key resembles. */
static bool is_near_option(const char *driver, const char *key)
{
    const struct aw_driver *found = aw_driver_find(driver);

    return aw_driver_is_path(driver) ||
           (found &&
            (aw_options_suggest(found->options, found->option_count, key) ||
             aw_options_suggest(aw_common_options, AW_COMMON_COUNT, key)));
}

/* No driver has `key`. What else it might be, the device's own driver knows. */
static int refuse_option(const struct loader *loader, const char *driver_path,
                         const char *path, const char *key)
{
    const char *text = aw_index_find(loader->index, driver_path)->text;
    char *driver = aw_loader_resolve_driver(loader, driver_path, text);
    struct aw_device_config *device;
    struct aw_error reason = {""};
    int result = -ENOMEM;

    /* Whatever its name: the driver's own words about the key are wanted. */
    if (driver)
        result = aw_device_config_new("device", driver, &device, &reason);
    free(driver);
    if (result < 0)
        return aw_loader_pass_on(loader, driver_path, result, &reason);
    result = aw_device_config_set(device, key, "", &reason);
    aw_device_config_free(device);
    return aw_loader_pass_on(loader, path, result, &reason);
}

/* In a drop-in it may be that what it should change is called otherwise. */
static int refuse_missing(const struct loader *loader, const char *path,
                          const char *key)
{
    char name_path[AW_INDEX_PATH_MAX + 8];
    const struct aw_index_entry *name;

    snprintf(name_path, sizeof(name_path), "%s.name", path);
    name = aw_index_find(loader->index, name_path);
    if (!name || !name->text || strcmp(name->file, loader->file) == 0)
        return aw_loader_refuse(loader, path, "\"%s\" is missing", key);
    return aw_loader_refuse(
        loader, path,
        "\"%s\" is missing, and no file before this one "
        "has a %s called \"%s\"",
        key, aw_keys_are_scripts(path) ? "script" : "device", name->text);
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
        return aw_loader_refuse(loader, path,
                                "unknown key; did you mean \"%s\"?", meant);
    return refuse_missing(loader, around, "driver");
}

/* What one might want for a script and only a process can have. */
static bool is_of_the_process(const char *key)
{
    return strcmp(key, "environment") == 0 || strcmp(key, "cwd") == 0 ||
           strcmp(key, "venv") == 0;
}

static int refuse_other_key(const struct loader *loader, const char *around,
                            const char *path, const char *key)
{
    const char *meant = aw_keys_suggest(around, key);

    if (aw_keys_are_scripts(around) && is_of_the_process(key))
        return aw_loader_refuse(
            loader, path,
            "scripts of one daemon share its process, and so this: "
            "set it for the daemon, at the top of the file, and give "
            "the script a daemon of its own if it must differ");
    if (meant)
        return aw_loader_refuse(loader, path,
                                "unknown key; did you mean \"%s\"?", meant);
    return aw_loader_refuse(loader, path, "unknown key; there are %s",
                            aw_keys_words(around));
}

static int refuse_key(const struct loader *loader, const char *around,
                      const char *key)
{
    char path[AW_INDEX_PATH_MAX + 130];

    snprintf(path, sizeof(path), "%s%s%s", around, around[0] ? "." : "", key);
    if (strncmp(around, "devices[", strlen("devices[")) == 0)
        return refuse_device_key(loader, around, path, key);
    return refuse_other_key(loader, around, path, key);
}

static int refuse_shape(const struct loader *loader, const char *path,
                        const char *expected)
{
    const struct aw_index_entry *entry = aw_index_find(loader->index, path);

    if (entry && entry->empty)
        return aw_loader_refuse(loader, path, "there is no value");
    return aw_loader_refuse(loader, path, "should be a %s", expected);
}

int aw_loader_refuse_document(const struct loader *loader,
                              const struct aw_document_problem *problem)
{
    const char *path = problem->path;

    switch (problem->fault) {
    case AW_FAULT_UNKNOWN_KEY:
        return refuse_key(loader, path, problem->detail);
    case AW_FAULT_MISSING_KEY:
        return refuse_missing(loader, path, problem->detail);
    case AW_FAULT_TWICE:
        return aw_loader_refuse(loader, path, "given twice");
    case AW_FAULT_SHAPE:
        return refuse_shape(loader, path, problem->detail);
    case AW_FAULT_TOO_MANY:
        return aw_loader_refuse(loader, path, "more than %s entries",
                                problem->detail);
    case AW_FAULT_OTHER:
        break;
    }
    return aw_loader_refuse(loader, path, "%s", problem->detail);
}
