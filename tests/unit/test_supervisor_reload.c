/* A reload, from every step to every other. */
#include "tests/support/supervisor_rig.h"

/* ---- the way of one that succeeds ---- */

static void test_reload_new_version_goes_on_only_behind_the_old(void **state)
{
    (void)state;
    rig_hold();
    fake_loop_advance(4.9);
    rig_expect_nothing(); /* not admitted: the old one has not ended */
    assert_int_equal(rig_status(0).generation, 1);
    rig_cancelled(1);
    rig_expect(CALL_ADMIT, 2, 0);
    assert_int_equal(rig_status(0).generation, 2);
    assert_int_equal(rig.answer_count, 0);
}

static void test_reload_has_lasted_is_answered(void **state)
{
    (void)state;
    rig_admit();
    fake_loop_advance(1.9);
    assert_int_equal(rig.answer_count, 0);
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig_assert_answer(0, 0, "");
    assert_int_equal(rig.answers[0].generation, 2);
    rig_expect(CALL_DROP, 2, 0);
    assert_int_equal(rig_status(0).reloads, 1);
    assert_false(rig_status(0).reloading);
    fake_loop_advance(100);
    rig_expect_nothing();
}

static void test_reload_of_one_that_does_not_run_starts_it(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_stop(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    rig.taken = rig.call_count;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_held(2);
    rig_expect(CALL_ADMIT, 2, 0);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
}

/* ---- before the hold ---- */

static void test_reload_fails_before_its_hold_leaves_the_old(void **state)
{
    (void)state;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_ended(2, 1, "a.py:2: ZeroDivisionError");
    rig_assert_answer(0, -EINVAL, "a.py:2: ZeroDivisionError");
    rig_expect_nothing();
    assert_int_equal(rig_status(0).generation, 1);
    assert_int_equal(rig_status(0).failed_reloads, 1);
    assert_true(rig_status(0).reload_failed);
    fake_loop_advance(100);
    rig_expect_nothing();
}

/* A version, generation 2, that does not come to its hold. */
static void fail_first(void)
{
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_ended(2, 1, "a.py:2: ZeroDivisionError");
    assert_true(rig_status(0).reload_failed);
}

static void test_reload_succeeds_behind_a_failure_makes_it_good(void **state)
{
    (void)state;
    fail_first();
    rig_reload();
    rig_expect(CALL_START, 3, AW_HOST_RELOAD);
    rig_held(3);
    rig_cancelled(1);
    assert_true(rig_status(0).reload_failed); /* not yet */
    fake_loop_advance(2.1);
    assert_false(rig_status(0).reload_failed);
}

static void test_reload_unchanged_behind_a_failure_makes_it_good(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    fail_first();
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED, .generation = 3, .unchanged = true});
    assert_false(rig_status(0).reload_failed);
}

static void test_reload_failure_is_made_good_by_a_restart(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    fail_first();
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_cancelled(1);
    assert_int_equal(rig_status(0).generation, 3);
    assert_false(rig_status(0).reload_failed);
}

static void test_reload_no_hold_in_time_is_discarded(void **state)
{
    (void)state;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    fake_loop_advance(7.9);
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_assert_answer(0, -ETIMEDOUT, "within 8 s");
    /* It comes too late. */
    rig_held(2);
    rig_ended(2, 0, "");
    rig_expect_nothing();
    assert_int_equal(rig_status(0).generation, 1);
}

#define STACK "  File \"/a.py\", line 2 in <module>\n"

static void test_reload_no_hold_in_time_tells_where_it_stands(void **state)
{
    (void)state;
    rig.stack = STACK;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    fake_loop_advance(8.2);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_assert_answer(0, -ETIMEDOUT, "/a.py:2: the new version has not come");
}

/* Its thread is not scheduled: it has not written where it is yet. */
static void test_reload_no_hold_in_time_is_looked_at_again(void **state)
{
    (void)state;
    rig.stack = STACK;
    rig.silent_looks = 15;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    fake_loop_advance(9.5);
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_assert_answer(0, -ETIMEDOUT, "/a.py:2: the new version has not come");
}

static void test_reload_no_hold_in_time_is_not_looked_at_for_ever(void **state)
{
    (void)state;
    rig.stack = STACK;
    rig.silent_looks = 100;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    fake_loop_advance(9.9);
    rig_expect_nothing();
    fake_loop_advance(0.2);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_assert_answer(0, -ETIMEDOUT, "a: the new version has not come");
}

/* The next one is asked anew. */
static void test_reload_no_hold_in_time_again_tells_its_own_place(void **state)
{
    (void)state;
    rig.stack = STACK;
    rig.silent_looks = 100;
    rig_reload();
    fake_loop_advance(10.1);
    rig.silent_looks = 15;
    rig_reload();
    fake_loop_advance(9.7);
    rig_assert_answer(1, -ETIMEDOUT, "/a.py:2: the new version has not come");
}

static void test_reload_unchanged_is_answered_at_once(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_START, 2, AW_HOST_RELOAD_CHANGED);
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED, .generation = 2, .unchanged = true});
    rig_assert_answer(0, 0, "unchanged");
    rig_expect_nothing();
    assert_int_equal(rig_status(0).reloads, 0);
    assert_int_equal(rig_status(0).failed_reloads, 0);
}

static void test_reload_of_what_changed_leaves_a_stopped_one(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_stop(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    rig.taken = rig.call_count;
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "stopped");
    rig_expect_nothing();
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
}

static void test_reload_of_what_changed_starts_a_failed_one(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    rig_ended(1, 1, "a.py:2: ZeroDivisionError");
    rig.taken = rig.call_count;
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_START, 2, AW_HOST_RELOAD_CHANGED);
}

static void test_reload_old_one_dies_meanwhile_new_one_goes_on(void **state)
{
    (void)state;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_ended(1, 1, "");
    rig_expect_nothing(); /* nor is its policy applied */
    assert_int_equal(rig.idle, 0);
    rig_held(2);
    rig_expect(CALL_ADMIT, 2, 0);
}

static void test_reload_both_die_the_end_of_the_old_counts(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    rig_reload();
    rig_ended(1, 5, "");
    rig_ended(2, 1, "a.py:1: SyntaxError");
    rig_assert_answer(0, -EINVAL, "SyntaxError");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 5);
    assert_true(rig.idle > 0);
}

static void test_reload_while_it_waits_puts_the_restart_off(void **state)
{
    struct aw_supervision policy = rig.policies[0];

    (void)state;
    rig_tear_down(NULL);
    policy.restart = AW_RESTART_ON_FAILURE;
    rig_begin(1, policy);
    rig_ended(1, 1, "");
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    fake_loop_advance(5);
    rig_expect_nothing(); /* not two at a time */
    rig_ended(2, 1, "a.py:1: SyntaxError");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_BACKING_OFF);
    fake_loop_advance(5);
    rig_expect(CALL_START, 3, AW_HOST_RESTART);
}

/* ---- the old one does not end ---- */

static void test_reload_old_one_is_cancelled_again_behind_grace(void **state)
{
    (void)state;
    rig_hold();
    fake_loop_advance(5.1);
    rig_expect_call((struct call){.kind = CALL_CANCEL,
                                  .generation = 1,
                                  .how = AW_HOST_WHY_RELOAD,
                                  .again = true});
    rig_expect_nothing();
}

static void test_reload_old_one_does_not_end_keeps_its_place(void **state)
{
    (void)state;
    rig_hold();
    fake_loop_advance(10.1);
    rig.taken++; /* the second cancel */
    rig_expect(CALL_DUMP, 0, 0);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_expect(CALL_DROP, 1, 0); /* of what others have left, not its own */
    rig_expect_nothing();
    rig_assert_answer(0, -ETIMEDOUT, "has not ended within 10 s");
    assert_int_equal(rig_status(0).generation, 1);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
}

static void test_reload_old_one_ends_after_all_is_restarted(void **state)
{
    (void)state;
    rig_hold();
    fake_loop_advance(10.1);
    rig.taken = rig.call_count;
    rig_cancelled(1);
    /* Never the one that was discarded. */
    rig_expect(CALL_START, 3, AW_HOST_RESTART);
    assert_int_equal(rig.idle, 0);
}

static void test_reload_while_the_old_one_is_stuck_is_refused(void **state)
{
    (void)state;
    rig_hold();
    fake_loop_advance(10.1);
    rig_reload();
    rig_assert_answer(1, -EBUSY, "asked to end");
}

/* ---- it settles ---- */

static void test_reload_fails_soon_brings_the_old_one_back(void **state)
{
    (void)state;
    rig_admit();
    fake_loop_advance(1.9);
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_expect(CALL_START, 3, AW_HOST_REVERT);
    rig_expect_nothing(); /* its queues are not dropped */
    rig_assert_answer(0, -EINVAL, "a.py:9: KeyError (the version before");
    assert_int_equal(rig_status(0).failed_reloads, 1);
    assert_int_equal(rig_status(0).reloads, 0);
    assert_true(rig_status(0).reload_failed);
}

static void test_reload_fails_later_is_a_failure_of_the_new(void **state)
{
    (void)state;
    rig_admit();
    fake_loop_advance(2.1);
    rig_expect(CALL_DROP, 2, 0);
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_assert_answer(0, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
}

static void test_reload_good_end_soon_is_no_error(void **state)
{
    (void)state;
    rig_admit();
    rig_ended(2, 0, "");
    rig_assert_answer(0, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
    assert_int_equal(rig_status(0).reloads, 1);
}

static void test_reload_with_nothing_before_it_does_not_revert(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_stop(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    rig_reload();
    rig_held(2);
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_assert_answer(0, -EINVAL, "a.py:9: KeyError");
    assert_string_equal(rig_status(0).last_error, "a.py:9: KeyError");
    assert_int_equal(rig_status(0).reloads, 0);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    for (size_t i = 0; i < rig.call_count; i++)
        assert_false(rig.calls[i].kind == CALL_START &&
                     rig.calls[i].how == AW_HOST_REVERT);
}

static void
test_reload_of_one_that_ended_meanwhile_does_not_revert(void **state)
{
    (void)state;
    rig_reload();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_ended(1, 0, "");
    rig_held(2);
    rig_expect(CALL_ADMIT, 2, 0);
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_expect(CALL_DROP, 0, 0);
    rig_expect_nothing();
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
}

static void test_reload_reverted_what_it_does_not_want_is_dropped(void **state)
{
    (void)state;
    rig_admit();
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_expect(CALL_START, 3, AW_HOST_REVERT);
    rig_expect_nothing();
    fake_loop_advance(2.1);
    rig_expect(CALL_DROP, 3, 0);
}

static void test_reload_in_vain_leaves_a_restart_its_time(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_restart(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    fake_loop_advance(1);
    rig_reload();
    rig_ended(3, 1, "a.py:1: SyntaxError");
    rig.taken = rig.call_count;
    fake_loop_advance(2.1);
    rig_expect(CALL_DROP, 2, 0);
}

static void test_reload_ends_parking(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_park(rig.supervisor, 0, NULL, NULL);
    rig_cancelled(1);
    rig_reload();
    rig_held(2);
    fake_loop_advance(2.1);
    rig_reload();
    rig_held(3);
    rig_ended(3, 1, "a.py:9: KeyError");
    rig.taken = rig.call_count;
    rig_cancelled(2);
    rig_expect(CALL_START, 4, AW_HOST_RESTART);
}

static void test_reload_under_way_the_end_of_the_old_is_the_status(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    rig_reload();
    rig_ended(1, 5, "");
    aw_supervisor_end_all(rig.supervisor, 15, false);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 5);
}

static void
test_reload_that_was_good_the_end_before_it_is_no_status(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    rig_reload();
    rig_ended(1, 5, "");
    rig_held(2);
    fake_loop_advance(100);
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_cancelled(2);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, rig_begin_one, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reload_new_version_goes_on_only_behind_the_old),
        TEST(test_reload_has_lasted_is_answered),
        TEST(test_reload_of_one_that_does_not_run_starts_it),
        TEST(test_reload_fails_before_its_hold_leaves_the_old),
        TEST(test_reload_succeeds_behind_a_failure_makes_it_good),
        TEST(test_reload_unchanged_behind_a_failure_makes_it_good),
        TEST(test_reload_failure_is_made_good_by_a_restart),
        TEST(test_reload_no_hold_in_time_is_discarded),
        TEST(test_reload_no_hold_in_time_tells_where_it_stands),
        TEST(test_reload_no_hold_in_time_is_looked_at_again),
        TEST(test_reload_no_hold_in_time_is_not_looked_at_for_ever),
        TEST(test_reload_no_hold_in_time_again_tells_its_own_place),
        TEST(test_reload_unchanged_is_answered_at_once),
        TEST(test_reload_of_what_changed_leaves_a_stopped_one),
        TEST(test_reload_of_what_changed_starts_a_failed_one),
        TEST(test_reload_old_one_dies_meanwhile_new_one_goes_on),
        TEST(test_reload_both_die_the_end_of_the_old_counts),
        TEST(test_reload_while_it_waits_puts_the_restart_off),
        TEST(test_reload_old_one_is_cancelled_again_behind_grace),
        TEST(test_reload_old_one_does_not_end_keeps_its_place),
        TEST(test_reload_old_one_ends_after_all_is_restarted),
        TEST(test_reload_while_the_old_one_is_stuck_is_refused),
        TEST(test_reload_fails_soon_brings_the_old_one_back),
        TEST(test_reload_fails_later_is_a_failure_of_the_new),
        TEST(test_reload_good_end_soon_is_no_error),
        TEST(test_reload_with_nothing_before_it_does_not_revert),
        TEST(test_reload_of_one_that_ended_meanwhile_does_not_revert),
        TEST(test_reload_reverted_what_it_does_not_want_is_dropped),
        TEST(test_reload_in_vain_leaves_a_restart_its_time),
        TEST(test_reload_ends_parking),
        TEST(test_reload_under_way_the_end_of_the_old_is_the_status),
        TEST(test_reload_that_was_good_the_end_before_it_is_no_status),
    };

    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
