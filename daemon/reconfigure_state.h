/* A round's state, shared by its files: reconfigure.c (the steps, and who
 * waits), reconfigure_devices.c, reconfigure_scripts.c. */
#ifndef AW_RECONFIGURE_STATE_H
#define AW_RECONFIGURE_STATE_H

#include <ev.h>

#include "config/document.h"
#include "daemon/reconfigure.h"
#include "daemon/runtime.h"

enum aw_reconfigure_step {
    AW_RECONFIGURE_IDLE,
    AW_RECONFIGURE_FINDING, /* who uses what must be closed before it is opened
                             */
    AW_RECONFIGURE_PARKING, /* these scripts are to end */
    AW_RECONFIGURE_RELOADING, /* scripts come, go, and are reloaded */
    AW_RECONFIGURE_SETTLING,  /* who still uses what leaves */
};

enum aw_change {
    AW_CHANGE_NONE,
    AW_CHANGE_NEW,
    AW_CHANGE_OTHER, /* other options: opened beside the one in force */
    AW_CHANGE_LATE,  /* the same, but that cannot be: opened after it */
};

/* What a round has to do with a script. */
enum aw_touch {
    AW_TOUCH_NONE,
    AW_TOUCH_FOUND, /* it uses what is to be closed: it is to be parked */
    AW_TOUCH_DONE,  /* it was parked, or restarted */
};

struct aw_reconfigure_ask {
    struct aw_reconfigure_ask *next;
    aw_reconfigured_done done; /* NULL: nobody waits */
    void *context;
};

/* A script as it is wanted. */
struct aw_wanted_script {
    struct aw_host_script settings;
    struct aw_supervision policy;
};

struct aw_reconfigure {
    struct aw_reconfigure_config config;
    bool started; /* the host has begun with the configuration before */
    enum aw_reconfigure_step step;
    size_t left;   /* answers that this step waits for */
    ev_timer next; /* the last has come: from the loop, the next step */
    struct aw_reconfigure_ask *asks, *next_asks;
    bool again;
    uint64_t rounds; /* that have begun */
    bool failed;     /* the last that has ended */

    /* Of a round. */
    struct aw_config *wanted;               /* NULL: there is no file to read */
    struct aw_wanted_script *scripts;       /* one for each of `wanted` */
    enum aw_change changes[AW_DEVICES_MAX]; /* the same of its devices */
    struct aw_device *opened[AW_DEVICES_MAX];
    enum aw_touch *touched; /* scripts, by the supervisor's index */
    size_t touched_count;
    struct aw_error error;
    struct aw_reconfigured_script *replies;
    size_t reply_count;
    char **notes;
    size_t note_count;
};

/* ---- reconfigure.c ---- */

/* Keeps a line for those who wait, and logs it. */
__attribute__((format(printf, 2, 3))) void
aw_reconfigure_note(struct aw_reconfigure *reconfigure, const char *format,
                    ...);

struct aw_supervisor *
aw_reconfigure_supervisor(const struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;
struct aw_host *aw_reconfigure_host(const struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* What became of a script in this round: the last that is said counts. */
void aw_reconfigure_keep(struct aw_reconfigure *reconfigure,
                         const struct aw_script_reply *reply) AW_ON(main);

/* aw_script_replied of a round: one of those that the step waits for. */
void aw_reconfigure_replied(void *context, const struct aw_script_reply *reply)
    AW_ON(main) AW_NO_GIL;

/* ---- reconfigure_devices.c ---- */

/* What of the devices has changed, and opens what can be opened beside what
 * there is. Returns 0 or a negative errno with a sentence: nothing is left
 * open.
 */
int aw_reconfigure_open(struct aw_reconfigure *reconfigure) AW_ON(main);

/* Closes what was opened and is not in the table. */
void aw_reconfigure_close_opened(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Asks who uses the devices that are to be closed first. Returns how many they
 * are. */
size_t aw_reconfigure_find_users(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Those have no users now: closes them and opens them anew; where that fails,
 * as they were. Returns 0 or a negative errno with a sentence. */
int aw_reconfigure_open_late(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Puts the devices of the new configuration in the place of the others. */
void aw_reconfigure_exchange_devices(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Asks who uses what leaves. Returns how many devices that are. */
size_t aw_reconfigure_find_last_users(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* ---- reconfigure_scripts.c ---- */

/* Fills in `scripts`. Returns 0 or a negative errno with a sentence. */
int aw_reconfigure_read_scripts(struct aw_reconfigure *reconfigure);
void aw_reconfigure_free_scripts(struct aw_reconfigure *reconfigure);

/* Ends the scripts that were found, and counts them in `left`. Returns how many
 * were found. */
size_t aw_reconfigure_park_scripts(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Starts these again, as they are, but for those that were stopped meanwhile;
 * nobody waits for it. */
void aw_reconfigure_unpark_scripts(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* Starts, stops and reloads scripts as wanted, and counts them in `left`. */
void aw_reconfigure_exchange_scripts(struct aw_reconfigure *reconfigure)
    AW_ON(main) AW_NO_GIL;

/* A script uses a device that leaves: it is restarted where another one is in
 * that one's place, else told of. */
void aw_reconfigure_last_user(struct aw_reconfigure *reconfigure, size_t script,
                              const struct aw_leaving_device *leaving)
    AW_ON(main) AW_NO_GIL;

#endif
