#include "daemon/pulse.h"

#include <errno.h>
#include <stdlib.h>

#include "devices/queue/log.h"

struct watched {
    struct aw_device *device;
    uint32_t turns; /* at the last look */
    bool asked;     /* rung at the last look */
    bool stuck;
};

struct aw_pulse {
    size_t count;
    struct watched watched[];
};

int aw_pulse_new(struct aw_device *const *devices, size_t count,
                 struct aw_pulse **ret_pulse)
{
    struct aw_pulse *pulse =
        calloc(1, sizeof(*pulse) + count * sizeof(pulse->watched[0]));

    AW_ASSERT_ROLE(MAIN);
    if (!pulse)
        return -ENOMEM;
    pulse->count = count;
    for (size_t i = 0; i < count; i++)
        pulse->watched[i] = (struct watched){
            .device = devices[i],
            .turns = aw_device_turns(devices[i]),
        };
    *ret_pulse = pulse;
    return 0;
}

static void set_stuck(struct watched *watched, bool stuck)
{
    const char *name = aw_device_name(watched->device);

    if (watched->stuck == stuck)
        return;
    watched->stuck = stuck;
    if (stuck)
        aw_log(AW_LOG_ERROR,
               "device %s: its reader does not answer: the watchdog is not fed",
               name);
    else
        aw_log(AW_LOG_WARNING, "device %s: its reader answers again", name);
}

static void look_at(struct watched *watched)
{
    uint32_t turns = aw_device_turns(watched->device);

    if (turns != watched->turns || aw_device_closed(watched->device)) {
        watched->turns = turns;
        watched->asked = false;
        set_stuck(watched, false);
    } else if (!watched->asked) {
        watched->asked = true;
        aw_device_ping(watched->device);
    } else {
        set_stuck(watched, true);
    }
}

bool aw_pulse_look(struct aw_pulse *pulse)
{
    AW_ASSERT_ROLE(MAIN);
    for (size_t i = 0; i < pulse->count; i++)
        look_at(&pulse->watched[i]);
    return !aw_pulse_stuck(pulse);
}

const char *aw_pulse_stuck(const struct aw_pulse *pulse)
{
    for (size_t i = 0; i < pulse->count; i++)
        if (pulse->watched[i].stuck)
            return aw_device_name(pulse->watched[i].device);
    return NULL;
}

void aw_pulse_free(struct aw_pulse *pulse)
{
    free(pulse);
}
