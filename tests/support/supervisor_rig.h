/* A supervisor between a host that only notes what it is asked for, and a clock
 * that only the test moves. */
#ifndef AW_SUPERVISOR_RIG_H
#define AW_SUPERVISOR_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor.h"
#include "tests/support/fake_loop.h"
#include "tests/support/unit.h"

enum call_kind {
    CALL_START,
    CALL_ADMIT,
    CALL_DISCARD,
    CALL_DROP,
    CALL_CANCEL,
    CALL_TELL, /* the same with signal 0 */
    CALL_DUMP,
    CALL_CONFIGURE,
    CALL_REMOVE,
};

/* What the host was asked for. */
struct call {
    enum call_kind kind;
    size_t script;
    uint64_t generation;
    int how; /* START: enum aw_host_start; CANCEL: enum aw_host_why */
    bool again;
};

struct answer {
    char script[32];
    int result;
    uint64_t generation;
    char text[400];
    size_t left;
};

struct rig {
    struct aw_supervisor *supervisor;
    struct aw_supervisor_config config;
    struct aw_supervision policies[2];
    struct call calls[200];
    size_t call_count, taken; /* calls looked at so far */
    struct answer answers[20];
    size_t answer_count;
    unsigned idle; /* how often it was told that nothing runs any more, */
    unsigned idle_before;  /* and by the last START or ADMIT */
    const char *stack;     /* of any version; NULL: it cannot be asked */
    unsigned silent_looks; /* at that, before it is written */
};

extern struct rig rig;

/* What drand48() gives next: 0.5, unless the test sets it. */
extern double rig_random;

/* A supervisor of `count` scripts, "a" and "b", of this policy, which run. The
 * caller is main from here on. */
void rig_begin(size_t count, struct aw_supervision policy)
    AW_ATTRIBUTE(assert_capability(&aw_role_main));
int rig_tear_down(void **state);

/* As a setup: one script, which is not started again. */
int rig_begin_one(void **state);

/* The next call that the host has got must be this one, of script 0. */
void rig_expect(enum call_kind kind, uint64_t generation, int how);

/* The same, of any script and with all that is said. */
void rig_expect_call(struct call call);

/* There are no more calls than those looked at. */
void rig_expect_nothing(void);

/* What the host tells of a generation of script 0. */
void rig_held(uint64_t generation);
void rig_ended(uint64_t generation, int status, const char *text);

/* It has ended as it was asked to. */
void rig_cancelled(uint64_t generation);

void rig_event(struct aw_host_event event);

/* aw_script_replied that keeps the answer. */
void rig_replied(void *context, const struct aw_script_reply *reply);

/* The answer `index` must be this one. */
void rig_assert_answer(size_t index, int result, const char *text);

struct aw_script_status rig_status(size_t script);

/* ---- a reload of the one script ---- */

void rig_reload(void);

/* The same; the new version, generation 2, is held, and the old one is asked to
 * end. */
void rig_hold(void);

/* The same, and it goes on. */
void rig_admit(void);

#endif
