/* What the kernel is told to keep back. That it then keeps back just that is
 * tested against the kernel, in test_can_kernel_frames.c. */
#include "tests/support/unit.h"

#include <string.h>

#include "devices/can_filter.h"

static struct aw_can_filter made;

static bool make(const struct aw_filter *filters, size_t count, bool joined)
{
    memset(&made, 0xFF, sizeof(made));
    aw_can_filter_make(&made, filters, count, joined);
    return made.active;
}

static void test_can_filter_none_is_no_filter(void **state)
{
    (void)state;
    assert_false(make(NULL, 0, false));
}

static void test_can_filter_pairs_are_taken_over(void **state)
{
    const struct aw_filter filters[] = {
        {0x123, 0x7FF, false},
        {AW_CAN_EXTENDED | 0x456, AW_CAN_EXTENDED | AW_CAN_ID_MASK, false}};

    (void)state;
    assert_true(make(filters, 2, false));
    assert_false(made.joined);
    assert_int_equal(made.count, 2);
    assert_int_equal(made.entries[0].can_id, 0x123);
    assert_int_equal(made.entries[0].can_mask, 0x7FF);
    assert_int_equal(made.entries[1].can_id, CAN_EFF_FLAG | 0x456);
    assert_int_equal(made.entries[1].can_mask, CAN_EFF_FLAG | CAN_EFF_MASK);
}

static void test_can_filter_inverted_has_the_kernels_sign(void **state)
{
    const struct aw_filter filter = {0x123, 0x7FF, true};

    (void)state;
    assert_true(make(&filter, 1, false));
    assert_int_equal(made.entries[0].can_id, CAN_INV_FILTER | 0x123);
}

static void test_can_filter_that_wants_all_ends_it(void **state)
{
    const struct aw_filter filters[] = {{0x123, 0x7FF, false}, {0, 0, false}};

    (void)state;
    assert_false(make(filters, 2, false));
}

static void
test_can_filter_for_error_frames_alone_keeps_back_the_rest(void **state)
{
    const struct aw_filter filter = {AW_CAN_ERROR | 0x40, AW_CAN_ERROR | 0x40,
                                     false};

    (void)state;
    assert_true(make(&filter, 1, false));
    assert_int_equal(made.count, 0);
    assert_false(made.joined);
}

static void test_can_filter_error_flag_is_taken_off_a_mask(void **state)
{
    const struct aw_filter filter = {0x123, AW_CAN_ERROR | 0x7FF, false};

    (void)state;
    assert_true(make(&filter, 1, false));
    assert_int_equal(made.entries[0].can_mask, 0x7FF);
}

static void
test_can_filter_base_id_of_more_than_11_bits_is_never_met(void **state)
{
    const struct aw_filter plain = {0x1000, AW_CAN_EXTENDED | AW_CAN_ID_MASK,
                                    false};
    const struct aw_filter inverted = {0x1000, AW_CAN_EXTENDED | AW_CAN_ID_MASK,
                                       true};

    (void)state;
    assert_true(make(&plain, 1, false));
    assert_int_equal(made.count, 0);
    assert_false(make(&inverted, 1, false));
}

static void test_can_filter_joined_takes_all_of_them(void **state)
{
    const struct aw_filter filters[] = {{0x123, 0x7FF, true},
                                        {0x124, 0x7FF, true}};

    (void)state;
    assert_true(make(filters, 2, true));
    assert_true(made.joined);
    assert_int_equal(made.count, 2);
}

static void test_can_filter_joined_one_is_a_plain_one(void **state)
{
    const struct aw_filter filters[] = {{0x123, 0x7FF, true}, {0, 0, false}};

    (void)state;
    assert_true(make(filters, 2, true));
    assert_false(made.joined);
    assert_int_equal(made.count, 1);
}

static void
test_can_filter_joined_with_one_never_met_passes_nothing(void **state)
{
    const struct aw_filter filters[] = {{0x123, 0x7FF, true}, {0, 0, true}};

    (void)state;
    assert_true(make(filters, 2, true));
    assert_int_equal(made.count, 0);
}

static void test_can_filter_joined_that_wants_error_frames_is_ours(void **state)
{
    const struct aw_filter filters[] = {{0x123, AW_CAN_ERROR | 0x7FF, true},
                                        {0x124, AW_CAN_ERROR | 0x7FF, true}};

    (void)state;
    assert_false(make(filters, 2, true));
}

static void fill(struct aw_filter *filters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        filters[i] = (struct aw_filter){(uint32_t)i, 0x7FF, false};
}

static void test_can_filter_of_512_is_the_most_the_kernel_takes(void **state)
{
    struct aw_filter filters[CAN_RAW_FILTER_MAX + 1];

    (void)state;
    fill(filters, CAN_RAW_FILTER_MAX + 1);
    assert_true(make(filters, CAN_RAW_FILTER_MAX, false));
    assert_int_equal(made.count, CAN_RAW_FILTER_MAX);
    assert_false(make(filters, CAN_RAW_FILTER_MAX + 1, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_filter_none_is_no_filter),
        cmocka_unit_test(test_can_filter_pairs_are_taken_over),
        cmocka_unit_test(test_can_filter_inverted_has_the_kernels_sign),
        cmocka_unit_test(test_can_filter_that_wants_all_ends_it),
        cmocka_unit_test(
            test_can_filter_for_error_frames_alone_keeps_back_the_rest),
        cmocka_unit_test(test_can_filter_error_flag_is_taken_off_a_mask),
        cmocka_unit_test(
            test_can_filter_base_id_of_more_than_11_bits_is_never_met),
        cmocka_unit_test(test_can_filter_joined_takes_all_of_them),
        cmocka_unit_test(test_can_filter_joined_one_is_a_plain_one),
        cmocka_unit_test(
            test_can_filter_joined_with_one_never_met_passes_nothing),
        cmocka_unit_test(
            test_can_filter_joined_that_wants_error_frames_is_ours),
        cmocka_unit_test(test_can_filter_of_512_is_the_most_the_kernel_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
