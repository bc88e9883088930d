/* A round's dealings with devices. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/compare.h"
#include "daemon/reconfigure_state.h"
#include "devices/queue/log.h"

static const struct aw_device_config *find(const struct aw_config *config,
                                           const char *name)
{
    for (size_t i = 0; i < config->device_count; i++)
        if (strcmp(config->devices[i]->name, name) == 0)
            return config->devices[i];
    return NULL;
}

/* ---- opening ---- */

/* One that could not be opened again counts as another, whatever is configured.
 */
static enum aw_change change_of(const struct aw_reconfigure *reconfigure,
                                const struct aw_device_config *wanted)
    AW_ON(main)
{
    const struct aw_config *running = *reconfigure->config.config;
    const struct aw_device_config *before = find(running, wanted->name);
    const struct aw_device_table *table = reconfigure->config.devices;
    int place = aw_device_table_find(table, wanted->name);

    if (place < 0)
        return AW_CHANGE_NEW;
    if (before && aw_compare_devices(before, wanted) &&
        !aw_device_closed(table->devices[place]))
        return AW_CHANGE_NONE;
    return AW_CHANGE_OTHER;
}

/* The other one has what this one wants for itself. */
static bool is_in_the_way(int result)
{
    return result == -EADDRINUSE || result == -EBUSY || result == -EEXIST;
}

/* The sentence names the device, which a driver may leave out. */
static int open_device(struct aw_reconfigure *reconfigure, size_t index,
                       const struct aw_device_config *config)
{
    struct aw_error error = {.text = ""};
    int result = aw_device_open(config, &reconfigure->opened[index], &error);

    if (result == 0)
        return 0;
    if (strncmp(error.text, "device ", strlen("device ")) == 0)
        return aw_error_set(&reconfigure->error, -result, "%s", error.text);
    return aw_error_set(&reconfigure->error, -result, "device %s: %.400s",
                        config->name,
                        error.text[0] ? error.text : strerror(-result));
}

static int open_changed(struct aw_reconfigure *reconfigure, size_t index)
    AW_ON(main)
{
    const struct aw_device_config *wanted = reconfigure->wanted->devices[index];
    enum aw_change change = change_of(reconfigure, wanted);
    int result = 0;

    if (change != AW_CHANGE_NONE)
        result = open_device(reconfigure, index, wanted);
    if (change == AW_CHANGE_OTHER && is_in_the_way(result)) {
        change = AW_CHANGE_LATE;
        result = 0;
    }
    reconfigure->changes[index] = change;
    return result;
}

int aw_reconfigure_open(struct aw_reconfigure *reconfigure)
{
    size_t count = reconfigure->wanted->device_count;
    int result = aw_device_table_reserve(reconfigure->config.devices, count);

    if (result < 0)
        return aw_error_set(&reconfigure->error, ENOMEM, "not enough memory");
    for (size_t i = 0; result == 0 && i < count; i++)
        result = open_changed(reconfigure, i);
    if (result < 0)
        aw_reconfigure_close_opened(reconfigure);
    return result;
}

void aw_reconfigure_close_opened(struct aw_reconfigure *reconfigure)
{
    for (size_t i = 0; i < AW_DEVICES_MAX; i++) {
        aw_device_unref(reconfigure->opened[i]);
        reconfigure->opened[i] = NULL;
    }
}

/* ---- what must be closed first ---- */

size_t aw_reconfigure_find_users(struct aw_reconfigure *reconfigure)
{
    size_t count = 0;

    if (!reconfigure->wanted)
        return 0;
    for (size_t i = 0; i < reconfigure->wanted->device_count; i++) {
        if (reconfigure->changes[i] != AW_CHANGE_LATE)
            continue;
        aw_host_tell_users(aw_reconfigure_host(reconfigure),
                           reconfigure->wanted->devices[i]->name, 0);
        count++;
    }
    return count;
}

/* Puts what was opened at `index` in the place of the one in the table. */
static void replace(struct aw_reconfigure *reconfigure, size_t index)
    AW_ON(main) AW_NO_GIL
{
    struct aw_device_table *table = reconfigure->config.devices;
    struct aw_device *device = reconfigure->opened[index];
    int place = aw_device_table_find(table, aw_device_name(device));
    uint64_t number;

    reconfigure->opened[index] = NULL;
    if (place < 0) {
        aw_device_table_add(table, device);
        aw_host_add_device(aw_reconfigure_host(reconfigure), device, 0);
        return;
    }
    number = aw_device_table_leave(table, (size_t)place, device);
    aw_host_add_device(aw_reconfigure_host(reconfigure), device, number);
}

/* It is closed, and its new options do not work: as before, then. */
static void reopen(struct aw_reconfigure *reconfigure, size_t index)
    AW_ON(main) AW_NO_GIL
{
    const char *name = reconfigure->wanted->devices[index]->name;
    const struct aw_error why = reconfigure->error;

    if (open_device(reconfigure, index,
                    find(*reconfigure->config.config, name)) == 0)
        replace(reconfigure, index);
    else
        aw_reconfigure_note(reconfigure,
                            "%s: and it is closed now, for it could not be "
                            "opened as it was either",
                            reconfigure->error.text);
    reconfigure->error = why;
}

int aw_reconfigure_open_late(struct aw_reconfigure *reconfigure)
{
    struct aw_device_table *table = reconfigure->config.devices;

    for (size_t i = 0; i < reconfigure->wanted->device_count; i++) {
        const struct aw_device_config *wanted = reconfigure->wanted->devices[i];
        int place = aw_device_table_find(table, wanted->name);
        int result;

        if (reconfigure->changes[i] != AW_CHANGE_LATE || place < 0)
            continue;
        aw_device_close(table->devices[place]);
        result = open_device(reconfigure, i, wanted);
        if (result < 0) {
            reopen(reconfigure, i);
            return result;
        }
        /* From here on it is in force, whatever becomes of the others. */
        replace(reconfigure, i);
    }
    return 0;
}

/* ---- the exchange ---- */

/* Those that the new configuration does not have. */
static void remove_others(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL
{
    struct aw_device_table *table = reconfigure->config.devices;

    for (size_t i = table->count; i > 0; i--) {
        struct aw_device *device = table->devices[i - 1];
        uint64_t number;

        if (find(reconfigure->wanted, aw_device_name(device)))
            continue;
        aw_log(AW_LOG_INFO, "device %s is not configured any more",
               aw_device_name(device));
        number = aw_device_table_leave(table, i - 1, NULL);
        aw_host_remove_device(aw_reconfigure_host(reconfigure),
                              aw_device_name(device), number);
    }
}

void aw_reconfigure_exchange_devices(struct aw_reconfigure *reconfigure)
{
    for (size_t i = 0; i < reconfigure->wanted->device_count; i++) {
        const char *name = reconfigure->wanted->devices[i]->name;

        if (reconfigure->changes[i] == AW_CHANGE_NONE)
            continue;
        aw_log(AW_LOG_INFO, "device %s is opened%s", name,
               reconfigure->changes[i] == AW_CHANGE_NEW
                   ? ""
                   : " as it is configured now");
        if (reconfigure->opened[i])
            replace(reconfigure, i);
    }
    remove_others(reconfigure);
}

size_t aw_reconfigure_find_last_users(struct aw_reconfigure *reconfigure)
{
    struct aw_device_table *table = reconfigure->config.devices;
    size_t count = 0;

    for (size_t i = 0; i < table->leaving_count; i++) {
        struct aw_leaving_device *leaving = &table->leaving[i];

        if (leaving->told)
            continue;
        leaving->told = true;
        aw_host_tell_users(aw_reconfigure_host(reconfigure), "",
                           leaving->number);
        count++;
    }
    return count;
}
