#include "tests/explore/explore.h"

#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#define FIBERS_MAX  4
#define STACK_BYTES 65536
#define POINTS_MAX  200000u /* in one schedule: more is taken for endless */
#define CHOICES_MAX 4096u
#define PRIVATE_MAX 8u
#define NOBODY      (-1)

struct fiber {
    const char *name;
    void (*run)(void *);
    void *argument;
    const uint64_t *awaits; /* runs when it is not zero; NULL: runs */
    bool ended;
    ucontext_t context;
    _Alignas(64) unsigned char stack[STACK_BYTES];
};

/* One decision: which of `count` fibers goes on. */
struct choice {
    unsigned char count;
    unsigned char taken;
    signed char fiber; /* for the printed schedule */
};

static struct {
    struct fiber fibers[FIBERS_MAX];
    int fiber_count;
    int current;
    ucontext_t caller;
    /* This schedule. The choices are kept from one to the next: all but the
     * last are made again. */
    struct choice choices[CHOICES_MAX];
    unsigned choice_count, choices_made;
    unsigned preemptions, preemptions_max;
    unsigned points;
    bool failed;
    char failure[256];
    struct {
        uintptr_t start, end;
    } private_memory[PRIVATE_MAX];
    unsigned private_count;
    void (*hook)(const volatile void *object);
} world = {.current = NOBODY};

_Noreturn void explore_fail(const char *file, int line, const char *what)
{
    const char *who =
        world.current == NOBODY ? "-" : world.fibers[world.current].name;

    world.failed = true;
    snprintf(world.failure, sizeof(world.failure), "%s:%d: %s: %s", file, line,
             who, what);
    if (world.current == NOBODY)
        swapcontext(&world.fibers[0].context, &world.caller);
    swapcontext(&world.fibers[world.current].context, &world.caller);
    __builtin_unreachable();
}

/* In place of the C library's: a failed assert() of the leaf fails the schedule
 * like a CHECK. */
_Noreturn void __assert_fail(const char *what, const char *file,
                             unsigned int line, const char *function);
_Noreturn void __assert_fail(const char *what, const char *file,
                             unsigned int line, const char *function)
{
    (void)function;
    explore_fail(file, (int)line, what);
}

static bool runs(int number)
{
    const struct fiber *fiber = &world.fibers[number];

    return !fiber->ended && (!fiber->awaits || *fiber->awaits != 0);
}

/* Those that can run, `world.current` first if it can. */
static unsigned runnable(int fibers[FIBERS_MAX])
{
    unsigned count = 0;

    if (world.current != NOBODY && runs(world.current))
        fibers[count++] = world.current;
    for (int i = 0; i < world.fiber_count; i++)
        if (i != world.current && runs(i))
            fibers[count++] = i;
    return count;
}

/* Makes the next decision: the recorded one, or the first of a new one. */
static int choose(const int fibers[FIBERS_MAX], unsigned count)
{
    struct choice *choice = &world.choices[world.choices_made];

    if (count == 1)
        return fibers[0];
    if (world.choices_made == CHOICES_MAX)
        explore_fail(__FILE__, __LINE__, "too many choices");
    if (world.choices_made == world.choice_count) {
        *choice = (struct choice){.count = (unsigned char)count};
        world.choice_count++;
    }
    world.choices_made++;
    choice->fiber = (signed char)fibers[choice->taken];
    return fibers[choice->taken];
}

static void switch_to(int next)
{
    ucontext_t *from = &world.fibers[world.current].context;

    world.current = next;
    swapcontext(from, &world.fibers[next].context);
}

static bool is_private(const volatile void *object)
{
    for (unsigned i = 0; i < world.private_count; i++)
        if ((uintptr_t)object >= world.private_memory[i].start &&
            (uintptr_t)object < world.private_memory[i].end)
            return true;
    return false;
}

void explore_point(const volatile void *object)
{
    int fibers[FIBERS_MAX], next;

    if (world.current == NOBODY)
        return;
    if (world.hook)
        world.hook(object);
    if (is_private(object))
        return;
    if (++world.points > POINTS_MAX)
        explore_fail(__FILE__, __LINE__, "runs without end");
    if (world.preemptions == world.preemptions_max)
        return;
    next = choose(fibers, runnable(fibers));
    if (next == world.current)
        return;
    world.preemptions++;
    switch_to(next);
}

void explore_await(const uint64_t *word)
{
    struct fiber *fiber = &world.fibers[world.current];
    int fibers[FIBERS_MAX];

    explore_point(word);
    while (*word == 0) {
        unsigned count;

        fiber->awaits = word;
        count = runnable(fibers);
        if (count == 0)
            explore_fail(__FILE__, __LINE__, "waits, and nobody can run");
        switch_to(choose(fibers, count));
        fiber->awaits = NULL;
    }
}

void explore_private(const void *start, size_t bytes)
{
    if (world.private_count == PRIVATE_MAX)
        explore_fail(__FILE__, __LINE__, "too much private memory");
    world.private_memory[world.private_count].start = (uintptr_t)start;
    world.private_memory[world.private_count++].end = (uintptr_t)start + bytes;
}

void explore_hook(void (*hook)(const volatile void *object))
{
    world.hook = hook;
}

static void fiber_main(int number)
{
    struct fiber *fiber = &world.fibers[number];
    int fibers[FIBERS_MAX];
    unsigned count;

    fiber->run(fiber->argument);
    fiber->ended = true;
    count = runnable(fibers);
    if (count > 0)
        switch_to(choose(fibers, count));
    for (int i = 0; i < world.fiber_count; i++)
        if (!world.fibers[i].ended)
            explore_fail(__FILE__, __LINE__, "ends, and somebody waits");
    swapcontext(&fiber->context, &world.caller);
}

void explore_start(const char *name, void (*run)(void *), void *argument)
{
    struct fiber *fiber = &world.fibers[world.fiber_count];

    if (world.fiber_count == FIBERS_MAX)
        explore_fail(__FILE__, __LINE__, "too many fibers");
    fiber->name = name;
    fiber->run = run;
    fiber->argument = argument;
    fiber->awaits = NULL;
    fiber->ended = false;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = sizeof(fiber->stack);
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, (void (*)(void))(void *)fiber_main, 1,
                world.fiber_count++);
}

/* Runs one schedule to its end, on a stack that a failure may leave. */
static void run_schedule(const struct scenario *scenario)
{
    int fibers[FIBERS_MAX];

    world.fiber_count = 0;
    world.choices_made = 0;
    world.preemptions = 0;
    world.points = 0;
    world.private_count = 0;
    world.hook = NULL;
    world_reset();
    /* A failure outside of a fiber comes back here, or to the next one. */
    getcontext(&world.caller);
    if (world.failed)
        return;
    scenario->begin(scenario);
    world.current = choose(fibers, runnable(fibers));
    swapcontext(&world.caller, &world.fibers[world.current].context);
    world.current = NOBODY;
    if (world.failed)
        return;
    getcontext(&world.caller);
    if (world.failed)
        return;
    scenario->end();
    CHECK(world_leaks() == 0);
}

/* The next schedule in depth-first order; false when there is none. */
static bool next_schedule(void)
{
    while (world.choice_count > 0) {
        struct choice *last = &world.choices[world.choice_count - 1];

        if (++last->taken < last->count)
            return true;
        world.choice_count--;
    }
    return false;
}

static void print_schedule(void)
{
    fprintf(stderr, "%s\n  schedule:", world.failure);
    for (unsigned i = 0, same = 1; i < world.choices_made;
         i += same, same = 1) {
        while (i + same < world.choices_made &&
               world.choices[i + same].fiber == world.choices[i].fiber)
            same++;
        fprintf(stderr, " %s×%u",
                world.fibers[(int)world.choices[i].fiber].name, same);
    }
    fprintf(stderr, "\n");
}

bool explore(const struct scenario *scenario, uint64_t *ret_schedules)
{
    uint64_t schedules = 0;

    world.choice_count = 0;
    world.preemptions_max = scenario->preemptions;
    world.failed = false;
    do {
        schedules++;
        run_schedule(scenario);
    } while (!world.failed && next_schedule());
    if (world.failed)
        print_schedule();
    *ret_schedules = schedules;
    return !world.failed;
}
