/* The driver `bcm`: the line that says what is watched, and, where there is a
 * bus (vcan0, in the guests), what the kernel then tells. */
#include "driver_fixture.h"

#include <errno.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "devices/bcm_watch.h"

#define WAY_TOO_MANY 300

/* ---- the line ---- */

static struct aw_bcm_watch watches[AW_BCM_WATCHES_MAX];
static struct aw_error error;

static int parse(const char *text)
{
    return aw_bcm_watches_parse(text, watches, &error);
}

static void test_watch_of_an_id_alone_takes_every_frame(void **state)
{
    (void)state;
    assert_int_equal(parse("123"), 1);
    assert_int_equal(watches[0].id, 0x123);
    assert_false(watches[0].masked || watches[0].fd || watches[0].length);
    assert_int_equal(watches[0].timeout_us, 0);
    assert_int_equal(watches[0].throttle_us, 0);
}

static void test_watch_of_eight_digits_is_of_29_bits(void **state)
{
    (void)state;
    assert_int_equal(parse("00000123"), 1);
    assert_int_equal(watches[0].id, 0x123 | AW_CAN_EXTENDED);
}

static void test_watch_with_everything_is_understood(void **state)
{
    static const uint8_t mask[8] = {0xff, 0x0f};

    (void)state;
    assert_int_equal(parse("  0b4#FF0f:0.25/2.5, 7FF##*  12345678:10 "), 3);
    assert_int_equal(watches[0].id, 0xb4);
    assert_true(watches[0].masked && !watches[0].length && !watches[0].fd);
    assert_memory_equal(watches[0].mask, mask, sizeof(mask));
    assert_int_equal(watches[0].timeout_us, 250000);
    assert_int_equal(watches[0].throttle_us, 2500000);
    assert_true(watches[1].fd && watches[1].masked && watches[1].length);
    assert_int_equal(watches[1].mask[63], 0xff);
    assert_int_equal(watches[2].timeout_us, 10000000);
}

static void test_watch_of_a_time_is_exact_to_the_microsecond(void **state)
{
    (void)state;
    assert_int_equal(parse("123:0.000001 124:86400 125:1.9999999"), 3);
    assert_int_equal(watches[0].timeout_us, 1);
    assert_int_equal(watches[1].timeout_us, UINT64_C(86400000000));
    assert_int_equal(watches[2].timeout_us, 1999999);
}

static void test_watch_that_is_none_is_refused_with_its_place(void **state)
{
    static const char *const bad[][2] = {
        {"", "names no identifier"},
        {" , ", "names no identifier"},
        {"12", "three hexadecimal digits"},
        {"800", "three hexadecimal digits"},
        {"1234", "three hexadecimal digits"},
        {"20000000", "up to 1FFFFFFF"},
        {"123456789", "three hexadecimal digits"},
        {"123#", "comes a mask"},
        {"123#F", "two hexadecimal digits"},
        {"123#112233445566778899", "two hexadecimal digits"},
        {"123#GG", "comes a mask"},
        {"123:", "in seconds"},
        {"123:0", "in seconds"},
        {"123:86401", "in seconds"},
        {"123:99999999999999999999", "in seconds"},
        {"123/x", "in seconds"},
        {"123#FF;", "expected ID"},
        {"123 124 123#FF", "twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i][0]), -EINVAL);
        if (!strstr(error.text, bad[i][1]))
            fail_msg("\"%s\": %s", bad[i][0], error.text);
    }
    assert_int_equal(parse("123 7F:1"), -EINVAL);
    assert_non_null(strstr(error.text, "\"7F:1\""));
}

static void test_watch_of_one_id_as_classic_and_as_fd_is_two(void **state)
{
    (void)state;
    assert_int_equal(parse("123 123## 00000123"), 3);
}

static void test_watch_of_too_many_ids_is_refused(void **state)
{
    char text[WAY_TOO_MANY * 4 + 1] = "";

    (void)state;
    for (int i = 0; i < WAY_TOO_MANY; i++)
        snprintf(text + 4 * i, 5, "%03X ", i);
    assert_int_equal(parse(text), -EINVAL);
    assert_non_null(strstr(error.text, "more than 256"));
    text[256 * 4] = '\0';
    assert_int_equal(parse(text), 256);
}

/* ---- for the kernel ---- */

static void test_watch_with_a_mask_hands_the_kernel_a_frame(void **state)
{
    union aw_bcm_message message;
    struct can_frame frame;

    (void)state;
    assert_int_equal(parse("123#FF01:1.5/0.25"), 1);
    assert_int_equal(aw_bcm_watch_export(&watches[0], &message),
                     sizeof(message.head) + CAN_MTU);
    memcpy(&frame, message.bytes + sizeof(message.head), sizeof(frame));
    assert_int_equal(message.head.opcode, RX_SETUP);
    assert_int_equal(message.head.flags,
                     SETTIMER | STARTTIMER | RX_ANNOUNCE_RESUME);
    assert_int_equal(message.head.nframes, 1);
    assert_int_equal(message.head.can_id, 0x123);
    assert_int_equal(message.head.ival1.tv_sec, 1);
    assert_int_equal(message.head.ival1.tv_usec, 500000);
    assert_int_equal(message.head.ival2.tv_usec, 250000);
    assert_int_equal(frame.can_id, 0x123);
    assert_int_equal(frame.data[0], 0xff);
    assert_int_equal(frame.data[1], 0x01);
    assert_int_equal(frame.data[2], 0);
}

static void test_watch_without_a_mask_is_a_filter_of_the_id(void **state)
{
    union aw_bcm_message message;

    (void)state;
    assert_int_equal(parse("12345678##"), 1);
    assert_int_equal(aw_bcm_watch_export(&watches[0], &message),
                     sizeof(message.head));
    assert_int_equal(message.head.flags,
                     SETTIMER | CAN_FD_FRAME | RX_FILTER_ID);
    assert_int_equal(message.head.nframes, 0);
    assert_int_equal(message.head.can_id, 0x12345678 | CAN_EFF_FLAG);
}

/* ---- the driver ---- */

static struct fixture *configure(const char *interface, const char *watch)
{
    struct fixture *bcm = fixture_new(&aw_bcm_driver);

    fixture_set(bcm, "interface", interface);
    fixture_set(bcm, "watch", watch);
    return bcm;
}

static int checked(const char *interface, const char *watch)
{
    struct fixture *bcm = configure(interface, watch);
    int result = fixture_check(bcm);

    fixture_free(bcm);
    return result;
}

static void test_bcm_checks_interface_and_watch_without_opening(void **state)
{
    (void)state;
    assert_int_equal(checked("can0", "123"), 0);
    assert_int_equal(checked("serial=0042/1", "123"), 0);
    assert_int_equal(checked("the-bus-of-the-gearbox", "123"), 0);
    assert_int_equal(checked("serial=", "123"), -EINVAL);
    assert_int_equal(checked("any", "123"), -EINVAL);
    assert_int_equal(checked("can 0", "123"), -EINVAL);
    assert_int_equal(checked("can0", "12"), -EINVAL);
}

static void test_bcm_describes_the_slot_its_frames_need(void **state)
{
    struct fixture *bcm = configure("can0", "123#* 124##");

    (void)state;
    aw_bcm_driver.describe(&bcm->link, bcm->values);
    assert_int_equal(bcm->link.payload_bytes, AW_PAYLOAD_FD);
    assert_int_equal(bcm->link.kind, AW_KIND_CAN);
    assert_false(bcm->link.can_send);
    fixture_free(bcm);
    bcm = configure("can0", "123#*");
    aw_bcm_driver.describe(&bcm->link, bcm->values);
    assert_int_equal(bcm->link.payload_bytes, AW_PAYLOAD_CAN);
    fixture_free(bcm);
}

/* ---- on a bus ---- */

/* The driver on vcan0; skips where there is none. */
static struct fixture *on_bus(const char *watch)
{
    struct fixture *bcm;

    if (if_nametoindex("vcan0") == 0) {
        print_message("SKIPPED: no vcan0 here; the guest runs this\n");
        skip();
    }
    bcm = configure("vcan0", watch);
    if (fixture_open(bcm) < 0)
        fail_msg("%s", bcm->error.text);
    return bcm;
}

static void send_on_bus(uint32_t id, uint8_t byte)
{
    struct can_frame frame = {.can_id = id, .len = 1, .data = {byte}};
    struct sockaddr_can address = {.can_family = AF_CAN,
                                   .can_ifindex = (int)if_nametoindex("vcan0")};
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, &frame, sizeof(frame)), sizeof(frame));
    close(fd);
}

static void assert_timeout(const struct aw_frame *frame, uint32_t id)
{
    struct aw_event event;

    assert_int_equal(frame->kind, AW_KIND_EVENT);
    assert_int_equal(frame->id, AW_EVENT_TIMEOUT);
    assert_int_equal(frame->length, sizeof(event));
    memcpy(&event, frame->payload, sizeof(event));
    assert_int_equal(event.value, 0);
    assert_int_equal(event.detail, id);
    assert_true(frame->timestamp_ns > 0 && frame->monotonic_ns > 0);
}

static void test_bcm_tells_of_a_frame_that_never_came(void **state)
{
    struct fixture *bcm = on_bus("123:0.05");

    (void)state;
    assert_timeout(fixture_next(bcm), 0x123);
    fixture_free(bcm);
}

static void test_bcm_tells_once_of_each_absence(void **state)
{
    struct fixture *bcm = on_bus("00000123#*:0.05");
    const struct aw_frame *frame;

    (void)state;
    assert_timeout(fixture_next(bcm), 0x123 | AW_CAN_EXTENDED);
    assert_false(fixture_polls(bcm, POLLIN, 200));
    send_on_bus(0x123 | CAN_EFF_FLAG, 7);
    frame = fixture_next(bcm);
    assert_int_equal(frame->kind, AW_KIND_CAN);
    assert_int_equal(frame->id, 0x123 | AW_CAN_EXTENDED);
    assert_int_equal(frame->length, 1);
    assert_int_equal(frame->payload[0], 7);
    assert_timeout(fixture_next(bcm), 0x123 | AW_CAN_EXTENDED);
    /* As before, but it comes again after an absence. */
    send_on_bus(0x123 | CAN_EFF_FLAG, 7);
    assert_int_equal(fixture_next(bcm)->kind, AW_KIND_CAN);
    fixture_free(bcm);
}

static void test_bcm_says_that_the_kernel_filters(void **state)
{
    struct fixture *bcm = on_bus("123");

    (void)state;
    assert_int_equal(bcm->link.status.kernel_filter, 1);
    assert_int_equal(bcm->link.status.state, AW_LINK_UP);
    assert_int_equal(bcm->link.payload_bytes, AW_PAYLOAD_CAN);
    assert_string_equal(bcm->channels.names[0], "vcan0");
    fixture_free(bcm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watch_of_an_id_alone_takes_every_frame),
        cmocka_unit_test(test_watch_of_eight_digits_is_of_29_bits),
        cmocka_unit_test(test_watch_with_everything_is_understood),
        cmocka_unit_test(test_watch_of_a_time_is_exact_to_the_microsecond),
        cmocka_unit_test(test_watch_that_is_none_is_refused_with_its_place),
        cmocka_unit_test(test_watch_of_one_id_as_classic_and_as_fd_is_two),
        cmocka_unit_test(test_watch_of_too_many_ids_is_refused),
        cmocka_unit_test(test_watch_with_a_mask_hands_the_kernel_a_frame),
        cmocka_unit_test(test_watch_without_a_mask_is_a_filter_of_the_id),
        cmocka_unit_test(test_bcm_checks_interface_and_watch_without_opening),
        cmocka_unit_test(test_bcm_describes_the_slot_its_frames_need),
        cmocka_unit_test(test_bcm_tells_of_a_frame_that_never_came),
        cmocka_unit_test(test_bcm_tells_once_of_each_absence),
        cmocka_unit_test(test_bcm_says_that_the_kernel_filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
