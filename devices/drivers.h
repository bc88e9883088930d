/* The drivers that awaitd is built with, one file each. Their table, which
 * everything but drivers.c goes by, is in device.h. */
#ifndef AW_DRIVERS_H
#define AW_DRIVERS_H

#include "devices/device.h"

extern const struct aw_driver aw_can_driver;     /* can.c */
extern const struct aw_driver aw_bcm_driver;     /* bcm.c */
extern const struct aw_driver aw_isotp_driver;   /* isotp.c */
extern const struct aw_driver aw_j1939_driver;   /* j1939.c */
extern const struct aw_driver aw_udp_driver;     /* udp.c */
extern const struct aw_driver aw_packet_driver;  /* packet.c */
extern const struct aw_driver aw_replay_driver;  /* replay.c */
extern const struct aw_driver aw_spi_driver;     /* spi.c */
extern const struct aw_driver aw_virtual_driver; /* virtual.c */

#endif
