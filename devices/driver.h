/* What a loadable driver includes, installed as <awaitd/driver.h>: the contract
 * of a driver (struct aw_driver), the clocks, the log, and the name by which
 * awaitd finds the driver's table.
 *
 * Of the functions that these headers declare a driver may call those marked
 * AW_EXPORT, besides the inline ones: aw_error_set(), aw_log(),
 * aw_batch_add_event() and aw_channels_index(). A driver that wants another one
 * is refused when it is loaded. docs/writing-a-driver.md is the way in. */
#ifndef AW_DRIVER_H
#define AW_DRIVER_H

#include "devices/device.h"
#include "devices/queue/clock.h"
#include "devices/queue/export.h"
#include "devices/queue/log.h"

/* The driver's one export, defined by it: `AW_EXPORT const struct aw_driver
 * awaitd_driver = {AW_DRIVER_HEAD, …};`. */
AW_EXPORT extern const struct aw_driver awaitd_driver;

#define AW_DRIVER_SYMBOL "awaitd_driver"

#endif
