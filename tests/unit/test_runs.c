#include "devices/queue/runs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/unit.h"

static int make(void **state)
{
    *state = calloc(1, sizeof(struct aw_runs));
    return *state ? 0 : -1;
}

static int unmake(void **state)
{
    free(*state);
    return 0;
}

static void assert_pop(struct aw_runs *runs, uint64_t end, uint64_t count)
{
    struct aw_run run;

    assert_true(aw_runs_pop(runs, &run));
    assert_int_equal(run.end, end);
    assert_int_equal(run.count, count);
}

static void assert_nothing_to_pop(struct aw_runs *runs)
{
    struct aw_run run;

    assert_false(aw_runs_pop(runs, &run));
}

static void assert_reclaim(struct aw_runs *runs, uint64_t count, uint64_t start,
                           uint64_t expected)
{
    uint64_t found = UINT64_MAX;

    assert_int_equal(aw_runs_reclaim(runs, count, &found), expected);
    assert_int_equal(found, start);
}

static void test_runs_delivered_leaves(void **state)
{
    struct aw_runs *runs = *state;
    struct aw_run run;

    aw_runs_append(runs, 5, 3);
    assert_nothing_to_pop(runs);
    aw_runs_settle(runs, 5, AW_RUN_DELIVERED);
    assert_true(aw_runs_pop(runs, &run));
    assert_int_equal(run.start, 5);
    assert_int_equal(run.end, 8);
    assert_int_equal(run.settled[AW_RUN_DELIVERED], 3);
    assert_int_equal(runs->held, 0);
    assert_nothing_to_pop(runs);
}

static void test_runs_later_waits_for_the_older(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 0, 2);
    aw_runs_append(runs, 2, 3);
    aw_runs_settle(runs, 2, AW_RUN_DELIVERED);
    assert_nothing_to_pop(runs);
    aw_runs_settle(runs, 0, AW_RUN_DELIVERED);
    assert_pop(runs, 5, 5);
}

static void test_runs_settled_in_several_ways_leave_as_one(void **state)
{
    struct aw_runs *runs = *state;
    struct aw_run run;

    for (uint64_t i = 0; i < 4; i++)
        aw_runs_append(runs, i * 10, 1 + i);
    aw_runs_settle(runs, 10, AW_RUN_CLEARED);
    aw_runs_settle(runs, 20, AW_RUN_CLOSED);
    aw_runs_settle(runs, 30, AW_RUN_DELIVERED);
    aw_runs_settle(runs, 0, AW_RUN_DELIVERED);
    assert_true(aw_runs_pop(runs, &run));
    assert_int_equal(run.count, 10);
    assert_int_equal(run.settled[AW_RUN_DELIVERED], 5);
    assert_int_equal(run.settled[AW_RUN_CLEARED], 2);
    assert_int_equal(run.settled[AW_RUN_CLOSED], 3);
}

/* A lease is held while frames are taken and cleared in turn. */
static void test_runs_settled_in_turn_take_no_space(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 0, 1);
    for (uint64_t i = 1; i < 1000; i++) {
        aw_runs_append(runs, i, 1);
        aw_runs_settle(runs, i, i % 2 ? AW_RUN_DELIVERED : AW_RUN_CLEARED);
        assert_int_equal(runs->count, 2);
    }
}

static void test_runs_returned_is_taken_again(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 7, 3);
    aw_runs_return(runs, 7);
    assert_int_equal(runs->returned, 3);
    assert_int_equal(runs->held, 0);
    assert_reclaim(runs, 10, 7, 3);
    assert_int_equal(runs->returned, 0);
    assert_int_equal(runs->held, 1);
}

static void test_runs_returned_in_part_keeps_order(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 0, 5);
    aw_runs_return(runs, 0);
    assert_reclaim(runs, 2, 0, 2);
    assert_reclaim(runs, 2, 2, 2);
    assert_int_equal(runs->returned, 1);
    aw_runs_settle(runs, 2, AW_RUN_DELIVERED);
    aw_runs_return(runs, 0);
    assert_reclaim(runs, 5, 0, 2);
    assert_reclaim(runs, 5, 4, 1);
}

static void test_runs_returned_neighbours_are_taken_as_one(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 0, 2);
    aw_runs_append(runs, 2, 2);
    aw_runs_append(runs, 4, 2);
    aw_runs_return(runs, 0);
    aw_runs_return(runs, 4);
    aw_runs_return(runs, 2);
    assert_int_equal(runs->count, 1);
    assert_reclaim(runs, 10, 0, 6);
}

static void test_runs_returned_apart_stay_apart(void **state)
{
    struct aw_runs *runs = *state;

    aw_runs_append(runs, 0, 2);
    aw_runs_append(runs, 100, 2);
    aw_runs_return(runs, 0);
    aw_runs_return(runs, 100);
    assert_reclaim(runs, 10, 0, 2);
    assert_reclaim(runs, 10, 100, 2);
}

static void test_runs_none_returned_gives_none(void **state)
{
    struct aw_runs *runs = *state;
    uint64_t start;

    aw_runs_append(runs, 0, 2);
    assert_int_equal(aw_runs_reclaim(runs, 1, &start), 0);
}

static void test_runs_return_all_returns_what_is_held(void **state)
{
    struct aw_runs *runs = *state;

    for (uint64_t i = 0; i < 6; i++)
        aw_runs_append(runs, i, 1);
    aw_runs_settle(runs, 2, AW_RUN_DELIVERED);
    aw_runs_return(runs, 4);
    aw_runs_return_all(runs);
    assert_int_equal(runs->held, 0);
    assert_int_equal(runs->returned, 5);
    assert_int_equal(runs->count, 3);
}

static void test_runs_32_held_are_enough(void **state)
{
    struct aw_runs *runs = *state;

    for (uint64_t i = 0; i < AW_RUNS_HELD_MAX; i++) {
        assert_true(aw_runs_open(runs));
        aw_runs_append(runs, i, 1);
    }
    assert_false(aw_runs_open(runs));
    aw_runs_settle(runs, 31, AW_RUN_DELIVERED);
    assert_true(aw_runs_open(runs));
}

static void test_runs_32_held_leave_in_any_order(void **state)
{
    struct aw_runs *runs = *state;

    for (uint64_t i = 0; i < AW_RUNS_HELD_MAX; i++)
        aw_runs_append(runs, i, 1);
    for (uint64_t i = AW_RUNS_HELD_MAX - 1; i > 0; i--)
        aw_runs_settle(runs, i, AW_RUN_DELIVERED);
    assert_nothing_to_pop(runs);
    aw_runs_settle(runs, 0, AW_RUN_DELIVERED);
    assert_pop(runs, AW_RUNS_HELD_MAX, AW_RUNS_HELD_MAX);
}

/* Every second frame returned, as often as can be: the list refuses before it
 * is full, and is open again when nothing is held. */
static void test_runs_scattered_never_overflow(void **state)
{
    struct aw_runs *runs = *state;
    uint64_t next = 0;

    for (int round = 0; round < 200; round++) {
        uint64_t starts[AW_RUNS_HELD_MAX];
        unsigned held = 0;

        while (aw_runs_open(runs)) {
            if (aw_runs_reclaim(runs, 1, &starts[held]) == 0) {
                aw_runs_append(runs, next, 100);
                starts[held] = next;
                next += 200;
            }
            held++;
        }
        for (unsigned i = 0; i < held; i++)
            if (i % 2)
                aw_runs_settle(runs, starts[i], AW_RUN_DELIVERED);
            else
                aw_runs_return(runs, starts[i]);
        assert_true(aw_runs_open(runs));
        assert_true(runs->count < AW_RUNS_MAX);
    }
}

/* ---- against a model that knows each frame ---- */

#define FRAMES 20000u

struct model {
    unsigned char states[FRAMES]; /* 0: never claimed, 1: held, ... */
    uint64_t next, popped;
    struct {
        uint64_t start, count;
    } held[AW_RUNS_HELD_MAX];
    unsigned held_count;
    uint64_t random;
};

enum { HELD = 1, RETURNED, SETTLED, GONE };

static uint64_t roll(struct model *model, uint64_t sides)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (model->random >> 33) % sides;
}

static void mark(struct model *model, uint64_t start, uint64_t count, int from,
                 int to)
{
    for (uint64_t i = start; i < start + count; i++) {
        assert_int_equal(model->states[i], from);
        model->states[i] = (unsigned char)to;
    }
}

static void claim_some(struct model *model, struct aw_runs *runs)
{
    uint64_t count = 1 + roll(model, 5), start = model->next;

    if (runs->returned > 0) {
        count = aw_runs_reclaim(runs, count, &start);
        for (uint64_t i = 0; i < start; i++)
            assert_int_not_equal(model->states[i], RETURNED);
        mark(model, start, count, RETURNED, HELD);
    } else {
        aw_runs_append(runs, start, count);
        model->next += count + roll(model, 2);
        mark(model, start, count, 0, HELD);
    }
    model->held[model->held_count].start = start;
    model->held[model->held_count++].count = count;
}

static void let_one_go(struct model *model, struct aw_runs *runs)
{
    unsigned which = (unsigned)roll(model, model->held_count);
    uint64_t start = model->held[which].start;
    uint64_t count = model->held[which].count;

    if (roll(model, 2)) {
        aw_runs_return(runs, start);
        mark(model, start, count, HELD, RETURNED);
    } else {
        aw_runs_settle(runs, start, (enum aw_run_end)roll(model, AW_RUN_ENDS));
        mark(model, start, count, HELD, SETTLED);
    }
    model->held[which] = model->held[--model->held_count];
}

static void pop_some(struct model *model, struct aw_runs *runs)
{
    struct aw_run run;

    while (aw_runs_pop(runs, &run)) {
        uint64_t count = 0;

        for (; model->popped < run.end; model->popped++) {
            assert_true(model->states[model->popped] == 0 ||
                        model->states[model->popped] == SETTLED);
            count += model->states[model->popped] == SETTLED;
            model->states[model->popped] = GONE;
        }
        assert_int_equal(run.count, count);
        assert_int_equal(run.settled[0] + run.settled[1] + run.settled[2],
                         count);
    }
}

static void test_runs_at_random_agree_with_a_model(void **state)
{
    struct aw_runs *runs = *state;
    struct model *model = calloc(1, sizeof(*model));
    const uint64_t seed = 20260;

    printf("seed %" PRIu64 "\n", seed);
    model->random = seed;
    while (model->next < FRAMES - 10) {
        if (aw_runs_open(runs) && roll(model, 2))
            claim_some(model, runs);
        else if (model->held_count > 0)
            let_one_go(model, runs);
        pop_some(model, runs);
        assert_int_equal(runs->held, model->held_count);
    }
    free(model);
}

#define RUNS_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUNS_TEST(test_runs_delivered_leaves),
        RUNS_TEST(test_runs_later_waits_for_the_older),
        RUNS_TEST(test_runs_settled_in_several_ways_leave_as_one),
        RUNS_TEST(test_runs_settled_in_turn_take_no_space),
        RUNS_TEST(test_runs_returned_is_taken_again),
        RUNS_TEST(test_runs_returned_in_part_keeps_order),
        RUNS_TEST(test_runs_returned_neighbours_are_taken_as_one),
        RUNS_TEST(test_runs_returned_apart_stay_apart),
        RUNS_TEST(test_runs_none_returned_gives_none),
        RUNS_TEST(test_runs_return_all_returns_what_is_held),
        RUNS_TEST(test_runs_32_held_are_enough),
        RUNS_TEST(test_runs_32_held_leave_in_any_order),
        RUNS_TEST(test_runs_scattered_never_overflow),
        RUNS_TEST(test_runs_at_random_agree_with_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
