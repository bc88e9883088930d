/* The bridge's dealings with scripts: their threads, and what main asks for.
 * All functions run on the bridge; `module` is awaitd._host. */
#ifndef AW_HOST_SCRIPTS_H
#define AW_HOST_SCRIPTS_H

#include "pymod/host_state.h"
#include "pymod/module.h"

/* Hands Python what the configuration says of the scripts. 0, or -1 with an
 * exception. */
int aw_host_begin(struct aw_host *host, PyObject *module, int dump_signal,
                  int stack_signal) AW_WITH_GIL;

/* Starts a generation of a script on a thread of its own. Where that fails, it
 * has ended. */
void aw_host_run_script(struct aw_host *host, PyObject *module, size_t script,
                        uint64_t generation,
                        enum aw_host_start how) AW_WITH_GIL;

/* Does what main has asked for since. */
void aw_host_serve_requests(struct aw_host *host, PyObject *module) AW_WITH_GIL;

/* Waits for all threads, without the GIL. */
void aw_host_join_scripts(struct aw_host *host) AW_WITH_GIL;

#endif
