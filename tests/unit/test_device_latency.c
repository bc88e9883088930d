/* A device's frames of a known age, through its reader, to the report. */
#include "devices/queue/queue_latency.h"
#include "tests/support/device_support.h"

/* The age a frame has when it is read. The bucket that begins there is half as
 * wide again: a reader that comes in before the fake's deadline is in it. */
#define AGE_NS (UINT64_C(1) << 35)

static struct aw_queue_report report_of(struct fake *fake)
{
    struct aw_queue_report *reports, report;

    assert_int_equal(aw_device_reports(fake->device, &reports), 1);
    report = reports[0];
    free(reports);
    return report;
}

static void test_device_latency_is_in_the_bucket_of_its_age(void **state)
{
    struct fake *fake = *state;
    struct aw_latency_counts latency;
    struct aw_queue *queue;

    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_receive_aged(fake, 3, AGE_NS);
    wait_frames(fake, queue, 3);
    latency = report_of(fake).latency[AW_LATENCY_RING];
    assert_int_equal(latency.counts[aw_latency_bucket(AGE_NS)], 3);
    assert_int_equal(aw_latency_total(&latency), 3);
    assert_in_range(latency.sum_ns / 3, AGE_NS, latency.max_ns);
    latency = report_of(fake).latency[AW_LATENCY_SCRIPT];
    assert_int_equal(aw_latency_total(&latency), 0);
    retire_queue(fake, queue);
}

static void test_device_latency_stays_when_the_queue_has_gone(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;
    struct aw_claim claim;

    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_receive_aged(fake, 1, AGE_NS);
    wait_frames(fake, queue, 1);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 1);
    aw_queue_note_given(queue, &claim, true);
    aw_queue_release(queue, &claim);
    retire_queue(fake, queue);
    for (int i = 0; i < AW_LATENCY_STAGES; i++)
        assert_int_equal(aw_latency_total(&report_of(fake).latency[i]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_device_latency_is_in_the_bucket_of_its_age),
        TEST_UNOPENED(test_device_latency_stays_when_the_queue_has_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
