#include "daemon/pulse.h"

#include <errno.h>
#include <stdlib.h>

#include "devices/queue/log.h"

struct watched {
    struct aw_device *device; /* a reference */
    uint32_t turns;           /* at the last look */
    bool asked;               /* rung at the last look */
    bool stuck;
    bool present; /* in the table, at this look */
};

struct aw_pulse {
    const struct aw_device_table *table;
    struct watched *watched;
    size_t count;
};

/* ---- the devices there are ---- */

/* Without memory it is watched from a later look on. */
static void add(struct aw_pulse *pulse, struct aw_device *device)
{
    struct watched *watched =
        reallocarray(pulse->watched, pulse->count + 1, sizeof(*watched));

    if (!watched)
        return;
    pulse->watched = watched;
    watched[pulse->count++] = (struct watched){
        .device = aw_device_ref(device),
        .turns = aw_device_turns(device),
        .present = true,
    };
}

static void mark(struct aw_pulse *pulse, struct aw_device *device)
{
    for (size_t i = 0; i < pulse->count; i++) {
        if (pulse->watched[i].device != device)
            continue;
        pulse->watched[i].present = true;
        return;
    }
    add(pulse, device);
}

static void sweep(struct aw_pulse *pulse)
{
    size_t kept = 0;

    for (size_t i = 0; i < pulse->count; i++) {
        if (pulse->watched[i].present)
            pulse->watched[kept++] = pulse->watched[i];
        else
            aw_device_unref(pulse->watched[i].device);
    }
    pulse->count = kept;
}

static void follow(struct aw_pulse *pulse) AW_ON(main)
{
    const struct aw_device_table *table = pulse->table;

    for (size_t i = 0; i < pulse->count; i++)
        pulse->watched[i].present = false;
    for (size_t i = 0; i < table->count; i++)
        mark(pulse, table->devices[i]);
    for (size_t i = 0; i < table->leaving_count; i++)
        mark(pulse, table->leaving[i].device);
    sweep(pulse);
}

/* ---- looking ---- */

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
    follow(pulse);
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

/* ---- life ---- */

int aw_pulse_new(const struct aw_device_table *table,
                 struct aw_pulse **ret_pulse)
{
    struct aw_pulse *pulse = calloc(1, sizeof(*pulse));

    AW_ASSERT_ROLE(MAIN);
    if (!pulse)
        return -ENOMEM;
    pulse->table = table;
    follow(pulse);
    *ret_pulse = pulse;
    return 0;
}

void aw_pulse_free(struct aw_pulse *pulse)
{
    if (!pulse)
        return;
    for (size_t i = 0; i < pulse->count; i++)
        aw_device_unref(pulse->watched[i].device);
    free(pulse->watched);
    free(pulse);
}
