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
    const struct aw_host_config *config;
    struct aw_host *host;
    uint64_t kill_ns;
    struct watched *scripts;
    size_t asked; /* the script whose stack is awaited, or NO_SCRIPT */
    unsigned looks;
    char stack[STACK_BYTES];
};

static double seconds(uint64_t ns)
{
    return (double)ns / (double)AW_NS_PER_S;
}

static const char *name_of(const struct aw_stall_watch *watch, size_t script)
{
    return watch->config->scripts[script].name;
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
    const char *place =
        find_place(watch->stack, watch->config->scripts[script].path);
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

/* The thread was asked at an earlier look; tells once it has answered. */
static void take_answer(struct aw_stall_watch *watch, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL
{
    size_t script = watch->asked;
    struct watched *own = &watch->scripts[script];

    if (aw_host_read_stack(watch->host, watch->stack, STACK_BYTES) == 0 &&
        ++watch->looks < STACK_LOOKS)
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
    if (aw_host_ask_stack(watch->host, script, turns->generation))
        watch->asked = script;
}

/* True once when an interruption has not helped. */
static bool interrupt_stall(struct aw_stall_watch *watch, size_t script,
                            const struct aw_turns *turns, uint64_t now_ns)
    AW_ON(main) AW_NO_GIL
{
    struct watched *own = &watch->scripts[script];
    uint64_t began_ns = turns->began_ns;
    uint64_t blocked_ns = now_ns - began_ns;

    if (watch->kill_ns == 0 || blocked_ns < watch->kill_ns)
        return false;
    if (began_ns != own->interrupted_turn) {
        own->interrupted_turn = began_ns;
        aw_log(AW_LOG_WARNING, "script %s: blocked for %.1f s: interrupted",
               name_of(watch, script), seconds(blocked_ns));
        aw_host_interrupt(watch->host, script, turns->generation);
        return false;
    }
    if (blocked_ns < 2 * watch->kill_ns || began_ns == own->given_up_turn)
        return false;
    own->given_up_turn = began_ns;
    aw_log(AW_LOG_ERROR, "script %s: blocked for %.1f s, and cannot be freed",
           name_of(watch, script), seconds(blocked_ns));
    return true;
}

bool aw_stall_watch_look(struct aw_stall_watch *watch, uint64_t now_ns)
{
    bool hopeless = false;

    if (watch->asked != NO_SCRIPT)
        take_answer(watch, now_ns);
    for (size_t i = 0; i < watch->config->script_count; i++) {
        struct aw_turns turns;

        aw_host_turns(watch->host, i, &turns);
        /* It may have begun after `now_ns` was read. */
        if (turns.began_ns == 0 || turns.began_ns > now_ns ||
            now_ns - turns.began_ns < watch->config->stall_ns)
            continue;
        find_stall(watch, i, &turns, now_ns);
        hopeless |= interrupt_stall(watch, i, &turns, now_ns);
    }
    return hopeless;
}

double aw_stall_watch_interval_s(const struct aw_stall_watch *watch)
{
    double quarter_s = seconds(watch->config->stall_ns) / 4;

    if (quarter_s < INTERVAL_MIN_S)
        return INTERVAL_MIN_S;
    return quarter_s < INTERVAL_MAX_S ? quarter_s : INTERVAL_MAX_S;
}

/* ---- the object ---- */

int aw_stall_watch_new(const struct aw_host_config *config,
                       struct aw_host *host, uint64_t kill_ns,
                       struct aw_stall_watch **ret_watch)
{
    struct aw_stall_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return -ENOMEM;
    watch->scripts = calloc(config->script_count + 1, sizeof(*watch->scripts));
    if (!watch->scripts) {
        free(watch);
        return -ENOMEM;
    }
    watch->config = config;
    watch->host = host;
    watch->kill_ns = kill_ns;
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
