/* The latency budget: wakes put off, by their due times. A budget is long
 * enough here that no test outlives it, or short enough that it is over at
 * once. */
#include <unistd.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

#define BUDGET_NS (3600 * AW_NS_PER_S)

struct fixture {
    struct aw_queue *queue;
    struct aw_waker waker;
};

static struct aw_queue *budgeted(enum aw_overflow overflow, uint64_t budget_ns)
{
    struct aw_queue_config config = test_config(8);

    config.overflow = overflow;
    config.budget_ns = budget_ns;
    return make_queue(&config);
}

static int make(void **state)
{
    static struct fixture fixture;

    fixture.queue = budgeted(AW_OVERFLOW_DROP_NEWEST, BUDGET_NS);
    /* As if the machine had been up for longer than the budget. */
    fixture.queue->woken_ns = aw_clock_monotonic_ns() - BUDGET_NS;
    *state = &fixture;
    return aw_waker_init(&fixture.waker, false);
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;

    aw_waker_deinit(&fixture->waker);
    aw_queue_unref(fixture->queue);
    return 0;
}

static bool arm(struct fixture *fixture)
{
    return aw_queue_arm(fixture->queue, &fixture->waker);
}

static bool rang(struct fixture *fixture)
{
    return aw_eventfd_clear(fixture->waker.fd);
}

/* A wake just now, and a waiter again. */
static uint64_t wake_and_arm(struct fixture *fixture)
{
    uint64_t before_ns = aw_clock_monotonic_ns();

    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 1);
    assert_true(rang(fixture));
    take_id(fixture->queue, 1);
    assert_true(arm(fixture));
    return before_ns;
}

static void test_queue_budget_first_frame_wakes_at_once(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 1);
    assert_true(rang(fixture));
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
}

static void test_queue_budget_second_frame_is_put_off(void **state)
{
    struct fixture *fixture = *state;
    uint64_t before_ns = wake_and_arm(fixture), due_ns;

    send_ids(fixture->queue, 2, 1);
    assert_false(rang(fixture));
    due_ns = due_of(fixture->queue);
    assert_true(due_ns >= before_ns + BUDGET_NS);
    assert_true(due_ns <= aw_clock_monotonic_ns() + BUDGET_NS);
    /* The frame is there for whoever looks. */
    assert_int_equal(aw_queue_pending(fixture->queue), 1);
}

static void test_queue_budget_many_frames_are_due_with_the_first(void **state)
{
    struct fixture *fixture = *state;
    uint64_t due_ns;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    due_ns = due_of(fixture->queue);
    send_ids(fixture->queue, 3, 2);
    assert_int_equal(due_of(fixture->queue), due_ns);
    wake_due(fixture->queue, due_ns);
    assert_true(rang(fixture));
    assert_int_equal(stats_of(fixture->queue).wakes, 2);
}

static void test_queue_budget_wake_not_due_is_not_given(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    wake_due(fixture->queue, due_of(fixture->queue) - 1);
    assert_false(rang(fixture));
}

static void test_queue_budget_wake_given_is_due_no_more(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    wake_due(fixture->queue, due_of(fixture->queue));
    assert_true(rang(fixture));
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
    wake_due(fixture->queue, UINT64_MAX);
    assert_false(rang(fixture));
}

static void test_queue_budget_half_full_wakes_at_once(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 3);
    assert_false(rang(fixture));
    send_ids(fixture->queue, 5, 1);
    assert_true(rang(fixture));
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
}

static void test_queue_budget_nobody_waiting_puts_nothing_off(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    aw_queue_disarm(fixture->queue);
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
}

static void test_queue_budget_end_wakes_at_once(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    offer_id(fixture->queue, 2);
    finish(fixture->queue, AW_QUEUE_END, 0);
    assert_true(rang(fixture));
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
}

static void
test_queue_budget_batch_that_was_filtered_keeps_the_due_time(void **state)
{
    struct fixture *fixture = *state;
    uint64_t due_ns;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    due_ns = due_of(fixture->queue);
    charge(fixture->queue, 1);
    publish(fixture->queue);
    assert_int_equal(due_of(fixture->queue), due_ns);
    assert_false(rang(fixture));
}

static void test_queue_budget_sparse_stream_is_not_delayed(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    fixture->queue->woken_ns -= BUDGET_NS;
    send_ids(fixture->queue, 2, 1);
    assert_true(rang(fixture));
}

static void test_queue_budget_without_end_is_never_due(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    fixture->queue->budget_ns = UINT64_MAX;
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(due_of(fixture->queue), UINT64_MAX);
    wake_due(fixture->queue, UINT64_MAX - 1);
    assert_false(rang(fixture));
}

static void test_queue_budget_latest_is_put_off_however_full(void **state)
{
    struct fixture *fixture = *state;

    aw_queue_unref(fixture->queue);
    fixture->queue = budgeted(AW_OVERFLOW_LATEST, BUDGET_NS);
    fixture->queue->woken_ns = aw_clock_monotonic_ns() - BUDGET_NS;
    wake_and_arm(fixture);
    send_ids(fixture->queue, 1, 8);
    assert_false(rang(fixture));
    wake_due(fixture->queue, due_of(fixture->queue));
    assert_true(rang(fixture));
}

static void test_queue_patience_is_the_room_until_half_full(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    assert_int_equal(patience_of(fixture->queue), 0);
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(patience_of(fixture->queue), 3);
    send_ids(fixture->queue, 3, 2);
    assert_int_equal(patience_of(fixture->queue), 1);
}

static void test_queue_patience_ends_when_nobody_waits(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    aw_queue_disarm(fixture->queue);
    assert_int_equal(patience_of(fixture->queue), 0);
}

static void test_queue_patience_ends_with_the_wake(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    wake_due(fixture->queue, due_of(fixture->queue));
    assert_false(arm(fixture));
    assert_int_equal(patience_of(fixture->queue), 0);
}

static void test_queue_patience_latest_has_none(void **state)
{
    struct fixture *fixture = *state;

    aw_queue_unref(fixture->queue);
    fixture->queue = budgeted(AW_OVERFLOW_LATEST, BUDGET_NS);
    fixture->queue->woken_ns = aw_clock_monotonic_ns() - BUDGET_NS;
    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(patience_of(fixture->queue), 0);
}

static void test_queue_patience_half_full_has_none(void **state)
{
    struct fixture *fixture = *state;

    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 3);
    assert_false(rang(fixture));
    /* Filled behind the back of publish(), which would wake. */
    offer_id(fixture->queue, 5);
    assert_int_equal(patience_of(fixture->queue), 0);
    offer_id(fixture->queue, 6);
    assert_int_equal(patience_of(fixture->queue), 0);
}

static void test_queue_without_budget_puts_nothing_off(void **state)
{
    struct fixture *fixture = *state;

    fixture->queue->budget_ns = 0;
    wake_and_arm(fixture);
    send_ids(fixture->queue, 2, 1);
    assert_true(rang(fixture));
}

#define BUDGET_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BUDGET_TEST(test_queue_budget_first_frame_wakes_at_once),
        BUDGET_TEST(test_queue_budget_second_frame_is_put_off),
        BUDGET_TEST(test_queue_budget_many_frames_are_due_with_the_first),
        BUDGET_TEST(test_queue_budget_wake_not_due_is_not_given),
        BUDGET_TEST(test_queue_budget_wake_given_is_due_no_more),
        BUDGET_TEST(test_queue_budget_half_full_wakes_at_once),
        BUDGET_TEST(test_queue_budget_nobody_waiting_puts_nothing_off),
        BUDGET_TEST(test_queue_budget_end_wakes_at_once),
        BUDGET_TEST(
            test_queue_budget_batch_that_was_filtered_keeps_the_due_time),
        BUDGET_TEST(test_queue_budget_sparse_stream_is_not_delayed),
        BUDGET_TEST(test_queue_budget_without_end_is_never_due),
        BUDGET_TEST(test_queue_budget_latest_is_put_off_however_full),
        BUDGET_TEST(test_queue_patience_is_the_room_until_half_full),
        BUDGET_TEST(test_queue_patience_ends_when_nobody_waits),
        BUDGET_TEST(test_queue_patience_ends_with_the_wake),
        BUDGET_TEST(test_queue_patience_latest_has_none),
        BUDGET_TEST(test_queue_patience_half_full_has_none),
        BUDGET_TEST(test_queue_without_budget_puts_nothing_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
