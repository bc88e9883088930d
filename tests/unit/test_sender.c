/* The sending half of a reader: what the kernel takes, and what waits for it.
 */
#include "tests/unit/sender_bench.h"

/* ---- accepted ---- */

static void test_sender_idle_is_never_due(void **state)
{
    const struct bench *bench = *state;

    assert_true(due_ns(bench) == UINT64_MAX);
}

static void test_sender_accepted_is_done_with_zero(void **state)
{
    struct bench *bench = *state;

    pump(bench, frames(bench, 1, 1));
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_result[0], 0);
    assert_null(bench->reader.sends);
    assert_true(due_ns(bench) == UINT64_MAX);
}

static void test_sender_several_are_sent_in_order(void **state)
{
    struct bench *bench = *state;

    pump(bench, frames(bench, 1, 3));
    assert_int_equal(bench->dones, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(bench->done_id[i], 1 + i);
    assert_int_equal(ledger(bench).sent, 3);
}

static void test_sender_done_finds_its_frame_in_the_ledger(void **state)
{
    struct bench *bench = *state;

    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->done_stats[0].submitted, 2);
    assert_int_equal(bench->done_stats[0].sent, 1);
    assert_int_equal(bench->done_stats[0].pending, 1);
    assert_int_equal(bench->done_stats[1].sent, 2);
    assert_int_equal(bench->done_stats[1].pending, 0);
}

/* ---- refused for now ---- */

static void test_sender_eagain_waits_until_the_deadline(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->attempts, 1);
    assert_int_equal(bench->dones, 0);
    assert_int_equal(bench->reader.send_blocked, -EAGAIN);
    assert_true(due_ns(bench) == bench->reader.sends->deadline_ns);
    assert_int_equal(ledger(bench).pending, 2);
}

static void test_sender_eagain_keeps_the_order_of_later_frames(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 1));
    bench->answer = 0;
    pump(bench, frames(bench, 2, 1));
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_id[0], 1);
    assert_int_equal(bench->done_id[1], 2);
    assert_int_equal(bench->reader.send_blocked, 0);
}

static void test_sender_enobufs_asks_again_soon(void **state)
{
    struct bench *bench = *state;
    uint64_t before_ns = aw_clock_monotonic_ns(), due;

    bench->answer = -ENOBUFS;
    pump(bench, frames(bench, 1, 1));
    due = due_ns(bench);
    assert_true(due > before_ns);
    assert_true(due < aw_clock_monotonic_ns() + AW_NS_PER_MS);
    bench->answer = 0;
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], 0);
}

static void test_sender_enobufs_is_due_at_the_deadline_at_last(void **state)
{
    struct bench *bench = *state;

    bench->answer = -ENOBUFS;
    pump(bench, frames(bench, 1, 1));
    overdue(bench);
    assert_true(due_ns(bench) == 1);
}

static void check_times_out(struct bench *bench, int answer)
{
    bench->reader.send_timeout_ns = 0;
    bench->answer = answer;
    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
    assert_int_equal(bench->done_result[1], -ETIMEDOUT);
    assert_int_equal(ledger(bench).timed_out, 2);
}

static void test_sender_eagain_past_the_deadline_times_out(void **state)
{
    check_times_out(*state, -EAGAIN);
}

static void test_sender_enobufs_past_the_deadline_times_out(void **state)
{
    check_times_out(*state, -ENOBUFS);
}

static void test_sender_past_the_deadline_is_tried_once_more(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 1));
    overdue(bench);
    bench->answer = 0;
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], 0);
    assert_int_equal(ledger(bench).sent, 1);
}

static void test_sender_oldest_timed_out_lets_the_next_wait(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 2));
    overdue(bench);
    pump(bench, NULL);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 1);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
    assert_int_equal(ledger(bench).pending, 1);
}

/* ---- failed ---- */

static void test_sender_error_fails_that_frame_alone(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EINVAL;
    pump(bench, frames(bench, 1, 1));
    bench->answer = 0;
    pump(bench, frames(bench, 2, 1));
    assert_int_equal(bench->done_result[0], -EINVAL);
    assert_int_equal(bench->done_result[1], 0);
    assert_int_equal(ledger(bench).failed, 1);
    assert_int_equal(ledger(bench).sent, 1);
}

static void test_sender_lost_device_fails_all_without_asking_it(void **state)
{
    struct bench *bench = *state;

    bench->reader.state = AW_QUEUE_LOST;
    bench->reader.failure = ENODEV;
    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->attempts, 0);
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_result[0], -ENODEV);
    assert_int_equal(ledger(bench).failed, 2);
}

/* Failed before it looked at the state: the frame waited for its deadline. */
static void test_sender_device_lost_by_enobufs_fails_at_once(void **state)
{
    struct bench *bench = *state;

    bench->reader.state = AW_QUEUE_LOST;
    bench->reader.failure = ENOBUFS;
    pump(bench, frames(bench, 1, 1));
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_result[0], -ENOBUFS);
    assert_int_equal(bench->reader.send_blocked, 0);
}

static void test_sender_device_lost_meanwhile_fails_what_waits(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 2));
    bench->reader.state = AW_QUEUE_LOST;
    bench->reader.failure = EIO;
    pump(bench, NULL);
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_result[1], -EIO);
    assert_true(due_ns(bench) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sender_idle_is_never_due),
        TEST(test_sender_accepted_is_done_with_zero),
        TEST(test_sender_several_are_sent_in_order),
        TEST(test_sender_done_finds_its_frame_in_the_ledger),
        TEST(test_sender_eagain_waits_until_the_deadline),
        TEST(test_sender_eagain_keeps_the_order_of_later_frames),
        TEST(test_sender_enobufs_asks_again_soon),
        TEST(test_sender_enobufs_is_due_at_the_deadline_at_last),
        TEST(test_sender_eagain_past_the_deadline_times_out),
        TEST(test_sender_enobufs_past_the_deadline_times_out),
        TEST(test_sender_past_the_deadline_is_tried_once_more),
        TEST(test_sender_oldest_timed_out_lets_the_next_wait),
        TEST(test_sender_error_fails_that_frame_alone),
        TEST(test_sender_lost_device_fails_all_without_asking_it),
        TEST(test_sender_device_lost_by_enobufs_fails_at_once),
        TEST(test_sender_device_lost_meanwhile_fails_what_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
