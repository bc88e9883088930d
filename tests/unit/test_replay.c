/* The driver `replay`: what is replayed, and when. */
#include <errno.h>

#include "tests/support/data.h"
#include "tests/support/replay_rig.h"

/* ---- what is replayed ---- */

static void test_replay_frames_come_as_logged(void **state)
{
    struct rig *rig = *state;
    const struct aw_frame *frame;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max"));
    frame = next(rig);
    assert_int_equal(frame->id, 0x101);
    assert_int_equal(frame->length, 1);
    assert_int_equal(frame->payload[0], 1);
    assert_int_equal(frame->kind, AW_KIND_CAN);
    assert_int_equal(frame->timestamp_ns, UINT64_C(1700000000) * AW_NS_PER_S);
    assert_int_equal(frame->lost_before, 0);
    assert_string_equal(rig->channels.names[frame->channel], "can0");
    frame = next(rig);
    assert_int_equal(frame->timestamp_ns, UINT64_C(1700000000010000000));
    assert_string_equal(rig->channels.names[frame->channel], "can1");
}

static void test_replay_end_comes_with_the_last_frame(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max"));
    next(rig);
    next(rig);
    assert_false(rig->batch.ended);
    assert_int_equal(next(rig)->id, 0x103);
    assert_true(rig->batch.ended);
    assert_false(is_readable(rig, 0));
}

static void test_replay_limit_bounds_a_batch(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(read_batch(rig, 2), 0);
    assert_int_equal(rig->batch.count, 2);
    assert_false(rig->batch.ended);
    assert_int_equal(read_batch(rig, 2), 0);
    assert_int_equal(rig->batch.count, 1);
    assert_true(rig->batch.ended);
}

static void test_replay_gzip_is_read_like_plain(void **state)
{
    struct rig *rig = *state;
    char command[64];

    write_log(rig, three);
    snprintf(command, sizeof(command), "gzip %s/test.log", rig->folder);
    assert_int_equal(system(command), 0);
    strcat(rig->path, ".gz");
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 3);
}

static void test_replay_last_line_may_lack_its_end(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\r\n"
                   "(1700000000.000001) can0 102#02");
    begin(rig, SETTINGS("speed=max"));
    assert_int_equal(drain(rig), 2);
    assert_string_equal(said(rig), "");
}

static void test_replay_channel_selects_its_frames(void **state)
{
    struct rig *rig = *state;
    const struct aw_frame *frame;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max", "channel=can1"));
    frame = next(rig);
    assert_int_equal(frame->id, 0x102);
    assert_string_equal(rig->channels.names[frame->channel], "can1");
    assert_true(rig->batch.ended);
}

static void test_replay_drive_example_is_whole(void **state)
{
    struct rig *rig = *state;

    project_path("examples/drive.log", rig->path, sizeof(rig->path));
    begin(rig, SETTINGS("speed=max"));
    assert_in_range(drain(rig), 10000, 14000);
    assert_string_equal(said(rig), "");
}

/* ---- time ---- */

static void test_replay_real_time_waits_for_each_frame(void **state)
{
    struct rig *rig = *state;
    uint64_t due_ns[AW_BATCH_FRAMES];
    unsigned count = 0;

    write_log(rig, three);
    begin(rig, NULL);
    do {
        assert_int_equal(read_batch(rig, AW_BATCH_FRAMES - count), 0);
        for (uint32_t i = 0; i < rig->batch.count; i++) {
            due_ns[count] = aw_batch_at(&rig->batch, i)->monotonic_ns;
            assert_true(due_ns[count++] <= aw_clock_monotonic_ns());
        }
    } while (!rig->batch.ended);
    assert_int_equal(count, 3);
    assert_int_equal(due_ns[2] - due_ns[0], 20 * AW_NS_PER_MS);
}

static void test_replay_factor_scales_the_waits(void **state)
{
    struct rig *rig = *state;
    uint64_t first_ns;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=4"));
    first_ns = next(rig)->monotonic_ns;
    next(rig);
    assert_int_equal(next(rig)->monotonic_ns - first_ns, 5 * AW_NS_PER_MS);
}

static void test_replay_channels_of_one_log_stay_in_step(void **state)
{
    struct rig *rig = *state;
    uint64_t before_ns = aw_clock_monotonic_ns();

    write_log(rig, three);
    begin(rig, SETTINGS("channel=can1"));
    assert_true(next(rig)->monotonic_ns >= before_ns + 10 * AW_NS_PER_MS);
}

static void test_replay_backward_time_plays_at_once(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\n"
                   "(0000000000.000000) can0 102#02\n"
                   "(1700000000.000001) can0 103#03\n");
    begin(rig, NULL);
    assert_int_equal(next(rig)->id, 0x101);
    assert_int_equal(next(rig)->timestamp_ns, 0);
    assert_int_equal(next(rig)->id, 0x103);
    assert_string_equal(said(rig), "");
}

static void test_replay_long_pause_is_reported(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(0000000000.000000) can0 101#01\n"
                   "(1700000000.000000) can0 102#02\n");
    begin(rig, NULL);
    next(rig);
    assert_false(is_readable(rig, 0));
    check_said(rig, "test.log:2: the next frame is due in 1");
    check_said(rig, "speed=max");
}

static void test_replay_full_speed_is_paced_by_the_reader(void **state)
{
    struct rig *rig = *state;
    uint64_t before_ns = aw_clock_monotonic_ns();

    write_log(rig, "(0000000000.000000) can0 101#01\n"
                   "(1700000000.000000) can0 102#02\n");
    begin(rig, SETTINGS("speed=max"));
    assert_true(rig->link.paced);
    assert_true(next(rig)->monotonic_ns >= before_ns);
    assert_int_equal(next(rig)->id, 0x102);
    assert_string_equal(said(rig), "");
}

/* ---- loops ---- */

static void test_replay_loop_lets_time_go_on(void **state)
{
    struct rig *rig = *state;
    uint64_t start_ns = UINT64_C(1700000000) * AW_NS_PER_S;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max", "loop=yes"));
    /* Each pass takes the log's 20 ms and the 10 ms between two frames. */
    for (unsigned i = 0; i < 9; i++) {
        const struct aw_frame *frame = next(rig);

        assert_int_equal(frame->id, 0x101 + i % 3);
        assert_int_equal(frame->timestamp_ns, start_ns + i * 10 * AW_NS_PER_MS);
        assert_false(rig->batch.ended);
    }
}

static void test_replay_loop_waits_between_passes(void **state)
{
    struct rig *rig = *state;
    uint64_t first_ns;

    write_log(rig, three);
    begin(rig, SETTINGS("loop=yes", "speed=10"));
    first_ns = next(rig)->monotonic_ns;
    next(rig);
    next(rig);
    assert_int_equal(next(rig)->monotonic_ns - first_ns, 3 * AW_NS_PER_MS);
}

static void test_replay_loop_of_one_frame_does_not_spin(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\n");
    begin(rig, SETTINGS("loop=yes", "speed=0.001"));
    next(rig);
    assert_false(rig->batch.ended);
    assert_false(is_readable(rig, 0));
}

static void test_replay_loop_reports_a_broken_line_once(void **state)
{
    struct rig *rig = *state;

    write_log(rig, "(1700000000.000000) can0 101#01\n(broken\n");
    begin(rig, SETTINGS("speed=max", "loop=yes"));
    for (int i = 0; i < 5; i++)
        next(rig);
    check_said(rig, "test.log:2: ");
    assert_null(strstr(strstr(rig->said, "test.log:2: ") + 1, "test.log:2: "));
    check_said(rig, "not replayed: 1 broken lines");
}

static void test_replay_loop_over_a_vanished_log_ends(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    begin(rig, SETTINGS("speed=max", "loop=yes"));
    write_log(rig, "");
    assert_true(drain(rig) >= 3);
}

/* ---- options ---- */

static void test_replay_options_have_sensible_fallbacks(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    assert_int_equal(try_open(rig, NULL), 0);
    assert_int_equal(rig->link.start, AW_START_ATTACHED);
    assert_int_equal(rig->link.payload_bytes, AW_PAYLOAD_FD);
    assert_int_equal(rig->link.kind, AW_KIND_CAN);
    assert_false(rig->link.paced);
    assert_false(rig->link.can_send);
    assert_null(aw_replay_driver.send);
}

static void test_replay_start_ready_waits_for_the_release(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    assert_int_equal(try_open(rig, SETTINGS("start=ready")), 0);
    assert_int_equal(rig->link.start, AW_START_RELEASED);
    assert_false(is_readable(rig, 0));
}

static void test_replay_wrong_values_are_refused(void **state)
{
    struct rig *rig = *state;

    write_log(rig, three);
    assert_int_equal(try_open(rig, SETTINGS("speed=fast")), -EINVAL);
    check_error(rig, "speed takes max or a factor");
    assert_int_equal(try_open(rig, SETTINGS("max_payload=100")), -EINVAL);
    check_error(rig, "max_payload takes 8, 64 or 2048, not \"100\"");
    set_option(rig, "max_payload", "64");
    assert_int_equal(try_open(rig, SETTINGS("channel=a-name-too-long-for-it")),
                     -EINVAL);
    check_error(rig, "channel takes");
}

static void test_drivers_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(aw_driver_find("replay"), &aw_replay_driver);
    assert_null(aw_driver_find("replays"));
    assert_null(aw_driver_find(""));
}

/* ---- real logs ---- */

static void check_real_log(struct rig *rig, const char *name, uint64_t frames)
{
    const char *const settings[] = {"speed=max", "max_payload=2048", NULL};
    char path[4096];
    bool found;

    /* Where it can be seen. */
    dup2(rig->stderr_fd, STDERR_FILENO);
    found = data_path(name, path, sizeof(path));
    dup2(rig->log, STDERR_FILENO);
    if (!found)
        skip();
    strcpy(rig->path, path);
    begin(rig, settings);
    assert_int_equal(drain(rig), frames);
    check_silent_about(rig, "not replayed");
}

static void test_replay_grammar_of_all_forms_is_whole(void **state)
{
    struct rig *rig = *state;

    check_real_log(rig, "grammar_all_forms.log", 27);
    check_said(rig, "5 frames were lost");
}

static void test_replay_real_car_is_whole(void **state)
{
    check_real_log(*state, "comma2k19/rav4_60s.log.gz", 135468);
}

static void test_replay_whole_seconds_are_whole(void **state)
{
    check_real_log(*state, "savvycan_candump.log", 12974);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_replay_frames_come_as_logged),
        TEST(test_replay_end_comes_with_the_last_frame),
        TEST(test_replay_limit_bounds_a_batch),
        TEST(test_replay_gzip_is_read_like_plain),
        TEST(test_replay_last_line_may_lack_its_end),
        TEST(test_replay_channel_selects_its_frames),
        TEST(test_replay_drive_example_is_whole),
        TEST(test_replay_real_time_waits_for_each_frame),
        TEST(test_replay_factor_scales_the_waits),
        TEST(test_replay_channels_of_one_log_stay_in_step),
        TEST(test_replay_backward_time_plays_at_once),
        TEST(test_replay_long_pause_is_reported),
        TEST(test_replay_full_speed_is_paced_by_the_reader),
        TEST(test_replay_loop_lets_time_go_on),
        TEST(test_replay_loop_waits_between_passes),
        TEST(test_replay_loop_of_one_frame_does_not_spin),
        TEST(test_replay_loop_reports_a_broken_line_once),
        TEST(test_replay_loop_over_a_vanished_log_ends),
        TEST(test_replay_options_have_sensible_fallbacks),
        TEST(test_replay_start_ready_waits_for_the_release),
        TEST(test_replay_wrong_values_are_refused),
        TEST(test_drivers_are_found_by_name),
        TEST(test_replay_grammar_of_all_forms_is_whole),
        TEST(test_replay_real_car_is_whole),
        TEST(test_replay_whole_seconds_are_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
