/* Waiting for more frames than are there: armed at a count, and the limit of
 * claims that makes it necessary. */
#include <stdlib.h>

#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

struct fixture {
    struct aw_queue *queue;
    struct aw_waker waker;
};

static int make_of(void **state, enum aw_overflow overflow)
{
    static struct fixture fixture;

    fixture.queue = new_queue_of(overflow, 3);
    *state = &fixture;
    return aw_waker_init(&fixture.waker, false);
}

static int make(void **state)
{
    return make_of(state, AW_OVERFLOW_DROP_NEWEST);
}

static int make_evicting(void **state)
{
    return make_of(state, AW_OVERFLOW_DROP_OLDEST);
}

static int make_latest(void **state)
{
    return make_of(state, AW_OVERFLOW_LATEST);
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;

    aw_waker_deinit(&fixture->waker);
    aw_queue_unref(fixture->queue);
    return 0;
}

static bool arm_at(struct fixture *fixture, uint64_t seen)
{
    return aw_queue_arm_at(fixture->queue, &fixture->waker, seen);
}

static bool rang(struct fixture *fixture)
{
    return aw_eventfd_clear(fixture->waker.fd);
}

/* ---- armed at a count ---- */

static void test_queue_armed_at_what_is_pending_sleeps(void **state)
{
    send_ids(((struct fixture *)*state)->queue, 1, 2);
    assert_true(arm_at(*state, 2));
    assert_false(rang(*state));
}

static void test_queue_armed_at_more_than_is_pending_sleeps(void **state)
{
    struct fixture *fixture = *state;

    /* Frames that were seen and then cleared by somebody else. */
    send_ids(fixture->queue, 1, 2);
    assert_int_equal(aw_queue_clear(fixture->queue), 2);
    assert_true(arm_at(fixture, 2));
    send_ids(fixture->queue, 3, 1);
    assert_true(rang(fixture));
}

static void test_queue_arm_at_sees_one_more_frame(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 2);
    assert_false(arm_at(fixture, 1));
    /* And is not armed. */
    send_ids(fixture->queue, 3, 1);
    assert_false(rang(fixture));
    assert_int_equal(stats_of(fixture->queue).wakes, 0);
}

static void test_queue_armed_at_a_count_is_woken_by_the_next_frame(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 1);
    assert_true(arm_at(fixture, 1));
    send_ids(fixture->queue, 2, 1);
    assert_true(rang(fixture));
    /* Once: it has to arm again for the one after that. */
    send_ids(fixture->queue, 3, 1);
    assert_false(rang(fixture));
    assert_int_equal(stats_of(fixture->queue).wakes, 1);
}

static void test_queue_armed_at_each_count_is_woken_each_time(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t seen = 0; seen < 3; seen++) {
        assert_true(arm_at(fixture, seen));
        send_ids(fixture->queue, seen, 1);
        assert_true(rang(fixture));
    }
    assert_int_equal(claim_frames(fixture->queue, 3).index, 0);
}

static void test_queue_armed_at_a_count_is_woken_by_the_end(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 1);
    assert_true(arm_at(fixture, 1));
    finish(fixture->queue, AW_QUEUE_END, 0);
    assert_true(rang(fixture));
    take_id(fixture->queue, 1);
}

static void test_queue_arm_at_sees_the_end(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 1);
    finish(fixture->queue, AW_QUEUE_STOPPED, 0);
    assert_false(arm_at(fixture, 1));
}

static void test_queue_disarmed_from_a_count_is_not_woken(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 1);
    assert_true(arm_at(fixture, 1));
    aw_queue_disarm(fixture->queue);
    send_ids(fixture->queue, 2, 1);
    assert_false(rang(fixture));
}

static void test_queue_armed_at_another_count_forgets_the_first(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 2);
    assert_true(arm_at(fixture, 2));
    assert_false(arm_at(fixture, 0));
    send_ids(fixture->queue, 3, 1);
    assert_false(rang(fixture));
}

static void test_queue_armed_at_a_count_sleeps_on_what_is_filtered(void **state)
{
    struct fixture *fixture = *state;
    struct aw_filter *filter = calloc(1, sizeof(*filter));

    *filter = (struct aw_filter){.id = 1, .mask = 0x7FF};
    aw_role_assume(&aw_role_reader);
    aw_queue_set_filters(fixture->queue, filter, 1);
    send_ids(fixture->queue, 1, 1);
    assert_true(arm_at(fixture, 1));
    send_ids(fixture->queue, 2, 1);
    assert_false(rang(fixture));
    send_ids(fixture->queue, 1, 1);
    assert_true(rang(fixture));
}

static void test_queue_armed_when_full_sleeps_on_what_is_dropped(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 3);
    assert_true(arm_at(fixture, 3));
    send_ids(fixture->queue, 4, 1);
    assert_int_equal(stats_of(fixture->queue).dropped_overflow, 1);
    assert_false(rang(fixture));
}

static void test_queue_armed_when_full_is_woken_by_what_evicts(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 3);
    assert_true(arm_at(fixture, 3));
    send_ids(fixture->queue, 4, 1);
    assert_int_equal(stats_of(fixture->queue).dropped_overflow, 1);
    assert_true(rang(fixture));
}

static void
test_queue_latest_armed_at_a_count_hears_of_a_newer_one(void **state)
{
    struct fixture *fixture = *state;
    struct aw_claim held;

    send_ids(fixture->queue, 1, 2);
    assert_true(arm_at(fixture, 2));
    send_ids(fixture->queue, 1, 1);
    assert_true(rang(fixture));
    /* It counts as one more until the frames are claimed: it is none. */
    held = claim_frames(fixture->queue, 2);
    aw_queue_return(fixture->queue, &held);
    assert_true(arm_at(fixture, 2));
    send_ids(fixture->queue, 3, 1);
    assert_true(rang(fixture));
    assert_false(arm_at(fixture, 2));
}

/* ---- what counts ---- */

static void test_queue_arm_at_does_not_count_what_is_claimed(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 2);
    claim_frames(fixture->queue, 1);
    assert_true(arm_at(fixture, 1));
    claim_frames(fixture->queue, 1);
    assert_true(arm_at(fixture, 0));
}

static void test_queue_arm_at_counts_what_was_returned(void **state)
{
    struct fixture *fixture = *state;
    struct aw_claim held;

    send_ids(fixture->queue, 1, 2);
    held = claim_frames(fixture->queue, 1);
    aw_queue_return(fixture->queue, &held);
    assert_false(arm_at(fixture, 1));
    assert_true(arm_at(fixture, 2));
}

/* ---- can there be one more claim? ---- */

static void claim_each(struct aw_queue *queue, struct aw_claim *claims,
                       unsigned count)
{
    send_ids(queue, 0, count);
    for (unsigned i = 0; i < count; i++) {
        assert_true(aw_queue_can_claim(queue));
        claims[i] = claim_frames(queue, 1);
    }
}

static void test_queue_can_claim_says_whether_claim_would(void **state)
{
    struct aw_queue *queue = new_queue(64);
    struct aw_claim claims[AW_RUNS_HELD_MAX], more;

    (void)state;
    claim_each(queue, claims, AW_RUNS_HELD_MAX);
    send_ids(queue, 100, 1);
    assert_false(aw_queue_can_claim(queue));
    assert_int_equal(aw_queue_pending(queue), 1);
    assert_int_equal(aw_queue_claim(queue, 1, &more), 0);
    aw_queue_unref(queue);
}

static void test_queue_can_claim_again_after_a_release(void **state)
{
    struct aw_queue *queue = new_queue(64);
    struct aw_claim claims[AW_RUNS_HELD_MAX];

    (void)state;
    claim_each(queue, claims, AW_RUNS_HELD_MAX);
    aw_queue_release(queue, &claims[7]);
    assert_true(aw_queue_can_claim(queue));
    send_ids(queue, 100, 1);
    assert_int_equal(claim_frames(queue, 1).index, AW_RUNS_HELD_MAX);
    assert_false(aw_queue_can_claim(queue));
    aw_queue_unref(queue);
}

static void test_queue_can_claim_again_after_a_return(void **state)
{
    struct aw_queue *queue = new_queue(64);
    struct aw_claim claims[AW_RUNS_HELD_MAX];

    (void)state;
    claim_each(queue, claims, AW_RUNS_HELD_MAX);
    aw_queue_return(queue, &claims[7]);
    assert_true(aw_queue_can_claim(queue));
    assert_int_equal(claim_frames(queue, 1).index, claims[7].index);
    assert_false(aw_queue_can_claim(queue));
    aw_queue_unref(queue);
}

/* As a recv() does while too many leases are held: it sleeps though frames are
 * there, and each further one wakes it. */
static void test_queue_with_too_many_claims_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct aw_queue *queue = new_queue(64);
    struct aw_claim claims[AW_RUNS_HELD_MAX];

    claim_each(queue, claims, AW_RUNS_HELD_MAX);
    send_ids(queue, 100, 2);
    assert_false(aw_queue_arm(queue, &fixture->waker));
    assert_true(aw_queue_arm_at(queue, &fixture->waker, 2));
    send_ids(queue, 102, 1);
    assert_true(rang(fixture));
    aw_queue_unref(queue);
}

#define AT_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_TEST(test_queue_armed_at_what_is_pending_sleeps),
        AT_TEST(test_queue_armed_at_more_than_is_pending_sleeps),
        AT_TEST(test_queue_arm_at_sees_one_more_frame),
        AT_TEST(test_queue_armed_at_a_count_is_woken_by_the_next_frame),
        AT_TEST(test_queue_armed_at_each_count_is_woken_each_time),
        AT_TEST(test_queue_armed_at_a_count_is_woken_by_the_end),
        AT_TEST(test_queue_arm_at_sees_the_end),
        AT_TEST(test_queue_disarmed_from_a_count_is_not_woken),
        AT_TEST(test_queue_armed_at_another_count_forgets_the_first),
        AT_TEST(test_queue_armed_at_a_count_sleeps_on_what_is_filtered),
        AT_TEST(test_queue_armed_when_full_sleeps_on_what_is_dropped),
        cmocka_unit_test_setup_teardown(
            test_queue_armed_when_full_is_woken_by_what_evicts, make_evicting,
            unmake),
        cmocka_unit_test_setup_teardown(
            test_queue_latest_armed_at_a_count_hears_of_a_newer_one,
            make_latest, unmake),
        AT_TEST(test_queue_arm_at_does_not_count_what_is_claimed),
        AT_TEST(test_queue_arm_at_counts_what_was_returned),
        cmocka_unit_test(test_queue_can_claim_says_whether_claim_would),
        cmocka_unit_test(test_queue_can_claim_again_after_a_release),
        cmocka_unit_test(test_queue_can_claim_again_after_a_return),
        AT_TEST(test_queue_with_too_many_claims_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
