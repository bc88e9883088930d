/* Channel names, appended and never changed, so that any thread may read those
 * below `count` without a lock. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "devices/device.h"

/* The last entry stands for every name that found no room. */
#define OTHERS (AW_CHANNELS_MAX - 1u)

_Static_assert(AW_CHANNELS_MAX <= UINT16_MAX + 1u, "aw_frame.channel's width");

static void append(struct aw_channels *channels, uint32_t index,
                   const char *name)
{
    snprintf(channels->names[index], sizeof(channels->names[index]), "%s",
             name);
    /* Release: the name before the count that admits it. Partner: the acquire
     * of whoever reads names, aw_device_channel(). */
    atomic_store_explicit(&channels->count, index + 1, memory_order_release);
}

uint16_t aw_channels_index(struct aw_channels *channels, const char *name)
{
    /* Relaxed: this thread alone writes it. */
    uint32_t count =
        atomic_load_explicit(&channels->count, memory_order_relaxed);
    size_t significant = sizeof(channels->names[0]) - 1;

    for (uint32_t i = 0; i < count && i < OTHERS; i++) {
        if (strncmp(channels->names[i], name, significant) == 0)
            return (uint16_t)i;
    }
    if (count < OTHERS) {
        append(channels, count, name);
        return (uint16_t)count;
    }
    if (count == OTHERS)
        append(channels, OTHERS, "*");
    return (uint16_t)OTHERS;
}
