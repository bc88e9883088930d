#include "config/compare.h"

#include <stdio.h>
#include <string.h>

/* ---- devices ---- */

static bool is_same_text(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

static bool is_same_value(const struct aw_option *option,
                          const struct aw_value *one,
                          const struct aw_value *other)
{
    if (one->set != other->set)
        return false;
    switch (option->type) {
    case AW_OPTION_BOOL:
        return one->flag == other->flag;
    case AW_OPTION_INT:
    case AW_OPTION_CHOICE:
        return one->integer == other->integer;
    case AW_OPTION_NUMBER:
        return !(one->number < other->number || one->number > other->number);
    case AW_OPTION_TEXT:
    case AW_OPTION_PATH:
        break;
    }
    return is_same_text(one->text, other->text);
}

static bool are_same_values(const struct aw_option *options, size_t count,
                            const struct aw_value *one,
                            const struct aw_value *other)
{
    for (size_t i = 0; i < count; i++)
        if (!is_same_value(&options[i], &one[i], &other[i]))
            return false;
    return true;
}

bool aw_compare_devices(const struct aw_device_config *one,
                        const struct aw_device_config *other)
{
    const struct aw_driver *driver = one->driver;

    return driver == other->driver &&
           are_same_values(aw_common_options, AW_COMMON_COUNT, one->common,
                           other->common) &&
           are_same_values(driver->options, driver->option_count, one->values,
                           other->values);
}

/* ---- the process ---- */

static bool are_same_lists(char *const *one, char *const *other)
{
    size_t i = 0;

    /* No list and an empty one are the same. */
    while (one && other && one[i] && other[i]) {
        if (strcmp(one[i], other[i]) != 0)
            return false;
        i++;
    }
    return !(one && one[i]) && !(other && other[i]);
}

static size_t add_key(char *keys, size_t size, const char *key)
{
    size_t length = strlen(keys);

    snprintf(keys + length, size - length, "%s%s", length > 0 ? ", " : "", key);
    return 1;
}

size_t aw_compare_process(const struct aw_config *running,
                          const struct aw_config *wanted, char *ret_keys,
                          size_t size)
{
    const struct {
        const char *key, *one, *other;
    } texts[] = {
        {"cwd", running->cwd, wanted->cwd},
        {"venv", running->venv, wanted->venv},
        {"control.socket", running->control_socket, wanted->control_socket},
        {"control.read_group", running->control_read_group,
         wanted->control_read_group},
        {"control.admin_group", running->control_admin_group,
         wanted->control_admin_group},
        {"metrics.listen", running->metrics_listen, wanted->metrics_listen},
    };
    size_t count = 0;

    ret_keys[0] = '\0';
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!is_same_text(texts[i].one, texts[i].other))
            count += add_key(ret_keys, size, texts[i].key);
    if (!are_same_lists(running->environment, wanted->environment))
        count += add_key(ret_keys, size, "environment");
    return count;
}

static void exchange(char **one, char **other)
{
    char *kept = *one;

    *one = *other;
    *other = kept;
}

void aw_compare_keep_process(struct aw_config *wanted,
                             struct aw_config *running)
{
    char **environment = wanted->environment;

    wanted->environment = running->environment;
    running->environment = environment;
    exchange(&wanted->cwd, &running->cwd);
    exchange(&wanted->venv, &running->venv);
    exchange(&wanted->control_socket, &running->control_socket);
    exchange(&wanted->control_read_group, &running->control_read_group);
    exchange(&wanted->control_admin_group, &running->control_admin_group);
    exchange(&wanted->metrics_listen, &running->metrics_listen);
}
