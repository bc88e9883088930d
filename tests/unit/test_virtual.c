#include "driver_fixture.h"

#include <errno.h>

#include "devices/queue/clock.h"

#define UNDER_WAY_MAX 1024

static struct fixture *open_bus(const char *kind)
{
    struct fixture *bus = fixture_new(&aw_virtual_driver);

    fixture_set(bus, "kind", kind);
    assert_int_equal(fixture_open(bus), 0);
    return bus;
}

/* Sends a CAN frame without payload. */
static int send_id(struct fixture *bus, const char *owner, uint32_t id)
{
    struct aw_frame frame = {.kind = AW_KIND_CAN, .id = id};

    return fixture_send(bus, owner, &frame, "");
}

static void test_virtual_default_is_a_can_bus_with_room_for_fd(void **state)
{
    struct fixture *bus = fixture_new(&aw_virtual_driver);

    (void)state;
    assert_int_equal(fixture_open(bus), 0);
    assert_int_equal(bus->link.kind, AW_KIND_CAN);
    assert_int_equal(bus->link.payload_bytes, AW_PAYLOAD_FD);
    assert_int_equal(bus->link.start, AW_START_OPEN);
    assert_true(bus->link.can_send);
    assert_false(bus->link.paced);
    fixture_free(bus);
}

static void test_virtual_of_bytes_has_room_for_2_kib(void **state)
{
    struct fixture *bus = open_bus("bytes");

    (void)state;
    assert_int_equal(bus->link.kind, AW_KIND_BYTES);
    assert_int_equal(bus->link.payload_bytes, 2048);
    fixture_free(bus);
}

static void test_virtual_max_payload_chooses_the_slot(void **state)
{
    struct fixture *bus = fixture_new(&aw_virtual_driver);

    (void)state;
    fixture_set(bus, "kind", "bytes");
    fixture_set(bus, "max_payload", "65528");
    assert_int_equal(fixture_check(bus), 0);
    assert_int_equal(fixture_open(bus), 0);
    assert_int_equal(bus->link.payload_bytes, 65528);
    fixture_free(bus);
}

static void test_virtual_options_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_false(fixture_takes(&aw_virtual_driver, "max_payload", "0"));
    assert_false(fixture_takes(&aw_virtual_driver, "max_payload", "65529"));
    assert_false(fixture_takes(&aw_virtual_driver, "kind", "spi"));
}

static void test_virtual_can_with_a_longer_payload_is_refused(void **state)
{
    struct fixture *bus = fixture_new(&aw_virtual_driver);

    (void)state;
    fixture_set(bus, "max_payload", "65");
    assert_int_equal(fixture_check(bus), -EINVAL);
    assert_non_null(strstr(bus->error.text, "kind: bytes"));
    fixture_free(bus);
}

static void test_virtual_without_frames_does_not_poll(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    assert_false(fixture_polls(bus, POLLIN, 0));
    assert_int_equal(fixture_read(bus, AW_BATCH_FRAMES), 0);
    assert_int_equal(bus->batch.count, 0);
    fixture_free(bus);
}

static void
test_virtual_frame_sent_is_read_with_id_flags_and_payload(void **state)
{
    struct fixture *bus = open_bus("can");
    struct aw_frame sent = {
        .kind = AW_KIND_CAN, .id = AW_CAN_EXTENDED | 0x18FEF100, .length = 12};
    const struct aw_frame *frame;

    (void)state;
    sent.flags = AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_ESI;
    assert_int_equal(fixture_send(bus, "", &sent, "twelve bytes"), 0);
    frame = fixture_next(bus);
    assert_int_equal(frame->kind, AW_KIND_CAN);
    assert_int_equal(frame->id, AW_CAN_EXTENDED | 0x18FEF100);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, sent.flags);
    assert_int_equal(frame->length, 12);
    assert_memory_equal(frame->payload, "twelve bytes", 12);
    fixture_free(bus);
}

static void test_virtual_raw_dlc_is_kept(void **state)
{
    struct fixture *bus = open_bus("can");
    struct aw_frame sent = {.kind = AW_KIND_CAN, .id = 0x123, .length = 8};

    (void)state;
    sent.flags = 15u << AW_FRAME_RAW_DLC_SHIFT;
    assert_int_equal(fixture_send(bus, "", &sent, "8 bytes."), 0);
    assert_int_equal(fixture_next(bus)->flags & ~AW_FRAME_STAMP_MASK,
                     sent.flags);
    fixture_free(bus);
}

static void
test_virtual_frame_that_was_received_elsewhere_starts_afresh(void **state)
{
    struct fixture *bus = open_bus("can");
    struct aw_frame sent = {.kind = AW_KIND_CAN, .id = 0x123, .length = 0};
    const struct aw_frame *frame;

    (void)state;
    sent.flags = AW_FRAME_SENT | AW_FRAME_TRUNCATED;
    sent.lost_before = 9;
    sent.lost_cause = AW_LOSS_KERNEL;
    sent.channel = 5;
    assert_int_equal(fixture_send(bus, "", &sent, ""), 0);
    frame = fixture_next(bus);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, 0);
    assert_int_equal(frame->lost_before, 0);
    assert_int_equal(frame->lost_cause, AW_LOSS_NONE);
    assert_int_equal(frame->channel, 0);
    fixture_free(bus);
}

static void test_virtual_channel_is_the_device(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    assert_int_equal(send_id(bus, "", 1), 0);
    assert_string_equal(bus->channels.names[fixture_next(bus)->channel],
                        "bench");
    fixture_free(bus);
}

static void test_virtual_frame_has_both_clocks_of_sending(void **state)
{
    struct fixture *bus = open_bus("can");
    uint64_t real_ns = aw_clock_realtime_ns(), real_end_ns;
    uint64_t monotonic_ns = aw_clock_monotonic_ns(), monotonic_end_ns;
    const struct aw_frame *frame;

    (void)state;
    assert_int_equal(send_id(bus, "", 1), 0);
    real_end_ns = aw_clock_realtime_ns();
    monotonic_end_ns = aw_clock_monotonic_ns();
    frame = fixture_next(bus);
    assert_in_range(frame->timestamp_ns, real_ns, real_end_ns);
    assert_in_range(frame->monotonic_ns, monotonic_ns, monotonic_end_ns);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_OWN);
    fixture_free(bus);
}

static void test_virtual_script_that_sends_is_excluded(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    assert_int_equal(send_id(bus, "logger", 1), 0);
    fixture_next(bus);
    assert_string_equal(bus->batch.exclude[0], "logger");
    fixture_free(bus);
}

static void test_virtual_frame_is_the_echo_of_its_sending(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    assert_true(bus->link.can_confirm);
    assert_int_equal(send_id(bus, "", 1), 0);
    fixture_next(bus);
    assert_int_equal(bus->batch.marks[0], AW_MARK_ECHO);
    fixture_free(bus);
}

static void test_virtual_sender_without_owner_excludes_nobody(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    assert_int_equal(send_id(bus, "", 1), 0);
    fixture_next(bus);
    assert_string_equal(bus->batch.exclude[0], "");
    fixture_free(bus);
}

static void test_virtual_with_receive_own_excludes_nobody(void **state)
{
    struct fixture *bus = fixture_new(&aw_virtual_driver);

    (void)state;
    fixture_set(bus, "receive_own", "yes");
    assert_int_equal(fixture_open(bus), 0);
    assert_int_equal(send_id(bus, "logger", 1), 0);
    fixture_next(bus);
    assert_string_equal(bus->batch.exclude[0], "");
    fixture_free(bus);
}

static void
test_virtual_batch_at_its_limit_leaves_the_rest_ringing(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    for (uint32_t id = 0; id < 5; id++)
        assert_int_equal(send_id(bus, "", id), 0);
    assert_int_equal(fixture_read(bus, 3), 0);
    assert_int_equal(bus->batch.count, 3);
    assert_true(fixture_polls(bus, POLLIN, 0));
    assert_int_equal(fixture_read(bus, 3), 0);
    assert_int_equal(bus->batch.count, 2);
    assert_int_equal(aw_batch_at(&bus->batch, 1)->id, 4);
    assert_false(fixture_polls(bus, POLLIN, 0));
    fixture_free(bus);
}

static void fill(struct fixture *bus)
{
    for (uint32_t id = 0; id < UNDER_WAY_MAX; id++)
        assert_int_equal(send_id(bus, "", id), 0);
}

static void test_virtual_when_full_makes_the_sender_wait(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    fill(bus);
    assert_int_equal(send_id(bus, "", 1), -EAGAIN);
    assert_true(fixture_polls(bus, POLLOUT, 0));
    fixture_next(bus);
    assert_int_equal(send_id(bus, "", 1), 0);
    fixture_free(bus);
}

static void test_virtual_keeps_the_order_over_many_rounds(void **state)
{
    struct fixture *bus = open_bus("can");

    (void)state;
    for (int round = 0; round < 3; round++) {
        uint32_t expected = 0;

        fill(bus);
        while (fixture_read(bus, 100) == 0 && bus->batch.count > 0) {
            for (uint32_t i = 0; i < bus->batch.count; i++)
                assert_int_equal(aw_batch_at(&bus->batch, i)->id, expected++);
        }
        assert_int_equal(expected, UNDER_WAY_MAX);
    }
    fixture_free(bus);
}

static void test_virtual_frame_too_long_is_refused(void **state)
{
    static const char payload[65];
    struct fixture *bus = open_bus("can");
    struct aw_frame sent = {.kind = AW_KIND_CAN, .length = sizeof(payload)};

    (void)state;
    assert_int_equal(fixture_send(bus, "", &sent, payload), -EMSGSIZE);
    assert_false(fixture_polls(bus, POLLIN, 0));
    fixture_free(bus);
}

static void test_virtual_frame_of_another_kind_is_refused(void **state)
{
    struct fixture *bus = open_bus("bytes");

    (void)state;
    assert_int_equal(send_id(bus, "", 1), -EINVAL);
    fixture_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_virtual_default_is_a_can_bus_with_room_for_fd),
        cmocka_unit_test(test_virtual_of_bytes_has_room_for_2_kib),
        cmocka_unit_test(test_virtual_max_payload_chooses_the_slot),
        cmocka_unit_test(test_virtual_options_out_of_range_are_refused),
        cmocka_unit_test(test_virtual_can_with_a_longer_payload_is_refused),
        cmocka_unit_test(test_virtual_without_frames_does_not_poll),
        cmocka_unit_test(
            test_virtual_frame_sent_is_read_with_id_flags_and_payload),
        cmocka_unit_test(test_virtual_raw_dlc_is_kept),
        cmocka_unit_test(
            test_virtual_frame_that_was_received_elsewhere_starts_afresh),
        cmocka_unit_test(test_virtual_channel_is_the_device),
        cmocka_unit_test(test_virtual_frame_has_both_clocks_of_sending),
        cmocka_unit_test(test_virtual_script_that_sends_is_excluded),
        cmocka_unit_test(test_virtual_frame_is_the_echo_of_its_sending),
        cmocka_unit_test(test_virtual_sender_without_owner_excludes_nobody),
        cmocka_unit_test(test_virtual_with_receive_own_excludes_nobody),
        cmocka_unit_test(
            test_virtual_batch_at_its_limit_leaves_the_rest_ringing),
        cmocka_unit_test(test_virtual_when_full_makes_the_sender_wait),
        cmocka_unit_test(test_virtual_keeps_the_order_over_many_rounds),
        cmocka_unit_test(test_virtual_frame_too_long_is_refused),
        cmocka_unit_test(test_virtual_frame_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
