/* A reload, and what else is asked for meanwhile. */
#include "tests/support/supervisor_rig.h"

static void test_reload_asked_meanwhile_shares_the_next(void **state)
{
    (void)state;
    rig_hold();
    for (int i = 0; i < 3; i++)
        rig_reload();
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
    rig_admit();
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
    rig_hold();
    rig_reload();
    rig_ended(2, 1, "a.py:9: KeyError");
    rig_assert_answer(0, -EINVAL, "KeyError");
    rig_reload();
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
    rig_hold();
    aw_supervisor_restart(rig.supervisor, 0, rig_replied, NULL);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_expect(CALL_TELL, 1, AW_HOST_WHY_RESTART);
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
    rig_admit();
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
    rig_hold();
    aw_supervisor_end_all(rig.supervisor, 15, false);
    rig_expect(CALL_DISCARD, 2, 0);
    rig_expect(CALL_TELL, 1, AW_HOST_WHY_STOP); /* it is ending already */
    rig_expect_nothing();
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

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, rig_begin_one, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
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

    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
