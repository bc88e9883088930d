/* explore [--planted] [SCENARIO…]: explores the scenarios, all by default.
 * With --planted the program holds a bug on purpose, and it succeeds if one of
 * the scenarios finds it. */
#include <stdio.h>
#include <string.h>

#include "tests/explore/explore.h"

static const struct scenario *const lists[] = {
    scenarios_queue,
    scenarios_evict,
    scenarios_wait,
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

static void explore_list(const struct scenario *list, char **names,
                         struct tally *tally)
{
    for (; list->name; list++) {
        uint64_t schedules;

        if (!wanted(list->name, names))
            continue;
        tally->scenarios++;
        if (!explore(list, &schedules))
            tally->failures++;
        tally->schedules += schedules;
        printf("%-24s %9llu interleavings, at most %u pre-emptions\n",
               list->name, (unsigned long long)schedules, list->preemptions);
        fflush(stdout);
    }
}

int main(int argument_count, char **arguments)
{
    bool planted =
        argument_count > 1 && strcmp(arguments[1], "--planted") == 0;
    struct tally tally = {0};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        explore_list(lists[i], arguments + 1 + planted, &tally);
    printf("%u scenarios, %llu interleavings, %u failed%s\n", tally.scenarios,
           (unsigned long long)tally.schedules, tally.failures,
           planted ? " (a bug is planted)" : "");
    if (tally.scenarios == 0)
        return 64;
    return (tally.failures > 0) == planted ? 0 : 1;
}
