/* The drivers' tables, all of them: what options and configuration rely on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/device.h"
#include "devices/device_config.h"

/* Calls `check` for every option there is, those of every device included;
 * `driver` is then NULL. */
static void each_option(void (*check)(const struct aw_driver *driver,
                                      const struct aw_option *option))
{
    for (size_t i = 0; i < AW_COMMON_COUNT; i++)
        check(NULL, &aw_common_options[i]);
    for (size_t i = 0; aw_drivers[i]; i++) {
        for (size_t j = 0; j < aw_drivers[i]->option_count; j++)
            check(aw_drivers[i], &aw_drivers[i]->options[j]);
    }
}

static void check_fallback(const struct aw_driver *driver,
                           const struct aw_option *option)
{
    struct aw_value value = {.set = false};
    struct aw_error error = {""};

    (void)driver;
    if (!option->fallback)
        return;
    if (aw_option_parse(option, option->fallback, &value, &error) < 0)
        fail_msg("%s", error.text);
    aw_value_deinit(&value);
}

static void check_help(const struct aw_driver *driver,
                       const struct aw_option *option)
{
    (void)driver;
    assert_non_null(option->help);
    assert_true(option->help[0] != '\0');
    assert_true(option->help[strlen(option->help) - 1] != '.');
    assert_null(strchr(option->help, '\n'));
}

static void check_choices(const struct aw_driver *driver,
                          const struct aw_option *option)
{
    (void)driver;
    assert_int_equal(option->type == AW_OPTION_CHOICE, option->choices != NULL);
}

/* One key has one meaning: no driver takes the name of a common option, nor
 * another type than another driver. */
static void check_agreement(const struct aw_driver *driver,
                            const struct aw_option *option)
{
    assert_string_not_equal(option->name, "name");
    assert_string_not_equal(option->name, "driver");
    if (driver)
        assert_int_equal(
            aw_options_find(aw_common_options, AW_COMMON_COUNT, option->name),
            -ENOENT);
    for (size_t i = 0; aw_drivers[i]; i++) {
        int other = aw_options_find(aw_drivers[i]->options,
                                    aw_drivers[i]->option_count, option->name);

        if (other >= 0)
            assert_int_equal(aw_drivers[i]->options[other].type, option->type);
    }
}

static void test_drivers_fallbacks_are_values_of_their_options(void **state)
{
    (void)state;
    each_option(check_fallback);
}

static void test_drivers_options_have_one_line_of_help(void **state)
{
    (void)state;
    each_option(check_help);
}

static void test_drivers_choices_are_there_for_choices_alone(void **state)
{
    (void)state;
    each_option(check_choices);
}

static void test_drivers_same_key_has_the_same_type(void **state)
{
    (void)state;
    each_option(check_agreement);
}

static void test_drivers_main_option_is_an_option(void **state)
{
    (void)state;
    for (size_t i = 0; aw_drivers[i]; i++) {
        const struct aw_driver *driver = aw_drivers[i];

        if (driver->main_option)
            assert_true(aw_options_find(driver->options, driver->option_count,
                                        driver->main_option) >= 0);
    }
}

static void test_drivers_find_gives_each_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; aw_drivers[i]; i++)
        assert_ptr_equal(aw_driver_find(aw_drivers[i]->name), aw_drivers[i]);
    assert_null(aw_driver_find("serial"));
    assert_null(aw_driver_find(""));
}

/* Nobody acknowledges on Ethernet, nor is an SPI bus congested. */
static void test_drivers_that_send_say_why_it_may_be_late(void **state)
{
    (void)state;
    for (size_t i = 0; aw_drivers[i]; i++) {
        const struct aw_driver *driver = aw_drivers[i];
        bool can = driver == aw_driver_find("can") ||
                   driver == aw_driver_find("j1939");

        if (!driver->send && !driver->send_many) {
            assert_null(driver->late_advice);
            continue;
        }
        assert_non_null(driver->late_advice);
        assert_int_equal(strstr(driver->late_advice, "acknowledges") != NULL,
                         can);
    }
}

/* ---- tables from elsewhere ---- */

static void test_drivers_all_pass_the_check(void **state)
{
    struct aw_error error = {""};

    (void)state;
    for (size_t i = 0; aw_drivers[i]; i++) {
        if (aw_driver_check(aw_drivers[i], &error) < 0)
            fail_msg("%s: %s", aw_drivers[i]->name, error.text);
    }
}

static void refuse(const struct aw_driver *driver, const char *reason)
{
    struct aw_error error = {""};

    assert_int_equal(aw_driver_check(driver, &error), -EINVAL);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void test_drivers_of_another_version_are_refused(void **state)
{
    struct aw_driver driver = *aw_drivers[0];

    (void)state;
    driver.version = AW_DRIVER_VERSION + 1;
    driver.name = NULL;
    refuse(&driver, "version");
}

static void test_drivers_of_another_size_are_refused(void **state)
{
    struct aw_driver driver = *aw_drivers[0];

    (void)state;
    driver.size -= 8;
    refuse(&driver, "bytes");
}

static void test_drivers_with_gaps_are_refused(void **state)
{
    struct aw_driver driver = *aw_drivers[0];

    (void)state;
    driver.read = NULL;
    refuse(&driver, "read()");
    driver = *aw_drivers[0];
    driver.help = NULL;
    refuse(&driver, "help");
    driver = *aw_drivers[0];
    driver.options = NULL;
    refuse(&driver, "options");
}

static void test_drivers_of_another_layout_are_refused(void **state)
{
    struct aw_driver driver = *aw_drivers[0];

    (void)state;
    driver.layout++;
    refuse(&driver, "headers of another awaitd");
}

/* ---- options from elsewhere ---- */

static void refuse_options(const struct aw_option *options, size_t count,
                           const char *reason)
{
    struct aw_driver driver = *aw_drivers[0];

    driver.main_option = NULL;
    driver.options = options;
    driver.option_count = count;
    refuse(&driver, reason);
}

static void test_drivers_options_without_help_are_refused(void **state)
{
    (void)state;
    refuse_options(&(struct aw_option){.name = "x"}, 1, "lacks its name or");
    refuse_options(&(struct aw_option){.help = "x"}, 1, "lacks its name or");
}

static void test_drivers_options_of_every_device_are_refused(void **state)
{
    static const char *const names[] = {"name", "driver", "cpus", "wakeup"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        refuse_options(&(struct aw_option){.name = names[i], .help = "x"}, 1,
                       "every device has");
}

static void test_drivers_options_twice_are_refused(void **state)
{
    const struct aw_option same = {.name = "x", .help = "x"};

    (void)state;
    refuse_options((const struct aw_option[]){same, same}, 2, "two options");
}

static void test_drivers_options_of_no_type_are_refused(void **state)
{
    static const char *const choices[] = {"a", NULL};
    struct aw_option option = {.name = "x", .help = "x"};

    (void)state;
    option.type = AW_OPTION_CHOICE;
    refuse_options(&option, 1, "no known type");
    option.type = AW_OPTION_TEXT;
    option.choices = choices;
    refuse_options(&option, 1, "no known type");
    option.choices = NULL;
    option.type = (enum aw_option_type)99;
    refuse_options(&option, 1, "no known type");
}

static void test_drivers_fallback_that_is_none_is_refused(void **state)
{
    const struct aw_option option = {
        .name = "x", .type = AW_OPTION_INT, .fallback = "many", .help = "x"};

    (void)state;
    refuse_options(&option, 1, "many");
}

static void test_drivers_main_option_that_is_none_is_refused(void **state)
{
    struct aw_driver driver = *aw_drivers[0];

    (void)state;
    driver.main_option = "nothing";
    refuse(&driver, "nothing");
}

/* ---- devices from elsewhere ---- */

static void test_drivers_link_that_is_sound_passes(void **state)
{
    struct aw_link link = {.name = "x", .payload_bytes = 8, .aux_fd = -1};
    struct aw_error error = {""};

    (void)state;
    assert_int_equal(aw_driver_check_link(aw_drivers[0], &link, &error), 0);
}

static void refuse_link(const struct aw_driver *driver,
                        const struct aw_link *link, const char *reason)
{
    struct aw_error error = {""};

    assert_int_equal(aw_driver_check_link(driver, link, &error), -EPROTO);
    if (!strstr(error.text, reason))
        fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void test_drivers_link_without_its_function_is_refused(void **state)
{
    const struct aw_link sound = {
        .name = "x", .payload_bytes = 8, .aux_fd = -1};
    struct aw_driver driver = *aw_drivers[0];
    struct aw_link link = sound;

    (void)state;
    driver.send = NULL;
    driver.send_many = NULL;
    driver.aux = NULL;
    link.can_send = true;
    refuse_link(&driver, &link, "send()");
    link = sound;
    link.can_confirm = true;
    refuse_link(&driver, &link, "confirm");
    link = sound;
    link.aux_fd = 0;
    refuse_link(&driver, &link, "aux()");
}

static void test_drivers_link_out_of_bounds_is_refused(void **state)
{
    const struct aw_link sound = {
        .name = "x", .payload_bytes = 8, .aux_fd = -1};
    struct aw_link link = sound;

    (void)state;
    link.payload_bytes = 0;
    refuse_link(aw_drivers[0], &link, "payload_bytes");
    link.payload_bytes = AW_PAYLOAD_MAX + 1;
    refuse_link(aw_drivers[0], &link, "payload_bytes");
    link = sound;
    link.kind = (enum aw_kind)9;
    refuse_link(aw_drivers[0], &link, "kind");
    link = sound;
    link.start = (enum aw_start)9;
    refuse_link(aw_drivers[0], &link, "begin");
}

/* Where they are in every version, so that a newer one can be told so. */
static void test_drivers_version_and_size_come_first(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct aw_driver, version), 0);
    assert_int_equal(offsetof(struct aw_driver, size), 4);
    assert_int_equal(offsetof(struct aw_driver, layout), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drivers_fallbacks_are_values_of_their_options),
        cmocka_unit_test(test_drivers_options_have_one_line_of_help),
        cmocka_unit_test(test_drivers_choices_are_there_for_choices_alone),
        cmocka_unit_test(test_drivers_same_key_has_the_same_type),
        cmocka_unit_test(test_drivers_main_option_is_an_option),
        cmocka_unit_test(test_drivers_find_gives_each_by_its_name),
        cmocka_unit_test(test_drivers_that_send_say_why_it_may_be_late),
        cmocka_unit_test(test_drivers_all_pass_the_check),
        cmocka_unit_test(test_drivers_of_another_version_are_refused),
        cmocka_unit_test(test_drivers_of_another_size_are_refused),
        cmocka_unit_test(test_drivers_with_gaps_are_refused),
        cmocka_unit_test(test_drivers_version_and_size_come_first),
        cmocka_unit_test(test_drivers_of_another_layout_are_refused),
        cmocka_unit_test(test_drivers_options_without_help_are_refused),
        cmocka_unit_test(test_drivers_options_of_every_device_are_refused),
        cmocka_unit_test(test_drivers_options_twice_are_refused),
        cmocka_unit_test(test_drivers_options_of_no_type_are_refused),
        cmocka_unit_test(test_drivers_fallback_that_is_none_is_refused),
        cmocka_unit_test(test_drivers_main_option_that_is_none_is_refused),
        cmocka_unit_test(test_drivers_link_that_is_sound_passes),
        cmocka_unit_test(test_drivers_link_without_its_function_is_refused),
        cmocka_unit_test(test_drivers_link_out_of_bounds_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
