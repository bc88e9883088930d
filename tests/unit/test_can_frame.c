#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these four before it. */
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "devices/can_frame.h"

/* A slot for the longest frame, full of what was there before. */
struct slot {
    _Alignas(8) unsigned char memory[40 + AW_PAYLOAD_FD];
};

static struct aw_frame *use(struct slot *slot)
{
    void *frame = memset(slot, 0xee, sizeof(*slot));

    return frame;
}

static struct aw_frame *make(struct slot *slot, uint32_t id, uint16_t flags,
                             uint16_t length)
{
    struct aw_frame *frame = use(slot);

    frame->kind = AW_KIND_CAN;
    frame->id = id;
    frame->flags = flags;
    frame->length = length;
    return frame;
}

static void test_can_frame_classic_is_imported(void **state)
{
    union aw_can_wire wire = {
        .classic = {.can_id = 0x123, .len = 3, .data = {1, 2, 3}}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->kind, AW_KIND_CAN);
    assert_int_equal(frame->id, 0x123);
    assert_int_equal(frame->flags, 0);
    assert_int_equal(frame->length, 3);
    assert_memory_equal(frame->payload, "\1\2\3", 3);
}

static void test_can_frame_classic_writes_no_more_than_its_length(void **state)
{
    union aw_can_wire wire = {.classic = {.len = 2}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->payload[2], 0xee);
}

static void test_can_frame_extended_id_keeps_its_flag(void **state)
{
    union aw_can_wire wire = {.classic = {.can_id = CAN_EFF_FLAG | 0x123}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->id, AW_CAN_EXTENDED | 0x123);
}

static void test_can_frame_remote_keeps_the_length_asked_for(void **state)
{
    union aw_can_wire wire = {
        .classic = {.can_id = CAN_RTR_FLAG | 1, .len = 4, .data = {9, 9, 9}}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->id, AW_CAN_REMOTE | 1);
    assert_int_equal(frame->length, 4);
    assert_memory_equal(frame->payload, "\0\0\0\0", 4);
}

static void test_can_frame_error_keeps_class_and_data(void **state)
{
    union aw_can_wire wire = {.classic = {.can_id = CAN_ERR_FLAG | 0x40,
                                          .len = 8,
                                          .data = {[6] = 0x7f, [7] = 0x80}}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->id, AW_CAN_ERROR | 0x40);
    assert_int_equal(frame->length, 8);
    assert_int_equal(frame->payload[6], 0x7f);
    assert_int_equal(frame->payload[7], 0x80);
}

static void
test_can_frame_raw_dlc_is_imported_with_eight_bytes_only(void **state)
{
    union aw_can_wire wire = {.classic = {.len = 8, .len8_dlc = 15}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->flags >> AW_FRAME_RAW_DLC_SHIFT, 15);
    wire.classic.len = 7;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->flags, 0);
}

static void test_can_frame_raw_dlc_that_cannot_be_is_left_out(void **state)
{
    union aw_can_wire wire = {.classic = {.len = 8, .len8_dlc = 16}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->flags, 0);
    wire.classic.len8_dlc = 8;
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->flags, 0);
}

static void test_can_frame_fd_is_imported_with_its_flags(void **state)
{
    union aw_can_wire wire = {.fd = {.can_id = 0x7ff, .len = 64}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    memset(wire.fd.data, 0xa5, 64);
    wire.fd.flags = CANFD_FDF | CANFD_BRS;
    aw_can_frame_import(&wire, CANFD_MTU, frame);
    assert_int_equal(frame->flags, AW_FRAME_FD | AW_FRAME_BRS);
    assert_int_equal(frame->length, 64);
    assert_memory_equal(frame->payload, wire.fd.data, 64);
    wire.fd.flags = CANFD_ESI;
    aw_can_frame_import(&wire, CANFD_MTU, frame);
    assert_int_equal(frame->flags, AW_FRAME_FD | AW_FRAME_ESI);
}

static void test_can_frame_longer_than_can_be_is_bounded(void **state)
{
    union aw_can_wire wire = {.fd = {.len = 255}};
    struct slot slot;
    struct aw_frame *frame = use(&slot);

    (void)state;
    aw_can_frame_import(&wire, CANFD_MTU, frame);
    assert_int_equal(frame->length, 64);
    aw_can_frame_import(&wire, CAN_MTU, frame);
    assert_int_equal(frame->length, 8);
}

static void test_can_frame_classic_is_exported(void **state)
{
    struct slot slot;
    struct aw_frame *frame = make(&slot, CAN_EFF_FLAG | 5, 0, 2);
    union aw_can_wire wire;

    (void)state;
    memcpy(frame->payload, "\x11\x22", 2);
    assert_int_equal(aw_can_frame_export(frame, &wire), CAN_MTU);
    assert_int_equal(wire.classic.can_id, CAN_EFF_FLAG | 5);
    assert_int_equal(wire.classic.len, 2);
    assert_int_equal(wire.classic.len8_dlc, 0);
    assert_memory_equal(wire.classic.data, "\x11\x22\0\0\0\0\0\0", 8);
}

static void test_can_frame_remote_is_exported_without_data(void **state)
{
    struct slot slot;
    struct aw_frame *frame = make(&slot, CAN_RTR_FLAG | 5, 0, 8);
    union aw_can_wire wire;

    (void)state;
    assert_int_equal(aw_can_frame_export(frame, &wire), CAN_MTU);
    assert_int_equal(wire.classic.len, 8);
    assert_memory_equal(wire.classic.data, "\0\0\0\0\0\0\0\0", 8);
}

static void
test_can_frame_raw_dlc_is_exported_with_eight_bytes_only(void **state)
{
    struct slot slot;
    struct aw_frame *frame = make(&slot, 1, 9u << AW_FRAME_RAW_DLC_SHIFT, 8);
    union aw_can_wire wire;

    (void)state;
    assert_int_equal(aw_can_frame_export(frame, &wire), CAN_MTU);
    assert_int_equal(wire.classic.len8_dlc, 9);
    frame->length = 7;
    assert_int_equal(aw_can_frame_export(frame, &wire), CAN_MTU);
    assert_int_equal(wire.classic.len8_dlc, 0);
}

static void test_can_frame_fd_is_exported_with_its_flags(void **state)
{
    struct slot slot;
    struct aw_frame *frame =
        make(&slot, 1, AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_ESI, 64);
    union aw_can_wire wire;

    (void)state;
    assert_int_equal(aw_can_frame_export(frame, &wire), CANFD_MTU);
    assert_int_equal(wire.fd.flags, CANFD_FDF | CANFD_BRS | CANFD_ESI);
    assert_int_equal(wire.fd.len, 64);
    assert_memory_equal(wire.fd.data, frame->payload, 64);
}

static void test_can_frame_fd_is_padded_to_a_length_of_fd(void **state)
{
    static const uint8_t expected[][2] = {{0, 0},   {8, 8},   {9, 12},
                                          {12, 12}, {13, 16}, {33, 48},
                                          {48, 48}, {49, 64}};
    struct slot slot;
    union aw_can_wire wire;

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct aw_frame *frame = make(&slot, 1, AW_FRAME_FD, expected[i][0]);

        assert_int_equal(aw_can_frame_export(frame, &wire), CANFD_MTU);
        assert_int_equal(wire.fd.len, expected[i][1]);
        if (expected[i][0] < 64)
            assert_int_equal(wire.fd.data[expected[i][0]], 0);
    }
}

static void test_can_frame_that_no_bus_carries_is_refused(void **state)
{
    struct slot slot;
    union aw_can_wire wire;

    (void)state;
    assert_int_equal(aw_can_frame_export(make(&slot, 1, 0, 9), &wire), -EINVAL);
    assert_int_equal(
        aw_can_frame_export(make(&slot, 1, AW_FRAME_FD, 65), &wire), -EINVAL);
    assert_int_equal(aw_can_frame_export(
                         make(&slot, CAN_RTR_FLAG | 1, AW_FRAME_FD, 0), &wire),
                     -EINVAL);
}

static void test_can_frame_of_another_kind_is_refused(void **state)
{
    struct slot slot;
    struct aw_frame *frame = make(&slot, 1, 0, 0);
    union aw_can_wire wire;

    (void)state;
    frame->kind = AW_KIND_BYTES;
    assert_int_equal(aw_can_frame_export(frame, &wire), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_frame_classic_is_imported),
        cmocka_unit_test(test_can_frame_classic_writes_no_more_than_its_length),
        cmocka_unit_test(test_can_frame_extended_id_keeps_its_flag),
        cmocka_unit_test(test_can_frame_remote_keeps_the_length_asked_for),
        cmocka_unit_test(test_can_frame_error_keeps_class_and_data),
        cmocka_unit_test(
            test_can_frame_raw_dlc_is_imported_with_eight_bytes_only),
        cmocka_unit_test(test_can_frame_raw_dlc_that_cannot_be_is_left_out),
        cmocka_unit_test(test_can_frame_fd_is_imported_with_its_flags),
        cmocka_unit_test(test_can_frame_longer_than_can_be_is_bounded),
        cmocka_unit_test(test_can_frame_classic_is_exported),
        cmocka_unit_test(test_can_frame_remote_is_exported_without_data),
        cmocka_unit_test(
            test_can_frame_raw_dlc_is_exported_with_eight_bytes_only),
        cmocka_unit_test(test_can_frame_fd_is_exported_with_its_flags),
        cmocka_unit_test(test_can_frame_fd_is_padded_to_a_length_of_fd),
        cmocka_unit_test(test_can_frame_that_no_bus_carries_is_refused),
        cmocka_unit_test(test_can_frame_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
