/* `awaitd run`, from the configuration to the ledger, and `awaitd check`. */
#ifndef AW_RUN_H
#define AW_RUN_H

#include "daemon/arguments.h"
#include "devices/queue/roles.h"

/* Runs and returns the exit status. Does not return, but ends the process, when
 * threads had to be left behind. */
int aw_run(const struct aw_arguments *arguments) AW_ON(main) AW_NO_GIL;

/* Says on stdout that the file is right, or on stderr where it is wrong, and
 * returns the exit status. Opens no device. */
int aw_check(const struct aw_arguments *arguments);

#endif
