/* What `awaitd --help`, `awaitd run --help` and `awaitd help devices` print.
 * The drivers and their options are read from their own tables. */
#ifndef AW_HELP_H
#define AW_HELP_H

#include <stdio.h>

#include "devices/device.h"

void aw_help_print(FILE *to);
void aw_help_print_run(FILE *to);
void aw_help_print_devices(FILE *to);

/* The options of one driver, as one that was loaded. */
void aw_help_print_driver(const struct aw_driver *driver, FILE *to);

#endif
