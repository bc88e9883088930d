/* The histogram: which bucket, what it adds up to, what it says of many. */
#include "devices/queue/latency.h"

#include <string.h>

#include "tests/support/unit.h"

static struct aw_latency_counts counts_of(const struct aw_latency *latency)
{
    struct aw_latency_counts counts;

    memset(&counts, 0xff, sizeof(counts));
    aw_latency_read(latency, &counts);
    return counts;
}

/* ---- buckets ---- */

static void test_latency_bucket_holds_what_is_below_its_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < AW_LATENCY_BUCKETS; i++) {
        uint64_t bound = aw_latency_bound(i);

        assert_int_equal(aw_latency_bucket(bound - 1), i);
        assert_int_equal(aw_latency_bucket(bound), i + 1);
    }
}

static void test_latency_bounds_are_two_an_octave(void **state)
{
    static const uint64_t first[] = {1, 2, 3, 4, 6, 8, 12, 16, 24};

    (void)state;
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        assert_int_equal(aw_latency_bound(i), first[i]);
}

static void test_latency_last_bucket_has_no_end(void **state)
{
    (void)state;
    assert_true(aw_latency_bound(AW_LATENCY_BUCKETS - 1) == UINT64_MAX);
    assert_int_equal(aw_latency_bucket(UINT64_MAX), AW_LATENCY_BUCKETS - 1);
}

/* ---- adding ---- */

static void test_latency_add_counts_once_for_each_of_its_weight(void **state)
{
    struct aw_latency latency = {0};
    struct aw_latency_counts counts;

    (void)state;
    aw_latency_add(&latency, 1000, 1000 + 5000, 1);
    aw_latency_add(&latency, 1000, 1000 + 5001, 64);
    aw_latency_add(&latency, 1000, 1000 + 40, 2);
    counts = counts_of(&latency);
    assert_int_equal(counts.counts[aw_latency_bucket(5000)], 65);
    assert_int_equal(counts.counts[aw_latency_bucket(40)], 2);
    assert_int_equal(aw_latency_total(&counts), 67);
    assert_int_equal(counts.sum_ns, 5000 + 64 * 5001 + 2 * 40);
    assert_int_equal(counts.max_ns, 5001);
    assert_int_equal(counts.unplaced, 0);
}

static void test_latency_of_nothing_is_in_the_first_bucket(void **state)
{
    struct aw_latency latency = {0};

    (void)state;
    aw_latency_add(&latency, 7, 7, 1);
    assert_int_equal(counts_of(&latency).counts[0], 1);
}

/* As after a clock was set back. */
static void test_latency_that_is_negative_is_in_no_bucket(void **state)
{
    struct aw_latency latency = {0};
    struct aw_latency_counts counts;

    (void)state;
    aw_latency_add(&latency, 1001, 1000, 3);
    aw_latency_add_unplaced(&latency, 4);
    counts = counts_of(&latency);
    assert_int_equal(aw_latency_total(&counts), 0);
    assert_int_equal(counts.sum_ns, 0);
    assert_int_equal(counts.max_ns, 0);
    assert_int_equal(counts.unplaced, 7);
}

/* ---- two of them ---- */

static void fill_two(struct aw_latency *one, struct aw_latency *other)
{
    aw_latency_add(one, 0, 100, 1);
    aw_latency_add_unplaced(one, 1);
    aw_latency_add(other, 0, 100, 10);
    aw_latency_add(other, 0, 9000, 10);
    aw_latency_add_unplaced(other, 10);
}

static void assert_both(const struct aw_latency_counts *counts)
{
    assert_int_equal(counts->counts[aw_latency_bucket(100)], 11);
    assert_int_equal(counts->counts[aw_latency_bucket(9000)], 10);
    assert_int_equal(aw_latency_total(counts), 21);
    assert_int_equal(counts->sum_ns, 1100 + 90000);
    assert_int_equal(counts->max_ns, 9000);
    assert_int_equal(counts->unplaced, 11);
}

static void test_latency_merge_adds_each_figure(void **state)
{
    struct aw_latency one = {0}, other = {0};
    struct aw_latency_counts of_one, of_other;

    (void)state;
    fill_two(&one, &other);
    of_one = counts_of(&one);
    of_other = counts_of(&other);
    aw_latency_merge(&of_one, &of_other);
    assert_both(&of_one);
    /* The longest stays, from whichever side. */
    of_one = counts_of(&one);
    aw_latency_merge(&of_other, &of_one);
    assert_both(&of_other);
}

static void test_latency_continue_goes_on_from_another(void **state)
{
    struct aw_latency one = {0}, other = {0};
    struct aw_latency_counts before, after;

    (void)state;
    fill_two(&one, &other);
    before = counts_of(&other);
    aw_latency_continue(&one, &before);
    after = counts_of(&one);
    assert_both(&after);
    before = (struct aw_latency_counts){.max_ns = 5};
    aw_latency_continue(&one, &before);
    assert_int_equal(counts_of(&one).max_ns, 9000);
}

/* ---- quantiles ---- */

static void test_latency_quantile_of_none_is_zero(void **state)
{
    const struct aw_latency_counts counts = {.unplaced = 9};

    (void)state;
    assert_int_equal(aw_latency_quantile(&counts, 500), 0);
}

static void test_latency_quantile_is_the_end_of_its_bucket(void **state)
{
    struct aw_latency latency = {0};
    struct aw_latency_counts counts;

    (void)state;
    aw_latency_add(&latency, 0, 100, 98);    /* 96..127 */
    aw_latency_add(&latency, 0, 1000, 1);    /* 768..1023 */
    aw_latency_add(&latency, 0, 1000000, 1); /* 786432..1048575 */
    counts = counts_of(&latency);
    assert_int_equal(aw_latency_quantile(&counts, 0), 0);
    assert_int_equal(aw_latency_quantile(&counts, 500), 127);
    assert_int_equal(aw_latency_quantile(&counts, 980), 127);
    assert_int_equal(aw_latency_quantile(&counts, 981), 1023);
    assert_int_equal(aw_latency_quantile(&counts, 990), 1023);
    assert_int_equal(aw_latency_quantile(&counts, 1000), 1000000);
}

static void test_latency_quantile_is_never_beyond_the_longest(void **state)
{
    struct aw_latency latency = {0};
    struct aw_latency_counts counts;

    (void)state;
    aw_latency_add(&latency, 0, UINT64_C(1) << 40, 1);
    counts = counts_of(&latency);
    assert_int_equal(aw_latency_quantile(&counts, 990), UINT64_C(1) << 40);
}

static void test_latency_quantile_of_very_many_does_not_overflow(void **state)
{
    struct aw_latency latency = {0};
    struct aw_latency_counts counts;

    (void)state;
    aw_latency_add(&latency, 0, 0, UINT64_MAX / 2);
    aw_latency_add(&latency, 0, 1, UINT64_MAX / 2);
    counts = counts_of(&latency);
    assert_int_equal(aw_latency_quantile(&counts, 400), 0);
    assert_int_equal(aw_latency_quantile(&counts, 600), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency_bucket_holds_what_is_below_its_bound),
        cmocka_unit_test(test_latency_bounds_are_two_an_octave),
        cmocka_unit_test(test_latency_last_bucket_has_no_end),
        cmocka_unit_test(test_latency_add_counts_once_for_each_of_its_weight),
        cmocka_unit_test(test_latency_of_nothing_is_in_the_first_bucket),
        cmocka_unit_test(test_latency_that_is_negative_is_in_no_bucket),
        cmocka_unit_test(test_latency_merge_adds_each_figure),
        cmocka_unit_test(test_latency_continue_goes_on_from_another),
        cmocka_unit_test(test_latency_quantile_of_none_is_zero),
        cmocka_unit_test(test_latency_quantile_is_the_end_of_its_bucket),
        cmocka_unit_test(test_latency_quantile_is_never_beyond_the_longest),
        cmocka_unit_test(test_latency_quantile_of_very_many_does_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
