/* In place of the interpreter host: scripts that do at once what they are
 * asked. */
#ifndef FUZZ_FAKE_HOST_H
#define FUZZ_FAKE_HOST_H

#include "daemon/supervisor.h"

/* A host in which every script runs as its generation 1. */
struct aw_host *fuzz_host_begin(void);

/* Is there something to be told? */
bool fuzz_host_waits(void);

/* Tells it. */
void fuzz_host_turn(struct aw_supervisor *supervisor) AW_ON(main);

#endif
