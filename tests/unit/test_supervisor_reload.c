/* A reload, from every step to every other. */
#include "tests/support/supervisor_rig.h"

static const struct aw_supervision never = {
    .restart = AW_RESTART_NO, .delay_s = 0.5, .limit = 5, .interval_s = 60};

static int begin(void **state)
{
    (void)state;
    rig_begin(1, never);
    return 0;
}

static void ask(void)
{
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, rig_replied, NULL);
}

/* The new version, generation 2, is held, and the old one asked to end. */
static void hold(void)
{
    ask();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_held(2);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RELOAD);
}

/* It goes on. */
static void admit(void)
{
    hold();
    rig_cancelled(1);
    rig_expect(CALL_ADMIT, 2, 0);
}

/* ---- the way of one that succeeds ---- */

static void test_reload_new_version_goes_on_only_behind_the_old(void **state)
{
    (void)state;
    hold();
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
    admit();
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
    ask();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_held(2);
    rig_expect(CALL_ADMIT, 2, 0);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
}

/* ---- before the hold ---- */

static void test_reload_fails_before_its_hold_leaves_the_old(void **state)
{
    (void)state;
    ask();
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
    ask();
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_ended(2, 1, "a.py:2: ZeroDivisionError");
    assert_true(rig_status(0).reload_failed);
}

static void test_reload_succeeds_behind_a_failure_makes_it_good(void **state)
{
    (void)state;
    fail_first();
    ask();
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
    ask();
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
    ask();
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
    ask();
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
    ask();
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
    ask();
    fake_loop_advance(10.1);
    rig.silent_looks = 15;
    ask();
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
    ask();
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
    ask();
    rig_ended(1, 5, "");
    rig_ended(2, 1, "a.py:1: SyntaxError");
    rig_assert_answer(0, -EINVAL, "SyntaxError");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 5);
    assert_true(rig.idle > 0);
}

static void test_reload_while_it_waits_puts_the_restart_off(void **state)
{
    struct aw_supervision policy = never;

    (void)state;
    rig_tear_down(NULL);
    policy.restart = AW_RESTART_ON_FAILURE;
    rig_begin(1, policy);
    rig_ended(1, 1, "");
    ask();
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
    hold();
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
    hold();
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
    hold();
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
    hold();
    fake_loop_advance(10.1);
    ask();
    rig_assert_answer(1, -EBUSY, "asked to end");
}

/* ---- it settles ---- */

static void test_reload_fails_soon_brings_the_old_one_back(void **state)
{
    (void)state;
    admit();
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
    admit();
    fake_loop_advance(2.1);
    rig_expect(CALL_DROP, 2, 0);
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_assert_answer(0, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_FAILED);
}

static void test_reload_good_end_soon_is_no_error(void **state)
{
    (void)state;
    admit();
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
    ask();
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
    ask();
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
    admit();
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
    ask();
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
    ask();
    rig_held(2);
    fake_loop_advance(2.1);
    ask();
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
    ask();
    rig_ended(1, 5, "");
    aw_supervisor_end_all(rig.supervisor, 15, false);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 5);
}

static void
test_reload_that_was_good_the_end_before_it_is_no_status(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    ask();
    rig_ended(1, 5, "");
    rig_held(2);
    fake_loop_advance(100);
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_cancelled(2);
    assert_int_equal(aw_supervisor_exit_status(rig.supervisor), 0);
}

/* ---- several requests ---- */

static void test_reload_asked_meanwhile_shares_the_next(void **state)
{
    (void)state;
    hold();
    for (int i = 0; i < 3; i++)
        ask();
    rig_cancelled(1);
    rig_expect(CALL_ADMIT, 2, 0);
    fake_loop_advance(2.1);
    assert_int_equal(rig.answer_count, 1);
    rig_expect(CALL_DROP, 2, 0);
    rig_expect(CALL_START, 3, AW_HOST_RELOAD);
    rig_expect_nothing();
    rig_ended(3, 1, "a.py:1: SyntaxError");
    assert_int_equal(rig.answer_count, 4);
    rig_expect_nothing();
}

static void
test_reload_ends_while_another_is_asked_for_its_end_counts(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    admit();
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
    rig_ended(2, 0, "");
    rig_assert_answer(0, 0, "");
    rig_expect(CALL_START, 3, AW_HOST_RELOAD_CHANGED);
    assert_int_equal(rig.idle, 0); /* there is one to come */
    rig_event((struct aw_host_event){
        .kind = AW_HOST_SCRIPT_ENDED, .generation = 3, .unchanged = true});
    rig_assert_answer(1, 0, "unchanged");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
    assert_true(rig.idle > 0);
}

static void
test_reload_new_one_dies_at_its_hold_the_next_is_served(void **state)
{
    (void)state;
    hold();
    ask();
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_assert_answer(0, -EINVAL, "KeyError");
    ask();
    rig_expect_nothing(); /* the old one is on its way to its end */
    rig_cancelled(1);
    /* From the file as it is: that is for those as well. */
    rig_expect(CALL_START, 3, AW_HOST_RESTART);
    rig_assert_answer(1, 0, "");
    rig_assert_answer(2, 0, "");
    rig_expect_nothing();
}

static void test_reload_overtaken_by_a_restart_is_discarded(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    hold();
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_assert_answer(0, -ECANCELED, "overtaken");
    assert_false(rig_status(0).reload_failed);
    rig_cancelled(1);
    rig_expect(CALL_START, 3, AW_HOST_RESTART);
    rig_assert_answer(1, 0, "");
}

/* As one who has put a SIGHUP off until the reload before it is done. */
static void ask_again(void *context, const struct aw_script_reply *reply)
{
    aw_role_assume(&aw_role_main);
    rig_replied(context, reply);
    aw_supervisor_reload_changed(rig.supervisor, 0, rig_replied, NULL);
}

static void test_reload_asked_by_who_was_overtaken_is_the_restart(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, ask_again, NULL);
    rig_expect(CALL_START, 2, AW_HOST_RELOAD);
    rig_held(2);
    rig_cancelled(1);
    rig.taken = rig.call_count;
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 2, AW_HOST_WHY_RESTART);
    rig_expect_nothing();
    rig_assert_answer(0, 0, "");
    rig_cancelled(2);
    rig_expect(CALL_START, 3, AW_HOST_RESTART);
    rig_assert_answer(1, 0, "");
    rig_assert_answer(2, 0, "");
    assert_int_equal(rig.answer_count, 3);
    assert_int_equal(rig_status(0).state, AW_SCRIPT_RUNNING);
}

static void
test_reload_asked_by_who_was_overtaken_by_a_stop_is_refused(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, ask_again, NULL);
    rig_held(2);
    rig_cancelled(1);
    rig.taken = rig.call_count;
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_CANCEL, 2, AW_HOST_WHY_STOP);
    rig_expect_nothing();
    rig_assert_answer(1, -EBUSY, "asked to end");
    rig_cancelled(2);
    rig_expect(CALL_DROP, 0, 0);
    rig_assert_answer(2, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
}

static void test_reload_asked_by_who_waited_in_vain_goes_on(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, ask_again, NULL);
    fake_loop_advance(8.2); /* no hold */
    rig.taken = rig.call_count;
    rig_assert_answer(0, -ETIMEDOUT, "has not come");
    rig_held(3);
    rig_expect(CALL_CANCEL, 1, AW_HOST_WHY_RELOAD);
    rig_cancelled(1);
    rig_expect(CALL_ADMIT, 3, 0);
    fake_loop_advance(2.1);
    rig_assert_answer(1, 0, "");
}

static void test_reload_that_settles_is_done_when_stopped(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    admit();
    aw_supervisor_stop(rig.supervisor, 0, rig_replied, NULL);
    rig_assert_answer(0, 0, "");
    rig_expect(CALL_CANCEL, 2, AW_HOST_WHY_STOP);
    rig_cancelled(2);
    rig_expect(CALL_DROP, 0, 0);
    rig_assert_answer(1, 0, "");
    assert_int_equal(rig_status(0).state, AW_SCRIPT_STOPPED);
}

static void test_reload_the_daemon_stops_nothing_goes_on(void **state)
{
    (void)state;
    aw_role_assume(&aw_role_main);
    hold();
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_expect_nothing(); /* it is ending already */
    rig_assert_answer(0, -ECANCELED, "stopping");
    rig_cancelled(1);
    assert_int_equal(rig.idle, 1);
    for (size_t i = 0; i < rig.call_count; i++)
        assert_int_not_equal(rig.calls[i].kind, CALL_ADMIT);
}

static void test_reload_nobody_waits_is_not_answered(void **state)
{
    int context;

    (void)state;
    aw_role_assume(&aw_role_main);
    aw_supervisor_reload(rig.supervisor, 0, rig_replied, &context);
    aw_supervisor_forget(rig.supervisor, &context);
    rig_ended(2, 1, "");
    assert_int_equal(rig.answer_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, rig_tear_down)

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
        TEST(test_reload_asked_meanwhile_shares_the_next),
        TEST(test_reload_ends_while_another_is_asked_for_its_end_counts),
        TEST(test_reload_new_one_dies_at_its_hold_the_next_is_served),
        TEST(test_reload_overtaken_by_a_restart_is_discarded),
        TEST(test_reload_asked_by_who_was_overtaken_is_the_restart),
        TEST(test_reload_asked_by_who_was_overtaken_by_a_stop_is_refused),
        TEST(test_reload_asked_by_who_waited_in_vain_goes_on),
        TEST(test_reload_that_settles_is_done_when_stopped),
        TEST(test_reload_the_daemon_stops_nothing_goes_on),
        TEST(test_reload_nobody_waits_is_not_answered),
    };

    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
