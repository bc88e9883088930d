/* Looks for scripts whose event loop does not come back to its events.
 *
 * A stall is told once, with the Python stack of the script's thread, which it
 * is read from without the GIL; one that is over before it is looked for again
 * is only counted (aw_host_turns() has the numbers). Each script is told of
 * every TELL_AGAIN_S at most, and the next line says how many were left out.
 * All functions run on main and never wait. */
#ifndef AW_STALL_H
#define AW_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "pymod/host.h"

struct aw_stall_watch;

/* Watches every script of `config`, from config->stall_ns, which must not be 0,
 * on. From kill_ns on, if that is not 0, a blocked script is interrupted. Both
 * the host and its configuration must stay as long. 0 or -ENOMEM. */
int aw_stall_watch_new(const struct aw_host_config *config,
                       struct aw_host *host, uint64_t kill_ns,
                       struct aw_stall_watch **ret_watch);

/* How often aw_stall_watch_look() is to be called, in seconds. */
double aw_stall_watch_interval_s(const struct aw_stall_watch *watch);

/* Looks at each script at `now_ns` (CLOCK_MONOTONIC), tells and interrupts.
 * True if one is blocked still although it was interrupted kill_ns ago: its
 * thread cannot be freed, and the process should end. */
bool aw_stall_watch_look(struct aw_stall_watch *watch, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL;

/* Accepts NULL. */
void aw_stall_watch_free(struct aw_stall_watch *watch);

#endif
