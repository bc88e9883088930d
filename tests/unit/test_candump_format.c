/* The grammar of candump -L, written, and both ways. */
#include <unistd.h>

#include "tests/support/candump_lines.h"
#include "tests/support/data.h"

/* ---- writing ---- */

static void test_candump_format_repeats_canonical_lines(void **state)
{
    static const char *const frames[] = {
        "123#",
        "12345678#",
        "00000123#11",
        "123#1122334455667788",
        "123#1122334455667788_E",
        "123#R",
        "123#R5",
        "123#R8_9",
        "123##0112233",
        "123##3",
        "20000004#0004000000000060",
        "45123#81:00:12345678#11223344556677",
    };
    struct parsed parsed;
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        parse_frame(&parsed, frames[i]);
        snprintf(line, sizeof(line), "(1700000000.000001) can0 %s", frames[i]);
        check_formatted(&parsed, 0, line);
    }
}

static void test_candump_format_writes_what_every_reader_takes(void **state)
{
    struct parsed parsed;

    (void)state;
    parse(&parsed, "(166.000023456)   can0 7a1##5aa.bb T");
    check_formatted(&parsed, 0, "(0000000166.000023) can0 7A1##1AABB");
    check_formatted(&parsed, AW_CANDUMP_NANOSECONDS,
                    "(0000000166.000023456) can0 7A1##1AABB");
    check_formatted(&parsed, AW_CANDUMP_DIRECTION,
                    "(0000000166.000023) can0 7A1##1AABB T");
    parse(&parsed, "(166.000023) can0 7a1#r");
    check_formatted(&parsed, AW_CANDUMP_DIRECTION,
                    "(0000000166.000023) can0 7A1#R R");
}

static void test_candump_format_never_writes_beyond_the_buffer(void **state)
{
    static const char *const frames[] = {"123#1122334455667788_E",
                                         "12345678#R8_9", "123##3112233",
                                         "45123#81:00:12345678#11223344556677"};
    struct parsed parsed;

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        size_t length;

        parse_frame(&parsed, frames[i]);
        length = strlen("(1700000000.000001) can0 ") + strlen(frames[i]) + 2;
        for (size_t size = 0; size <= length + 1; size++) {
            char *buffer = malloc(size ? size : 1);

            assert_non_null(buffer);
            assert_int_equal(aw_candump_format(parsed.frame, "can0",
                                               AW_CANDUMP_DIRECTION, buffer,
                                               size),
                             size > length ? (int)length : -ENOSPC);
            free(buffer);
        }
    }
}

static void test_candump_format_refuses_what_a_log_cannot_hold(void **state)
{
    struct parsed parsed;
    char text[AW_CANDUMP_LINE_MAX];

    (void)state;
    parse_frame(&parsed, "123#11");
    assert_int_equal(aw_candump_format(parsed.frame, "", 0, text, sizeof(text)),
                     -EINVAL);
    parsed.frame->length = 9;
    assert_int_equal(
        aw_candump_format(parsed.frame, "can0", 0, text, sizeof(text)),
        -EINVAL);
    parsed.frame->flags = AW_FRAME_FD;
    parsed.frame->length = 65;
    assert_int_equal(
        aw_candump_format(parsed.frame, "can0", 0, text, sizeof(text)),
        -EINVAL);
    parsed.frame->kind = AW_KIND_DATAGRAM;
    parsed.frame->length = 1;
    assert_int_equal(
        aw_candump_format(parsed.frame, "can0", 0, text, sizeof(text)),
        -EINVAL);
}

/* ---- both ---- */

/* xorshift64: the same numbers on every machine. */
static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A random frame of any form that a log can hold. */
static void draw_frame(uint64_t *seed, struct aw_frame *frame)
{
    static const uint32_t id_flags[] = {0, AW_CAN_EXTENDED, AW_CAN_REMOTE,
                                        AW_CAN_EXTENDED | AW_CAN_REMOTE,
                                        AW_CAN_ERROR};
    uint32_t flags = id_flags[draw(seed) % 5];
    uint32_t mask = flags & (AW_CAN_EXTENDED | AW_CAN_ERROR) ? AW_CAN_ID_MASK
                                                             : AW_CAN_SFF_MASK;

    *frame = (struct aw_frame){
        .kind = AW_KIND_CAN,
        .timestamp_ns = draw(seed) % (UINT64_C(9223372035) * 1000000000),
        .id = ((uint32_t)draw(seed) & mask) | flags,
        .flags = draw(seed) % 2 ? AW_FRAME_SENT : 0,
        .length = flags & AW_CAN_ERROR ? 8 : (uint16_t)(draw(seed) % 9)};
    if (!(flags & (AW_CAN_REMOTE | AW_CAN_ERROR)) && draw(seed) % 2) {
        frame->flags |= (uint16_t)(AW_FRAME_FD | (draw(seed) % 4 << 1));
        frame->length = (uint16_t)(draw(seed) % 65);
    } else if (frame->length == 8 && draw(seed) % 2) {
        frame->flags |=
            (uint16_t)((9 + draw(seed) % 7) << AW_FRAME_RAW_DLC_SHIFT);
    }
    for (unsigned i = 0; i < frame->length; i++)
        frame->payload[i] =
            flags & AW_CAN_REMOTE ? 0 : (uint8_t)(draw(seed) >> 32);
}

static void test_candump_any_frame_survives_the_round_trip(void **state)
{
    uint64_t seed = 0x5EED;
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + 64];
    void *memory = slot;
    struct aw_frame *frame = memory;
    struct parsed parsed;
    char line[AW_CANDUMP_LINE_MAX];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int length;

        draw_frame(&seed, frame);
        length = aw_candump_format(
            frame, "vcan1", AW_CANDUMP_NANOSECONDS | AW_CANDUMP_DIRECTION, line,
            sizeof(line));
        assert_true(length > 0);
        parse_bytes(&parsed, line, (size_t)length);
        if (parsed.result != AW_CANDUMP_FRAME)
            fail_msg("%s: %s", line, parsed.error.text);
        assert_memory_equal(parsed.frame, frame, aw_frame_bytes(frame));
    }
}

/* What a damaged line still says, if anything, is said again by the line made
 * of it. */
static void test_candump_damaged_lines_are_refused_or_stable(void **state)
{
    static const char *const lines[] = {
        "(1700000000.000001) can0 123#1122334455667788_E R",
        "(1700000000.000001) can0 12345678#R8_9",
        "(1700000000.000001)  can0 123##311.22.33 T",
        "(1700000000.000001456) can0 45123#81:00:12345678#1122",
        "(1700000000.000001) can0 20000004#0004000000000060"};
    static const char letters[] = "0189AFGRTrt#_.:() \t\n";
    uint64_t seed = 0xDA4A6E;
    struct parsed parsed, again;
    char line[128], first[AW_CANDUMP_LINE_MAX], second[AW_CANDUMP_LINE_MAX];

    (void)state;
    for (int i = 0; i < 50000; i++) {
        size_t length;

        strcpy(line, lines[draw(&seed) % 5]);
        length = strlen(line);
        for (unsigned k = 0; k <= draw(&seed) % 3; k++)
            line[draw(&seed) % length] =
                letters[draw(&seed) % (sizeof(letters) - 1)];
        parse_bytes(&parsed, line, length - draw(&seed) % 4);
        if (parsed.result != AW_CANDUMP_FRAME)
            continue;
        assert_true(aw_candump_format(parsed.frame, parsed.record.channel, 1,
                                      first, sizeof(first)) > 0);
        parse(&again, first);
        assert_int_equal(again.result, AW_CANDUMP_FRAME);
        assert_true(aw_candump_format(again.frame, again.record.channel, 1,
                                      second, sizeof(second)) > 0);
        assert_string_equal(first, second);
    }
}

/* ---- real logs ---- */

/* Rewrites a log through the parser and the formatter; returns the frames. */
static unsigned rewrite(FILE *in, FILE *out)
{
    struct parsed parsed;
    char line[8192], text[AW_CANDUMP_LINE_MAX];
    unsigned frames = 0;

    while (fgets(line, sizeof(line), in)) {
        parse(&parsed, line);
        if (parsed.result < 0)
            fail_msg("%s: %s", line, parsed.error.text);
        if (parsed.result != AW_CANDUMP_FRAME)
            continue;
        assert_true(aw_candump_format(parsed.frame, parsed.record.channel, 0,
                                      text, sizeof(text)) > 0);
        assert_true(fprintf(out, "%s\n", text) > 0);
        frames++;
    }
    return frames;
}

static void check_every_line(const char *name, unsigned frames)
{
    char path[4096];
    FILE *in, *out;

    if (!data_path(name, path, sizeof(path)))
        skip();
    in = fopen(path, "r");
    out = fopen("/dev/null", "w");
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(rewrite(in, out), frames);
    fclose(in);
    fclose(out);
}

static void test_candump_every_form_of_the_grammar_is_read(void **state)
{
    (void)state;
    check_every_line("grammar_all_forms.log", 27);
}

static void test_candump_log_of_whole_seconds_is_read(void **state)
{
    (void)state;
    check_every_line("savvycan_candump.log", 12974);
}

/* Has can-utils decode a log into `out`. */
static void decode(const char *log, const char *out)
{
    char command[8192];

    snprintf(command, sizeof(command), "log2long < '%s' > '%s'", log, out);
    assert_int_equal(system(command), 0);
}

static void check_same_content(const char *a, const char *b)
{
    char command[8192];

    snprintf(command, sizeof(command), "test -s '%s' && cmp '%s' '%s'", a, a,
             b);
    assert_int_equal(system(command), 0);
}

static void test_candump_rewritten_log_decodes_as_before(void **state)
{
    char folder[] = "/tmp/test_candump.XXXXXX";
    char log[4096], ours[64], before[64], after[64], command[128];
    FILE *in, *out;

    (void)state;
    project_path("examples/drive.log", log, sizeof(log));
    if (system("command -v log2long > /dev/null") != 0) {
        fprintf(stderr, "SKIPPED: no log2long (can-utils)\n");
        skip();
    }
    assert_non_null(mkdtemp(folder));
    snprintf(ours, sizeof(ours), "%s/ours.log", folder);
    snprintf(before, sizeof(before), "%s/before", folder);
    snprintf(after, sizeof(after), "%s/after", folder);
    in = fopen(log, "r");
    out = fopen(ours, "w");
    assert_non_null(in);
    assert_non_null(out);
    assert_true(rewrite(in, out) > 10000);
    fclose(in);
    fclose(out);
    decode(log, before);
    decode(ours, after);
    check_same_content(before, after);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candump_format_repeats_canonical_lines),
        cmocka_unit_test(test_candump_format_writes_what_every_reader_takes),
        cmocka_unit_test(test_candump_format_never_writes_beyond_the_buffer),
        cmocka_unit_test(test_candump_format_refuses_what_a_log_cannot_hold),
        cmocka_unit_test(test_candump_any_frame_survives_the_round_trip),
        cmocka_unit_test(test_candump_damaged_lines_are_refused_or_stable),
        cmocka_unit_test(test_candump_every_form_of_the_grammar_is_read),
        cmocka_unit_test(test_candump_log_of_whole_seconds_is_read),
        cmocka_unit_test(test_candump_rewritten_log_decodes_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
