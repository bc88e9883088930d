/* What can be said of a configuration before it runs. */
#ifndef AW_CHECK_H
#define AW_CHECK_H

#include "daemon/arguments.h"
#include "devices/queue/roles.h"

/* `awaitd check`: opens no device, runs no script. Returns the exit status. */
int aw_check(const struct aw_arguments *arguments) AW_ON(main) AW_NO_GIL;

/* `awaitd run --print-effective`: prints what would run. Returns the exit
 * status. */
int aw_print_effective(const struct aw_arguments *arguments);

#endif
