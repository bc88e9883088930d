/* The driver `spi`: samples, on a period and on edges. */
#include "tests/unit/driver_fixture.h"

#include <errno.h>
#include <sys/timerfd.h>

#include "devices/queue/clock.h"
#include "tests/support/fake_chardev.h"

static struct fixture *new_sampling(const char *when, const char *value)
{
    struct fixture *spi;

    fake_chardev_reset();
    spi = fixture_new(&aw_spi_driver);
    fixture_set(spi, "path", "/dev/spidev0.0");
    fixture_set(spi, "sample", "80");
    fixture_set(spi, "sample_bytes", "6");
    fixture_set(spi, when, value);
    return spi;
}

static void begin(struct fixture *spi)
{
    assert_int_equal(fixture_check(spi), 0);
    assert_int_equal(fixture_open(spi), 0);
    aw_role_assume(&aw_role_reader);
    spi->driver->start(&spi->link);
}

/* The number that the fake chip put in a frame. */
static uint32_t number_in(const struct aw_frame *frame)
{
    return (uint32_t)frame->payload[1] << 24 |
           (uint32_t)frame->payload[2] << 16 |
           (uint32_t)frame->payload[3] << 8 | frame->payload[4];
}

static struct aw_event event_in(const struct aw_frame *frame)
{
    struct aw_event event;

    assert_int_equal(frame->kind, AW_KIND_EVENT);
    memcpy(&event, frame->payload, sizeof(event));
    return event;
}

static uint64_t losses(struct fixture *spi)
{
    return spi->driver->losses(&spi->link);
}

/* ---- on a period ---- */

/* The timer's own first tick is at the start, the second too late for any test.
 */
#define AN_HOUR_US "3600e6"

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / AW_NS_PER_S),
                             (long)(ns % AW_NS_PER_S)};
}

/* Has `ticks` be due now, without waiting for them: the machine has been up for
 * so many periods. The next one is half a period away, which no test outlives.
 */
static void pass_ticks(const struct fixture *spi, unsigned ticks)
{
    uint64_t period_ns = aw_clock_monotonic_ns() / ticks;
    const struct itimerspec when = {timespec_of(period_ns),
                                    timespec_of(period_ns / 2)};

    assert_int_equal(
        timerfd_settime(spi->link.fd, TFD_TIMER_ABSTIME, &when, NULL), 0);
}

static void test_spi_period_samples_at_once_when_it_starts(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);
    uint64_t before_ns = aw_clock_monotonic_ns();
    const struct aw_frame *frame;

    (void)state;
    begin(spi);
    frame = fixture_next(spi);
    assert_int_equal(frame->kind, AW_KIND_BYTES);
    assert_int_equal(frame->length, 6);
    assert_int_equal(frame->payload[0], FAKE_READ);
    assert_int_equal(number_in(frame), 0);
    assert_int_equal(frame->lost_before, 0);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_OWN);
    assert_true(frame->monotonic_ns >= before_ns);
    assert_true(frame->monotonic_ns <= aw_clock_monotonic_ns());
    assert_true(frame->timestamp_ns > frame->monotonic_ns);
    fixture_free(spi);
}

static void test_spi_period_does_not_sample_before_it_starts(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);

    (void)state;
    assert_int_equal(fixture_open(spi), 0);
    assert_false(fixture_polls(spi, POLLIN, 0));
    assert_int_equal(fake_chardev.messages, 0);
    fixture_free(spi);
}

static void test_spi_period_gives_a_frame_a_tick(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);

    (void)state;
    begin(spi);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(number_in(fixture_next(spi)), i);
        pass_ticks(spi, 1);
    }
    assert_int_equal(spi->link.status.overruns, 0);
    assert_int_equal(losses(spi), 0);
    fixture_free(spi);
}

static void test_spi_period_ticks_without_time_are_overruns(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);

    (void)state;
    begin(spi);
    fixture_next(spi);
    pass_ticks(spi, 4);
    assert_true(fixture_polls(spi, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(spi->batch.count, 2);
    assert_int_equal(aw_batch_at(&spi->batch, 0)->id, AW_EVENT_OVERRUN);
    assert_int_equal(event_in(aw_batch_at(&spi->batch, 0)).detail, 3);
    assert_int_equal(number_in(aw_batch_at(&spi->batch, 1)), 1);
    assert_int_equal(aw_batch_at(&spi->batch, 1)->lost_before, 0);
    assert_int_equal(spi->link.status.overruns, 3);
    assert_int_equal(losses(spi), 0);
    fixture_free(spi);
}

static void test_spi_period_notes_how_late_a_sample_was(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);

    (void)state;
    begin(spi);
    fixture_next(spi);
    assert_true(spi->link.status.late_max_ns > 0);
    assert_true(spi->link.status.late_max_ns < DEADLINE_MS * AW_NS_PER_MS);
    fixture_free(spi);
}

static void test_spi_burst_is_one_message_spaced_by_delays(void **state)
{
    struct fixture *spi = new_sampling("period_us", "1000");

    (void)state;
    fixture_set(spi, "samples_per_call", "4");
    begin(spi);
    pass_ticks(spi, 1);
    assert_true(fixture_polls(spi, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(fake_chardev.messages, 1);
    assert_int_equal(fake_chardev.last_count, 4);
    /* 6 bytes at 1 MHz take 48 us of the 1000. */
    assert_int_equal(fake_chardev.last[0].delay_usecs, 952);
    assert_int_equal(fake_chardev.last[0].cs_change, 1);
    assert_int_equal(fake_chardev.last[3].delay_usecs, 0);
    assert_int_equal(fake_chardev.last[3].cs_change, 0);
    fixture_free(spi);
}

static void test_spi_burst_gives_frames_a_period_apart(void **state)
{
    struct fixture *spi = new_sampling("period_us", "1000");
    const struct aw_frame *first;

    (void)state;
    fixture_set(spi, "samples_per_call", "4");
    begin(spi);
    pass_ticks(spi, 1);
    assert_true(fixture_polls(spi, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(spi->batch.count, 4);
    first = aw_batch_at(&spi->batch, 0);
    for (uint32_t i = 0; i < 4; i++) {
        const struct aw_frame *frame = aw_batch_at(&spi->batch, i);

        assert_int_equal(number_in(frame), i);
        assert_int_equal(frame->monotonic_ns,
                         first->monotonic_ns + i * AW_NS_PER_MS);
        assert_int_equal(frame->timestamp_ns,
                         first->timestamp_ns + i * AW_NS_PER_MS);
    }
    fixture_free(spi);
}

static void test_spi_burst_for_which_there_is_no_room_waits(void **state)
{
    struct fixture *spi = new_sampling("period_us", "20000");

    (void)state;
    fixture_set(spi, "samples_per_call", "5");
    begin(spi);
    pass_ticks(spi, 1);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(number_in(fixture_next(spi)), i);
    assert_int_equal(fake_chardev.messages, 1);
    fixture_free(spi);
}

static void test_spi_sample_that_fails_is_lost(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);
    struct capture capture;
    const struct aw_frame *frame;
    char text[512];
    int result;

    (void)state;
    fake_chardev.message_error = EIO;
    fake_chardev.message_error_count = 1;
    begin(spi);
    capture = capture_begin();
    result = fixture_read(spi, AW_BATCH_FRAMES);
    capture_end(capture, text, sizeof(text));
    assert_int_equal(result, 0);
    assert_non_null(strstr(text, "a sample failed"));
    assert_int_equal(spi->batch.count, 0);
    assert_int_equal(losses(spi), 1);
    pass_ticks(spi, 1);
    frame = fixture_next(spi);
    assert_int_equal(frame->lost_before, 1);
    assert_int_equal(frame->lost_cause, AW_LOSS_KERNEL);
    fixture_free(spi);
}

static void test_spi_samples_that_keep_failing_lose_the_device(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);
    struct capture capture;
    char text[512];
    int result = 0, reads = 0;

    (void)state;
    fake_chardev.message_error = EIO;
    fake_chardev.message_error_count = UINT32_MAX;
    begin(spi);
    capture = capture_begin();
    while (result == 0 && reads < 100) {
        result = fixture_read(spi, AW_BATCH_FRAMES);
        pass_ticks(spi, 1);
        reads++;
    }
    capture_end(capture, text, sizeof(text));
    assert_int_equal(result, -EIO);
    assert_int_equal(reads, 10);
    assert_int_equal(losses(spi), 10);
    fixture_free(spi);
}

static void test_spi_samples_that_fail_now_and_then_lose_no_device(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);
    struct capture capture;
    char text[512];

    (void)state;
    fake_chardev.message_error = EIO;
    begin(spi);
    capture = capture_begin();
    for (uint32_t i = 0; i < 30; i++) {
        fake_chardev.message_error_count = i % 2;
        assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
        assert_int_equal(spi->batch.count, 1 - i % 2);
        pass_ticks(spi, 1);
    }
    capture_end(capture, text, sizeof(text));
    assert_int_equal(losses(spi), 15);
    fixture_free(spi);
}

static void test_spi_loss_is_told_to_one_frame(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");

    (void)state;
    begin(spi);
    fake_chardev_edge(1000, 4);
    fake_chardev_edge(2000, 0);
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(spi->batch.count, 3);
    assert_int_equal(aw_batch_at(&spi->batch, 1)->lost_before, 4);
    assert_int_equal(aw_batch_at(&spi->batch, 2)->lost_before, 0);
    fixture_free(spi);
}

static void test_spi_sample_of_a_chip_that_is_gone_loses_it(void **state)
{
    struct fixture *spi = new_sampling("period_us", AN_HOUR_US);

    (void)state;
    fake_chardev.message_error = ESHUTDOWN;
    fake_chardev.message_error_count = 1;
    begin(spi);
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), -ENODEV);
    fixture_free(spi);
}

/* ---- on edges ---- */

static struct fixture *begin_edges(void)
{
    struct fixture *spi = new_sampling("data_ready", "ready");

    begin(spi);
    return spi;
}

static void test_spi_edge_gives_a_frame_of_its_time(void **state)
{
    struct fixture *spi = begin_edges();
    const struct aw_frame *frame;
    uint64_t edge_ns = aw_clock_monotonic_ns() - AW_NS_PER_MS;

    (void)state;
    assert_false(fixture_polls(spi, POLLIN, 0));
    fake_chardev_edge(edge_ns, 0);
    frame = fixture_next(spi);
    assert_int_equal(number_in(frame), 0);
    assert_int_equal(frame->monotonic_ns, edge_ns);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_KERNEL);
    assert_int_equal(frame->lost_before, 0);
    assert_true(spi->link.status.late_max_ns >= AW_NS_PER_MS);
    fixture_free(spi);
}

static void test_spi_edge_asks_for_the_line_with_events(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");

    (void)state;
    fixture_set(spi, "edge", "falling");
    fixture_set(spi, "bias", "pull-up");
    begin(spi);
    assert_int_equal(fake_chardev.request.offsets[0], FAKE_READY_OFFSET);
    assert_int_equal(fake_chardev.request.event_buffer_size, 1024);
    assert_int_equal(fake_chardev.request.config.flags,
                     GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_FALLING |
                         GPIO_V2_LINE_FLAG_BIAS_PULL_UP);
    assert_string_equal(fake_chardev.request.consumer, "awaitd");
    fixture_free(spi);
}

static void test_spi_edges_that_wait_get_a_sample_each(void **state)
{
    struct fixture *spi = begin_edges();

    (void)state;
    for (uint64_t i = 0; i < 100; i++)
        fake_chardev_edge(1000 + i, 0);
    for (uint32_t i = 0; i < 100; i++) {
        const struct aw_frame *frame = fixture_next(spi);

        assert_int_equal(number_in(frame), i);
        assert_int_equal(frame->monotonic_ns, 1000 + i);
    }
    assert_false(fixture_polls(spi, POLLIN, 0));
    assert_int_equal(losses(spi), 0);
    fixture_free(spi);
}

static void test_spi_edges_that_the_kernel_dropped_are_losses(void **state)
{
    struct fixture *spi = begin_edges();

    (void)state;
    fake_chardev_edge(1000, 0);
    fake_chardev_edge(2000, 5);
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(spi->batch.count, 3);
    assert_int_equal(aw_batch_at(&spi->batch, 0)->lost_before, 0);
    assert_int_equal(aw_batch_at(&spi->batch, 1)->id, AW_EVENT_MISSED);
    assert_int_equal(event_in(aw_batch_at(&spi->batch, 1)).detail, 5);
    assert_int_equal(aw_batch_at(&spi->batch, 2)->lost_before, 5);
    assert_int_equal(aw_batch_at(&spi->batch, 2)->lost_cause, AW_LOSS_KERNEL);
    assert_int_equal(spi->link.status.missed, 5);
    assert_int_equal(losses(spi), 5);
    fixture_free(spi);
}

static void test_spi_late_edges_that_are_to_miss_are_losses(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");
    const struct aw_frame *frame;

    (void)state;
    fixture_set(spi, "late_edges", "miss");
    begin(spi);
    for (uint64_t i = 0; i < 4; i++)
        fake_chardev_edge(1000 + i, i == 2 ? 7 : 0);
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    assert_int_equal(spi->batch.count, 2);
    frame = aw_batch_at(&spi->batch, 1);
    assert_int_equal(frame->monotonic_ns, 1003);
    assert_int_equal(frame->lost_before, 10);
    assert_int_equal(fake_chardev.messages, 1);
    assert_int_equal(losses(spi), 10);
    fixture_free(spi);
}

static void test_spi_event_and_frame_share_little_room_in_order(void **state)
{
    struct fixture *spi = begin_edges();
    const struct aw_frame *frame;

    (void)state;
    fake_chardev_edge(2000, 5);
    assert_int_equal(fixture_next(spi)->id, AW_EVENT_MISSED);
    /* The kernel's line has no edge left, and yet it can be read. */
    frame = fixture_next(spi);
    assert_int_equal(frame->kind, AW_KIND_BYTES);
    assert_int_equal(frame->lost_before, 5);
    fixture_free(spi);
}

static void test_spi_edges_before_the_start_are_nobodys(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");

    (void)state;
    assert_int_equal(fixture_open(spi), 0);
    for (uint64_t i = 0; i < 200; i++)
        fake_chardev_edge(1000 + i, 0);
    aw_role_assume(&aw_role_reader);
    spi->driver->start(&spi->link);
    assert_false(fixture_polls(spi, POLLIN, 0));
    fake_chardev_edge(5000, 0);
    assert_int_equal(fixture_next(spi)->lost_before, 0);
    assert_int_equal(losses(spi), 0);
    fixture_free(spi);
}

static void test_spi_line_that_waits_at_the_start_is_served(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");
    const struct aw_frame *frame;

    (void)state;
    fake_chardev.level = true;
    begin(spi);
    frame = fixture_next(spi);
    assert_int_equal(number_in(frame), 0);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_OWN);
    assert_false(fixture_polls(spi, POLLIN, 0));
    fixture_free(spi);
}

static void test_spi_falling_line_that_is_high_does_not_wait(void **state)
{
    struct fixture *spi = new_sampling("data_ready", "ready");

    (void)state;
    fixture_set(spi, "edge", "falling");
    fake_chardev.level = true;
    begin(spi);
    assert_false(fixture_polls(spi, POLLIN, 0));
    fixture_free(spi);
}

static void test_spi_sample_that_fails_on_an_edge_is_lost(void **state)
{
    struct fixture *spi = begin_edges();
    struct capture capture;
    char text[512];

    (void)state;
    fake_chardev.message_error = ETIMEDOUT;
    fake_chardev.message_error_count = 1;
    fake_chardev_edge(1000, 0);
    fake_chardev_edge(2000, 0);
    capture = capture_begin();
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), 0);
    capture_end(capture, text, sizeof(text));
    assert_int_equal(spi->batch.count, 1);
    assert_int_equal(aw_batch_at(&spi->batch, 0)->monotonic_ns, 2000);
    assert_int_equal(aw_batch_at(&spi->batch, 0)->lost_before, 1);
    assert_int_equal(spi->link.status.missed, 0);
    assert_int_equal(losses(spi), 1);
    fixture_free(spi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spi_period_samples_at_once_when_it_starts),
        cmocka_unit_test(test_spi_period_does_not_sample_before_it_starts),
        cmocka_unit_test(test_spi_period_gives_a_frame_a_tick),
        cmocka_unit_test(test_spi_period_ticks_without_time_are_overruns),
        cmocka_unit_test(test_spi_period_notes_how_late_a_sample_was),
        cmocka_unit_test(test_spi_burst_is_one_message_spaced_by_delays),
        cmocka_unit_test(test_spi_burst_gives_frames_a_period_apart),
        cmocka_unit_test(test_spi_burst_for_which_there_is_no_room_waits),
        cmocka_unit_test(test_spi_sample_that_fails_is_lost),
        cmocka_unit_test(test_spi_samples_that_keep_failing_lose_the_device),
        cmocka_unit_test(
            test_spi_samples_that_fail_now_and_then_lose_no_device),
        cmocka_unit_test(test_spi_loss_is_told_to_one_frame),
        cmocka_unit_test(test_spi_sample_of_a_chip_that_is_gone_loses_it),
        cmocka_unit_test(test_spi_edge_gives_a_frame_of_its_time),
        cmocka_unit_test(test_spi_edge_asks_for_the_line_with_events),
        cmocka_unit_test(test_spi_edges_that_wait_get_a_sample_each),
        cmocka_unit_test(test_spi_edges_that_the_kernel_dropped_are_losses),
        cmocka_unit_test(test_spi_late_edges_that_are_to_miss_are_losses),
        cmocka_unit_test(test_spi_event_and_frame_share_little_room_in_order),
        cmocka_unit_test(test_spi_edges_before_the_start_are_nobodys),
        cmocka_unit_test(test_spi_line_that_waits_at_the_start_is_served),
        cmocka_unit_test(test_spi_falling_line_that_is_high_does_not_wait),
        cmocka_unit_test(test_spi_sample_that_fails_on_an_edge_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
