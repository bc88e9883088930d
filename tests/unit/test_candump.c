/* The grammar of candump -L, read. */
#include "tests/support/candump_lines.h"

/* ---- reading ---- */

static void test_candump_classic_frame_is_read(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame = parse_frame(&parsed, "123#1122334455667788");

    (void)state;
    assert_int_equal(frame->kind, AW_KIND_CAN);
    assert_int_equal(frame->id, 0x123);
    assert_int_equal(frame->flags, 0);
    assert_int_equal(frame->length, 8);
    assert_memory_equal(frame->payload, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    assert_string_equal(parsed.record.channel, "can0");
    assert_int_equal(parsed.record.direction, 0);
    assert_int_equal(frame->timestamp_ns, UINT64_C(1700000000000001000));
    assert_int_equal(frame->lost_before, 0);
    assert_int_equal(frame->monotonic_ns, 0);
}

static void test_candump_empty_frame_has_no_data(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(parse_frame(&parsed, "123#")->length, 0);
}

static void test_candump_eight_digits_are_extended(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(parse_frame(&parsed, "12345678#")->id,
                     AW_CAN_EXTENDED | 0x12345678);
    assert_int_equal(parse_frame(&parsed, "00000123#11")->id,
                     AW_CAN_EXTENDED | 0x123);
}

static void test_candump_dots_and_lower_case_are_read(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame =
        parse_frame(&parsed, "7a1#1a.2B.3c.44.55.66.77.88.");

    (void)state;
    assert_int_equal(frame->id, 0x7A1);
    assert_int_equal(frame->length, 8);
    assert_memory_equal(frame->payload, "\x1A\x2B\x3C\x44\x55\x66\x77\x88", 8);
}

static void test_candump_raw_dlc_is_kept(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame =
        parse_frame(&parsed, "123#1122334455667788_E");

    (void)state;
    assert_int_equal(frame->length, 8);
    assert_int_equal(frame->flags >> AW_FRAME_RAW_DLC_SHIFT, 0xE);
    assert_int_equal(
        parse_frame(&parsed, "123#R8_9")->flags >> AW_FRAME_RAW_DLC_SHIFT, 9);
}

static void test_candump_remote_frame_has_its_length(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame = parse_frame(&parsed, "123#R5");

    (void)state;
    assert_int_equal(frame->id, AW_CAN_REMOTE | 0x123);
    assert_int_equal(frame->length, 5);
    assert_memory_equal(frame->payload, "\0\0\0\0\0", 5);
    assert_int_equal(parse_frame(&parsed, "123#R")->length, 0);
    assert_int_equal(parse_frame(&parsed, "7A1#r")->id, AW_CAN_REMOTE | 0x7A1);
}

static void test_candump_fd_flags_are_masked_with_three(void **state)
{
    static const unsigned wanted[] = {
        AW_FRAME_FD, AW_FRAME_FD | AW_FRAME_BRS, AW_FRAME_FD | AW_FRAME_ESI,
        AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_ESI};
    struct parsed parsed;
    char text[32];

    (void)state;
    for (unsigned flags = 0; flags < 16; flags++) {
        snprintf(text, sizeof(text), "123##%x112233", flags);
        assert_int_equal(parse_frame(&parsed, text)->flags, wanted[flags & 3]);
        assert_int_equal(parsed.frame->length, 3);
    }
}

static void test_candump_fd_frame_holds_64_bytes(void **state)
{
    struct parsed parsed;
    char text[256] = "12345678##7";

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        snprintf(text + 11 + 2 * i, 3, "%02X", i);
    assert_int_equal(parse_frame(&parsed, text)->length, 64);
    assert_int_equal(parsed.frame->payload[63], 63);
    assert_int_equal(parsed.frame->id, AW_CAN_EXTENDED | 0x12345678);
    strcat(text, "40");
    check_refused_frame(text, "more than the 64 bytes");
}

static void test_candump_error_frame_keeps_its_class(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame =
        parse_frame(&parsed, "20000088#0000800000000000");

    (void)state;
    assert_int_equal(frame->id, AW_CAN_ERROR | 0x88);
    assert_int_equal(frame->length, 8);
    assert_int_equal(frame->payload[2], 0x80);
}

static void test_candump_xl_frame_has_its_head(void **state)
{
    struct parsed parsed;
    const struct aw_frame *frame =
        parse_frame(&parsed, "45123#81:02:12345678#11223344556677");
    struct aw_xl_head head;

    (void)state;
    assert_int_equal(frame->kind, AW_KIND_CAN_XL);
    assert_int_equal(frame->id, 0x123);
    assert_int_equal(frame->length, sizeof(head) + 7);
    memcpy(&head, frame->payload, sizeof(head));
    assert_int_equal(head.vcid, 0x45);
    assert_int_equal(head.flags, 0x81);
    assert_int_equal(head.sdt, 2);
    assert_int_equal(head.acceptance_field, 0x12345678);
    assert_int_equal(frame->payload[sizeof(head) + 6], 0x77);
}

static void test_candump_longest_xl_frame_is_read_and_written(void **state)
{
    struct parsed parsed;
    char line[AW_CANDUMP_LINE_MAX] =
        "(1700000000.000001) can0 45123#80:00:00000000#";
    size_t length = strlen(line);

    (void)state;
    memset(line + length, '7', 2 * 2048);
    parse(&parsed, line);
    assert_int_equal(parsed.result, AW_CANDUMP_FRAME);
    assert_int_equal(parsed.frame->length, AW_CANDUMP_PAYLOAD_MAX);
    check_formatted(&parsed, 0, line);
    memset(line + length, '7', 2 * 2049);
    check_refused(line, "more than the 2048 bytes");
}

static void test_candump_both_fractions_are_read(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "(1700000000.000023456) can0 123#AA");
    assert_int_equal(parsed.result, AW_CANDUMP_FRAME);
    assert_int_equal(parsed.frame->timestamp_ns, UINT64_C(1700000000000023456));
    parse(&parsed, "(0000000000.000000) can0 123#00");
    assert_int_equal(parsed.frame->timestamp_ns, 0);
    parse(&parsed, "(166.000000) vcan0 21A#FE");
    assert_int_equal(parsed.frame->timestamp_ns, UINT64_C(166000000000));
}

static void test_candump_padded_interface_is_read(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "(1700000000.000024)      can0 123#BB");
    assert_int_equal(parsed.result, AW_CANDUMP_FRAME);
    assert_string_equal(parsed.record.channel, "can0");
    parse(&parsed, "(1700000000.000024) abcdefghijklmno 123#BB");
    assert_string_equal(parsed.record.channel, "abcdefghijklmno");
}

static void test_candump_direction_tells_sent_from_received(void **state)
{
    struct parsed parsed;

    (void)state;
    assert_int_equal(parse_frame(&parsed, "123#DD T")->flags, AW_FRAME_SENT);
    assert_int_equal(parsed.record.direction, 'T');
    assert_int_equal(parse_frame(&parsed, "123#CC R")->flags, 0);
    assert_int_equal(parsed.record.direction, 'R');
    assert_int_equal(parse_frame(&parsed, "123##1CC T")->flags,
                     AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_SENT);
}

static void test_candump_line_ends_do_not_matter(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n", "  ", " \t\r\n"};
    struct parsed parsed;
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(text, sizeof(text), "123#R8_9%s", ends[i]);
        assert_int_equal(parse_frame(&parsed, text)->length, 8);
    }
}

static void test_candump_other_lines_are_no_frames(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        "# (1700000000.000001) can0 123#11",
        " (1700000000.000001) can0 123#11",
        "DROPCOUNT: dropped many CAN frames on 'can0' socket",
        "DROPCOUNT: dropped 5 CAN frames on 'can0' socket (total drops 5",
        "DROPCOUNT: dropped 5 CAN frames on '\033[31m' socket (total drops 5)",
    };
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        parse(&parsed, lines[i]);
        assert_int_equal(parsed.result, AW_CANDUMP_OTHER);
    }
}

static void test_candump_dropcount_gives_channel_and_count(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed,
          "DROPCOUNT: dropped 5 CAN frames on 'can0' socket (total drops 9)\n");
    assert_int_equal(parsed.result, AW_CANDUMP_DROPS);
    assert_string_equal(parsed.record.channel, "can0");
    assert_int_equal(parsed.record.drops, 5);
    parse(&parsed,
          "DROPCOUNT: dropped 1 CAN frame on 'can1' socket (total drops 1)");
    assert_int_equal(parsed.result, AW_CANDUMP_DROPS);
    assert_int_equal(parsed.record.drops, 1);
}

/* ---- refusing ---- */

static void test_candump_broken_time_is_refused(void **state)
{
    static const char *const times[] = {
        "(",
        "()",
        "(.)",
        "(1700000000)",
        "(1700000000.)",
        "(1700000000.12345)",
        "(1700000000.1234567)",
        "(1700000000.1234567890)",
        "(1700000000.000001",
        "(-700000000.000001)",
        "(17000x0000.000001)",
        "(1700000000,000001)",
        "(2023-11-14 22:13:20.000001)",
    };
    char line[64];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        snprintf(line, sizeof(line), "%s can0 123#11", times[i]);
        check_refused(line, "the time is not");
    }
    check_refused("(99999999999999999999999.000001) can0 123#11", "2262");
    check_refused("(9223372036.000000) can0 123#11", "2262");
}

static void test_candump_broken_interface_is_refused(void **state)
{
    (void)state;
    check_refused("(1700000000.000001)can0 123#11", "no blank");
    check_refused("(1700000000.000001)", "no blank");
    check_refused("(1700000000.000001) can0", "no frame behind");
    check_refused("(1700000000.000001) abcdefghijklmnop 123#11",
                  "16 characters");
    check_refused("(1700000000.000001) can\xC3\xA4 123#11", "plain ASCII");
    check_refused("(1700000000.000001) can\033 123#11", "plain ASCII");
}

static void test_candump_broken_id_is_refused(void **state)
{
    static const char *const frames[] = {"12#11",   "1234#11",    "1234567#11",
                                         "12G#11",  "#11",        "123",
                                         "123 #11", "123456789#", "x23#11"};

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
        check_refused_frame(frames[i], "the id is not 3, 5 or 8");
    check_refused_frame("800#11", "no id of 11 bits");
    check_refused_frame("40000000#11", "no id of 29 bits");
    check_refused_frame("92345678#11", "no id of 29 bits");
}

static void test_candump_broken_data_is_refused(void **state)
{
    (void)state;
    check_refused_frame("123#112", "half a byte");
    check_refused_frame("123#1.122", "half a byte");
    check_refused_frame("123##", "flags, one digit");
    check_refused_frame("123##G1122", "flags, one digit");
    check_refused_frame("123##11", "half a byte");
    check_refused_frame("123#112233445566778899", "more than the 8 bytes");
    check_refused_frame("123#11..22", "followed by");
    check_refused_frame("123#.11", "followed by");
    check_refused_frame("123#11zz", "followed by");
    check_refused_frame("123#11R", "followed by");
    check_refused_frame("123#11 X", "followed by");
    check_refused_frame("123#11 R T", "followed by");
    check_refused_frame("123#11 22", "followed by");
}

static void test_candump_broken_dlc_is_refused(void **state)
{
    (void)state;
    check_refused_frame("123#11_9", "behind 1 bytes");
    check_refused_frame("123#R5_9", "behind 5 bytes");
    check_refused_frame("123#1122334455667788_8", "not 9 to F");
    check_refused_frame("123#1122334455667788_", "not 9 to F");
    check_refused_frame("123#1122334455667788_99", "followed by");
    check_refused_frame("123#R9", "0 to 8 bytes");
    check_refused_frame("123#RA", "followed by");
}

static void test_candump_impossible_error_frame_is_refused(void **state)
{
    (void)state;
    check_refused_frame("20000004#R", "8 bytes, not 0");
    check_refused_frame("20000004#00", "8 bytes, not 1");
    check_refused_frame("20000004##10000000000000000", "cannot be CAN FD");
}

static void test_candump_broken_xl_is_refused(void **state)
{
    (void)state;
    check_refused_frame("45123#81:00:12345678#", "without a byte");
    check_refused_frame("45123#01:00:12345678#11", "lack XLF");
    check_refused_frame("45923#81:00:12345678#11", "above 7FF");
    check_refused_frame("45123#81:00:1234567#11", "CAN XL's form");
    check_refused_frame("45123#81-00:12345678#11", "CAN XL's form");
    check_refused_frame("45123#1122", "CAN XL's form");
}

static void test_candump_nul_in_a_line_is_refused(void **state)
{
    static const char line[] = "(1700000000.000001) can0 123#11\0"
                               "22";
    struct parsed parsed;

    (void)state;
    parse_bytes(&parsed, line, sizeof(line) - 1);
    assert_int_equal(parsed.result, -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candump_classic_frame_is_read),
        cmocka_unit_test(test_candump_empty_frame_has_no_data),
        cmocka_unit_test(test_candump_eight_digits_are_extended),
        cmocka_unit_test(test_candump_dots_and_lower_case_are_read),
        cmocka_unit_test(test_candump_raw_dlc_is_kept),
        cmocka_unit_test(test_candump_remote_frame_has_its_length),
        cmocka_unit_test(test_candump_fd_flags_are_masked_with_three),
        cmocka_unit_test(test_candump_fd_frame_holds_64_bytes),
        cmocka_unit_test(test_candump_error_frame_keeps_its_class),
        cmocka_unit_test(test_candump_xl_frame_has_its_head),
        cmocka_unit_test(test_candump_longest_xl_frame_is_read_and_written),
        cmocka_unit_test(test_candump_both_fractions_are_read),
        cmocka_unit_test(test_candump_padded_interface_is_read),
        cmocka_unit_test(test_candump_direction_tells_sent_from_received),
        cmocka_unit_test(test_candump_line_ends_do_not_matter),
        cmocka_unit_test(test_candump_other_lines_are_no_frames),
        cmocka_unit_test(test_candump_dropcount_gives_channel_and_count),
        cmocka_unit_test(test_candump_broken_time_is_refused),
        cmocka_unit_test(test_candump_broken_interface_is_refused),
        cmocka_unit_test(test_candump_broken_id_is_refused),
        cmocka_unit_test(test_candump_broken_data_is_refused),
        cmocka_unit_test(test_candump_broken_dlc_is_refused),
        cmocka_unit_test(test_candump_impossible_error_frame_is_refused),
        cmocka_unit_test(test_candump_broken_xl_is_refused),
        cmocka_unit_test(test_candump_nul_in_a_line_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
