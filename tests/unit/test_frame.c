/* Frames with a hardware timestamp behind their payload. */
#include "devices/queue/frame.h"

#include <stdlib.h>

#include "tests/support/queue_support.h"

#define STAMP_NS UINT64_C(0x1122334455667788)

static struct aw_frame *stamped(struct test_frame *memory, uint16_t length)
{
    struct aw_frame *frame = make_frame(memory, AW_KIND_CAN, 0x5A, length);

    aw_frame_set_hw_timestamp(frame, STAMP_NS);
    return frame;
}

static struct aw_queue *queue_of(enum aw_overflow overflow, uint32_t payload)
{
    struct aw_queue_config config = test_config(4);

    config.overflow = overflow;
    config.payload_bytes = payload;
    return make_queue(&config);
}

static void test_frame_stamp_lies_behind_the_payload(void **state)
{
    struct test_frame memory;
    struct aw_frame *frame = stamped(&memory, 5);

    (void)state;
    assert_true(aw_frame_hw_timestamp(frame) == STAMP_NS);
    assert_int_equal(frame->length, 5);
    assert_int_equal(aw_frame_bytes(frame), 40 + 8 + 8);
    assert_int_equal(frame->payload[4], 0x5A);
    assert_int_equal(aw_frame_bytes(stamped(&memory, 8)), 40 + 8 + 8);
    assert_int_equal(aw_frame_bytes(stamped(&memory, 0)), 40 + 8);
}

static void test_frame_without_stamp_has_none(void **state)
{
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_CAN, 1, 5);

    (void)state;
    assert_int_equal(aw_frame_hw_timestamp(frame), 0);
    assert_int_equal(aw_frame_bytes(frame), 45);
}

static void test_frame_stamp_must_fit_the_slot_to_be_plausible(void **state)
{
    struct test_frame memory;
    const struct aw_frame *frame = stamped(&memory, 8);

    (void)state;
    assert_false(aw_frame_plausible(frame, 8));
    assert_false(aw_frame_plausible(frame, 15 - 7));
    assert_true(aw_frame_plausible(frame, 16));
}

static void test_frame_event_has_one_length(void **state)
{
    struct test_frame memory;

    (void)state;
    assert_true(
        aw_frame_plausible(make_frame(&memory, AW_KIND_EVENT, 1, 8), 8));
    assert_false(
        aw_frame_plausible(make_frame(&memory, AW_KIND_EVENT, 1, 7), 8));
    assert_false(
        aw_frame_plausible(make_frame(&memory, AW_KIND_ETHERNET + 1, 1, 8), 8));
}

static void test_frame_ethernet_has_any_length(void **state)
{
    struct test_frame memory;

    (void)state;
    assert_true(
        aw_frame_plausible(make_frame(&memory, AW_KIND_ETHERNET, 1, 1), 8));
    assert_false(
        aw_frame_plausible(make_frame(&memory, AW_KIND_ETHERNET, 9, 9), 8));
}

static void test_frame_j1939_has_its_head(void **state)
{
    const uint16_t head = sizeof(struct aw_j1939_head);
    struct test_frame memory;

    (void)state;
    assert_true(
        aw_frame_plausible(make_frame(&memory, AW_KIND_J1939, 1, head), head));
    assert_false(aw_frame_plausible(
        make_frame(&memory, AW_KIND_J1939, 1, (uint16_t)(head - 1)), head));
}

static void test_frame_source_is_kept_beside_the_flags(void **state)
{
    struct aw_frame frame = {.flags = 0xF000 | AW_FRAME_FD};

    (void)state;
    assert_int_equal(aw_frame_stamp(&frame), AW_STAMP_UNKNOWN);
    aw_frame_set_stamp(&frame, AW_STAMP_OWN);
    aw_frame_set_stamp(&frame, AW_STAMP_HARDWARE);
    assert_int_equal(aw_frame_stamp(&frame), AW_STAMP_HARDWARE);
    assert_int_equal(frame.flags & ~AW_FRAME_STAMP_MASK, 0xF000 | AW_FRAME_FD);
}

static void check_queue_keeps_stamp(enum aw_overflow overflow)
{
    struct aw_queue *queue = queue_of(overflow, 16);
    struct test_frame memory;

    offer(queue, stamped(&memory, 8));
    publish(queue);
    assert_true(aw_frame_hw_timestamp(look(queue, 0)) == STAMP_NS);
    assert_int_equal(look(queue, 0)->payload[7], 0x5A);
    aw_queue_unref(queue);
}

static void test_frame_stamp_goes_through_a_queue(void **state)
{
    (void)state;
    check_queue_keeps_stamp(AW_OVERFLOW_DROP_NEWEST);
    check_queue_keeps_stamp(AW_OVERFLOW_DROP_OLDEST);
    check_queue_keeps_stamp(AW_OVERFLOW_LATEST);
}

static void test_frame_cut_keeps_its_stamp(void **state)
{
    struct aw_queue *queue = queue_of(AW_OVERFLOW_DROP_NEWEST, 17);
    struct test_frame memory;
    const struct aw_frame *frame;

    (void)state;
    offer(queue, stamped(&memory, 30));
    publish(queue);
    frame = look(queue, 0);
    assert_non_null(frame);
    assert_int_equal(frame->length, 8);
    assert_true(frame->flags & AW_FRAME_TRUNCATED);
    assert_true(aw_frame_hw_timestamp(frame) == STAMP_NS);
    aw_queue_unref(queue);
}

static void test_frame_too_small_a_slot_takes_no_stamp(void **state)
{
    struct aw_queue *queue = queue_of(AW_OVERFLOW_DROP_NEWEST, 4);
    struct test_frame memory;
    const struct aw_frame *frame;

    (void)state;
    offer(queue, stamped(&memory, 3));
    publish(queue);
    frame = look(queue, 0);
    assert_non_null(frame);
    assert_int_equal(frame->length, 3);
    assert_false(aw_frame_has_hw_timestamp(frame));
    assert_false(frame->flags & AW_FRAME_TRUNCATED);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_stamp_lies_behind_the_payload),
        cmocka_unit_test(test_frame_without_stamp_has_none),
        cmocka_unit_test(test_frame_stamp_must_fit_the_slot_to_be_plausible),
        cmocka_unit_test(test_frame_event_has_one_length),
        cmocka_unit_test(test_frame_ethernet_has_any_length),
        cmocka_unit_test(test_frame_j1939_has_its_head),
        cmocka_unit_test(test_frame_source_is_kept_beside_the_flags),
        cmocka_unit_test(test_frame_stamp_goes_through_a_queue),
        cmocka_unit_test(test_frame_cut_keeps_its_stamp),
        cmocka_unit_test(test_frame_too_small_a_slot_takes_no_stamp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
