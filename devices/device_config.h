/* A device as configured, not yet opened: a name, a driver, and its options.
 *
 * Three ways lead here: the configuration file (config/), the short form
 * NAME=DRIVER:MAIN[,key=value…], and `awaitd.open` (pymod/). Keys are those of
 * the driver's table and aw_common_options. */
#ifndef AW_DEVICE_CONFIG_H
#define AW_DEVICE_CONFIG_H

#include "devices/device.h"
#include "devices/options.h"

/* Options that every device has, handled by the reader. */
enum aw_common_option {
    AW_COMMON_PRIORITY,     /* SCHED_FIFO priority of the reader, 0: normal */
    AW_COMMON_CPUS,         /* "0,2-3": where the reader may run */
    AW_COMMON_MLOCK,        /* keep rings in memory */
    AW_COMMON_SEND_TIMEOUT, /* seconds a full send buffer is waited for */
    AW_COMMON_ALLOW_BLOCK,  /* scripts may hold each other up (block) */
    AW_COMMON_WAKEUP,       /* how a queue wakes its loop by default */
    AW_COMMON_ON_LOSS,      /* enum aw_on_loss */
    AW_COMMON_REQUIRED,     /* a missing device fails the start; not set: it
                               does, unless the host sets it (--service) */
    AW_COMMON_SEND_DEPTH,   /* frames that may wait to be sent */
    AW_COMMON_COUNT,
};

/* What a device that is lost does. `fail` is the default: a script that has not
 * been written for gaps must hear of one. */
enum aw_on_loss {
    AW_ON_LOSS_FAIL, /* its queues end with DeviceLost, for good */
    AW_ON_LOSS_WAIT, /* its queues stay; it is opened again, after 0.1 s and
                        then twice as long each time, up to 5 s */
};

extern const struct aw_option aw_common_options[AW_COMMON_COUNT];

struct aw_device_config {
    char name[64];
    const struct aw_driver *driver;
    struct aw_value common[AW_COMMON_COUNT];
    struct aw_value *values; /* one for each of driver->options */
    /* What aw_device_config_set() has set, and is no fallback. */
    bool common_given[AW_COMMON_COUNT];
    bool *given; /* one for each of driver->options */
    int place;   /* in the list `devices` of a file, from 0; -1: in none */
};

/* True if `name` can be imported from awaitd.devices: a Python identifier of
 * ASCII letters, digits and `_`, no keyword, at most 63 characters, and not of
 * the form `__x__`, which is the module's own. */
bool aw_device_name_valid(const char *name);

/* A configuration of fallbacks. `driver` is a name, or the path of a driver to
 * be loaded (driver_load.h). Returns 0, -EINVAL for a bad name, -ENOENT for an
 * unknown driver (the sentence lists those there are) or one that cannot be
 * loaded, or -ENOMEM. */
int aw_device_config_new(const char *name, const char *driver,
                         struct aw_device_config **ret_config,
                         struct aw_error *error);

/* Sets one option from text. Returns 0, -ENOENT for a key that the driver does
 * not have (with a suggestion), -EINVAL for a value it does not take. */
int aw_device_config_set(struct aw_device_config *config, const char *key,
                         const char *text, struct aw_error *error);

/* Everything required is there and the driver accepts the values together,
 * without opening anything. Returns 0 or -EINVAL. */
int aw_device_config_check(const struct aw_device_config *config,
                           struct aw_error *error);

/* Parses the short form, name included, and checks it. A piece behind a comma
 * that starts with a digit belongs to the value before it, so that `cpus=0,2-3`
 * is one value. No key may be given twice. Returns 0, -EINVAL, -ENOENT (no such
 * driver or key) or -ENOMEM; the sentence names the device. */
int aw_device_config_parse(const char *text,
                           struct aw_device_config **ret_config,
                           struct aw_error *error);

/* Accepts NULL. */
void aw_device_config_free(struct aw_device_config *config);

#endif
