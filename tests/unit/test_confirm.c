/* Confirmation: sends that end with their echo. */
#include "tests/unit/sender_bench.h"

/* A batch of one frame, for the test to describe. */
struct echo {
    struct aw_batch batch;
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + 64 + 8];
};

static struct aw_frame *echo_of(struct echo *echo, uint32_t id)
{
    struct aw_frame *frame;

    memset(echo, 0, sizeof(*echo));
    echo->batch.count = 1;
    echo->batch.slot_bytes = sizeof(echo->slot);
    echo->batch.slots = echo->slot;
    echo->batch.marks[0] = AW_MARK_ECHO;
    frame = aw_batch_at(&echo->batch, 0);
    frame->kind = AW_KIND_CAN;
    frame->id = id;
    return frame;
}

static void come_back(struct bench *bench, struct echo *echo)
{
    aw_role_assume(&aw_role_reader);
    aw_confirm_batch(&bench->reader, &echo->batch);
}

/* Sends frames to be confirmed, which the kernel takes. */
static struct aw_send *expect(struct bench *bench, uint32_t first,
                              uint32_t count)
{
    struct aw_send *oldest = frames(bench, first, count);

    for (struct aw_send *send = oldest; send; send = send->next)
        send->confirm = true;
    pump(bench, oldest);
    return bench->reader.confirms;
}

static void test_confirm_waits_for_the_echo(void **state)
{
    struct bench *bench = *state;
    struct echo echo;

    expect(bench, 1, 1);
    assert_int_equal(bench->attempts, 1);
    assert_int_equal(bench->dones, 0);
    assert_int_equal(ledger(bench).pending, 1);
    echo_of(&echo, 1)->timestamp_ns = 77;
    come_back(bench, &echo);
    assert_int_equal(bench->done_result[0], 0);
    assert_int_equal(bench->done_stamp_ns[0], 77);
    assert_int_equal(ledger(bench).sent, 1);
    assert_true(due_ns(bench) == UINT64_MAX);
}

static void test_confirm_frame_that_is_no_echo_confirms_nothing(void **state)
{
    struct bench *bench = *state;
    struct echo echo;

    expect(bench, 1, 1);
    echo_of(&echo, 1);
    echo.batch.marks[0] = 0;
    come_back(bench, &echo);
    assert_int_equal(bench->dones, 0);
}

static void check_other(struct bench *bench, struct echo *echo)
{
    come_back(bench, echo);
    assert_int_equal(bench->dones, 0);
}

static void test_confirm_echo_of_something_else_confirms_nothing(void **state)
{
    struct bench *bench = *state;
    struct aw_send *send = frames(bench, 1, 1);
    struct aw_frame *frame, *sent = (void *)send->frame;
    struct echo echo;

    send->confirm = true;
    sent->length = 2;
    sent->payload[1] = 5;
    pump(bench, send);
    echo_of(&echo, 2);
    check_other(bench, &echo);
    frame = echo_of(&echo, 1);
    frame->length = 1;
    check_other(bench, &echo);
    frame = echo_of(&echo, 1);
    frame->length = 2;
    frame->payload[1] = 6;
    check_other(bench, &echo);
    frame->payload[1] = 5;
    frame->flags = AW_FRAME_FD;
    check_other(bench, &echo);
    frame->flags = AW_FRAME_SENT;
    come_back(bench, &echo);
    assert_int_equal(bench->dones, 1);
}

static void test_confirm_padding_of_an_echo_is_zero(void **state)
{
    struct bench *bench = *state;
    struct aw_frame *frame;
    struct echo echo;

    expect(bench, 1, 1);
    frame = echo_of(&echo, 1);
    frame->length = 12;
    frame->payload[11] = 1;
    check_other(bench, &echo);
    frame->payload[11] = 0;
    come_back(bench, &echo);
    assert_int_equal(bench->dones, 1);
}

static void test_confirm_equal_frames_in_the_order_they_were_sent(void **state)
{
    struct bench *bench = *state;
    const struct aw_send *second;
    struct echo echo;

    expect(bench, 1, 1);
    expect(bench, 1, 1);
    second = bench->reader.confirms->next;
    echo_of(&echo, 1);
    come_back(bench, &echo);
    assert_ptr_equal(bench->reader.confirms, second);
    come_back(bench, &echo);
    assert_int_equal(bench->dones, 2);
}

static void test_confirm_others_do_not_wait_for_it(void **state)
{
    struct bench *bench = *state;

    expect(bench, 1, 1);
    pump(bench, frames(bench, 2, 1));
    assert_int_equal(bench->dones, 1);
    assert_int_equal(bench->done_id[0], 2);
}

static void test_confirm_without_echo_times_out(void **state)
{
    struct bench *bench = *state;

    expect(bench, 1, 1);
    assert_true(due_ns(bench) == bench->reader.confirms->deadline_ns);
    bench->reader.confirms->deadline_ns = 1;
    bench->reader.sends_due_ns = 1;
    pump(bench, NULL);
    assert_int_equal(bench->done_result[0], -ETIMEDOUT);
    assert_int_equal(ledger(bench).timed_out, 1);
}

static void test_confirm_does_not_expire_once_it_is_out(void **state)
{
    struct bench *bench = *state;
    struct echo echo;

    expect(bench, 1, 1)->expires_ns = 1;
    bench->reader.sends_due_ns = 1;
    pump(bench, NULL);
    assert_int_equal(bench->dones, 0);
    echo_of(&echo, 1);
    come_back(bench, &echo);
    assert_int_equal(bench->done_result[0], 0);
}

static void test_confirm_asks_for_echoes_once(void **state)
{
    struct bench *bench = *state;

    pump(bench, frames(bench, 1, 1));
    assert_int_equal(bench->echo_wishes, 0);
    expect(bench, 2, 2);
    assert_int_equal(bench->echo_wishes, 1);
}

static void test_confirm_impossible_fails_unsent(void **state)
{
    struct bench *bench = *state;

    bench->echo_answer = -ENOPROTOOPT;
    expect(bench, 1, 1);
    assert_int_equal(bench->attempts, 0);
    assert_int_equal(bench->done_result[0], -ENOPROTOOPT);
}

static void test_confirm_impossible_never_waits(void **state)
{
    struct bench *bench = *state;

    bench->echo_answer = -ENOBUFS;
    expect(bench, 1, 1);
    assert_int_equal(bench->done_result[0], -EIO);
}

static void test_confirm_device_lost_fails_it(void **state)
{
    struct bench *bench = *state;

    expect(bench, 1, 2);
    bench->reader.state = AW_QUEUE_LOST;
    bench->reader.failure = ENODEV;
    pump(bench, NULL);
    assert_int_equal(bench->dones, 2);
    assert_int_equal(bench->done_result[1], -ENODEV);
    assert_int_equal(ledger(bench).failed, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_confirm_waits_for_the_echo),
        TEST(test_confirm_frame_that_is_no_echo_confirms_nothing),
        TEST(test_confirm_echo_of_something_else_confirms_nothing),
        TEST(test_confirm_padding_of_an_echo_is_zero),
        TEST(test_confirm_equal_frames_in_the_order_they_were_sent),
        TEST(test_confirm_others_do_not_wait_for_it),
        TEST(test_confirm_without_echo_times_out),
        TEST(test_confirm_does_not_expire_once_it_is_out),
        TEST(test_confirm_asks_for_echoes_once),
        TEST(test_confirm_impossible_fails_unsent),
        TEST(test_confirm_impossible_never_waits),
        TEST(test_confirm_device_lost_fails_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
