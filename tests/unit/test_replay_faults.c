/* The driver `replay`: logs that are broken, and those that are none. */
#include <errno.h>
#include <sys/stat.h>

#include "tests/support/replay_rig.h"

/* ---- what cannot be replayed ---- */

static void test_replay_broken_line_is_reported_with_its_number(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "# a comment\n"
                   "(1700000000.000000) can0 101#01\n"
                   "\n"
                   "(1700000000.000001) can0 1011#01\n"
                   "(1700000000.000002) can0 102#02\n");
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 2);
    check_said(rig, "test.log:4: not replayed: the id is not");
    check_said(rig, "test.log: not replayed: 1 broken lines");
}

static void test_replay_line_that_is_no_record_is_reported(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "1700000000.000000) can0 100#00\n"
                   "(1700000000.000001) can0 101#01\n"
                   "  # a comment\n");
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 1);
    check_said(rig, "test.log:1: not replayed: it is neither a record");
    check_said(rig, "test.log: not replayed: 1 broken lines");
}

static void test_replay_many_broken_lines_are_counted(void **state)
{
    struct rig *rig = *state;
    char text[4096] = "(1700000000.000000) can0 101#01\n";

    for (int i = 0; i < 25; i++)
        strcat(text, "(1700000000.000001) can0 101#1\n");
    write_log(rig, text);
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 1);
    check_said(rig, "test.log:11: not replayed: half a byte");
    check_said(rig, "only counted");
    check_silent_about(rig, "test.log:12:");
    check_said(rig, "not replayed: 25 broken lines");
}

static void test_replay_broken_off_still_gives_the_count(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(broken\n(1700000000.000000) can0 101#01\n"
                   "(1700000000.000001) can0 102#02\n");
    begin(rig, SETTINGS("speed=max"));
    next(rig);
    end_replay(rig);
    check_said(rig, "not replayed: 1 broken lines");
}

static void test_replay_long_frame_is_not_cut(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\n"
                   "(1700000000.000001) can0 102##1112233445566778899\n"
                   "(1700000000.000002) can0 103#03\n");
    begin(rig, SETTINGS("speed=max", "max_payload=8"));
    assert_int_equal(rig->link.payload_bytes, AW_PAYLOAD_CAN);
    assert_int_equal(drain(rig), 2);
    check_said(rig, "test.log:2: not replayed: a payload of 9 bytes needs "
                    "max_payload: 64");
    check_said(rig, "1 frames longer than max_payload");
}

/* A log with one CAN XL frame of 2,048 bytes. */
static void write_xl(const struct rig *rig)
{
    char text[8192] = "(1700000000.000000) can0 101#01\n"
                      "(1700000000.000001) can0 45123#80:00:00000000#";
    size_t length = strlen(text);

    memset(text + length, 'A', 2 * 2048);
    strcpy(text + length + 2 * 2048, "\n");
    write_log(rig, text);
}

static void test_replay_xl_frame_needs_a_large_slot(void **state)
{
    struct rig *rig = *state;

    write_xl(rig);
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 1);
    check_said(rig, "test.log:2: not replayed: a payload of 2056 bytes needs "
                    "max_payload: 2048");
}

static void test_replay_xl_frame_fits_a_large_slot(void **state)
{
    struct rig *rig = *state;
    const struct aw_frame *frame;

    write_xl(rig);
    begin(rig, SETTINGS("speed=max", "max_payload=2048"));
    next(rig);
    frame = next(rig);
    assert_int_equal(frame->kind, AW_KIND_CAN_XL);
    assert_int_equal(frame->length, 2056);
    assert_int_equal(frame->payload[2055], 0xAA);
}

static void test_replay_recorded_loss_is_reported_not_charged(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\n"
                   "DROPCOUNT: dropped 5 CAN frames on 'can0' socket "
                   "(total drops 5)\n"
                   "(1700000000.000001) can0 102#02\n");
    begin(rig, SETTINGS("speed=max"));
    next(rig);
    assert_int_equal(next(rig)->lost_before, 0);
    assert_null(aw_replay_driver.losses);
    check_said(rig, "test.log:2: 5 frames of can0 were lost");
}

static void test_replay_overlong_line_does_not_hide_the_next(void **state)
{
    struct rig *rig = *state;
    static const char first[] = "(1700000000.000000) can0 101#01\n(";
    static const char last[] = "\n(1700000000.000001) can0 102#02\n";
    size_t length = 300000;
    char *text = malloc(length);

    assert_non_null(text);
    /* At each place where a buffer may end, what looks like a frame. */
    for (size_t i = 0; i + 32 <= length; i += 32)
        memcpy(text + i, "(1700000000.000000) can0 1FF#FF ", 32);
    memcpy(text, first, sizeof(first) - 1);
    memcpy(text + length - sizeof(last) + 1, last, sizeof(last) - 1);
    write_bytes(rig, text, length);
    free(text);
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(next(rig)->id, 0x101);
    assert_int_equal(next(rig)->id, 0x102);
    assert_true(rig->batch.ended);
    check_said(rig, "test.log:2: not replayed: the line is longer");
    check_said(rig, "not replayed: 1 broken lines");
}

static void test_replay_rare_channel_does_not_hold_up_the_reader(void **state)
{
    struct rig *rig = *state;
    FILE *file = fopen(rig->path, "w");
    unsigned reads = 0;

    assert_non_null(file);
    fputs("(1700000000.000000) can1 101#01\n", file);
    for (int i = 0; i < 50000; i++)
        fputs("(1700000000.000000) can0 102#02\n", file);
    fputs("(1700000000.000000) can1 103#03\n", file);
    assert_int_equal(fclose(file), 0);
    begin(rig, SETTINGS("channel=can1"));
    do {
        assert_int_equal(read_batch(rig, AW_BATCH_FRAMES), 0);
        reads++;
    } while (!rig->batch.ended);
    assert_in_range(reads, 4, 20);
}

/* ---- what cannot be opened ---- */

static void test_replay_missing_log_is_refused(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(try_open(rig, NULL), -ENOENT);
    check_error(rig, rig->path);
    check_error(rig, "No such file");
}

static void test_replay_folder_is_refused(void **state)
{
    struct rig *rig = *state;

    strcpy(rig->path, rig->folder);
    assert_int_equal(try_open(rig, NULL), -ENOENT);
    check_error(rig, "no regular file");
}

static void test_replay_fifo_is_refused_at_once(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(mkfifo(rig->path, 0600), 0);
    assert_int_equal(try_open(rig, NULL), -ENOENT);
    check_error(rig, "no regular file");
}

static void test_replay_empty_log_is_refused_even_in_a_loop(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "");
    assert_int_equal(try_open(rig, SETTINGS("loop=yes")), -ENODATA);
    check_error(rig, "has no frame to replay (0 lines");
}

static void test_replay_log_without_a_frame_is_refused(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "# nothing here\n(broken\n");
    assert_int_equal(try_open(rig, SETTINGS("loop=yes", "speed=max")),
                     -ENODATA);
    check_error(rig, "(2 lines, 1 of them broken)");
    check_said(rig, "test.log:2: ");
}

static void test_replay_unknown_channel_lists_those_there_are(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    assert_int_equal(try_open(rig, SETTINGS("channel=can7")), -ENODATA);
    check_error(rig, "no frame of channel can7, only can0, can1");
}

static void test_replay_log_of_long_frames_names_the_remedy(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 102##1112233445566778899\n");
    assert_int_equal(try_open(rig, SETTINGS("max_payload=8")), -ENODATA);
    check_error(rig, "64 takes CAN FD");
}

/* Writes `three` often enough, gzipped, and cuts or damages the file. */
static void write_damaged_gzip(struct rig *rig, const char *damage)
{
    FILE *file = fopen(rig->path, "w");
    char command[256];

    assert_non_null(file);
    for (unsigned i = 0; i < 40000; i++)
        fprintf(file, "(17000%05u.%06u) can0 101#%08X\n", i, i * 7919 % 1000000,
                i * 2654435761u);
    assert_int_equal(fclose(file), 0);
    snprintf(command, sizeof(command), "cd %s && gzip test.log && %s",
             rig->folder, damage);
    assert_int_equal(system(command), 0);
    strcat(rig->path, ".gz");
}

static void check_ends_with_io_error(struct rig *rig)
{
    uint64_t frames = 0;
    int result;

    begin(rig, SETTINGS("speed=max"));
    do {
        result = read_batch(rig, AW_BATCH_FRAMES);
        frames += rig->batch.count;
        assert_false(rig->batch.ended);
    } while (result == 0);
    assert_int_equal(result, -EIO);
    assert_in_range(frames, 1000, 39999);
    check_said(rig, "damaged or cut off");
}

static void test_replay_gzip_cut_off_is_an_error_not_the_end(void **state)
{
    struct rig *rig = *state;

    write_damaged_gzip(rig, "truncate -s 200000 test.log.gz");
    check_ends_with_io_error(rig);
}

static void test_replay_gzip_damaged_is_an_error(void **state)
{
    struct rig *rig = *state;

    write_damaged_gzip(rig, "dd if=/dev/zero of=test.log.gz bs=1 seek=200000 "
                            "count=64 conv=notrunc status=none");
    check_ends_with_io_error(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replay_broken_line_is_reported_with_its_number),
        TEST(test_replay_line_that_is_no_record_is_reported),
        TEST(test_replay_many_broken_lines_are_counted),
        TEST(test_replay_broken_off_still_gives_the_count),
        TEST(test_replay_long_frame_is_not_cut),
        TEST(test_replay_xl_frame_needs_a_large_slot),
        TEST(test_replay_xl_frame_fits_a_large_slot),
        TEST(test_replay_recorded_loss_is_reported_not_charged),
        TEST(test_replay_overlong_line_does_not_hide_the_next),
        TEST(test_replay_rare_channel_does_not_hold_up_the_reader),
        TEST(test_replay_missing_log_is_refused),
        TEST(test_replay_folder_is_refused),
        TEST(test_replay_fifo_is_refused_at_once),
        TEST(test_replay_empty_log_is_refused_even_in_a_loop),
        TEST(test_replay_log_without_a_frame_is_refused),
        TEST(test_replay_unknown_channel_lists_those_there_are),
        TEST(test_replay_log_of_long_frames_names_the_remedy),
        TEST(test_replay_gzip_cut_off_is_an_error_not_the_end),
        TEST(test_replay_gzip_damaged_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
