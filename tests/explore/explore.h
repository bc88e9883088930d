/* The explorer: runs a scenario under every interleaving of its fibers.
 *
 * The leaf's own sources are built with a <stdatomic.h> whose operations are
 * scheduling points. A scenario's fibers are run again and again, each time
 * with the next schedule in depth-first order, until none is left. A fiber that
 * waits or ends leaves the choice of the next one open; taking the processor
 * from one that could go on is a pre-emption, and of those a schedule has at
 * most as many as the scenario says. So the set is finite, and what it finds
 * needs few pre-emptions, as nearly all real races do.
 *
 * A failed CHECK, a failed assert(), nobody left to run while somebody waits (a
 * lost wake-up), and endless running are failures: the schedule is printed.
 *
 * Not in here: weak memory orders (see shim/stdatomic.h). */
#ifndef AW_EXPLORE_H
#define AW_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scenario {
    const char *name;
    unsigned preemptions; /* at most so many in one schedule */
    /* Makes the objects, starts the fibers. */
    void (*begin)(const struct scenario *scenario);
    /* Checks and frees, when all fibers have ended. */
    void (*end)(void);
    const void *plan; /* what begin() needs to know */
};

/* Ends the exploration: this schedule breaks a promise. */
_Noreturn void explore_fail(const char *file, int line, const char *what);

#define CHECK(condition)                                                       \
    ((condition) ? (void)0 : explore_fail(__FILE__, __LINE__, #condition))

/* Adds a fiber to the schedule that begins. From `begin` only; `name` is for
 * the printed schedule. */
void explore_start(const char *name, void (*run)(void *), void *argument);

/* A scheduling point before an access to `object`. Outside of a fiber, and in
 * memory that was declared private, it does nothing. */
void explore_point(const volatile void *object);

/* Lets others run until `*word` is not zero. */
void explore_await(const uint64_t *word);

/* Says for this schedule that no two fibers use this memory: an access to it
 * changes nothing for anybody else and needs no point. */
void explore_private(const void *start, size_t bytes);

/* Calls `hook` at each point of this schedule from now on, before the access;
 * NULL: no more. */
void explore_hook(void (*hook)(const volatile void *object));

/* Explores the scenario. Returns true if no schedule failed, and how many there
 * were. */
bool explore(const struct scenario *scenario, uint64_t *ret_schedules);

/* ---- the world that the leaf is given (world.c) ---- */

/* Before each schedule: no bells, time zero. */
void world_reset(void);

/* Moves the clock. */
void world_set_time(uint64_t now_ns);

/* Bells that were made and memory that was mapped, and not given back. */
unsigned world_leaks(void);

/* ---- the scenarios, each list ended by one without a name ---- */

extern const struct scenario scenarios_queue[], scenarios_evict[],
    scenarios_latest[], scenarios_peer[], scenarios_wait[], scenarios_count[],
    scenarios_succeed[];

#endif
