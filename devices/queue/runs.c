#include "devices/queue/runs.h"

#include <assert.h>
#include <string.h>

static void remove_at(struct aw_runs *runs, unsigned place)
{
    runs->count--;
    memmove(&runs->runs[place], &runs->runs[place + 1],
            (runs->count - place) * sizeof(runs->runs[0]));
}

static void insert_at(struct aw_runs *runs, unsigned place, struct aw_run run)
{
    assert(runs->count < AW_RUNS_MAX);
    memmove(&runs->runs[place + 1], &runs->runs[place],
            (runs->count - place) * sizeof(runs->runs[0]));
    runs->runs[place] = run;
    runs->count++;
}

bool aw_runs_append(struct aw_runs *runs, uint64_t start, uint64_t count)
{
    if (runs->held == AW_RUNS_HELD_MAX)
        return false;
    insert_at(runs, runs->count,
              (struct aw_run){start, start + count, count, AW_RUN_HELD});
    runs->held++;
    return true;
}

uint64_t aw_runs_reclaim(struct aw_runs *runs, uint64_t count,
                         uint64_t *ret_start)
{
    unsigned place = 0;
    struct aw_run *run;

    while (place < runs->count && runs->runs[place].state != AW_RUN_RETURNED)
        place++;
    if (place == runs->count || runs->held == AW_RUNS_HELD_MAX)
        return 0;
    run = &runs->runs[place];
    if (count > run->count)
        count = run->count;
    *ret_start = run->start;
    if (count < run->count) {
        struct aw_run rest = *run;

        rest.start += count;
        rest.count -= count;
        run->end = rest.start;
        run->count = count;
        insert_at(runs, place + 1, rest);
    }
    run->state = AW_RUN_HELD;
    runs->held++;
    runs->returned -= count;
    return count;
}

/* Neighbours in one state become one run. Returned frames must follow each
 * other directly, since they are taken as one; settled ones need not. */
static void merge_with_next(struct aw_runs *runs, unsigned place)
{
    struct aw_run *run = &runs->runs[place], *next = run + 1;

    if (place + 1 >= runs->count || run->state != next->state ||
        run->state == AW_RUN_HELD ||
        (run->state == AW_RUN_RETURNED && run->end != next->start))
        return;
    run->end = next->end;
    run->count += next->count;
    remove_at(runs, place + 1);
}

static void settle_at(struct aw_runs *runs, unsigned place,
                      enum aw_run_state state)
{
    runs->runs[place].state = state;
    runs->held--;
    if (state == AW_RUN_RETURNED)
        runs->returned += runs->runs[place].count;
    merge_with_next(runs, place);
    if (place > 0)
        merge_with_next(runs, place - 1);
}

void aw_runs_settle(struct aw_runs *runs, uint64_t start,
                    enum aw_run_state state)
{
    unsigned place = 0;

    while (place < runs->count && (runs->runs[place].state != AW_RUN_HELD ||
                                   runs->runs[place].start != start))
        place++;
    assert(place < runs->count);
    settle_at(runs, place, state);
}

void aw_runs_return_all(struct aw_runs *runs)
{
    unsigned place = 0;

    while (runs->held > 0) {
        if (runs->runs[place].state == AW_RUN_HELD) {
            settle_at(runs, place, AW_RUN_RETURNED);
            place = 0;
        } else {
            place++;
        }
    }
}

bool aw_runs_pop(struct aw_runs *runs, struct aw_run *ret_run)
{
    if (runs->count == 0 || runs->runs[0].state < AW_RUN_DELIVERED)
        return false;
    *ret_run = runs->runs[0];
    remove_at(runs, 0);
    return true;
}
