/* A list of runs that is as good as full, long before too many are held. */
#include "devices/queue/runs.h"
#include "tests/support/unit.h"

/* Returned runs that do not follow each other directly stay apart. */
static void test_runs_list_almost_full_with_one_held_refuses_more(void **state)
{
    static struct aw_runs runs;
    uint64_t start = 0, again;

    (void)state;
    aw_runs_append(&runs, start, 1);
    while (aw_runs_open(&runs)) {
        start += 2;
        aw_runs_append(&runs, start, 1);
        aw_runs_return(&runs, start);
    }
    assert_int_equal(runs.held, 1);
    assert_int_equal(runs.count, AW_RUNS_MAX - 1);
    /* Once nothing is held there is one place more. */
    aw_runs_return(&runs, 0);
    assert_true(aw_runs_open(&runs));
    assert_int_equal(aw_runs_reclaim(&runs, 1, &again), 1);
    assert_int_equal(again, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_list_almost_full_with_one_held_refuses_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
