#include "devices/queue/filter.h"

#include "tests/support/queue_support.h"

static bool passes(const struct aw_filter *filters, size_t count, uint32_t id)
{
    struct test_frame memory;

    return aw_filter_pass(filters, count,
                          make_frame(&memory, AW_KIND_CAN, id, 8));
}

static void test_filter_empty_set_passes_everything(void **state)
{
    (void)state;
    assert_true(passes(NULL, 0, 0x123));
    assert_true(passes(NULL, 0, AW_CAN_ERROR | 4));
}

static void test_filter_exact_id_passes_itself_alone(void **state)
{
    const struct aw_filter filter = {.id = 0x123, .mask = 0x7FF};

    (void)state;
    assert_true(passes(&filter, 1, 0x123));
    assert_false(passes(&filter, 1, 0x124));
}

static void test_filter_mask_bits_unset_are_ignored(void **state)
{
    const struct aw_filter filter = {.id = 0x10F, .mask = 0x7F0};

    (void)state;
    assert_true(passes(&filter, 1, 0x100));
    assert_true(passes(&filter, 1, 0x10A));
    assert_false(passes(&filter, 1, 0x110));
}

static void test_filter_without_extended_bit_takes_both_formats(void **state)
{
    const struct aw_filter filter = {.id = 0x123, .mask = AW_CAN_ID_MASK};

    (void)state;
    assert_true(passes(&filter, 1, 0x123));
    assert_true(passes(&filter, 1, AW_CAN_EXTENDED | 0x123));
}

static void test_filter_with_extended_bit_takes_one_format(void **state)
{
    const struct aw_filter standard = {
        .id = 0x123, .mask = AW_CAN_EXTENDED | AW_CAN_SFF_MASK};
    const struct aw_filter extended = {.id = AW_CAN_EXTENDED | 0x123,
                                       .mask =
                                           AW_CAN_EXTENDED | AW_CAN_ID_MASK};

    (void)state;
    assert_true(passes(&standard, 1, 0x123));
    assert_false(passes(&standard, 1, AW_CAN_EXTENDED | 0x123));
    assert_true(passes(&extended, 1, AW_CAN_EXTENDED | 0x123));
    assert_false(passes(&extended, 1, 0x123));
}

static void test_filter_remote_bit_selects_remote_frames(void **state)
{
    const struct aw_filter filter = {.id = AW_CAN_REMOTE,
                                     .mask = AW_CAN_REMOTE};

    (void)state;
    assert_true(passes(&filter, 1, AW_CAN_REMOTE | 0x55));
    assert_false(passes(&filter, 1, 0x55));
}

static void test_filter_inverted_pair_passes_all_others(void **state)
{
    const struct aw_filter filter = {
        .id = 0x123, .mask = 0x7FF, .invert = true};

    (void)state;
    assert_false(passes(&filter, 1, 0x123));
    assert_true(passes(&filter, 1, 0x124));
}

static void test_filter_any_pair_is_enough(void **state)
{
    const struct aw_filter filters[] = {{.id = 0x100, .mask = 0x7FF},
                                        {.id = 0x200, .mask = 0x7FF}};

    (void)state;
    assert_true(passes(filters, 2, 0x100));
    assert_true(passes(filters, 2, 0x200));
    assert_false(passes(filters, 2, 0x300));
}

static void test_filter_zero_mask_passes_all_but_error_frames(void **state)
{
    const struct aw_filter filter = {.id = 0, .mask = 0};

    (void)state;
    assert_true(passes(&filter, 1, AW_CAN_EXTENDED | 0x1ABCDEF));
    assert_false(passes(&filter, 1, AW_CAN_ERROR | 4));
}

static void test_filter_inverted_pair_keeps_error_frames_out(void **state)
{
    const struct aw_filter filter = {
        .id = 0x123, .mask = 0x7FF, .invert = true};

    (void)state;
    assert_false(passes(&filter, 1, AW_CAN_ERROR | 4));
}

static void test_filter_error_bit_in_mask_takes_error_frames_alone(void **state)
{
    const struct aw_filter filter = {.id = AW_CAN_ERROR, .mask = AW_CAN_ERROR};

    (void)state;
    assert_true(passes(&filter, 1, AW_CAN_ERROR | 4));
    assert_false(passes(&filter, 1, 4));
}

static void test_filter_frames_that_are_not_can_pass(void **state)
{
    const struct aw_filter filter = {.id = 0x123, .mask = 0x7FF};
    struct test_frame memory;

    (void)state;
    assert_true(
        aw_filter_pass(&filter, 1, make_frame(&memory, AW_KIND_BYTES, 0, 3)));
    assert_true(aw_filter_pass(&filter, 1,
                               make_frame(&memory, AW_KIND_DATAGRAM, 3, 30)));
    assert_true(aw_filter_pass_all(&filter, 1,
                                   make_frame(&memory, AW_KIND_BYTES, 0, 3)));
}

static void test_filter_applies_to_can_xl(void **state)
{
    const struct aw_filter filter = {.id = 0x123, .mask = 0x7FF};
    struct test_frame memory;

    (void)state;
    assert_true(aw_filter_pass(&filter, 1,
                               make_frame(&memory, AW_KIND_CAN_XL, 0x123, 9)));
    assert_false(aw_filter_pass(&filter, 1,
                                make_frame(&memory, AW_KIND_CAN_XL, 0x124, 9)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter_empty_set_passes_everything),
        cmocka_unit_test(test_filter_exact_id_passes_itself_alone),
        cmocka_unit_test(test_filter_mask_bits_unset_are_ignored),
        cmocka_unit_test(test_filter_without_extended_bit_takes_both_formats),
        cmocka_unit_test(test_filter_with_extended_bit_takes_one_format),
        cmocka_unit_test(test_filter_remote_bit_selects_remote_frames),
        cmocka_unit_test(test_filter_inverted_pair_passes_all_others),
        cmocka_unit_test(test_filter_any_pair_is_enough),
        cmocka_unit_test(test_filter_zero_mask_passes_all_but_error_frames),
        cmocka_unit_test(test_filter_inverted_pair_keeps_error_frames_out),
        cmocka_unit_test(
            test_filter_error_bit_in_mask_takes_error_frames_alone),
        cmocka_unit_test(test_filter_frames_that_are_not_can_pass),
        cmocka_unit_test(test_filter_applies_to_can_xl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
