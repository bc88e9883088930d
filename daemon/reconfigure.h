/* Another configuration for a daemon that runs: mark, re-read, sweep.
 *
 * A round reads the file again and puts it in the place of the one in force:
 * devices are opened and leave, scripts are started, stopped, and reloaded
 * where they or their settings have changed. What is the same is not touched.
 * An error in the file, or a new device that cannot be opened, ends the round
 * before anything has changed. What each change means is told in
 * docs/reload.md.
 *
 * Everything runs on main. A round lasts as long as the scripts take; who asks
 * meanwhile shares the next one. */
#ifndef AW_RECONFIGURE_H
#define AW_RECONFIGURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "daemon/arguments.h"
#include "daemon/device_table.h"
#include "devices/queue/roles.h"
#include "pymod/host.h"

struct aw_reconfigure;
struct aw_runtime;
struct aw_runtime_config;

/* All of it must stay. */
struct aw_reconfigure_config {
    const struct aw_arguments *arguments;
    struct aw_config **config; /* in force: exchanged and freed by a round */
    struct aw_device_table *devices;
    struct aw_runtime *runtime;
    struct aw_runtime_config *runtime_config; /* its times are changed */
};

/* What became of one script in a round. */
struct aw_reconfigured_script {
    char name[64];
    int result; /* as in struct aw_script_reply */
    uint64_t generation;
    char text[400];
};

struct aw_reconfigured {
    int result;        /* 0, or a negative errno: nothing has changed */
    const char *error; /* of that, one line, FILE:LINE first where it has one */
    const struct aw_reconfigured_script *scripts;
    size_t script_count;
    char *const *notes; /* lines: what else there is to say */
    size_t note_count;
};

/* Called on the main thread, once, perhaps before the call that asked returns.
 * What it points to is good during the call. */
typedef void (*aw_reconfigured_done)(void *context,
                                     const struct aw_reconfigured *outcome);

/* Returns 0 or -ENOMEM. `config` is copied. */
int aw_reconfigure_new(const struct aw_reconfigure_config *config,
                       struct aw_reconfigure **ret_reconfigure) AW_ON(main);

/* Asks for a round; one that comes before the scripts have been started waits
 * for that. `done` may be NULL. Blocks for as long as reading the file and
 * opening devices takes. */
void aw_reconfigure_ask(struct aw_reconfigure *reconfigure,
                        aw_reconfigured_done done, void *context)
    AW_ON(main) AW_NO_GIL;

/* A round is under way, or waits for its turn. */
bool aw_reconfigure_is_busy(const struct aw_reconfigure *reconfigure)
    AW_ON(main);

/* How many rounds have begun. */
uint64_t aw_reconfigure_rounds(const struct aw_reconfigure *reconfigure)
    AW_ON(main);

/* The last round did not change anything, for an error. */
bool aw_reconfigure_has_failed(const struct aw_reconfigure *reconfigure)
    AW_ON(main);

/* Nobody waits for that answer any more. */
void aw_reconfigure_forget(struct aw_reconfigure *reconfigure,
                           const void *context) AW_ON(main);

/* AW_HOST_STARTED, and what the host tells of devices. */
void aw_reconfigure_event(struct aw_reconfigure *reconfigure,
                          const struct aw_host_event *event)
    AW_ON(main) AW_NO_GIL;

/* Once no script runs any more: drops the round that is under way, unanswered.
 * Accepts NULL. */
void aw_reconfigure_free(struct aw_reconfigure *reconfigure) AW_ON(main);

#endif
