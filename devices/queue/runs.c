#include "devices/queue/runs.h"

#include <assert.h>
#include <string.h>

static void remove_at(struct aw_runs *runs, unsigned place)
{
    runs->count--;
    if (place < runs->count)
        memmove(&runs->runs[place], &runs->runs[place + 1],
                (runs->count - place) * sizeof(runs->runs[0]));
}

static void insert_at(struct aw_runs *runs, unsigned place, struct aw_run run)
{
    assert(runs->count < AW_RUNS_MAX);
    if (place < runs->count)
        memmove(&runs->runs[place + 1], &runs->runs[place],
                (runs->count - place) * sizeof(runs->runs[0]));
    runs->runs[place] = run;
    runs->count++;
}

bool aw_runs_open(const struct aw_runs *runs)
{
    if (runs->held == 0)
        return runs->count < AW_RUNS_MAX;
    return runs->held < AW_RUNS_HELD_MAX && runs->count < AW_RUNS_MAX - 1;
}

void aw_runs_append(struct aw_runs *runs, uint64_t start, uint64_t count)
{
    assert(aw_runs_open(runs));
    insert_at(runs, runs->count,
              (struct aw_run){.start = start,
                              .end = start + count,
                              .count = count,
                              .state = AW_RUN_HELD});
    runs->held++;
}

static void split_at(struct aw_runs *runs, unsigned place, uint64_t count)
{
    struct aw_run *run = &runs->runs[place], rest = *run;

    rest.start += count;
    rest.count -= count;
    run->end = rest.start;
    run->count = count;
    insert_at(runs, place + 1, rest);
}

uint64_t aw_runs_reclaim(struct aw_runs *runs, uint64_t count,
                         uint64_t *ret_start)
{
    unsigned place = 0;
    struct aw_run *run;

    assert(aw_runs_open(runs));
    while (place < runs->count && runs->runs[place].state != AW_RUN_RETURNED)
        place++;
    if (place == runs->count)
        return 0;
    run = &runs->runs[place];
    if (count < run->count)
        split_at(runs, place, count);
    run->state = AW_RUN_HELD;
    runs->held++;
    runs->returned -= run->count;
    *ret_start = run->start;
    return run->count;
}

/* Returned frames must follow each other directly, since they are taken as one
 * claim; settled ones need not. */
static bool mergeable(const struct aw_run *run, const struct aw_run *next)
{
    if (run->state != next->state)
        return false;
    return run->state == AW_RUN_SETTLED || run->end == next->start;
}

static void merge_with_next(struct aw_runs *runs, unsigned place)
{
    struct aw_run *run = &runs->runs[place], *next = run + 1;

    if (place + 1 >= runs->count || !mergeable(run, next))
        return;
    run->end = next->end;
    run->count += next->count;
    for (int how = 0; how < AW_RUN_ENDS; how++)
        run->settled[how] += next->settled[how];
    remove_at(runs, place + 1);
}

static void let_go(struct aw_runs *runs, unsigned place,
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

/* From the newest on: what was claimed last is mostly what is settled first. No
 * two runs begin at the same frame, so the start alone tells which it is. */
static unsigned find_held(const struct aw_runs *runs, uint64_t start)
{
    unsigned place = runs->count - 1;

    while (runs->runs[place].start != start) {
        assert(place > 0);
        place--;
    }
    assert(runs->runs[place].state == AW_RUN_HELD);
    return place;
}

void aw_runs_settle(struct aw_runs *runs, uint64_t start, enum aw_run_end how)
{
    unsigned place = find_held(runs, start);

    runs->runs[place].settled[how] = runs->runs[place].count;
    let_go(runs, place, AW_RUN_SETTLED);
}

void aw_runs_return(struct aw_runs *runs, uint64_t start)
{
    let_go(runs, find_held(runs, start), AW_RUN_RETURNED);
}

void aw_runs_return_all(struct aw_runs *runs)
{
    unsigned place = runs->count;

    /* From the newest on: what merges lies at or behind `place`, or is the one
     * before it, which is then looked at next. */
    while (place > 0)
        if (runs->runs[--place].state == AW_RUN_HELD)
            let_go(runs, place, AW_RUN_RETURNED);
}

bool aw_runs_drop_only(struct aw_runs *runs, uint64_t start, uint64_t *ret_end)
{
    const struct aw_run *run = &runs->runs[0];

    if (runs->count != 1)
        return false;
    /* The caller holds a run, so this is it. */
    assert(run->state == AW_RUN_HELD && run->start == start);
    (void)start;
    *ret_end = run->end;
    runs->count = runs->held = 0;
    return true;
}

bool aw_runs_pop(struct aw_runs *runs, struct aw_run *ret_run)
{
    if (runs->count == 0 || runs->runs[0].state != AW_RUN_SETTLED)
        return false;
    *ret_run = runs->runs[0];
    remove_at(runs, 0);
    return true;
}
