/* The control server: answers awaitctl, and who else speaks its protocol
 * (docs/control.md), on a unix socket.
 *
 * It lives on main's loop, so that it answers whatever a script does with the
 * interpreter. A client that is slow, silent or broken costs bounded memory and
 * nobody's time. */
#ifndef AW_CONTROL_H
#define AW_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/device_table.h"
#include "daemon/log_ring.h"
#include "daemon/runtime.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"

#define AW_CONTROL_PROTOCOL 1

struct aw_control;

struct aw_control_config {
    const char *path; /* of the socket; NULL: the default one; "none": none */
    const char *read_group, *admin_group; /* names or numbers; NULL: none */
    const char *metrics_listen;           /* HOST:PORT for HTTP, or NULL */
    const struct aw_device_table *devices;
    struct aw_reconfigure *reconfigure; /* for a reload of all */
    struct aw_log_ring *log;
    struct ev_loop *loop;
    const struct aw_runtime *runtime; /* for its supervisor */
};

/* Listens, once the loop runs. `config` is copied, what it points to must stay.
 * Where the default socket cannot be had there is a line in the log and no
 * server: `*ret_control` serves metrics alone, or nothing. Blocks for as long
 * as looking up a group takes. Returns 0; -EINVAL for a group that there is
 * not; or a negative errno with a sentence: a socket that was asked for, or the
 * address for metrics, cannot be had. */
int aw_control_new(const struct aw_control_config *config,
                   struct aw_control **ret_control, struct aw_error *error)
    AW_ON(main) AW_NO_GIL;

/* Once every device is closed. Hangs up on every client and removes the socket.
 * Accepts NULL. */
void aw_control_free(struct aw_control *control) AW_ON(main) AW_NO_GIL;

#endif
