/* Is a driver's table one that this awaitd can use? Apart from drivers.c, which
 * tests replace. */
#include <errno.h>

#include "devices/device.h"

int aw_driver_check(const struct aw_driver *driver, struct aw_error *error)
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
    if (!driver->name || !driver->help ||
        (driver->option_count > 0 && !driver->options))
        return aw_error_set(error, EINVAL,
                            "the driver's table lacks name, help or options");
    if (!driver->open || !driver->read || !driver->close)
        return aw_error_set(error, EINVAL,
                            "driver %s lacks open(), read() or close()",
                            driver->name);
    return 0;
}
