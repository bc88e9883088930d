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

/* Where they are in every version, so that a newer one can be told so. */
static void test_drivers_version_and_size_come_first(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct aw_driver, version), 0);
    assert_int_equal(offsetof(struct aw_driver, size), 4);
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
        cmocka_unit_test(test_drivers_all_pass_the_check),
        cmocka_unit_test(test_drivers_of_another_version_are_refused),
        cmocka_unit_test(test_drivers_of_another_size_are_refused),
        cmocka_unit_test(test_drivers_with_gaps_are_refused),
        cmocka_unit_test(test_drivers_version_and_size_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
