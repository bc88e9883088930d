#include "tests/support/fake_drivers.h"

#include <errno.h>
#include <string.h>

#include "devices/device.h"

static const char *const modes[] = {"fast", "slow", NULL};

static const struct aw_option wire_options[FAKE_WIRE_COUNT] = {
    [FAKE_WIRE_PORT] = {.name = "port",
                        .type = AW_OPTION_TEXT,
                        .required = true,
                        .help = "where the wire is plugged in"},
    [FAKE_WIRE_FD] = {.name = "fd", .type = AW_OPTION_BOOL, .help = "longer"},
    [FAKE_WIRE_BUFFER] = {.name = "buffer",
                          .type = AW_OPTION_INT,
                          .fallback = "64k",
                          .minimum = 1,
                          .maximum = 1048576,
                          .help = "bytes"},
    [FAKE_WIRE_MODE] = {.name = "mode",
                        .type = AW_OPTION_CHOICE,
                        .fallback = "fast",
                        .choices = modes,
                        .help = "how"},
};

static const struct aw_option tape_options[FAKE_TAPE_COUNT] = {
    [FAKE_TAPE_FILE] = {.name = "file",
                        .type = AW_OPTION_PATH,
                        .required = true,
                        .help = "the tape"},
    [FAKE_TAPE_SPEED] = {.name = "speed",
                         .type = AW_OPTION_NUMBER,
                         .fallback = "1.5",
                         .minimum = 0,
                         .maximum = 100,
                         .help = "how fast"},
};

static int wire_check(const struct aw_value *values, struct aw_error *error)
{
    if (values[FAKE_WIRE_FD].flag && values[FAKE_WIRE_MODE].integer == 1)
        return aw_error_set(error, EINVAL, "fd does not go with mode slow");
    return 0;
}

static const struct aw_driver wire = {
    AW_DRIVER_HEAD,          .name = "wire",
    .main_option = "port",   .help = "frames from a wire",
    .options = wire_options, .option_count = FAKE_WIRE_COUNT,
    .check = wire_check,
};

static const struct aw_driver tape = {
    AW_DRIVER_HEAD,          .name = "tape",
    .main_option = "file",   .help = "frames from a tape",
    .options = tape_options, .option_count = FAKE_TAPE_COUNT,
};

static const struct aw_driver bare = {
    AW_DRIVER_HEAD,
    .name = "bare",
    .help = "no frames at all",
};

const struct aw_driver *const aw_drivers[] = {&wire, &tape, &bare, NULL};

const struct aw_driver *aw_driver_find(const char *name)
{
    for (size_t i = 0; aw_drivers[i]; i++) {
        if (strcmp(aw_drivers[i]->name, name) == 0)
            return aw_drivers[i];
    }
    return NULL;
}
