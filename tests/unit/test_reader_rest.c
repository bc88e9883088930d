/* The reader's rest: frames that nobody is to be told of yet stay in the
 * kernel.
 *
 * The budget and the ring are so large here that a rest lasts four seconds, and
 * that a reader which does not end it when it is asked for something is seen.
 */
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "tests/support/device_support.h"

#define DEPTH (UINT32_C(1) << 24)

struct sleeper {
    struct aw_queue *queue;
    struct aw_waker waker;
};

static void wait_ring(struct sleeper *sleeper)
{
    assert_int_equal(
        aw_eventfd_wait(sleeper->waker.fd, FAKE_DEADLINE_S * AW_NS_PER_S), 1);
    assert_true(aw_eventfd_clear(sleeper->waker.fd));
}

/* Until so many are pending, and without arming it, as wait_frames() does. */
static void wait_pending(struct fake *fake, struct aw_queue *queue,
                         uint64_t count)
{
    struct timespec deadline = fake_deadline(), now;

    while (aw_queue_pending(queue) < count) {
        aw_device_sync(fake->device);
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec <= deadline.tv_sec);
    }
}

/* A consumer that was woken by frame 1 just now, has taken it, and waits again;
 * frame 2, by which the reader does not wake it, is in its ring. */
static void put_off_a_wake(struct fake *fake, struct sleeper *sleeper,
                           uint64_t budget_ns)
{
    const struct aw_queue_config config = {
        .name = "1",
        .device = "bench",
        .depth = DEPTH,
        .payload_bytes = AW_PAYLOAD_CAN,
        .budget_ns = budget_ns,
    };

    assert_int_equal(aw_waker_init(&sleeper->waker, false), 0);
    assert_int_equal(aw_queue_new(&config, &sleeper->queue), 0);
    assert_int_equal(aw_device_attach(fake->device, sleeper->queue), 0);
    assert_true(aw_queue_arm(sleeper->queue, &sleeper->waker));
    fake_receive(fake, 1, 1);
    wait_ring(sleeper);
    take_frame(fake, sleeper->queue, 1);
    assert_true(aw_queue_arm(sleeper->queue, &sleeper->waker));
    fake_receive(fake, 2, 1);
}

/* The same, and the reader rests. */
static void begin_rest(struct fake *fake, struct sleeper *sleeper)
{
    fake->kept_frames = UINT32_MAX;
    fake_open(fake);
    put_off_a_wake(fake, sleeper, 3600 * AW_NS_PER_S);
    wait_pending(fake, sleeper->queue, 1);
    go_round(fake);
}

static void leave(struct fake *fake, struct sleeper *sleeper)
{
    retire_queue(fake, sleeper->queue);
    aw_waker_deinit(&sleeper->waker);
}

static void test_reader_resting_leaves_frames_where_they_are(void **state)
{
    struct fake *fake = *state;
    struct sleeper sleeper;
    uint32_t reads;

    begin_rest(fake, &sleeper);
    reads = fake_count(fake, &fake->reads);
    for (uint32_t id = 3; id < 11; id++)
        fake_receive(fake, id, 1);
    aw_device_sync(fake->device);
    assert_int_equal(fake_count(fake, &fake->reads), reads + 1);
    leave(fake, &sleeper);
}

static void test_reader_resting_reads_before_it_answers(void **state)
{
    struct fake *fake = *state;
    struct sleeper sleeper;

    begin_rest(fake, &sleeper);
    fake_receive(fake, 3, 5);
    aw_device_sync(fake->device);
    assert_int_equal(aw_queue_pending(sleeper.queue), 6);
    leave(fake, &sleeper);
}

static void test_reader_resting_closes_with_all_that_came(void **state)
{
    struct fake *fake = *state;
    struct sleeper sleeper;

    begin_rest(fake, &sleeper);
    fake_receive(fake, 3, 5);
    aw_device_detach(fake->device, sleeper.queue);
    wait_ring(&sleeper);
    assert_int_equal(aw_queue_pending(sleeper.queue), 6);
    leave(fake, &sleeper);
}

static void test_reader_rested_wakes_when_it_is_due(void **state)
{
    struct fake *fake = *state;
    struct sleeper sleeper;

    fake->kept_frames = UINT32_MAX;
    fake_open(fake);
    put_off_a_wake(fake, &sleeper, 100 * AW_NS_PER_MS);
    wait_ring(&sleeper);
    take_frame(fake, sleeper.queue, 2);
    leave(fake, &sleeper);
}

/* The wake is put off, and yet the reader looks at the device: so it needs not
 * read when it is asked for something, which would end a rest. */
static void expect_no_rest(struct fake *fake)
{
    struct sleeper sleeper;
    uint32_t reads;

    fake_open(fake);
    put_off_a_wake(fake, &sleeper, 3600 * AW_NS_PER_S);
    wait_pending(fake, sleeper.queue, 1);
    reads = fake_count(fake, &fake->reads);
    go_round(fake);
    go_round(fake);
    assert_int_equal(fake_count(fake, &fake->reads), reads);
    fake_receive(fake, 3, 1);
    fake_wait(fake, &fake->reads, reads + 1);
    leave(fake, &sleeper);
}

static void test_reader_of_a_kernel_that_keeps_nothing_goes_on(void **state)
{
    expect_no_rest(*state);
}

static void test_reader_with_time_for_short_rests_only_goes_on(void **state)
{
    struct fake *fake = *state;

    fake->kept_frames = 100;
    expect_no_rest(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_reader_resting_leaves_frames_where_they_are),
        TEST_UNOPENED(test_reader_resting_reads_before_it_answers),
        TEST_UNOPENED(test_reader_resting_closes_with_all_that_came),
        TEST_UNOPENED(test_reader_rested_wakes_when_it_is_due),
        TEST_UNOPENED(test_reader_of_a_kernel_that_keeps_nothing_goes_on),
        TEST_UNOPENED(test_reader_with_time_for_short_rests_only_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
