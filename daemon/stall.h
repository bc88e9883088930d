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

#include "daemon/supervisor.h"
#include "pymod/host.h"

struct aw_stall_watch;

/* All of it must stay as long as the watch. */
struct aw_stall_config {
    const struct aw_supervisor_config *supervisor_config;
    struct aw_host *host;
    const struct aw_supervisor *supervisor;
};

/* Watches every script with a stall_ns, those too that are added later; from
 * stall_kill_ns on, if it has one, a blocked script is interrupted. Returns 0
 * or -ENOMEM. */
int aw_stall_watch_new(const struct aw_stall_config *config,
                       struct aw_stall_watch **ret_watch);

/* How often aw_stall_watch_look() is to be called, in seconds; 0: not at all,
 * as no script is to be watched. Another configuration may change it. */
double aw_stall_watch_interval_s(const struct aw_stall_watch *watch)
    AW_ON(main) AW_NO_GIL;

/* Looks at each script at `now_ns` (CLOCK_MONOTONIC), tells and interrupts.
 * True if one is blocked still although it was interrupted stall_kill_ns ago:
 * its thread cannot be freed, and the process should end. Not for a version
 * that a reload prepares: that is given up by the reload, and then ignored,
 * unless it keeps the GIL. */
bool aw_stall_watch_look(struct aw_stall_watch *watch, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL;

/* Accepts NULL. */
void aw_stall_watch_free(struct aw_stall_watch *watch);

#endif
