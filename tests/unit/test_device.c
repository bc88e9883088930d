/* The device as any thread may use it, on a fake driver. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "devices/queue/log.h"
#include "tests/support/device_support.h"

/* ---- opening ---- */

static void test_device_open_refused_returns_the_drivers_reason(void **state)
{
    struct fake *fake = *state;
    struct aw_error error;

    fake->open_result = -ENODEV;
    assert_int_equal(aw_device_open(&fake->config, &fake->device, &error),
                     -ENODEV);
    assert_string_equal(error.text, "no such fake");
    assert_null(fake->device);
    assert_int_equal(fake->closes, 0);
}

static void test_device_open_needs_no_place_for_a_reason(void **state)
{
    struct fake *fake = *state;

    fake->open_result = -ENODEV;
    assert_int_equal(aw_device_open(&fake->config, &fake->device, NULL),
                     -ENODEV);
    assert_null(fake->device);
}

static void test_device_open_says_what_it_is(void **state)
{
    struct fake *fake = *state;

    fake->start = AW_START_RELEASED;
    fake_open(fake);
    assert_string_equal(aw_device_name(fake->device), "bench");
    assert_ptr_equal(aw_device_driver(fake->device), &fake->driver);
    assert_int_equal(aw_device_kind(fake->device), AW_KIND_CAN);
    assert_int_equal(aw_device_payload_bytes(fake->device), AW_PAYLOAD_CAN);
    assert_int_equal(aw_device_start(fake->device), AW_START_RELEASED);
    assert_true(aw_device_can_send(fake->device));
    assert_false(aw_device_closed(fake->device));
}

static void test_device_last_unref_closes(void **state)
{
    struct fake *fake = *state;
    struct aw_device *device = aw_device_ref(fake->device);

    aw_device_unref(device);
    assert_int_equal(fake_count(fake, &fake->closes), 0);
    aw_device_unref(device);
    fake->device = NULL;
    assert_int_equal(fake->closes, 1);
}

static void test_device_unref_null_is_harmless(void **state)
{
    (void)state;
    aw_device_unref(NULL);
}

static void test_device_numbers_queues_from_one(void **state)
{
    struct fake *fake = *state;

    assert_int_equal(aw_device_next_number(fake->device), 1);
    assert_int_equal(aw_device_next_number(fake->device), 2);
}

static void test_device_channel_unknown_is_empty(void **state)
{
    struct fake *fake = *state;

    assert_string_equal(aw_device_channel(fake->device, 0), "fake0");
    assert_string_equal(aw_device_channel(fake->device, 1), "");
    assert_string_equal(aw_device_channel(fake->device, UINT16_MAX), "");
}

/* ---- attaching ---- */

static void test_device_attach_gives_frames_from_then_on(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake_receive(fake, 1, 1);
    fake_wait(fake, &fake->reads, 1);
    queue = attach_queue(fake, "1", 8);
    fake_receive(fake, 2, 1);
    take_frame(fake, queue, 2);
    assert_int_equal(queue_stats(queue).received, 1);
    retire_queue(fake, queue);
}

static void check_attach_fails(struct fake *fake, const char *name, int error)
{
    struct aw_queue *queue = make_queue("script", name, 8);

    assert_int_equal(aw_device_attach(fake->device, queue), error);
    assert_int_equal(
        atomic_load_explicit(&queue->references, memory_order_relaxed), 1);
    aw_queue_unref(queue);
}

static void test_device_attach_same_name_is_refused(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    check_attach_fails(fake, "1", -EEXIST);
    fake_receive(fake, 1, 1);
    take_frame(fake, queue, 1);
    retire_queue(fake, queue);
}

static void test_device_attach_name_of_a_detached_queue_succeeds(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "1", 8), *second;

    aw_device_detach(fake->device, first);
    second = attach_queue(fake, "1", 8);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static void test_device_attach_after_the_end_is_at_the_end(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "1", 8), *second;

    fake_end(fake, 0);
    wait_state(fake, first, AW_QUEUE_END);
    second = attach_queue(fake, "2", 8);
    assert_int_equal(aw_queue_state(second), AW_QUEUE_END);
    aw_device_detach(fake->device, second);
    assert_int_equal(aw_queue_state(second), AW_QUEUE_END);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static int count_reports(struct fake *fake)
{
    struct aw_queue_report *reports = NULL;
    int count = aw_device_reports(fake->device, &reports);

    free(reports);
    return count;
}

static void test_device_attach_to_a_lost_device_fails(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_end(fake, EIO);
    wait_state(fake, queue, AW_QUEUE_LOST);
    check_attach_fails(fake, "2", -ENODEV);
    assert_int_equal(count_reports(fake), 1);
    retire_queue(fake, queue);
}

static void test_device_attach_to_a_closed_device_fails(void **state)
{
    struct fake *fake = *state;

    aw_device_close(fake->device);
    check_attach_fails(fake, "1", -ENODEV);
    assert_int_equal(count_reports(fake), 0);
}

/* Failed while the bell's error was not looked at: a paced reader would never
 * have heard of room. */
static void test_device_attach_without_a_bell_fails(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = make_queue("script", "1", 8);
    struct rlimit before, none;

    fake->paced = true;
    fake_open(fake);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_true(aw_device_attach(fake->device, queue) < 0);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(count_reports(fake), 0);
    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    retire_queue(fake, queue);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static long locked_kib(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];
    long kib = -1;

    assert_non_null(status);
    while (kib < 0 && fgets(line, sizeof(line), status))
        (void)sscanf(line, "VmLck: %ld", &kib);
    fclose(status);
    return kib;
}

static void test_device_attach_with_mlock_locks_the_ring(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;
    long before = locked_kib();

    if (SANITIZED) {
        print_message("SKIPPED: sanitizers leave mlock out\n");
        skip();
    }
    fake->config.common[AW_COMMON_MLOCK].flag = true;
    fake_open(fake);
    queue = attach_queue(fake, "1", 64);
    assert_true(locked_kib() > before);
    retire_queue(fake, queue);
    assert_int_equal(locked_kib(), before);
}

/* ---- detaching ---- */

static void test_device_detach_closes_and_keeps_what_is_pending(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 2);
    wait_frames(fake, queue, 2);
    aw_device_detach(fake->device, queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_CLOSED);
    fake_receive(fake, 3, 1);
    fake_wait(fake, &fake->reads, 2);
    go_round(fake);
    assert_int_equal(aw_queue_pending(queue), 2);
    assert_int_equal(queue_stats(queue).received, 2);
    retire_queue(fake, queue);
}

static void test_device_detach_twice_is_harmless(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    aw_device_detach(fake->device, queue);
    aw_device_detach(fake->device, queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_CLOSED);
    retire_queue(fake, queue);
}

static void test_device_detach_leaves_the_others(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queues[3];

    queues[0] = attach_queue(fake, "1", 8);
    queues[1] = attach_queue(fake, "2", 8);
    queues[2] = attach_queue(fake, "3", 8);
    aw_device_detach(fake->device, queues[1]);
    fake_receive(fake, 1, 1);
    take_frame(fake, queues[0], 1);
    take_frame(fake, queues[2], 1);
    assert_int_equal(queue_stats(queues[1]).received, 0);
    for (int i = 0; i < 3; i++)
        retire_queue(fake, queues[i]);
}

static void test_device_detach_after_close_is_harmless(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    aw_device_close(fake->device);
    aw_device_detach(fake->device, queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_STOPPED);
    retire_queue(fake, queue);
}

static void test_device_retire_counts_what_is_pending_as_closed(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct aw_queue_report *reports;

    fake_receive(fake, 1, 3);
    take_frame(fake, queue, 1);
    retire_queue(fake, queue);
    assert_int_equal(aw_device_reports(fake->device, &reports), 1);
    assert_string_equal(reports[0].name, "1");
    assert_string_equal(reports[0].owner, "script");
    assert_false(reports[0].open);
    assert_int_equal(reports[0].stats.delivered, 1);
    assert_int_equal(reports[0].stats.dropped_closed, 2);
    assert_true(aw_stats_exact(&reports[0].stats));
    free(reports);
}

static void test_device_retire_300_keeps_the_ledger_bounded(void **state)
{
    struct fake *fake = *state;
    struct aw_queue_report *reports;

    for (int i = 0; i < 300; i++)
        retire_queue(fake, attach_queue(fake, "1", 1));
    assert_int_equal(aw_device_reports(fake->device, &reports), 257);
    assert_string_equal(reports[0].name, "(earlier)");
    free(reports);
}

/* ---- filters ---- */

static void test_device_set_filters_applies_from_the_next_frame(void **state)
{
    struct fake *fake = *state;
    struct aw_filter only_2 = {.id = 2, .mask = 0x7ff};
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 1);
    take_frame(fake, queue, 1);
    assert_int_equal(aw_device_set_filters(fake->device, queue, &only_2, 1), 0);
    fake_receive(fake, 1, 3);
    take_frame(fake, queue, 2);
    assert_int_equal(queue_stats(queue).filtered, 2);
    assert_int_equal(aw_device_set_filters(fake->device, queue, NULL, 0), 0);
    fake_receive(fake, 7, 1);
    take_frame(fake, queue, 7);
    retire_queue(fake, queue);
}

static void test_device_set_filters_too_many_are_refused(void **state)
{
    struct fake *fake = *state;
    static const struct aw_filter filters[AW_FILTERS_MAX + 1];
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    assert_int_equal(
        aw_device_set_filters(fake->device, queue, filters, AW_FILTERS_MAX + 1),
        -EINVAL);
    assert_int_equal(
        aw_device_set_filters(fake->device, queue, filters, AW_FILTERS_MAX), 0);
    retire_queue(fake, queue);
}

static void test_device_set_filters_of_a_detached_queue_fails(void **state)
{
    struct fake *fake = *state;
    struct aw_filter filter = {.id = 2, .mask = 0x7ff};
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    aw_device_detach(fake->device, queue);
    assert_int_equal(aw_device_set_filters(fake->device, queue, &filter, 1),
                     -ENODEV);
    aw_device_close(fake->device);
    assert_int_equal(aw_device_set_filters(fake->device, queue, &filter, 1),
                     -ENODEV);
    retire_queue(fake, queue);
}

/* ---- the ledger ---- */

static void test_device_sync_charges_losses_to_each_queue(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "1", 8);
    struct aw_queue *second = attach_queue(fake, "2", 8);

    fake_lose(fake, 6);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(first).dropped_kernel, 6);
    assert_int_equal(queue_stats(second).dropped_kernel, 6);
    assert_int_equal(queue_stats(first).received, 6);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static void test_device_reports_its_queues_oldest_first(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "b", 8);
    struct aw_queue *second = attach_queue(fake, "a", 8);
    struct aw_queue_report *reports;

    fake_receive(fake, 1, 2);
    take_frame(fake, first, 1);
    assert_int_equal(aw_device_reports(fake->device, &reports), 2);
    assert_string_equal(reports[0].name, "b");
    assert_true(reports[0].open);
    assert_int_equal(reports[0].stats.delivered, 1);
    assert_int_equal(reports[1].stats.pending, 2);
    free(reports);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_device_open_refused_returns_the_drivers_reason),
        TEST_UNOPENED(test_device_open_needs_no_place_for_a_reason),
        TEST_UNOPENED(test_device_open_says_what_it_is),
        TEST_OPEN(test_device_last_unref_closes),
        TEST_UNOPENED(test_device_unref_null_is_harmless),
        TEST_OPEN(test_device_numbers_queues_from_one),
        TEST_OPEN(test_device_channel_unknown_is_empty),
        TEST_OPEN(test_device_attach_gives_frames_from_then_on),
        TEST_OPEN(test_device_attach_same_name_is_refused),
        TEST_OPEN(test_device_attach_name_of_a_detached_queue_succeeds),
        TEST_OPEN(test_device_attach_after_the_end_is_at_the_end),
        TEST_OPEN(test_device_attach_to_a_lost_device_fails),
        TEST_OPEN(test_device_attach_to_a_closed_device_fails),
        TEST_UNOPENED(test_device_attach_without_a_bell_fails),
        TEST_UNOPENED(test_device_attach_with_mlock_locks_the_ring),
        TEST_OPEN(test_device_detach_closes_and_keeps_what_is_pending),
        TEST_OPEN(test_device_detach_twice_is_harmless),
        TEST_OPEN(test_device_detach_leaves_the_others),
        TEST_OPEN(test_device_detach_after_close_is_harmless),
        TEST_OPEN(test_device_retire_counts_what_is_pending_as_closed),
        TEST_OPEN(test_device_retire_300_keeps_the_ledger_bounded),
        TEST_OPEN(test_device_set_filters_applies_from_the_next_frame),
        TEST_OPEN(test_device_set_filters_too_many_are_refused),
        TEST_OPEN(test_device_set_filters_of_a_detached_queue_fails),
        TEST_OPEN(test_device_sync_charges_losses_to_each_queue),
        TEST_OPEN(test_device_reports_its_queues_oldest_first),
    };

    aw_log_limit(AW_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
