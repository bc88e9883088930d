/* Scripts that somebody ends: a stop, a restart, a round that parks them, and
 * the daemon's own end. */
#include "tests/support/supervisor_rig.h"

static const struct aw_supervision on_failure = {
    .restart = AW_RESTART_ON_FAILURE,
    .delay_s = 0.5,
    .limit = 5,
    .interval_s = 60,
};

/* ---- stop and restart ---- */

static void test_supervisor_stop_of_one_that_waits_stays(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_ended(1, 1, "");
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "");
    fake_loop_advance(100);
    rig_expect(CALL_DROP, 0, 0);
    rig_expect_nothing();
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
    /* The daemon goes on: somebody may want it again. */
    assert_int_equal(rig.idle, 0);
}

static void test_supervisor_restart_is_no_failure(void **state)
{
    struct aw_supervision policy = on_failure;

    (void)state;
    policy.limit = 1;
    rig_begin(1, policy);
    for (uint64_t i = 1; i <= 5; i++) {
        aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
        rig_expect(CALL_CANCEL, i, AW_HOST_WHY_RESTART);
        rig_cancelled(i);
        rig_expect(CALL_START, i + 1, AW_HOST_RESTART);
        rig_assert_answer(i - 1, 0, "");
    }
    assert_int_equal(rig_status(0).restarts, 0);
}

/* ---- the daemon's own end ---- */

static void test_supervisor_ends_all_starts_nothing_more(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_ended(1, 1, "");
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_expect(CALL_DROP, 0, 0);
    fake_loop_advance(100);
    rig_expect_nothing();
    assert_int_equal(rig.idle, 1);
}

static void test_supervisor_ends_all_leaves_those_that_are_ending(void **state)
{
    (void)state;
    rig_begin(2, on_failure);
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_STOP);
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_expect_call((struct call){CALL_CANCEL, 1, 1, AW_HOST_WHY_STOP, false});
    rig_expect_nothing();
    rig_assert_answer(0, -ECANCELED, "stopping");
    /* The runtime's own grace, from here on. */
    fake_loop_advance(100);
    rig_expect_nothing();
    aw_supervisor_end_all(rig.supervisor, 15, true);
    rig_expect_call((struct call){CALL_CANCEL, 0, 1, AW_HOST_WHY_STOP, true});
    rig_expect_call((struct call){CALL_CANCEL, 1, 1, AW_HOST_WHY_STOP, true});
}

static void test_supervisor_ends_all_asks_one_that_was_given_up(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    fake_loop_advance(10.1);
    rig_assert_answer(0, -ETIMEDOUT, "has not ended within 10 s");
    rig.taken = rig.call_count;
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_STOP);
}

static void test_supervisor_closed_refuses_who_asks(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_ended(1, 0, "");
    assert_int_equal(rig.idle, 1);
    aw_supervisor_close(rig.supervisor);
    rig.taken = rig.call_count;
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    aw_supervisor_reload(rig.supervisor, 0, rig_replied, NULL);
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    assert_int_equal(rig.answer_count, 4);
    for (size_t i = 0; i < 4; i++)
        rig_assert_answer(i, -ECANCELED, "the daemon is stopping");
    fake_loop_advance(100);
    rig_expect_nothing();
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
}

static void test_supervisor_closed_answers_who_waits(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RESTART);
    aw_supervisor_close(rig.supervisor);
    rig_assert_answer(0, -ECANCELED, "the daemon is stopping");
    rig_cancelled(1);
    rig_expect(CALL_DROP, 0, 0);
    rig_expect_nothing();
    assert_int_equal(fake_loop_timers(), 0);
}

/* ---- parked ---- */

static void
test_supervisor_what_was_left_for_a_stopped_one_is_dropped(void **state)
{
    struct aw_supervision policy = on_failure;

    (void)state;
    policy.restart = AW_RESTART_NO;
    rig_begin(1, policy);
    aw_supervisor_park(rig.supervisor, 0, NULL, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RESTART);
    rig_cancelled(1);
    rig_expect_nothing();
    aw_supervisor_stop(rig.supervisor, 0, NULL, NULL);
    rig_expect(CALL_DROP, 0, 0);
}

static void test_supervisor_parked_waits_for_its_restart(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    /* Its queues are to stay. */
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RESTART);
    rig_cancelled(1);
    rig_assert_answer(0, 0, "");
    fake_loop_advance(100);
    rig_expect_nothing();
    assert_int_equal(rig.idle, 0);
    aw_supervisor_restart(rig.supervisor, 0, NULL, NULL);
    rig_expect(CALL_START, 2, AW_HOST_RESTART);
}

static void test_supervisor_parked_while_it_waits_stays(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    rig_ended(1, 1, "");
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "");
    fake_loop_advance(100);
    rig_expect_nothing();
    assert_int_equal(rig.idle, 0);
}

static void test_supervisor_stopped_while_it_is_parked_stays(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_park(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    assert_false(aw_supervisor_is_stopped(rig.supervisor, 0));
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "");
    assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
    assert_int_equal(rig.idle, 0);
    aw_supervisor_restart(rig.supervisor, 0, NULL, NULL);
    assert_false(aw_supervisor_is_stopped(rig.supervisor, 0));
}

static void
test_supervisor_stopped_on_its_way_to_be_parked_both_are_told(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RESTART);
    assert_false(aw_supervisor_is_stopped(rig.supervisor, 0));
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_TELL, 1, AW_HOST_WHY_STOP); /* it is ending already */
    rig_expect_nothing();
    assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
    assert_int_equal(rig.answer_count, 0);
    rig_cancelled(1);
    rig_expect(CALL_DROP, 0, 0);
    rig_expect_nothing();
    rig_assert_answer(0, 0, "");
    rig_assert_answer(1, 0, "");
    assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
}

static void test_supervisor_parked_while_it_stops_is_stopped(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_STOP);
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    rig_expect_nothing();
    assert_int_equal(rig.answer_count, 0);
    rig_cancelled(1);
    rig_assert_answer(0, 0, "");
    rig_assert_answer(1, 0, "");
    assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
    /* And once it is: there is nothing to wait for. */
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(2, 0, "");
    assert_true(aw_supervisor_is_stopped(rig.supervisor, 0));
}

static void
test_supervisor_parked_while_a_stop_is_in_vain_is_asked(void **state)
{
    (void)state;
    rig_begin(1, on_failure);
    aw_supervisor_stop(rig.supervisor, 0, NULL, NULL);
    fake_loop_advance(10.1);
    rig.taken = rig.call_count;
    aw_supervisor_park(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_STOP);
    fake_loop_advance(10.1);
    rig_assert_answer(0, -ETIMEDOUT, "has not ended within 10 s");
}

#define TEST(name) cmocka_unit_test_teardown(name, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_supervisor_stop_of_one_that_waits_stays),
        TEST(test_supervisor_restart_is_no_failure),
        TEST(test_supervisor_ends_all_starts_nothing_more),
        TEST(test_supervisor_ends_all_leaves_those_that_are_ending),
        TEST(test_supervisor_ends_all_asks_one_that_was_given_up),
        TEST(test_supervisor_closed_refuses_who_asks),
        TEST(test_supervisor_closed_answers_who_waits),
        TEST(test_supervisor_what_was_left_for_a_stopped_one_is_dropped),
        TEST(test_supervisor_parked_waits_for_its_restart),
        TEST(test_supervisor_parked_while_it_waits_stays),
        TEST(test_supervisor_stopped_while_it_is_parked_stays),
        TEST(test_supervisor_stopped_on_its_way_to_be_parked_both_are_told),
        TEST(test_supervisor_parked_while_it_stops_is_stopped),
        TEST(test_supervisor_parked_while_a_stop_is_in_vain_is_asked),
    };

    return cmocka_run_group_tests_name("supervisor: ends", tests, NULL, NULL);
}
