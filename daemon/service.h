/* What the service manager knows of us, and its watchdog.
 *
 * It is told when the scripts run (READY), while one of them or the
 * configuration is being reloaded (RELOADING), from when on we end (STOPPING),
 * and what there is to count (STATUS). Its watchdog is fed by a timer of main's
 * loop, and only while every reader is alive (pulse.h): so a main that hangs,
 * or a reader, ends the process. Nothing here blocks; what the manager cannot
 * take now it gets a moment later. */
#ifndef AW_SERVICE_H
#define AW_SERVICE_H

#include "daemon/device_table.h"
#include "daemon/reconfigure.h"
#include "daemon/runtime.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"

struct aw_service;

struct aw_service_config {
    const struct aw_device_table *devices;
    const struct aw_reconfigure *reconfigure;
    const struct aw_runtime *runtime;
    /* Its stop_timeout_s is what a stop may take, to which a little is added.
     */
    const struct aw_runtime_config *times;
};

/* Takes from the environment what the manager has put there for us alone:
 * $NOTIFY_SOCKET and $WATCHDOG_*. Before there are other threads. Where nobody
 * wants to be told `*ret_service` is NULL. Returns 0 or a negative errno with a
 * sentence. */
int aw_service_new(struct aw_service **ret_service, struct aw_error *error)
    AW_ON(main) AW_NO_GIL;

/* From here on it does its work whenever the runtime's loop runs. `config` is
 * copied, what it points to must stay until aw_service_free(). Accepts NULL.
 * Returns 0 or -ENOMEM. */
int aw_service_start(struct aw_service *service,
                     const struct aw_service_config *config)
    AW_ON(main) AW_NO_GIL;

/* Before the runtime is freed. Accepts NULL. */
void aw_service_free(struct aw_service *service) AW_ON(main) AW_NO_GIL;

#endif
