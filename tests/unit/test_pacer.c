/* When the frames of a log are due. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "devices/pacer.h"
#include "devices/queue/clock.h"

#define FIRST_NS (UINT64_C(1700000000) * AW_NS_PER_S)

/* A pacer at `factor` that has seen a first frame, with its clock at 0. */
static struct aw_pacer make(double factor)
{
    struct aw_pacer pacer;

    assert_int_equal(aw_pacer_init(&pacer, factor), 0);
    aw_pacer_advance(&pacer, FIRST_NS);
    return pacer;
}

static bool is_readable(const struct aw_pacer *pacer, int timeout_ms)
{
    struct pollfd fd = {.fd = pacer->fd, .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1;
}

static void test_pacer_frames_are_due_as_far_apart_as_logged(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    assert_int_equal(aw_pacer_due_ns(&pacer), 0);
    aw_pacer_advance(&pacer, FIRST_NS + 1500);
    assert_int_equal(aw_pacer_due_ns(&pacer), 1500);
    aw_pacer_deinit(&pacer);
}

static void test_pacer_factor_divides_the_time(void **state)
{
    struct aw_pacer twice = make(2), half = make(0.5);

    (void)state;
    aw_pacer_advance(&twice, FIRST_NS + 1000);
    aw_pacer_advance(&half, FIRST_NS + 1000);
    assert_int_equal(aw_pacer_due_ns(&twice), 500);
    assert_int_equal(aw_pacer_due_ns(&half), 2000);
    aw_pacer_deinit(&twice);
    aw_pacer_deinit(&half);
}

static void test_pacer_backward_time_is_due_at_once(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    aw_pacer_advance(&pacer, FIRST_NS + 1000);
    aw_pacer_advance(&pacer, 0);
    assert_int_equal(aw_pacer_due_ns(&pacer), 1000);
    aw_pacer_advance(&pacer, FIRST_NS + 1001);
    assert_int_equal(aw_pacer_due_ns(&pacer), 1001);
    aw_pacer_deinit(&pacer);
}

static void test_pacer_pass_adds_one_average_gap(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    aw_pacer_advance(&pacer, FIRST_NS + 100);
    aw_pacer_advance(&pacer, FIRST_NS + 1000);
    aw_pacer_next_pass(&pacer);
    assert_int_equal(pacer.pass_ns, 1500);
    aw_pacer_advance(&pacer, FIRST_NS);
    assert_int_equal(aw_pacer_due_ns(&pacer), 1500);
    aw_pacer_deinit(&pacer);
}

static void test_pacer_pass_without_time_takes_a_second(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    aw_pacer_next_pass(&pacer);
    aw_pacer_advance(&pacer, FIRST_NS);
    assert_int_equal(aw_pacer_due_ns(&pacer), AW_NS_PER_S);
    aw_pacer_deinit(&pacer);
}

static void test_pacer_absurd_time_stays_in_range(void **state)
{
    struct aw_pacer pacer;

    (void)state;
    assert_int_equal(aw_pacer_init(&pacer, 0.001), 0);
    aw_pacer_start(&pacer);
    aw_pacer_advance(&pacer, 0);
    aw_pacer_advance(&pacer, INT64_MAX);
    assert_in_range(aw_pacer_due_ns(&pacer), pacer.start_ns, INT64_MAX);
    aw_pacer_arm(&pacer);
    assert_false(is_readable(&pacer, 0));
    aw_pacer_deinit(&pacer);
}

static void test_pacer_timer_rings_when_due(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    aw_pacer_start(&pacer);
    assert_false(is_readable(&pacer, 0));
    aw_pacer_advance(&pacer, FIRST_NS + 20 * AW_NS_PER_MS);
    aw_pacer_arm(&pacer);
    assert_true(is_readable(&pacer, 5000));
    assert_true(aw_clock_monotonic_ns() >= aw_pacer_due_ns(&pacer));
    aw_pacer_deinit(&pacer);
}

static void test_pacer_disarmed_timer_is_silent(void **state)
{
    struct aw_pacer pacer = make(1);

    (void)state;
    aw_pacer_start(&pacer);
    aw_pacer_arm_now(&pacer);
    assert_true(is_readable(&pacer, 5000));
    aw_pacer_disarm(&pacer);
    assert_false(is_readable(&pacer, 0));
    aw_pacer_deinit(&pacer);
}

static void test_pacer_full_speed_rings_from_start_to_disarm(void **state)
{
    struct aw_pacer pacer = make(0);

    (void)state;
    aw_pacer_advance(&pacer, FIRST_NS + AW_NS_PER_S);
    assert_int_equal(aw_pacer_due_ns(&pacer), 0);
    assert_false(is_readable(&pacer, 0));
    aw_pacer_start(&pacer);
    assert_true(is_readable(&pacer, 0));
    aw_pacer_arm(&pacer);
    assert_true(is_readable(&pacer, 0));
    aw_pacer_disarm(&pacer);
    assert_false(is_readable(&pacer, 0));
    aw_pacer_deinit(&pacer);
}

static void test_pacer_speed_is_a_factor_or_max(void **state)
{
    static const char *const refused[] = {"",     "fast", "0",   "-1",  "1x",
                                          "1001", "inf",  "nan", "MAX", " 1"};
    struct aw_error error;
    double factor;

    (void)state;
    assert_int_equal(aw_pacer_parse_speed("max", &factor, &error), 0);
    assert_true(factor <= 0);
    assert_int_equal(aw_pacer_parse_speed("2.5", &factor, &error), 0);
    assert_true(factor > 2.4 && factor < 2.6);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(aw_pacer_parse_speed(refused[i], &factor, &error),
                         -EINVAL);
        assert_non_null(strstr(error.text, "max or a factor"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pacer_frames_are_due_as_far_apart_as_logged),
        cmocka_unit_test(test_pacer_factor_divides_the_time),
        cmocka_unit_test(test_pacer_backward_time_is_due_at_once),
        cmocka_unit_test(test_pacer_pass_adds_one_average_gap),
        cmocka_unit_test(test_pacer_pass_without_time_takes_a_second),
        cmocka_unit_test(test_pacer_absurd_time_stays_in_range),
        cmocka_unit_test(test_pacer_timer_rings_when_due),
        cmocka_unit_test(test_pacer_disarmed_timer_is_silent),
        cmocka_unit_test(test_pacer_full_speed_rings_from_start_to_disarm),
        cmocka_unit_test(test_pacer_speed_is_a_factor_or_max),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
