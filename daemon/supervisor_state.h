/* The supervisor's state, shared by its files: supervisor.c (what was asked
 * for), lifecycle.c (starts, ends, policies), reload.c and replies.c. */
#ifndef AW_SUPERVISOR_STATE_H
#define AW_SUPERVISOR_STATE_H

#include <ev.h>

#include "daemon/supervisor.h"

#define AW_SCRIPT_ERROR_BYTES 512

/* Where a reload stands. */
enum aw_reload_phase {
    AW_RELOAD_NONE,
    AW_RELOAD_PREPARING, /* the new version has not come to its hold */
    AW_RELOAD_YIELDING,  /* it is held, and the old one is to end */
    AW_RELOAD_SETTLING,  /* it goes on; an error brings the old one back */
};

/* One script's share of a request. */
struct aw_waiting {
    struct aw_waiting *next;
    struct aw_ask *ask;
};

/* Whoever waits for the answer to a request that several scripts share. What
 * each of them needs to wait is a part of it, so that none can be without. */
struct aw_ask {
    aw_script_replied replied; /* NULL: nobody does any more */
    void *context;
    size_t left;    /* answers still to come */
    size_t waiting; /* of `shares`, those that are in use */
    struct aw_waiting shares[];
};

struct aw_supervised {
    struct aw_supervisor *supervisor;
    size_t index;
    char *name, *path;
    bool leaving; /* it is not configured any more, and is to end */
    bool removed; /* and has: its place is free */
    struct aw_supervision policy;
    enum aw_script_state state;
    double since_s; /* span clock */

    /* The version that may receive and send. */
    uint64_t generation;
    uint64_t newest;      /* the largest number given to any */
    bool alive;           /* it runs */
    bool stopping;        /* it was asked to end, */
    enum aw_host_why why; /* for this */
    bool held_off;        /* somebody stopped the script: the daemon goes on */
    bool parked;          /* it is not to be started when it has ended */

    enum aw_reload_phase phase;
    uint64_t candidate; /* the new version's generation, or 0 */
    unsigned looks;     /* it takes too long: looks at where it is, so far */
    bool again;         /* another reload is wanted after this one, */
    bool again_anyway;  /* whether there is a change or not */
    bool reverts;       /* there is an old version to go back to */
    bool inherits;      /* it may still call for queues that were left */
    struct aw_host_event died; /* while a new one prepares: the old one has */

    double delay_s; /* before the next restart */
    double interval_since_s;
    unsigned in_interval; /* restarts */

    struct aw_waiting *reloads, *next_reloads, *restarts, *parks, *stops;
    uint64_t restart_count, reload_count, failed_reload_count;
    bool reload_failed; /* and nothing has been good since */
    int exit_status;
    char last_error[AW_SCRIPT_ERROR_BYTES];

    ev_timer backoff, grace, deadline, patience;
};

struct aw_supervisor {
    const struct aw_supervisor_config *config;
    struct aw_host_output output; /* that counts what was dropped */
    struct ev_loop *loop;
    struct aw_host *host;
    void (*idle)(void *context);
    void *context;
    bool ending;
    int status; /* of the first script that failed for good */
    size_t count;
    struct aw_supervised **scripts; /* each stays where it is */
};

void aw_supervised_say(struct aw_supervised *script,
                       enum aw_script_state state);

/* Starts `timer` anew. */
void aw_supervised_after(struct aw_supervised *script, ev_timer *timer,
                         double seconds);

/* ---- scripts_table.c ---- */

/* Gives the place of a script that was removed, and has ended, free. */
void aw_supervised_vacate(struct aw_supervised *script) AW_ON(main) AW_NO_GIL;

/* ---- supervisor.c ---- */

/* For a script that is new. */
void aw_supervised_init_timers(struct aw_supervised *script);

/* Before its memory is used for anything else. */
void aw_supervised_stop_timers(struct aw_supervised *script);

/* It is to end, and what was under way is not to go on. */
void aw_supervised_stop(struct aw_supervised *script, struct aw_ask *ask)
    AW_ON(main) AW_NO_GIL;
void aw_supervised_restart(struct aw_supervised *script, struct aw_ask *ask)
    AW_ON(main) AW_NO_GIL;

/* ---- lifecycle.c ---- */

/* Starts the next generation; for a reload beside the one that runs. */
void aw_supervised_start(struct aw_supervised *script, enum aw_host_start how)
    AW_ON(main) AW_NO_GIL;

/* Starts it anew, with the queues that were left. */
void aw_supervised_start_again(struct aw_supervised *script,
                               enum aw_host_start how) AW_ON(main) AW_NO_GIL;

/* Gives it reload_settle_s to call for the queues that were left; and that was
 * enough. */
void aw_supervised_let_inherit(struct aw_supervised *script)
    AW_ON(main) AW_NO_GIL;
void aw_supervised_inherited(struct aw_supervised *script)
    AW_ON(main) AW_NO_GIL;

/* Asks the version that runs to end. */
void aw_supervised_ask_end(struct aw_supervised *script, enum aw_host_why why)
    AW_ON(main) AW_NO_GIL;

/* The current version has ended, and nobody asked for that. */
void aw_supervised_apply_policy(struct aw_supervised *script,
                                const struct aw_host_event *event)
    AW_ON(main) AW_NO_GIL;

/* The current version has ended. */
void aw_supervised_ended(struct aw_supervised *script,
                         const struct aw_host_event *event)
    AW_ON(main) AW_NO_GIL;

/* It is not started again: stopped, or failed where `status` is not 0. */
void aw_supervised_close(struct aw_supervised *script, int status)
    AW_ON(main) AW_NO_GIL;

/* ---- reload.c ---- */

/* With `anyway` whether anything has changed or not. */
void aw_reload_begin(struct aw_supervised *script, bool anyway)
    AW_ON(main) AW_NO_GIL;
void aw_reload_held(struct aw_supervised *script) AW_ON(main) AW_NO_GIL;

/* The old version has ended, the new one goes on. */
void aw_reload_admit(struct aw_supervised *script) AW_ON(main) AW_NO_GIL;

/* The new version has ended before it was admitted. */
void aw_reload_failed(struct aw_supervised *script,
                      const struct aw_host_event *event) AW_ON(main) AW_NO_GIL;

/* The new version has lasted. */
void aw_reload_settled(struct aw_supervised *script) AW_ON(main) AW_NO_GIL;

/* It has ended soon after. */
void aw_reload_ended(struct aw_supervised *script,
                     const struct aw_host_event *event) AW_ON(main) AW_NO_GIL;

/* Gives up a reload that has not come to its new version yet. Answers nobody:
 * whoever calls it does, with this result and text. */
void aw_reload_give_up(struct aw_supervised *script, int result,
                       const char *text) AW_ON(main) AW_NO_GIL;

/* What takes too long: the start of the new version. */
void aw_reload_impatient(struct aw_supervised *script) AW_ON(main) AW_NO_GIL;

/* ---- replies.c ---- */

/* Makes a request of `count` scripts, at least one; NULL without memory. */
struct aw_ask *aw_ask_new(aw_script_replied replied, void *context,
                          size_t count);

/* Has this script's part of it answered later. Accepts NULL. */
void aw_ask_wait(struct aw_ask *ask, struct aw_waiting **list);

/* Answers this script's part of it now. Accepts NULL. */
void aw_ask_answer(struct aw_ask *ask, const struct aw_supervised *script,
                   int result, const char *text) AW_ON(main) AW_NO_GIL;

/* Puts all of `more` behind what is on the list. */
void aw_waiting_join(struct aw_waiting **list, struct aw_waiting *more);

/* Empties a list, and returns what was on it. */
struct aw_waiting *aw_waiting_take(struct aw_waiting **list);

/* The same of whatever the script is asked for. */
struct aw_waiting *aw_waiting_take_all(struct aw_supervised *script);

/* Answers all who wait on a list, and empties it. They may ask again at once.
 */
void aw_replies_answer(struct aw_waiting **list,
                       const struct aw_supervised *script, int result,
                       const char *text) AW_ON(main) AW_NO_GIL;

#endif
