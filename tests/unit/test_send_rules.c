/* The sending half of a reader: what each frame may ask for by itself. */
#include "tests/unit/sender_bench.h"

#define LONG_AGO 1u

/* ---- a deadline of its own ---- */

static void test_send_timeout_of_its_own_counts(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);
    uint64_t before_ns = aw_clock_monotonic_ns();

    send->timeout_ns = 7 * AW_NS_PER_S;
    bench->answer = -EAGAIN;
    pump(bench, send);
    assert_in_range(due_ns(bench), before_ns + 7 * AW_NS_PER_S,
                    aw_clock_monotonic_ns() + 7 * AW_NS_PER_S);
}

static void test_send_timeout_for_ever_is_never_due(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->timeout_ns = UINT64_MAX;
    bench->answer = -EAGAIN;
    pump(bench, send);
    assert_true(due_ns(bench) == UINT64_MAX);
    assert_int_equal(bench->dones, 0);
}

static void test_send_behind_another_times_out_in_its_place(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 3));
    bench->reader.sends->next->deadline_ns = LONG_AGO;
    bench->reader.sends_due_ns = LONG_AGO;
    pump(bench, NULL);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
    bench->answer = 0;
    pump(bench, NULL);
    assert_int_equal(bench->done_id[1], 1);
    assert_int_equal(bench->done_id[2], 3);
}

static void test_send_last_timed_out_lets_others_be_appended(void **state)
{
    struct bench *bench = *state;

    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 2));
    bench->reader.sends->next->deadline_ns = LONG_AGO;
    bench->reader.sends_due_ns = LONG_AGO;
    pump(bench, NULL);
    bench->answer = 0;
    pump(bench, frames(bench, 3, 1));
    assert_int_equal(bench->dones, 3);
    assert_int_equal(bench->done_id[2], 3);
    assert_int_equal(ledger(bench).sent, 2);
}

static void test_send_due_is_that_of_what_is_left(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 2);

    sends->next->timeout_ns = 2 * AW_NS_PER_S;
    bench->answer = -EAGAIN;
    pump(bench, sends);
    bench->reader.sends->next->deadline_ns = LONG_AGO;
    bench->reader.sends_due_ns = LONG_AGO;
    pump(bench, NULL);
    assert_true(due_ns(bench) == bench->reader.sends->deadline_ns);
}

/* ---- expiry ---- */

static void test_send_expired_is_never_offered(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->expires_ns = LONG_AGO;
    pump(bench, send);
    assert_int_equal(bench->attempts, 0);
    assert_int_equal(bench->done_result[0], -ECANCELED);
    assert_int_equal(ledger(bench).expired, 1);
}

static void test_send_not_yet_expired_is_sent(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->expires_ns = aw_clock_monotonic_ns() + 3600 * AW_NS_PER_S;
    pump(bench, send);
    assert_int_equal(bench->done_result[0], 0);
}

static void test_send_expires_while_it_waits(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 2);

    sends->next->expires_ns = aw_clock_monotonic_ns() + 60 * AW_NS_PER_S;
    bench->answer = -EAGAIN;
    pump(bench, sends);
    assert_true(due_ns(bench) == bench->reader.sends->next->expires_ns);
    bench->reader.sends->next->expires_ns = LONG_AGO;
    bench->reader.sends_due_ns = LONG_AGO;
    pump(bench, NULL);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
    assert_int_equal(bench->done_result[0], -ECANCELED);
    assert_int_equal(ledger(bench).pending, 1);
}

/* ---- a link that is down ---- */

static void test_send_link_down_fails_at_once(void **state)
{
    struct bench *bench = *state;

    bench->answer = -ENETDOWN;
    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_result[0], -ENETDOWN);
    assert_int_equal(ledger(bench).failed, 2);
}

static void test_send_that_waits_outlasts_the_link_down(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->wait = true;
    bench->answer = -ENETDOWN;
    pump(bench, send);
    assert_int_equal(bench->dones, 0);
    assert_true(due_ns(bench) < bench->reader.sends->deadline_ns);
    bench->answer = 0;
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], 0);
}

static void test_send_that_waits_times_out_with_the_link_down(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->wait = true;
    bench->answer = -ENETDOWN;
    pump(bench, send);
    overdue(bench);
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
    assert_int_equal(ledger(bench).timed_out, 1);
}

static void test_send_that_waits_does_not_hold_up_those_that_fail(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 3);

    sends->wait = true;
    sends->next->next->wait = true;
    bench->answer = -ENETDOWN;
    pump(bench, sends);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
    assert_int_equal(bench->done_result[0], -ENETDOWN);
    bench->answer = 0;
    pump(bench, NULL);
    assert_int_equal(bench->done_id[1], 1);
    assert_int_equal(bench->done_id[2], 3);
}

/* ---- many at once ---- */

static void test_send_many_takes_all_in_one_call(void **state)
{
    struct bench *bench = *state;

    bench->driver.send_many = send_frames;
    pump(bench, frames(bench, 1, 5));
    assert_int_equal(bench->batch_count, 1);
    assert_int_equal(bench->batches[0], 5);
    assert_int_equal(bench->dones, 5);
    assert_int_equal(bench->done_id[4], 5);
    assert_int_equal(bench->done_stats[0].sent, 5);
}

static void test_send_many_goes_on_behind_what_was_taken(void **state)
{
    struct bench *bench = *state;

    bench->driver.send_many = send_frames;
    bench->take = 2;
    pump(bench, frames(bench, 1, 5));
    assert_int_equal(bench->batch_count, 3);
    assert_int_equal(bench->batches[1], 3);
    assert_int_equal(bench->dones, 5);
    assert_int_equal(bench->done_id[2], 3);
}

static void test_send_many_refused_is_about_the_first(void **state)
{
    struct bench *bench = *state;

    bench->driver.send_many = send_frames;
    bench->answer = -EAGAIN;
    pump(bench, frames(bench, 1, 3));
    assert_int_equal(bench->dones, 0);
    assert_int_equal(ledger(bench).pending, 3);
}

static void test_send_many_leaves_an_expired_one_out(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 3);

    bench->driver.send_many = send_frames;
    sends->next->expires_ns = LONG_AGO;
    pump(bench, sends);
    assert_int_equal(bench->batches[0], 1);
    assert_int_equal(bench->batches[1], 1);
    assert_int_equal(bench->done_result[1], -ECANCELED);
    assert_int_equal(ledger(bench).sent, 2);
}

/* ---- given up ---- */

static void withdraw(struct bench *bench, struct aw_send *send)
{
    atomic_store(&send->withdrawn, true);
    atomic_store(&bench->reader.withdrawals, true);
}

static void test_send_withdrawn_is_never_offered(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 2);

    withdraw(bench, sends);
    pump(bench, sends);
    assert_int_equal(bench->attempts, 1);
    assert_int_equal(bench->done_result[0], -ECANCELED);
    assert_int_equal(bench->done_result[1], 0);
    assert_int_equal(ledger(bench).expired, 1);
}

static void test_send_withdrawn_ends_behind_one_that_waits(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 2);

    bench->answer = -EAGAIN;
    pump(bench, sends);
    withdraw(bench, sends->next);
    pump(bench, NULL);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
    assert_int_equal(bench->done_result[0], -ECANCELED);
}

/* Between the reader's look at its mailbox and that at what was withdrawn. */
static void test_send_withdrawn_and_looked_for_before_it_came_ends(void **state)
{
    struct bench *bench = *state;
    struct aw_send *sends = frames(bench, 1, 2), *late = sends->next;

    sends->next = NULL;
    bench->answer = -EAGAIN;
    withdraw(bench, late);
    pump(bench, sends);
    assert_int_equal(bench->dones, 0);
    pump(bench, late);
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
    assert_int_equal(bench->done_result[0], -ECANCELED);
}

static void test_send_withdrawn_ends_while_the_device_is_away(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->wait = true;
    send->timeout_ns = UINT64_MAX;
    bench->reader.away = true;
    pump(bench, send);
    assert_int_equal(bench->dones, 0);
    withdraw(bench, send);
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], -ECANCELED);
}

static void test_send_withdrawn_once_handed_over_is_sent(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->confirm = true;
    pump(bench, send);
    withdraw(bench, send);
    pump(bench, NULL);
    assert_int_equal(bench->dones, 0);
    assert_int_equal(ledger(bench).pending, 1);
}

/* ---- transfers ---- */

static void test_send_that_blocks_goes_one_at_a_time(void **state)
{
    struct bench *bench = *state;

    bench->reader.link.blocking_send = true;
    pump(bench, frames(bench, 1, 2));
    assert_int_equal(bench->attempts, 1);
    assert_true(due_ns(bench) == 0);
    pump(bench, NULL);
    assert_int_equal(bench->dones, 2);
    assert_true(due_ns(bench) == UINT64_MAX);
}

/* ---- the end ---- */

static void test_send_limit_ends_what_would_wait_for_ever(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);

    send->timeout_ns = UINT64_MAX;
    send->wait = true;
    bench->answer = -ENETDOWN;
    pump(bench, send);
    bench->reader.send_timeout_ns = 0;
    aw_role_assume(&aw_role_reader);
    aw_sender_limit(&bench->reader);
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
}

static void test_send_posted_to_a_device_being_closed_is_limited(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);
    struct aw_mail stop = {.kind = AW_MAIL_STOP};

    send->timeout_ns = UINT64_MAX;
    bench->answer = -EAGAIN;
    bench->reader.stop = &stop;
    pump(bench, send);
    assert_in_range(bench->reader.sends->deadline_ns, 1,
                    aw_clock_monotonic_ns() + 3600 * AW_NS_PER_S);
    assert_true(due_ns(bench) == bench->reader.sends->deadline_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_send_timeout_of_its_own_counts),
        TEST(test_send_timeout_for_ever_is_never_due),
        TEST(test_send_behind_another_times_out_in_its_place),
        TEST(test_send_last_timed_out_lets_others_be_appended),
        TEST(test_send_due_is_that_of_what_is_left),
        TEST(test_send_expired_is_never_offered),
        TEST(test_send_not_yet_expired_is_sent),
        TEST(test_send_expires_while_it_waits),
        TEST(test_send_link_down_fails_at_once),
        TEST(test_send_that_waits_outlasts_the_link_down),
        TEST(test_send_that_waits_times_out_with_the_link_down),
        TEST(test_send_that_waits_does_not_hold_up_those_that_fail),
        TEST(test_send_many_takes_all_in_one_call),
        TEST(test_send_many_goes_on_behind_what_was_taken),
        TEST(test_send_many_refused_is_about_the_first),
        TEST(test_send_many_leaves_an_expired_one_out),
        TEST(test_send_withdrawn_is_never_offered),
        TEST(test_send_withdrawn_ends_behind_one_that_waits),
        TEST(test_send_withdrawn_and_looked_for_before_it_came_ends),
        TEST(test_send_withdrawn_ends_while_the_device_is_away),
        TEST(test_send_withdrawn_once_handed_over_is_sent),
        TEST(test_send_that_blocks_goes_one_at_a_time),
        TEST(test_send_limit_ends_what_would_wait_for_ever),
        TEST(test_send_posted_to_a_device_being_closed_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
