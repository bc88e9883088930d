/* What a queue measures: every frame into the ring, and a sample out of it. */
#include "devices/queue/queue_latency.h"

#include "devices/queue/clock.h"
#include "tests/support/queue_support.h"

#define MINUTE_NS (60 * AW_NS_PER_S)

/* Its moment is `from_ns`, its stamp of that kind. */
static void offer_made(struct aw_queue *queue, uint32_t id, uint64_t from_ns,
                       enum aw_stamp stamp, uint64_t now_ns)
{
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_CAN, id, 8);

    aw_role_assume(&aw_role_reader);
    frame->monotonic_ns = from_ns;
    aw_frame_set_stamp(frame, stamp);
    aw_queue_offer_at(queue, frame, now_ns);
}

/* Frames that the consumer finds, `ns` old by and large. */
static void fill(struct aw_queue *queue, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        offer_made(queue, i, aw_clock_monotonic_ns(), AW_STAMP_OWN, 0);
    publish(queue);
}

static void give(struct aw_queue *queue, uint64_t count, bool woken)
{
    struct aw_claim claim = claim_frames(queue, count);

    aw_queue_note_given(queue, &claim, woken);
    aw_queue_release(queue, &claim);
}

static struct aw_latency_counts latency_of(const struct aw_queue *queue,
                                           enum aw_latency_stage stage)
{
    struct aw_latency_counts counts[AW_LATENCY_STAGES];

    aw_queue_latency(queue, counts);
    return counts[stage];
}

static uint64_t given(const struct aw_queue *queue)
{
    struct aw_latency_counts counts = latency_of(queue, AW_LATENCY_SCRIPT);

    return aw_latency_total(&counts);
}

/* ---- into the ring ---- */

static void test_queue_latency_each_frame_is_in_its_bucket(void **state)
{
    struct aw_queue *queue = new_queue(8);
    struct aw_latency_counts counts;

    (void)state;
    offer_made(queue, 1, 1000, AW_STAMP_KERNEL, 1000 + 70000);
    offer_made(queue, 2, 2000, AW_STAMP_KERNEL, 1000 + 70000);
    offer_made(queue, 3, 70900, AW_STAMP_OWN, 1000 + 70000);
    counts = latency_of(queue, AW_LATENCY_RING);
    assert_int_equal(counts.counts[aw_latency_bucket(70000)], 2);
    assert_int_equal(counts.counts[aw_latency_bucket(100)], 1);
    assert_int_equal(aw_latency_total(&counts), 3);
    assert_int_equal(counts.max_ns, 70000);
    assert_int_equal(given(queue), 0);
    aw_queue_unref(queue);
}

static void test_queue_latency_is_of_frames_in_the_ring_alone(void **state)
{
    struct aw_filter odd = {.id = 1, .mask = 1};
    struct aw_queue_config config = test_config(2);
    struct aw_latency_counts counts;
    struct aw_queue *queue;

    (void)state;
    config.filters = &odd;
    config.filter_count = 1;
    queue = make_queue(&config);
    for (uint32_t id = 1; id <= 6; id++) /* 1 and 3; 5 does not fit */
        offer_made(queue, id, 1000, AW_STAMP_OWN, 2000);
    counts = latency_of(queue, AW_LATENCY_RING);
    assert_int_equal(aw_latency_total(&counts), 2);
    assert_int_equal(counts.unplaced, 0);
    aw_queue_unref(queue);
}

static void test_queue_latency_of_unknown_moments_is_unplaced(void **state)
{
    struct aw_queue *queue = new_queue(8);
    struct aw_latency_counts counts;

    (void)state;
    offer_made(queue, 1, 1000, AW_STAMP_KERNEL, 0);
    offer_made(queue, 2, 1000, AW_STAMP_HARDWARE, 2000);
    offer_made(queue, 3, 2001, AW_STAMP_KERNEL, 2000);
    counts = latency_of(queue, AW_LATENCY_RING);
    assert_int_equal(aw_latency_total(&counts), 0);
    assert_int_equal(counts.unplaced, 3);
    aw_queue_unref(queue);
}

/* ---- to the script ---- */

static void test_queue_latency_that_a_wake_brought_is_measured(void **state)
{
    struct aw_queue *queue = new_queue(8);

    (void)state;
    fill(queue, 3);
    give(queue, 1, true);
    assert_int_equal(given(queue), 1);
    give(queue, 1, false);
    assert_int_equal(given(queue), 1);
    give(queue, 1, true);
    assert_int_equal(given(queue), 2);
    aw_queue_unref(queue);
}

static void test_queue_latency_is_measured_once_for_64_frames(void **state)
{
    struct aw_queue *queue = new_queue(256);

    (void)state;
    fill(queue, 256);
    for (int i = 1; i <= 256; i++) {
        give(queue, 1, false);
        assert_int_equal(given(queue), i / 64 * 64);
    }
    aw_queue_unref(queue);
}

/* However they are taken, of 64 that nobody slept for one is measured. */
static void test_queue_latency_counts_batches_frame_by_frame(void **state)
{
    static const struct {
        uint64_t count;
        bool woken;
        uint64_t given;
    } steps[] = {
        {63, false, 0},    {2, false, 64},  {62, false, 64}, {1, false, 128},
        {200, false, 320}, {57, true, 385}, {65, true, 450},
    };
    struct aw_queue *queue = new_queue(512);

    (void)state;
    fill(queue, 512);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        give(queue, steps[i].count, steps[i].woken);
        assert_int_equal(given(queue), steps[i].given);
    }
    aw_queue_unref(queue);
}

static void test_queue_latency_of_a_wake_is_that_of_its_first(void **state)
{
    uint64_t now_ns = aw_clock_monotonic_ns();
    struct aw_queue *queue = new_queue(8);
    struct aw_latency_counts counts;

    (void)state;
    /* Made at the beginning of time, as far as the clock tells. */
    offer_made(queue, 1, 0, AW_STAMP_OWN, 0);
    offer_made(queue, 2, now_ns, AW_STAMP_OWN, 0);
    publish(queue);
    give(queue, 2, true);
    counts = latency_of(queue, AW_LATENCY_SCRIPT);
    assert_true(counts.max_ns >= now_ns);
    assert_int_equal(aw_latency_total(&counts), 1);
    aw_queue_unref(queue);
}

static void test_queue_latency_given_by_hardware_is_unplaced(void **state)
{
    struct aw_queue *queue = new_queue(8);
    struct aw_latency_counts counts;

    (void)state;
    offer_made(queue, 1, aw_clock_monotonic_ns(), AW_STAMP_HARDWARE, 0);
    publish(queue);
    give(queue, 1, true);
    counts = latency_of(queue, AW_LATENCY_SCRIPT);
    assert_int_equal(aw_latency_total(&counts), 0);
    assert_int_equal(counts.unplaced, 1);
    aw_queue_unref(queue);
}

/* ---- over a change of queues ---- */

static void test_queue_latency_goes_on_with_the_next_queue(void **state)
{
    struct aw_queue *old = new_queue(8), *queue = new_queue(8);
    struct aw_latency_counts counts;

    (void)state;
    offer_made(old, 1, 0, AW_STAMP_OWN, MINUTE_NS);
    offer_made(old, 2, 0, AW_STAMP_OWN, MINUTE_NS);
    publish(old);
    give(old, 1, true);
    aw_role_assume(&aw_role_reader);
    aw_queue_succeed(queue, old);
    counts = latency_of(queue, AW_LATENCY_RING);
    /* The one that pends was in a ring before. */
    assert_int_equal(counts.counts[aw_latency_bucket(MINUTE_NS)], 2);
    assert_int_equal(aw_latency_total(&counts), 2);
    assert_int_equal(given(queue), 1);
    give(queue, 1, true);
    assert_int_equal(given(queue), 2);
    aw_queue_unref(old);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_latency_each_frame_is_in_its_bucket),
        cmocka_unit_test(test_queue_latency_is_of_frames_in_the_ring_alone),
        cmocka_unit_test(test_queue_latency_of_unknown_moments_is_unplaced),
        cmocka_unit_test(test_queue_latency_that_a_wake_brought_is_measured),
        cmocka_unit_test(test_queue_latency_is_measured_once_for_64_frames),
        cmocka_unit_test(test_queue_latency_counts_batches_frame_by_frame),
        cmocka_unit_test(test_queue_latency_of_a_wake_is_that_of_its_first),
        cmocka_unit_test(test_queue_latency_given_by_hardware_is_unplaced),
        cmocka_unit_test(test_queue_latency_goes_on_with_the_next_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
