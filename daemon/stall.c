#include "daemon/stall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/log.h"

#define TELL_AGAIN_S   10
#define INTERVAL_MIN_S 0.02
#define INTERVAL_MAX_S 0.25
#define INTERVAL_SHARE 4 /* of a stall */
#define STACK_BYTES    16384
#define STACK_LOOKS    8 /* a thread that is not scheduled writes later */
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
    size_t asked; /* the script whose stack is awaited, or NO_SCRIPT */
    unsigned looks;
    size_t length; /* of what has come of it */
    char stack[STACK_BYTES];
};

static double seconds(uint64_t ns)
{
    return (double)ns / (double)AW_NS_PER_S;
}

static const char *name_of(const struct aw_stall_watch *watch, size_t script)
{
    return watch->config.host_config->scripts[script].name;
}

/* ---- telling ---- */

/* The innermost line of the script itself, or else the innermost of all: as in
 * `  File "PATH", line 5 in NAME`. NULL if there is none. */
static const char *find_place(const char *stack, const char *path)
{
    const char *base = strrchr(path, '/');
    const char *first = strstr(stack, "  File \"");
    char own[300];
    const char *found;

    snprintf(own, sizeof(own), "%s\", line ", base ? base : path);
    found = strstr(stack, own);
    while (found && found > stack && found[-1] != '\n')
        found--;
    return found ? found : first;
}

static void tell_place(const struct aw_stall_watch *watch, size_t script,
                       uint64_t blocked_ns)
{
    const struct watched *own = &watch->scripts[script];
    const char *place = find_place(
        watch->stack, watch->config.host_config->scripts[script].path);
    char more[60] = "";

    if (own->left_out > 0)
        snprintf(more, sizeof(more), " (and %llu times since the last line)",
                 (unsigned long long)own->left_out);
    if (place)
        place += strspn(place, " ");
    aw_log(AW_LOG_WARNING,
           "script %s: its loop is blocked, for %.1f s now%s%s%.*s",
           name_of(watch, script), seconds(blocked_ns), more,
           place ? ": " : ", and its thread does not tell where",
           place ? (int)strcspn(place, "\n") : 0, place ? place : "");
}

/* Line by line, each with the script's name. */
static void tell_stack(const struct aw_stall_watch *watch, size_t script)
{
    for (const char *line = watch->stack; *line;) {
        size_t length = strcspn(line, "\n");

        aw_log(AW_LOG_WARNING, "script %s: %.*s", name_of(watch, script),
               (int)length, line);
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
    size_t more =
        aw_host_read_stack(watch->config.host, watch->stack + watch->length,
                           STACK_BYTES - watch->length);

    watch->length += more;
    if ((more > 0 || watch->length == 0) && ++watch->looks < STACK_LOOKS)
        return;
    tell_place(watch, script, now_ns - own->told_turn);
    tell_stack(watch, script);
    own->left_out = 0;
    watch->asked = NO_SCRIPT;
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
    watch->looks = 0;
    watch->length = 0;
    if (aw_host_ask_stack(watch->config.host, script, turns->generation))
        watch->asked = script;
}

/* How long an interruption has to help. A version that is not, or not yet, the
 * script's has as long as its reload, which then has it ignored. */
static uint64_t hopeless_ns(const struct aw_stall_watch *watch, size_t script,
                            uint64_t generation) AW_ON(main) AW_NO_GIL
{
    const struct aw_supervisor_config *config = watch->config.supervisor_config;
    uint64_t kill_ns = config->scripts[script].stall_kill_ns;
    double start_ns = config->start_timeout_s * (double)AW_NS_PER_S;
    struct aw_script_status status;

    aw_supervisor_status(watch->config.supervisor, script, &status);
    return status.generation == generation ? 2 * kill_ns
                                           : 3 * kill_ns + (uint64_t)start_ns;
}

/* True once when an interruption has not helped. */
static bool interrupt_stall(struct aw_stall_watch *watch, size_t script,
                            const struct aw_turns *turns, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL
{
    struct watched *own = &watch->scripts[script];
    uint64_t began_ns = turns->began_ns;
    uint64_t blocked_ns = now_ns - began_ns;
    uint64_t kill_ns =
        watch->config.supervisor_config->scripts[script].stall_kill_ns;

    if (kill_ns == 0 || blocked_ns < kill_ns)
        return false;
    if (began_ns != own->interrupted_turn) {
        own->interrupted_turn = began_ns;
        aw_log(AW_LOG_WARNING, "script %s: blocked for %.1f s: interrupted",
               name_of(watch, script), seconds(blocked_ns));
        aw_host_interrupt(watch->config.host, script, turns->generation);
        return false;
    }
    if (began_ns == own->given_up_turn ||
        blocked_ns < hopeless_ns(watch, script, turns->generation))
        return false;
    own->given_up_turn = began_ns;
    aw_log(AW_LOG_ERROR, "script %s: blocked for %.1f s, and cannot be freed",
           name_of(watch, script), seconds(blocked_ns));
    return true;
}

bool aw_stall_watch_look(struct aw_stall_watch *watch, uint64_t now_ns)
{
    const struct aw_host_config *config = watch->config.host_config;
    bool hopeless = false;

    if (watch->asked != NO_SCRIPT)
        take_answer(watch, now_ns);
    for (size_t i = 0; i < config->script_count; i++) {
        uint64_t stall_ns = config->scripts[i].stall_ns;
        struct aw_turns turns;

        aw_host_turns(watch->config.host, i, &turns);
        /* It may have begun after `now_ns` was read, or be still to begin. */
        if (stall_ns == 0 || turns.began_ns == 0 || turns.began_ns > now_ns ||
            now_ns - turns.began_ns < stall_ns)
            continue;
        find_stall(watch, i, &turns, now_ns);
        hopeless |= interrupt_stall(watch, i, &turns, now_ns);
    }
    return hopeless;
}

/* Of the scripts that are watched; UINT64_MAX if none is. */
static uint64_t shortest_stall(const struct aw_host_config *config)
{
    uint64_t shortest_ns = UINT64_MAX;

    for (size_t i = 0; i < config->script_count; i++) {
        uint64_t stall_ns = config->scripts[i].stall_ns;

        if (stall_ns != 0 && stall_ns < shortest_ns)
            shortest_ns = stall_ns;
    }
    return shortest_ns;
}

double aw_stall_watch_interval_s(const struct aw_stall_watch *watch)
{
    double share_s =
        seconds(shortest_stall(watch->config.host_config)) / INTERVAL_SHARE;

    if (share_s < INTERVAL_MIN_S)
        return INTERVAL_MIN_S;
    return share_s < INTERVAL_MAX_S ? share_s : INTERVAL_MAX_S;
}

/* ---- the object ---- */

int aw_stall_watch_new(const struct aw_stall_config *config,
                       struct aw_stall_watch **ret_watch)
{
    struct aw_stall_watch *watch;

    if (shortest_stall(config->host_config) == UINT64_MAX)
        return 0;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->scripts =
        calloc(config->host_config->script_count, sizeof(*watch->scripts));
    if (!watch->scripts) {
        free(watch);
        return -ENOMEM;
    }
    watch->config = *config;
    watch->asked = NO_SCRIPT;
    *ret_watch = watch;
    return 1;
}

void aw_stall_watch_free(struct aw_stall_watch *watch)
{
    if (!watch)
        return;
    free(watch->scripts);
    free(watch);
}
