/* The options that every device has, whatever its driver. */
#include "devices/device_config.h"

static const char *const wakeups[] = {"bridge", "fd", NULL};
static const char *const on_losses[] = {
    [AW_ON_LOSS_FAIL] = "fail", [AW_ON_LOSS_WAIT] = "wait", NULL};

const struct aw_option aw_common_options[AW_COMMON_COUNT] = {
    [AW_COMMON_PRIORITY] =
        {
            .name = "priority",
            .type = AW_OPTION_INT,
            .fallback = "0",
            .minimum = 0,
            .maximum = 99,
            .help = "SCHED_FIFO priority of the reader; 0 is a normal thread",
        },
    [AW_COMMON_CPUS] =
        {
            .name = "cpus",
            .type = AW_OPTION_TEXT,
            .help = "processors that the reader may run on, such as 0,2-3",
        },
    [AW_COMMON_MLOCK] =
        {
            .name = "mlock",
            .type = AW_OPTION_BOOL,
            .fallback = "no",
            .help = "keep the queues in memory, never swapped",
        },
    [AW_COMMON_SEND_TIMEOUT] =
        {
            .name = "send_timeout_s",
            .type = AW_OPTION_NUMBER,
            .fallback = "1",
            .minimum = 0,
            .maximum = 3600,
            .help = "seconds that a full send buffer is waited for",
        },
    [AW_COMMON_ALLOW_BLOCK] =
        {
            .name = "allow_block",
            .type = AW_OPTION_BOOL,
            .fallback = "no",
            .help = "let a script's blocking queue hold up other scripts",
        },
    [AW_COMMON_WAKEUP] =
        {
            .name = "wakeup",
            .type = AW_OPTION_CHOICE,
            .fallback = "bridge",
            .choices = wakeups,
            .help = "how queues wake their loop, unless they say so themselves",
        },
    [AW_COMMON_ON_LOSS] =
        {
            .name = "on_loss",
            .type = AW_OPTION_CHOICE,
            .fallback = "fail",
            .choices = on_losses,
            .help = "when it goes away: fail, or wait until it is back",
        },
    [AW_COMMON_REQUIRED] =
        {
            .name = "required",
            .type = AW_OPTION_BOOL,
            .fallback = "yes",
            .help = "does a missing device fail the start, or is it waited for",
        },
    [AW_COMMON_SEND_DEPTH] =
        {
            .name = "send_depth",
            .type = AW_OPTION_INT,
            .fallback = "1000",
            .minimum = 1,
            .maximum = 1000000,
            .help = "frames that may wait to be sent",
        },
};
