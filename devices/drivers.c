#include "devices/drivers.h"

#include <stddef.h>
#include <string.h>

const struct aw_driver *const aw_drivers[] = {
    &aw_can_driver,     &aw_bcm_driver,
    &aw_isotp_driver,   &aw_j1939_driver,
    &aw_udp_driver,     &aw_packet_driver,
    &aw_spi_driver,     &aw_replay_driver,
    &aw_virtual_driver, NULL,
};

const struct aw_driver *aw_driver_find(const char *name)
{
    for (size_t i = 0; aw_drivers[i]; i++) {
        if (strcmp(aw_drivers[i]->name, name) == 0)
            return aw_drivers[i];
    }
    return NULL;
}
