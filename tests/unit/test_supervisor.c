/* The supervisor's policies: when a script that has ended is started again. */
#include <math.h>

#include "tests/support/supervisor_rig.h"

static const struct aw_supervision on_failure = {
    .restart = AW_RESTART_ON_FAILURE,
    .delay_s = 0.5,
    .limit = 5,
    .interval_s = 60,
};

static struct aw_supervision with_limit(unsigned limit, double interval_s)
{
    struct aw_supervision policy = on_failure;

    policy.limit = limit;
    policy.interval_s = interval_s;
    return policy;
}

static struct aw_supervision with_restart(enum aw_restart restart)
{
    struct aw_supervision policy = on_failure;

    policy.restart = restart;
    return policy;
}

static void assert_near(double value, double wanted)
{
    assert_true(fabs(value - wanted) < 1e-6);
}

/* The version that runs fails, and waits for so long. */
static void fail_and_wait(uint64_t generation, double seconds)
{
    rig_ended(generation, 1, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_BACKING_OFF);
    assert_near(rig_status(0).wait_s, seconds);
    rig_expect_nothing();
    fake_loop_advance(seconds - 1e-3);
    rig_expect_nothing();
    fake_loop_advance(2e-3);
    rig_expect(CALL_START, generation + 1, AW_HOST_RESTART);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
}

/* ---- what is restarted ---- */

static void test_supervisor_no_restart_wanted_fails_for_good(void **state)
{
    (void)state;
    rig_begin(1, with_restart(AW_RESTART_NO));
    rig_ended(1, 3, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 3);
    assert_int_equal(rig.idle, 1);
    rig_expect(CALL_DROP, 0, 0);
    fake_loop_advance(1000);
    rig_expect_nothing();
}

static void test_supervisor_on_failure_good_end_is_the_end(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_ended(1, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
    assert_int_equal(rig.idle, 1);
}

static void test_supervisor_always_good_end_is_restarted(void **state)
{
    (void)state;
    rig_begin(1, with_restart(AW_RESTART_ALWAYS));
    rig_ended(1, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_BACKING_OFF);
    assert_int_equal(rig.idle, 0);
}

/* ---- back-off ---- */

static void test_supervisor_delay_doubles_up_to_30_s(void **state)
{
    static const double delays[] = {0.5, 1, 2, 4, 8, 16, 30, 30};

    (void)state;
    rig_begin(1, with_limit(0, 1000));
    for (uint64_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
        fail_and_wait(i + 1, delays[i]);
    assert_int_equal(rig_status(0).restarts, 8);
}

static void test_supervisor_delay_is_within_10_percent(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_random = 0;
    fail_and_wait(1, 0.45);
    rig_random = 1;
    fail_and_wait(2, 1.1);
    /* What was added by chance is not doubled. */
    rig_random = 0.5;
    fail_and_wait(3, 2);
}

static void test_supervisor_healthy_run_begins_anew(void **state)
{
    (void)state;
    rig_begin(1, with_limit(2, 60));
    fail_and_wait(1, 0.5);
    fail_and_wait(2, 1);
    fake_loop_advance(60);
    rig_expect(CALL_DROP, 3, 0);
    fail_and_wait(3, 0.5);
    fail_and_wait(4, 1);
}

static void test_supervisor_run_that_is_almost_healthy_does_not(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    fail_and_wait(1, 0.5);
    fake_loop_advance(59.9);
    rig_expect(CALL_DROP, 2, 0);
    fail_and_wait(2, 1);
}

/* ---- the limit ---- */

static void test_supervisor_limit_is_reached_fails(void **state)
{
    (void)state;
    rig_begin(1, with_limit(3, 60));
    fail_and_wait(1, 0.5);
    fail_and_wait(2, 1);
    fail_and_wait(3, 2);
    rig_ended(4, 7, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    assert_int_equal(rig_status(0).exit_status, 7);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 7);
    assert_int_equal(rig.idle, 1);
    rig_expect(CALL_DROP, 0, 0);
    fake_loop_advance(1000);
    rig_expect_nothing();
}

static void test_supervisor_limit_of_good_ends_fails_with_1(void **state)
{
    (void)state;
    rig_begin(1, with_restart(AW_RESTART_ALWAYS));
    for (uint64_t i = 1; i <= 6; i++) {
        assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
        rig_ended(i, 0, "");
        /* Its delays are 0.5 to 8 s. */
        fake_loop_advance(9);
    }
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 1);
}

static void test_supervisor_limit_counts_within_the_interval(void **state)
{
    (void)state;
    rig_begin(1, with_limit(2, 10));
    fail_and_wait(1, 0.5);
    fail_and_wait(2, 1);
    fake_loop_advance(9);
    rig_expect(CALL_DROP, 3, 0);
    /* 10.5 s after the first. */
    fail_and_wait(3, 2);
    fail_and_wait(4, 4);
    rig_ended(5, 1, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
}

/* ---- queues ---- */

static void test_supervisor_restarted_may_inherit_for_a_while(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    fail_and_wait(1, 0.5);
    fake_loop_advance(1.9);
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig_expect(CALL_DROP, 2, 0);
}

static void test_supervisor_fails_again_keeps_what_was_left(void **state)
{
    (void)state;
    rig_begin(1, with_limit(0, 60));
    fail_and_wait(1, 0.5);
    fail_and_wait(2, 1);
    rig_ended(3, 1, "");
    /* It waits for 2 s, and then has 2 s of its own. */
    fake_loop_advance(1.9);
    rig_expect_nothing();
}

/* ---- several ---- */

static void test_supervisor_last_script_ends_is_idle(void **state)
{
    (void)state;
    rig_begin(2, on_failure);
    rig_ended(1, 0, "");
    assert_int_equal(rig.idle, 0);
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED, .script = 1, .generation = 1});
    assert_int_equal(rig.idle, 1);
}

static void test_supervisor_other_one_waits_is_not_idle(void **state)
{
    (void)state;
    rig_begin(2, on_failure);
    rig_event((struct aw_host_event){.kind = AW_HOST_SCRIPT_ENDED,
                                     .script = 1,
                                     .generation = 1,
                                     .status = 1});
    rig_ended(1, 0, "");
    assert_int_equal(rig.idle, 0);
}

/* ---- another configuration ---- */

static void test_supervisor_add_starts_it(void **state)
{
    const struct aw_host_script script = {.name = "c", .path = "c.py"};

    (void)state;
    rig_begin(1, on_failure);
    assert_int_equal(aw_supervisor_add(rig.supervisor, &script, &on_failure, 1),
                     1);
    rig_expect_call((struct call){CALL_CONFIGURE, 1, 0, 0, false});
    rig_expect_call((struct call){CALL_START, 1, 1, AW_HOST_START, false});
    assert_string_equal(rig_status(1).name, "c");
    assert_int_equal(aw_supervisor_find(rig.supervisor, "c"), 1);
}

static void test_supervisor_removed_place_is_taken_again(void **state)
{
    const struct aw_host_script script = {.name = "c", .path = "c.py"};

    (void)state;
    rig_begin(2, on_failure);
    aw_supervisor_remove(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_STOP);
    assert_int_equal(aw_supervisor_find(rig.supervisor, "a"), -ENOENT);
    assert_int_equal(rig.answer_count, 0);
    rig_cancelled(1);
    rig_assert_answer(0, 0, "");
    assert_string_equal(rig.answers[0].script, "a");
    rig.taken = rig.call_count - 1;
    rig_expect(CALL_REMOVE, 0, 0);
    assert_int_equal(aw_supervisor_add(rig.supervisor, &script, &on_failure, 1),
                     0);
    rig_expect(CALL_CONFIGURE, 0, 0);
    /* Nothing that is still said of generation 1 is of this one. */
    rig_expect(CALL_START, 2, AW_HOST_START);
    rig_ended(1, 1, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
    assert_int_equal(rig.idle, 0);
}

static void test_supervisor_removed_does_not_end_is_kept(void **state)
{
    (void)state;
    rig_begin(2, on_failure);
    aw_supervisor_remove(rig.supervisor, 0, rig_replied, NULL);
    fake_loop_advance(11);
    rig_assert_answer(0, -ETIMEDOUT, "has not ended within 10 s");
    assert_false(aw_supervisor_has(rig.supervisor, 0));
    rig_cancelled(1);
    rig.taken = rig.call_count - 1;
    rig_expect(CALL_REMOVE, 0, 0);
}

static void test_supervisor_removed_while_it_waits_leaves_no_timer(void **state)
{
    (void)state;
    rig_begin(2, on_failure);
    fail_and_wait(1, 0.5);
    rig_ended(2, 1, ""); /* sooner than reload_settle_s */
    aw_supervisor_remove(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "");
    rig.taken = rig.call_count;
    fake_loop_advance(10);
    rig_expect_nothing();
}

static void test_supervisor_configure_another_policy_holds(void **state)
{
    const struct aw_host_script script = {.name = "a", .path = "a.py"};

    (void)state;
    rig_begin(1, with_restart(AW_RESTART_NO));
    aw_supervisor_configure(rig.supervisor, 0, &script, &on_failure, 1);
    rig_expect(CALL_CONFIGURE, 0, 0);
    fail_and_wait(1, 0.5);
}

static void test_supervisor_given_up_is_asked_again_by_the_next(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    fake_loop_advance(10.1);
    rig_assert_answer(0, -ETIMEDOUT, "has not ended within 10 s");
    rig.taken = rig.call_count;
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(1, -EBUSY, "asked to end");
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RESTART);
    fake_loop_advance(10.1);
    rig_assert_answer(2, -ETIMEDOUT, "has not ended within 10 s");
    /* The file may change once more before it does end. */
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(3, -EBUSY, "asked to end");
}

static void test_supervisor_given_up_does_not_keep_what_was_left(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    fail_and_wait(1, 0.5);
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 2, AW_HOST_WHY_STOP);
    fake_loop_advance(4.9); /* longer than it would have had to inherit */
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig.taken = rig.call_count;
    fake_loop_advance(5);
    rig_expect(CALL_DUMP, 0, 0);
    rig_expect(CALL_DROP, 2, 0);
}

static void test_supervisor_last_to_stay_is_removed_is_idle(void **state)
{
    (void)state;
    rig_begin(2, with_restart(AW_RESTART_NO));
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED, .script = 1, .generation = 1});
    aw_supervisor_remove(rig.supervisor, 0, rig_replied, NULL);
    assert_int_equal(rig.idle, 0);
    rig_cancelled(1);
    assert_true(rig.idle > 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_supervisor_no_restart_wanted_fails_for_good),
        TEST(test_supervisor_on_failure_good_end_is_the_end),
        TEST(test_supervisor_always_good_end_is_restarted),
        TEST(test_supervisor_delay_doubles_up_to_30_s),
        TEST(test_supervisor_delay_is_within_10_percent),
        TEST(test_supervisor_healthy_run_begins_anew),
        TEST(test_supervisor_run_that_is_almost_healthy_does_not),
        TEST(test_supervisor_limit_is_reached_fails),
        TEST(test_supervisor_limit_of_good_ends_fails_with_1),
        TEST(test_supervisor_limit_counts_within_the_interval),
        TEST(test_supervisor_restarted_may_inherit_for_a_while),
        TEST(test_supervisor_fails_again_keeps_what_was_left),
        TEST(test_supervisor_last_script_ends_is_idle),
        TEST(test_supervisor_other_one_waits_is_not_idle),
        TEST(test_supervisor_add_starts_it),
        TEST(test_supervisor_removed_place_is_taken_again),
        TEST(test_supervisor_removed_does_not_end_is_kept),
        TEST(test_supervisor_removed_while_it_waits_leaves_no_timer),
        TEST(test_supervisor_configure_another_policy_holds),
        TEST(test_supervisor_given_up_is_asked_again_by_the_next),
        TEST(test_supervisor_given_up_does_not_keep_what_was_left),
        TEST(test_supervisor_last_to_stay_is_removed_is_idle),
    };

    return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
