/* What a configuration says of devices, and of the drivers that it names by
 * their files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "devices/driver_load.h"

/* ---- drivers ---- */

static int load_driver(const struct loader *loader,
                       const struct aw_index_entry *entry)
{
    char *path = aw_loader_resolve(loader, entry->path, entry->text);
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

int aw_loader_load_drivers(const struct loader *loader)
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

/* ---- devices ---- */

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

int aw_loader_take_devices(struct loader *loader)
{
    unsigned count = loader->document->data->device_count;
    int result = 0;

    for (unsigned i = 0; result == 0 && i < count; i++)
        result = take_device(loader, i);
    return result;
}
