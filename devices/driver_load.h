/* Loadable drivers: a shared object with a table, in place of a driver's name.
 *
 * Wherever a driver is named, a text with a `/` in it or `.so` at its end is
 * the path of one. It is loaded once, by whoever names it first, and stays
 * until the process ends: devices point into it. All functions: any thread, any
 * number at once. */
#ifndef AW_DRIVER_LOAD_H
#define AW_DRIVER_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/device.h"

/* Of loadable drivers, so many in one process. */
#define AW_LOADED_MAX 32u

/* Is this the path of a driver, rather than its name? */
bool aw_driver_is_path(const char *text);

/* The driver in the file `path`, loaded if it has not been. Blocks for as long
 * as reading the file takes, and runs the file's constructors. Returns 0 or,
 * with a sentence that names the file, -ENOENT (no such file), -EACCES,
 * -ELIBBAD (nothing that can be loaded), -EINVAL (no table, or one that
 * aw_driver_check() refuses), -EEXIST (another driver has its name), -ENFILE
 * (too many) or -ENOMEM. */
int aw_driver_load(const char *path, const struct aw_driver **ret_driver,
                   struct aw_error *error);

/* The absolute path that a driver was loaded from, valid for ever; NULL for one
 * that awaitd has itself. */
const char *aw_driver_path(const struct aw_driver *driver);

/* All drivers by number: awaitd's own, then those loaded so far; NULL behind
 * the last one. */
const struct aw_driver *aw_driver_at(size_t index);

#endif
