/* A device that goes away and comes back, as its queues and senders see it. */
#include <errno.h>
#include <string.h>

#include "devices/reader.h"
#include "tests/support/device_support.h"

static struct aw_link_status status_of(const struct fake *fake)
{
    struct aw_link_status status;

    aw_device_status(fake->device, &status);
    return status;
}

static int set_up_waiting(void **state)
{
    struct fake *fake = fake_new();

    fake->config.common[AW_COMMON_ON_LOSS].integer = AW_ON_LOSS_WAIT;
    fake_open(fake);
    *state = fake;
    return 0;
}

#define TEST_WAITING(test)                                                     \
    cmocka_unit_test_setup_teardown(test, set_up_waiting, fake_tear_down)

/* Makes it go away, and waits until its reader knows. */
static void go_away(struct fake *fake)
{
    uint32_t closes = fake_count(fake, &fake->closes);

    fake_missing(fake, -ENODEV);
    fake_end(fake, ENODEV);
    fake_wait(fake, &fake->closes, closes + 1);
    go_round(fake);
}

static void come_back(struct fake *fake)
{
    uint32_t opens;

    /* At one moment: an attempt of before it has failed, and the next one is
     * waited for. */
    pthread_mutex_lock(&fake->lock);
    fake->open_result = 0;
    opens = fake->opens;
    pthread_mutex_unlock(&fake->lock);
    fake_wait(fake, &fake->opens, opens + 1);
    go_round(fake);
}

/* ---- queues ---- */

static void test_reopen_queue_goes_on_where_it_was(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct taken taken;

    fake_receive(fake, 1, 1);
    take_frame(fake, queue, 1);
    go_away(fake);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_OPEN);
    come_back(fake);
    fake_receive(fake, 2, 1);
    taken = take_frame(fake, queue, 2);
    assert_int_equal(taken.seq, 1);
    assert_int_equal(taken.lost_cause, AW_LOSS_AWAY);
    assert_int_equal(queue_stats(queue).received, 2);
    retire_queue(fake, queue);
}

static void test_reopen_is_told_by_events(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_event_queue(fake, "1");
    struct taken taken;

    go_away(fake);
    assert_int_equal(take_event(fake, queue, AW_EVENT_LOST).event.value,
                     ENODEV);
    come_back(fake);
    taken = take_event(fake, queue, AW_EVENT_BACK);
    assert_int_equal(taken.lost_cause, AW_LOSS_AWAY);
    assert_true(taken.event.detail >= AW_REOPEN_FIRST_NS / AW_NS_PER_MS);
    assert_int_equal(queue_stats(queue).received, 2);
    retire_queue(fake, queue);
}

static void test_reopen_status_says_how_it_is(void **state)
{
    struct fake *fake = *state;

    assert_int_equal(status_of(fake).state, AW_LINK_UP);
    go_away(fake);
    assert_int_equal(status_of(fake).state, AW_LINK_LOST);
    assert_int_equal(status_of(fake).failure, ENODEV);
    assert_int_equal(status_of(fake).lost, 1);
    come_back(fake);
    assert_int_equal(status_of(fake).state, AW_LINK_UP);
    assert_int_equal(status_of(fake).failure, 0);
    assert_int_equal(status_of(fake).reopened, 1);
}

static void test_reopen_counts_each_time(void **state)
{
    struct fake *fake = *state;

    for (uint32_t i = 1; i <= 2; i++) {
        go_away(fake);
        assert_int_equal(status_of(fake).lost, i);
        come_back(fake);
        assert_int_equal(status_of(fake).lost, i);
        assert_int_equal(status_of(fake).reopened, i);
    }
}

static void test_reopen_queue_attached_meanwhile_waits_too(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    go_away(fake);
    queue = attach_queue(fake, "1", 8);
    come_back(fake);
    fake_receive(fake, 1, 1);
    assert_int_equal(take_frame(fake, queue, 1).lost_cause, AW_LOSS_NONE);
    retire_queue(fake, queue);
}

static void test_reopen_starts_the_frames_again(void **state)
{
    struct fake *fake = *state;

    fake_wait(fake, &fake->starts, 1);
    go_away(fake);
    come_back(fake);
    fake_wait(fake, &fake->starts, 2);
}

static void test_reopen_losses_are_those_of_all_openings(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct taken taken;

    fake_receive_after(fake, 1, 2);
    take_frame(fake, queue, 1);
    fake_lose(fake, 5);
    go_away(fake);
    fake_lose(fake, 0);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    come_back(fake);
    fake_receive_after(fake, 2, 4);
    taken = take_frame(fake, queue, 2);
    assert_int_equal(taken.lost_before, 3 + 4);
    assert_int_equal(taken.lost_cause, AW_LOSS_KERNEL | AW_LOSS_AWAY);
    assert_int_equal(taken.seq, 2 + 1 + 3 + 4);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5 + 4);
    fake_lose(fake, 6);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5 + 6);
    retire_queue(fake, queue);
}

static void test_reopen_failed_by_default_is_final(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_event_queue(fake, "1");

    fake_end(fake, ENODEV);
    wait_state(fake, queue, AW_QUEUE_LOST);
    take_event(fake, queue, AW_EVENT_LOST);
    assert_int_equal(aw_queue_failure(queue), ENODEV);
    assert_int_equal(status_of(fake).state, AW_LINK_LOST);
    assert_int_equal(fake_count(fake, &fake->opens), 1);
    retire_queue(fake, queue);
}

static void test_reopen_failed_for_good_is_closed_at_once_and_once(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_end(fake, ENODEV);
    fake_wait(fake, &fake->closes, 1);
    aw_device_release(fake->device);
    aw_device_sync(fake->device);
    post_parcel(fake, &parcel, 1);
    assert_int_equal(finish_parcel(&parcel), -ENODEV);
    aw_device_close(fake->device);
    assert_int_equal(fake->closes, 1);
    assert_int_equal(fake->opens, 1);
}

static void give_account(struct aw_link *link, struct aw_source_account *ret)
{
    (void)link;
    *ret = (struct aw_source_account){.broken_lines = 7};
}

static void test_reopen_source_failed_for_good_gives_its_account(void **state)
{
    struct fake *fake = *state;
    struct aw_source_account account;
    struct aw_queue *queue;

    fake->driver.account = give_account;
    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_end(fake, EIO);
    wait_state(fake, queue, AW_QUEUE_LOST);
    aw_device_sync(fake->device);
    assert_int_equal(fake_count(fake, &fake->closes), 0);
    aw_device_close(fake->device);
    assert_int_equal(fake->closes, 1);
    assert_true(aw_device_source_account(fake->device, &account));
    assert_int_equal(account.broken_lines, 7);
    retire_queue(fake, queue);
}

static void test_reopen_larger_frames_are_refused(void **state)
{
    struct fake *fake = *state;

    go_away(fake);
    pthread_mutex_lock(&fake->lock);
    fake->payload_bytes = AW_PAYLOAD_FD;
    pthread_mutex_unlock(&fake->lock);
    come_back(fake);
    fake_wait(fake, &fake->closes, 2);
    /* It goes on trying. */
    assert_int_equal(fake_count(fake, &fake->payload_limit), AW_PAYLOAD_CAN);
    assert_int_equal(status_of(fake).state, AW_LINK_LOST);
}

static void test_reopen_closed_while_away_closes_once(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    go_away(fake);
    aw_device_close(fake->device);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_STOPPED);
    assert_int_equal(fake->closes, 1);
    assert_int_equal(status_of(fake).state, AW_LINK_CLOSED);
    retire_queue(fake, queue);
}

/* ---- sending ---- */

static void test_reopen_send_fails_at_once_while_away(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    go_away(fake);
    post_parcel(fake, &parcel, 1);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
    assert_int_equal(send_stats(fake).failed, 1);
}

static void test_reopen_send_that_waits_goes_out_when_it_is_back(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    go_away(fake);
    parcel_init(&parcel, 7);
    parcel.send->wait = true;
    assert_int_equal(aw_device_send(fake->device, parcel.send), 0);
    go_round(fake);
    assert_int_equal(send_stats(fake).pending, 1);
    come_back(fake);
    assert_int_equal(finish_parcel(&parcel), 0);
    assert_int_equal(fake->sent_id[0], 7);
}

static void test_reopen_send_blocked_before_fails_with_the_loss(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    go_away(fake);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
}

static void test_reopen_send_that_finds_it_gone_says_down(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_refuse(fake, -ENODEV, 1);
    post_parcel(fake, &parcel, 1);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
}

static void test_reopen_unconfirmed_fails_with_the_loss(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake->can_confirm = true;
    fake->config.common[AW_COMMON_ON_LOSS].integer = AW_ON_LOSS_WAIT;
    fake_open(fake);
    parcel_init(&parcel, 1);
    parcel.send->confirm = true;
    assert_int_equal(aw_device_send(fake->device, parcel.send), 0);
    fake_wait(fake, &fake->sent, 1);
    go_away(fake);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
}

/* ---- a device that has not been there yet ---- */

static void describe(struct aw_link *link, const struct aw_value *values)
{
    (void)values;
    link->payload_bytes = AW_PAYLOAD_CAN;
    link->kind = AW_KIND_CAN;
    link->can_send = true;
}

static void make_optional(struct fake *fake, int result)
{
    fake->driver.describe = describe;
    fake->config.common[AW_COMMON_REQUIRED] =
        (struct aw_value){.set = true, .flag = false};
    fake->open_result = result;
}

static void test_reopen_missing_and_not_required_is_waited_for(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    make_optional(fake, -ENODEV);
    fake_open(fake);
    assert_int_equal(status_of(fake).state, AW_LINK_WAITING);
    assert_int_equal(status_of(fake).failure, ENODEV);
    assert_int_equal(aw_device_payload_bytes(fake->device), AW_PAYLOAD_CAN);
    assert_true(aw_device_can_send(fake->device));
    queue = attach_event_queue(fake, "1");
    come_back(fake);
    take_event(fake, queue, AW_EVENT_BACK);
    fake_receive(fake, 5, 1);
    assert_int_equal(take_frame(fake, queue, 5).lost_cause, AW_LOSS_NONE);
    assert_int_equal(status_of(fake).lost, 0);
    assert_int_equal(status_of(fake).reopened, 1);
    retire_queue(fake, queue);
}

static void check_open_fails(struct fake *fake, int result)
{
    struct aw_error error;

    assert_int_equal(aw_device_open(&fake->config, &fake->device, &error),
                     result);
    assert_null(fake->device);
}

static void test_reopen_refused_is_not_waited_for(void **state)
{
    struct fake *fake = *state;

    make_optional(fake, -EACCES);
    check_open_fails(fake, -EACCES);
}

static void test_reopen_required_fails_the_start(void **state)
{
    struct fake *fake = *state;

    make_optional(fake, -ENODEV);
    fake->config.common[AW_COMMON_REQUIRED].flag = true;
    check_open_fails(fake, -ENODEV);
}

static void test_reopen_unsaid_is_required(void **state)
{
    struct fake *fake = *state;

    make_optional(fake, -ENODEV);
    fake->config.common[AW_COMMON_REQUIRED].set = false;
    check_open_fails(fake, -ENODEV);
}

static void test_reopen_unknown_frames_fail_the_start(void **state)
{
    struct fake *fake = *state;

    make_optional(fake, -ENODEV);
    fake->driver.describe = NULL;
    check_open_fails(fake, -ENODEV);
}

/* ---- the back-off, with the clock in the test's hand ---- */

static int refuse_to_open(struct aw_link *link, const struct aw_value *values,
                          struct aw_error *error)
{
    (void)values;
    (*(uint32_t *)(uintptr_t)link->channels)++;
    return aw_error_set(error, ENODEV, "not there");
}

static void test_reopen_waits_twice_as_long_each_time(void **state)
{
    static const uint64_t waits_ms[] = {100,  200,  400,  800,
                                        1600, 3200, 5000, 5000};
    const struct aw_driver driver = {.open = refuse_to_open};
    struct aw_reader *reader =
        aligned_alloc(_Alignof(struct aw_reader), sizeof(*reader));
    uint32_t opens = 0;
    uint64_t now_ns;

    (void)state;
    assert_non_null(reader);
    memset(reader, 0, sizeof(*reader));
    reader->driver = &driver;
    reader->link.channels = (struct aw_channels *)(void *)&opens;
    aw_role_assume(&aw_role_reader);
    aw_reopen_init(reader, ENODEV);
    now_ns = reader->away_ns;
    for (uint32_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        now_ns += waits_ms[i] * AW_NS_PER_MS;
        assert_true(aw_reopen_due_ns(reader) == now_ns);
        aw_reopen_try(reader, now_ns - 1);
        assert_int_equal(opens, i);
        aw_reopen_try(reader, now_ns);
        assert_int_equal(opens, i + 1);
    }
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WAITING(test_reopen_queue_goes_on_where_it_was),
        TEST_WAITING(test_reopen_is_told_by_events),
        TEST_WAITING(test_reopen_status_says_how_it_is),
        TEST_WAITING(test_reopen_counts_each_time),
        TEST_WAITING(test_reopen_queue_attached_meanwhile_waits_too),
        TEST_WAITING(test_reopen_starts_the_frames_again),
        TEST_WAITING(test_reopen_losses_are_those_of_all_openings),
        TEST_OPEN(test_reopen_failed_by_default_is_final),
        TEST_OPEN(test_reopen_failed_for_good_is_closed_at_once_and_once),
        TEST_UNOPENED(test_reopen_source_failed_for_good_gives_its_account),
        TEST_WAITING(test_reopen_larger_frames_are_refused),
        TEST_WAITING(test_reopen_closed_while_away_closes_once),
        TEST_WAITING(test_reopen_send_fails_at_once_while_away),
        TEST_WAITING(test_reopen_send_that_waits_goes_out_when_it_is_back),
        TEST_WAITING(test_reopen_send_blocked_before_fails_with_the_loss),
        TEST_WAITING(test_reopen_send_that_finds_it_gone_says_down),
        TEST_UNOPENED(test_reopen_unconfirmed_fails_with_the_loss),
        TEST_UNOPENED(test_reopen_missing_and_not_required_is_waited_for),
        TEST_UNOPENED(test_reopen_refused_is_not_waited_for),
        TEST_UNOPENED(test_reopen_required_fails_the_start),
        TEST_UNOPENED(test_reopen_unsaid_is_required),
        TEST_UNOPENED(test_reopen_unknown_frames_fail_the_start),
        cmocka_unit_test(test_reopen_waits_twice_as_long_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
