#include "daemon/stall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/stack_text.h"
#include "devices/queue/clock.h"
#include "devices/queue/log.h"

#define TELL_AGAIN_S   10
#define INTERVAL_MIN_S 0.02
#define INTERVAL_MAX_S 0.25
#define INTERVAL_SHARE 4 /* of a stall */
#define STACK_BYTES    16384
#define STACK_WAIT_S   2 /* a thread that is not scheduled writes later */
#define NO_SCRIPT      SIZE_MAX

struct watched {
    uint64_t told_turn; /* when the turns began that were last told of, … */
    uint64_t interrupted_turn; /* … interrupted, … */
    uint64_t given_up_turn;    /* … and given up */
    uint64_t told_ns;          /* when it was last told of; 0: never */
    uint64_t left_out;         /* stalls since, that were not told of */
};

struct aw_stall_watch {
    struct aw_stall_config config;
    struct watched *scripts;
    size_t script_count;
    size_t asked; /* the script whose stack is awaited, or NO_SCRIPT */
    uint64_t asked_generation;
    uint64_t asked_ns;
    size_t length; /* of what has come of it */
    char stack[STACK_BYTES];
};

static double seconds(uint64_t ns)
{
    return (double)ns / (double)AW_NS_PER_S;
}

/* ---- telling ---- */

static void tell_place(const struct aw_stall_watch *watch,
                       const struct aw_script_status *status,
                       const struct watched *own, uint64_t blocked_ns)
{
    const char *place = aw_stack_text_find(watch->stack, status->path);
    char more[60] = "";

    if (own->left_out > 0)
        snprintf(more, sizeof(more), " (and %llu times since the last line)",
                 (unsigned long long)own->left_out);
    if (place)
        place += strspn(place, " ");
    aw_log(AW_LOG_WARNING,
           "script %s: its loop is blocked, for %.1f s now%s%s%.*s",
           status->name, seconds(blocked_ns), more,
           place ? ": " : ", and its thread does not tell where",
           place ? (int)strcspn(place, "\n") : 0, place ? place : "");
}

/* Line by line, each with the script's name. */
static void tell_stack(const struct aw_stall_watch *watch, const char *name)
{
    for (const char *line = watch->stack; *line;) {
        size_t length = strcspn(line, "\n");

        aw_log(AW_LOG_WARNING, "script %s: %.*s", name, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

/* The thread was asked at an earlier look; tells once it has answered, which it
 * does in pieces: until a look finds no more. */
static void take_answer(struct aw_stall_watch *watch, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL
{
    size_t script = watch->asked;
    struct watched *own = &watch->scripts[script];
    struct aw_script_status status;
    size_t more = aw_host_read_stack(
        watch->config.host, script, watch->asked_generation,
        watch->stack + watch->length, STACK_BYTES - watch->length);

    watch->length += more;
    if ((more > 0 || watch->length == 0) &&
        now_ns - watch->asked_ns < STACK_WAIT_S * AW_NS_PER_S)
        return;
    watch->asked = NO_SCRIPT;
    aw_supervisor_status(watch->config.supervisor, script, &status);
    if (!status.name)
        return;
    tell_place(watch, &status, own, now_ns - own->told_turn);
    tell_stack(watch, status.name);
    own->left_out = 0;
}

/* ---- looking ---- */

static void find_stall(struct aw_stall_watch *watch, size_t script,
                       const struct aw_turns *turns, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL
{
    struct watched *own = &watch->scripts[script];
    uint64_t began_ns = turns->began_ns;

    if (began_ns == own->told_turn || watch->asked != NO_SCRIPT)
        return;
    own->told_turn = began_ns;
    if (own->told_ns != 0 &&
        now_ns - own->told_ns < TELL_AGAIN_S * AW_NS_PER_S) {
        own->left_out++;
        return;
    }
    own->told_ns = now_ns;
    watch->asked_ns = now_ns;
    watch->length = 0;
    if (aw_host_ask_stack(watch->config.host, script, turns->generation)) {
        watch->asked = script;
        watch->asked_generation = turns->generation;
    }
}

/* How long an interruption has to help. A version that is not, or not yet, the
 * script's has as long as its reload, which then has it ignored. */
static uint64_t hopeless_ns(const struct aw_stall_watch *watch,
                            const struct aw_script_status *status)
{
    const struct aw_supervisor_config *config = watch->config.supervisor_config;
    uint64_t kill_ns = status->stall_kill_ns;
    /* And where it stands is asked for before it is given up. */
    double start_ns =
        (config->start_timeout_s + STACK_WAIT_S) * (double)AW_NS_PER_S;

    return status->generation == status->turns.generation
               ? 2 * kill_ns
               : 3 * kill_ns + (uint64_t)start_ns;
}

/* True once when an interruption has not helped. */
static bool interrupt_stall(struct aw_stall_watch *watch, size_t script,
                            const struct aw_script_status *status,
                            uint64_t now_ns) AW_ON(main) AW_NO_GIL
{
    struct watched *own = &watch->scripts[script];
    uint64_t began_ns = status->turns.began_ns;
    uint64_t blocked_ns = now_ns - began_ns;

    if (status->stall_kill_ns == 0 || blocked_ns < status->stall_kill_ns)
        return false;
    if (began_ns != own->interrupted_turn) {
        own->interrupted_turn = began_ns;
        aw_log(AW_LOG_WARNING, "script %s: blocked for %.1f s: interrupted",
               status->name, seconds(blocked_ns));
        aw_host_interrupt(watch->config.host, script, status->turns.generation);
        return false;
    }
    if (began_ns == own->given_up_turn ||
        blocked_ns < hopeless_ns(watch, status))
        return false;
    own->given_up_turn = began_ns;
    aw_log(AW_LOG_ERROR, "script %s: blocked for %.1f s, and cannot be freed",
           status->name, seconds(blocked_ns));
    return true;
}

static bool look_at(struct aw_stall_watch *watch, size_t script,
                    uint64_t now_ns) AW_ON(main) AW_NO_GIL
{
    struct aw_script_status status;
    const struct aw_turns *turns = &status.turns;

    aw_supervisor_status(watch->config.supervisor, script, &status);
    if (!status.name) {
        /* Another one may have its place. */
        watch->scripts[script] = (struct watched){.told_ns = 0};
        return false;
    }
    /* It may have begun after `now_ns` was read, or be still to begin. */
    if (turns->stall_ns == 0 || turns->began_ns == 0 ||
        turns->began_ns > now_ns || now_ns - turns->began_ns < turns->stall_ns)
        return false;
    find_stall(watch, script, turns, now_ns);
    return interrupt_stall(watch, script, &status, now_ns);
}

/* Without memory those that are new are not watched yet. */
static void make_room(struct aw_stall_watch *watch) AW_ON(main) AW_NO_GIL
{
    size_t count = aw_supervisor_count(watch->config.supervisor);
    struct watched *scripts;

    if (count <= watch->script_count)
        return;
    scripts = reallocarray(watch->scripts, count, sizeof(*scripts));
    if (!scripts)
        return;
    watch->scripts = scripts;
    while (watch->script_count < count)
        scripts[watch->script_count++] = (struct watched){.told_ns = 0};
}

bool aw_stall_watch_look(struct aw_stall_watch *watch, uint64_t now_ns)
{
    bool hopeless = false;

    if (watch->asked != NO_SCRIPT)
        take_answer(watch, now_ns);
    make_room(watch);
    for (size_t i = 0; i < watch->script_count; i++)
        hopeless |= look_at(watch, i, now_ns);
    return hopeless;
}

/* Of the scripts that are watched; UINT64_MAX if none is. */
static uint64_t shortest_stall(const struct aw_stall_watch *watch)
    AW_ON(main) AW_NO_GIL
{
    size_t count = aw_supervisor_count(watch->config.supervisor);
    uint64_t shortest_ns = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        struct aw_turns turns;

        aw_host_turns(watch->config.host, i, &turns);
        if (turns.stall_ns != 0 && turns.stall_ns < shortest_ns)
            shortest_ns = turns.stall_ns;
    }
    return shortest_ns;
}

double aw_stall_watch_interval_s(const struct aw_stall_watch *watch)
{
    uint64_t shortest_ns = shortest_stall(watch);
    double share_s = seconds(shortest_ns) / INTERVAL_SHARE;

    if (shortest_ns == UINT64_MAX)
        return 0;
    if (share_s < INTERVAL_MIN_S)
        return INTERVAL_MIN_S;
    return share_s < INTERVAL_MAX_S ? share_s : INTERVAL_MAX_S;
}

/* ---- the object ---- */

int aw_stall_watch_new(const struct aw_stall_config *config,
                       struct aw_stall_watch **ret_watch)
{
    struct aw_stall_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->config = *config;
    watch->asked = NO_SCRIPT;
    *ret_watch = watch;
    return 0;
}

void aw_stall_watch_free(struct aw_stall_watch *watch)
{
    if (!watch)
        return;
    free(watch->scripts);
    free(watch);
}
