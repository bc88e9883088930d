/* explore [--planted] [SCENARIO…]: explores the scenarios, all by default.
 * With --planted the program holds a bug on purpose, and it succeeds if one of
 * the scenarios finds it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/explore/explore.h"

static const struct scenario *const lists[] = {
    scenarios_queue, scenarios_evict, scenarios_latest,  scenarios_peer,
    scenarios_wait,  scenarios_count, scenarios_succeed,
};

static bool wanted(const char *name, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

struct tally {
    uint64_t schedules;
    unsigned scenarios, failures;
};

static int status_of_failure = 1;

/* A crash is a failure too. */
static void crashed(int signal_number)
{
    static const char text[] = "crashed\n";

    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(1);
    _exit(status_of_failure);
}

static void explore_one(const struct scenario *scenario, struct tally *tally)
{
    uint64_t schedules;

    tally->scenarios++;
    if (!explore(scenario, &schedules))
        tally->failures++;
    tally->schedules += schedules;
    printf("%-24s %9llu interleavings, at most %u pre-emptions\n",
           scenario->name, (unsigned long long)schedules,
           scenario->preemptions);
    fflush(stdout);
}

/* Where a bug is planted one failure is enough. */
static void explore_list(const struct scenario *list, char **names,
                         bool planted, struct tally *tally)
{
    for (; list->name; list++)
        if ((!planted || tally->failures == 0) && wanted(list->name, names))
            explore_one(list, tally);
}

int main(int argument_count, char **arguments)
{
    bool planted = argument_count > 1 && strcmp(arguments[1], "--planted") == 0;
    struct tally tally = {0};

    status_of_failure = planted ? 0 : 1;
    signal(SIGSEGV, crashed);
    signal(SIGABRT, crashed);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        explore_list(lists[i], arguments + 1 + planted, planted, &tally);
    printf("%u scenarios, %llu interleavings, %u failed%s\n", tally.scenarios,
           (unsigned long long)tally.schedules, tally.failures,
           planted ? " (a bug is planted)" : "");
    if (tally.scenarios == 0)
        return 64;
    return tally.failures > 0 ? status_of_failure : !status_of_failure;
}
