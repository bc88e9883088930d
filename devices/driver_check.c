/* Is a driver's table one that this awaitd can use? Apart from drivers.c, which
 * tests replace. What awaitd's own drivers keep to because tests say so, one
 * from elsewhere is asked. */
#include <errno.h>
#include <string.h>

#include "devices/device_config.h"

/* ---- options ---- */

/* Is the name one that the keys of every device have? */
static bool is_taken(const char *name)
{
    return strcmp(name, "name") == 0 || strcmp(name, "driver") == 0 ||
           aw_options_find(aw_common_options, AW_COMMON_COUNT, name) >= 0;
}

static int check_option(const struct aw_driver *driver,
                        const struct aw_option *option, struct aw_error *error)
{
    struct aw_value value = {.set = false};
    struct aw_error reason = {""};

    if (option->type > AW_OPTION_PATH ||
        (option->type == AW_OPTION_CHOICE) != (option->choices != NULL))
        return aw_error_set(error, EINVAL,
                            "driver %s: the option \"%s\" has no known type, "
                            "or choices that its type does not go with",
                            driver->name, option->name);
    if (is_taken(option->name))
        return aw_error_set(error, EINVAL,
                            "driver %s: every device has the key \"%s\"; give "
                            "the option another name",
                            driver->name, option->name);
    if (option->fallback &&
        aw_option_parse(option, option->fallback, &value, &reason) < 0)
        return aw_error_set(error, EINVAL, "driver %s: the fallback: %s",
                            driver->name, reason.text);
    aw_value_deinit(&value);
    return 0;
}

static int check_options(const struct aw_driver *driver, struct aw_error *error)
{
    const struct aw_option *options = driver->options;

    for (size_t i = 0; i < driver->option_count; i++) {
        int result;

        if (!options[i].name || !options[i].help)
            return aw_error_set(error, EINVAL,
                                "driver %s: an option lacks its name or help",
                                driver->name);
        if (aw_options_find(options, i, options[i].name) >= 0)
            return aw_error_set(error, EINVAL,
                                "driver %s has two options \"%s\"",
                                driver->name, options[i].name);
        result = check_option(driver, &options[i], error);
        if (result < 0)
            return result;
    }
    if (driver->main_option &&
        aw_options_find(options, driver->option_count, driver->main_option) < 0)
        return aw_error_set(error, EINVAL,
                            "driver %s: its main option \"%s\" is none of its "
                            "options",
                            driver->name, driver->main_option);
    return 0;
}

/* ---- the table ---- */

static int check_head(const struct aw_driver *driver, struct aw_error *error)
{
    /* Nothing else of a table of another version means what we think. */
    if (driver->version != AW_DRIVER_VERSION)
        return aw_error_set(error, EINVAL,
                            "a driver for version %u of the drivers' contract; "
                            "this awaitd has version %u: build it again",
                            driver->version, AW_DRIVER_VERSION);
    if (driver->size != sizeof(*driver))
        return aw_error_set(error, EINVAL,
                            "the driver's table has %u bytes, not %zu: build "
                            "it again with this awaitd's headers",
                            driver->size, sizeof(*driver));
    if (driver->layout != AW_DRIVER_LAYOUT)
        return aw_error_set(error, EINVAL,
                            "the driver was built with the headers of another "
                            "awaitd: build it again with this one's");
    return 0;
}

int aw_driver_check(const struct aw_driver *driver, struct aw_error *error)
{
    int result = check_head(driver, error);

    if (result < 0)
        return result;
    if (!driver->name || !driver->help ||
        (driver->option_count > 0 && !driver->options))
        return aw_error_set(error, EINVAL,
                            "the driver's table lacks name, help or options");
    if (!driver->open || !driver->read || !driver->close)
        return aw_error_set(error, EINVAL,
                            "driver %s lacks open(), read() or close()",
                            driver->name);
    return check_options(driver, error);
}

/* ---- the device ---- */

int aw_driver_check_link(const struct aw_driver *driver,
                         const struct aw_link *link, struct aw_error *error)
{
    const char *what = NULL;

    if (link->payload_bytes == 0 || link->payload_bytes > AW_PAYLOAD_MAX)
        what = "payload_bytes is 0, or more than a slot can have";
    else if (link->kind == AW_KIND_EVENT || link->kind > AW_KIND_LAST)
        what = "its frames are of no kind";
    else if (link->start > AW_START_RELEASED)
        what = "it does not say when frames begin";
    else if (link->can_send && !driver->send && !driver->send_many)
        what = "it can send, but has no send()";
    else if (link->can_confirm && !link->can_send)
        what = "it can confirm, but not send";
    else if (link->aux_fd >= 0 && !driver->aux)
        what = "there is an aux_fd, but no aux()";
    if (!what)
        return 0;
    return aw_error_set(error, EPROTO,
                        "device %s: an error in driver %s, in what open() says "
                        "of it: %s",
                        link->name, driver->name, what);
}
