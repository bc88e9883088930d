/* A GPIO line: found by name or place, refused with a reason. */
#include "tests/unit/driver_fixture.h"

#include <errno.h>

#include "devices/gpio_edges.h"
#include "tests/support/fake_chardev.h"

static int request(const char *line, struct aw_gpio_line *ret_line,
                   struct aw_error *error)
{
    const struct aw_gpio_settings settings = {.line = line};

    return aw_gpio_line_init(ret_line, "bench", &settings, error);
}

static void assert_found(const char *text, uint32_t offset)
{
    struct aw_gpio_line line;
    struct aw_error error;

    fake_chardev_reset();
    assert_int_equal(request(text, &line, &error), 0);
    assert_int_equal(fake_chardev.request.offsets[0], offset);
    assert_int_equal(fake_chardev.request.num_lines, 1);
    aw_gpio_line_deinit(&line);
}

static void assert_refused(const char *text, int code, const char *word)
{
    struct aw_gpio_line line;
    struct aw_error error;

    assert_int_equal(request(text, &line, &error), -code);
    if (!strstr(error.text, word))
        fail_msg("%s", error.text);
}

static void test_gpio_line_is_found_by_name(void **state)
{
    (void)state;
    assert_found("ready", 3);
    assert_found("beta", 1);
}

static void test_gpio_line_is_found_by_place(void **state)
{
    (void)state;
    assert_found("gpiochip0:0", 0);
    assert_found("/dev/gpiochip1:1", 1);
}

static void test_gpio_line_that_is_not_there_is_refused(void **state)
{
    (void)state;
    fake_chardev_reset();
    assert_refused("gamma", ENOENT, "gpioinfo");
    assert_refused("gpiochip0:x", ENOENT, "gpioinfo");
    assert_refused("gpiochip7:0", ENOENT, "gpiochip7");
    assert_refused("gpiochip0:4", EINVAL, "no line 4");
}

static void test_gpio_name_of_two_lines_is_refused(void **state)
{
    (void)state;
    fake_chardev_reset();
    assert_refused("twin", EINVAL, ": 2 GPIO lines");
}

static void test_gpio_chip_without_permission_names_the_group(void **state)
{
    (void)state;
    fake_chardev_reset();
    fake_chardev.gpio_open_error = EACCES;
    assert_refused("ready", EACCES, "gpio)");
    assert_refused("gpiochip0:3", EACCES, "gpio)");
}

static void test_gpio_line_in_use_names_its_user(void **state)
{
    (void)state;
    fake_chardev_reset();
    fake_chardev.line_error = EBUSY;
    assert_refused("ready", EBUSY, "in use by \"button\"");
}

static void test_gpio_edge_numbers_wrap(void **state)
{
    struct aw_gpio_event events[AW_GPIO_EDGES_BATCH];
    struct aw_gpio_line line;
    struct aw_error error;

    (void)state;
    fake_chardev_reset();
    assert_int_equal(request("ready", &line, &error), 0);
    line.seqno = UINT32_MAX - 1;
    fake_chardev.seqno = UINT32_MAX - 1;
    fake_chardev_edge(1, 0);
    fake_chardev_edge(2, 2);
    aw_role_assume(&aw_role_reader);
    assert_int_equal(aw_gpio_line_read(&line, events), 2);
    assert_int_equal(events[0].missed, 0);
    assert_int_equal(events[1].missed, 2);
    aw_gpio_line_deinit(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpio_line_is_found_by_name),
        cmocka_unit_test(test_gpio_line_is_found_by_place),
        cmocka_unit_test(test_gpio_line_that_is_not_there_is_refused),
        cmocka_unit_test(test_gpio_name_of_two_lines_is_refused),
        cmocka_unit_test(test_gpio_chip_without_permission_names_the_group),
        cmocka_unit_test(test_gpio_line_in_use_names_its_user),
        cmocka_unit_test(test_gpio_edge_numbers_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
