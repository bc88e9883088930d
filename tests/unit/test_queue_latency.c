/* What a queue measures: every frame into the ring, and a sample out of it. */
#include "devices/queue/queue_latency.h"

#include "devices/queue/clock.h"
#include "tests/support/queue_support.h"

#define MINUTE_NS (60 * AW_NS_PER_S)

/* The time, and how it goes by: with each look at it, and with each frame. */
static uint64_t clock_now_ns = MINUTE_NS;
static uint64_t looks;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    (void)clock;
    looks++;
    ret_now->tv_sec = (time_t)(clock_now_ns / AW_NS_PER_S);
    ret_now->tv_nsec = (long)(clock_now_ns % AW_NS_PER_S);
    return 0;
}

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

/* Frames of this moment for the consumer, not measured. */
static void fill(struct aw_queue *queue, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        offer_made(queue, i, clock_now_ns, AW_STAMP_OWN, 0);
    publish(queue);
}

static void give(struct aw_queue *queue, uint64_t count, bool woken)
{
    struct aw_claim claim = claim_frames(queue, count);

    aw_queue_note_given(queue, &claim, woken);
    aw_queue_release(queue, &claim);
}

/* One by one, each `each_ns` after the one before. Returns how often the clock
 * was looked at. */
static uint64_t give_each(struct aw_queue *queue, uint64_t count,
                          uint64_t each_ns)
{
    uint64_t before = looks;

    for (uint64_t i = 0; i < count; i++) {
        clock_now_ns += each_ns;
        give(queue, 1, false);
    }
    return looks - before;
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
    struct aw_queue *queue = new_queue(128);
    uint64_t before = looks;

    (void)state;
    fill(queue, 100);
    for (uint64_t i = 1; i <= 100; i++) {
        give(queue, 1, true);
        assert_int_equal(given(queue), i);
    }
    assert_int_equal(looks - before, 100);
    aw_queue_unref(queue);
}

static void test_queue_latency_of_slow_scripts_is_of_each_frame(void **state)
{
    struct aw_queue *queue = new_queue(128);

    (void)state;
    fill(queue, 100);
    assert_int_equal(give_each(queue, 100, AW_LATENCY_FAST_NS + 1), 100);
    assert_int_equal(given(queue), 100);
    aw_queue_unref(queue);
}

static void test_queue_latency_of_fast_ones_is_of_one_in_64(void **state)
{
    struct aw_queue *queue = new_queue(2048);

    (void)state;
    fill(queue, 1300);
    /* The first, and one of 1, 2, 4, 8, 16, 32, 64. */
    assert_int_equal(give_each(queue, 128, AW_LATENCY_FAST_NS), 8);
    assert_int_equal(given(queue), 128);
    assert_int_equal(give_each(queue, 640, AW_LATENCY_FAST_NS), 10);
    assert_int_equal(given(queue), 768);
    /* It slows down, which shows when the next is due. */
    assert_int_equal(give_each(queue, 63, AW_NS_PER_S), 0);
    assert_int_equal(give_each(queue, 100, AW_NS_PER_S), 100);
    assert_int_equal(given(queue), 768 + 163);
    aw_queue_unref(queue);
}

/* However frames are taken, what is measured counts for all of them. */
static void test_queue_latency_counts_batches_frame_by_frame(void **state)
{
    static const uint64_t counts[] = {200, 1, 64, 65, 5, 128};
    struct aw_queue *queue = new_queue(512);
    struct aw_latency_counts latency;
    uint64_t sum = 0, before = looks;

    (void)state;
    fill(queue, 500);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        give(queue, counts[i], true);
        sum += counts[i];
        assert_int_equal(given(queue), sum);
    }
    assert_int_equal(looks - before, 6);
    latency = latency_of(queue, AW_LATENCY_SCRIPT);
    assert_int_equal(latency.sum_ns, 0);
    aw_queue_unref(queue);
}

static void test_queue_latency_of_a_batch_is_that_of_its_64ths(void **state)
{
    struct aw_queue *queue = new_queue(512);
    struct aw_latency_counts latency;

    (void)state;
    for (uint32_t i = 0; i < 130; i++)
        offer_made(queue, i, i % 64 ? 0 : clock_now_ns - i, AW_STAMP_OWN, 0);
    publish(queue);
    give(queue, 130, true);
    latency = latency_of(queue, AW_LATENCY_SCRIPT);
    assert_int_equal(latency.counts[0], 64);
    assert_int_equal(latency.counts[aw_latency_bucket(64)], 64);
    assert_int_equal(latency.counts[aw_latency_bucket(128)], 2);
    assert_int_equal(latency.max_ns, 128);
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
        cmocka_unit_test(test_queue_latency_of_slow_scripts_is_of_each_frame),
        cmocka_unit_test(test_queue_latency_of_fast_ones_is_of_one_in_64),
        cmocka_unit_test(test_queue_latency_counts_batches_frame_by_frame),
        cmocka_unit_test(test_queue_latency_of_a_batch_is_that_of_its_64ths),
        cmocka_unit_test(test_queue_latency_given_by_hardware_is_unplaced),
        cmocka_unit_test(test_queue_latency_goes_on_with_the_next_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
