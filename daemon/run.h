/* `awaitd run`, from the configuration to the ledger. */
#ifndef AW_RUN_H
#define AW_RUN_H

#include "daemon/arguments.h"
#include "devices/queue/roles.h"

/* Runs and returns the exit status. Does not return, but ends the process, when
 * threads had to be left behind. */
int aw_run(const struct aw_arguments *arguments) AW_ON(main) AW_NO_GIL;

#endif
