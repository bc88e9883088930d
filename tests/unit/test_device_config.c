/* Device configurations: names, options and the short form, with drivers that
 * exist only as tables. */
#include "devices/device_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_drivers.h"

static struct aw_device_config *made(const char *driver)
{
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};

    if (aw_device_config_new("bus", driver, &config, &error) < 0)
        fail_msg("%s", error.text);
    return config;
}

static struct aw_device_config *parsed(const char *text)
{
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};

    if (aw_device_config_parse(text, &config, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    return config;
}

/* `part`: some of the sentence. */
static void assert_parse_fails(const char *text, int code, const char *part)
{
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};

    assert_int_equal(aw_device_config_parse(text, &config, &error), -code);
    assert_null(config);
    if (!strstr(error.text, part))
        fail_msg("\"%s\" does not say \"%s\"", error.text, part);
}

static void assert_set_fails(const char *driver, const char *key,
                             const char *text, int code, const char *sentence)
{
    struct aw_device_config *config = made(driver);
    struct aw_error error = {""};

    assert_int_equal(aw_device_config_set(config, key, text, &error), -code);
    assert_string_equal(error.text, sentence);
    aw_device_config_free(config);
}

static void set(struct aw_device_config *config, const char *key,
                const char *text)
{
    struct aw_error error = {""};

    if (aw_device_config_set(config, key, text, &error) < 0)
        fail_msg("%s", error.text);
}

/* ---- names ---- */

static void test_name_identifier_is_valid(void **state)
{
    (void)state;
    assert_true(aw_device_name_valid("CANbus"));
    assert_true(aw_device_name_valid("_a1"));
    assert_true(aw_device_name_valid("match"));
    assert_true(aw_device_name_valid("__"));
}

static void test_name_no_identifier_is_invalid(void **state)
{
    (void)state;
    assert_false(aw_device_name_valid(""));
    assert_false(aw_device_name_valid("0can"));
    assert_false(aw_device_name_valid("can-bus"));
    assert_false(aw_device_name_valid("can bus"));
    assert_false(aw_device_name_valid("b\xc3\xbcs"));
}

static void test_name_keyword_is_invalid(void **state)
{
    (void)state;
    assert_false(aw_device_name_valid("import"));
    assert_false(aw_device_name_valid("None"));
    assert_false(aw_device_name_valid("async"));
}

static void test_name_of_the_module_itself_is_invalid(void **state)
{
    (void)state;
    assert_false(aw_device_name_valid("__name__"));
    assert_false(aw_device_name_valid("__path__"));
}

static void test_name_of_64_characters_is_invalid(void **state)
{
    char name[65];

    (void)state;
    memset(name, 'a', 64);
    name[64] = '\0';
    assert_false(aw_device_name_valid(name));
    name[63] = '\0';
    assert_true(aw_device_name_valid(name));
}

/* ---- new, set, check ---- */

static void test_config_new_has_the_fallbacks(void **state)
{
    struct aw_device_config *config = made("wire");

    (void)state;
    assert_string_equal(config->name, "bus");
    assert_string_equal(config->driver->name, "wire");
    assert_false(config->values[FAKE_WIRE_PORT].set);
    assert_false(config->values[FAKE_WIRE_FD].set);
    assert_int_equal(config->values[FAKE_WIRE_BUFFER].integer, 65536);
    assert_int_equal(config->values[FAKE_WIRE_MODE].integer, 0);
    assert_int_equal(config->common[AW_COMMON_PRIORITY].integer, 0);
    assert_false(config->common[AW_COMMON_CPUS].set);
    assert_false(config->common[AW_COMMON_MLOCK].flag);
    assert_true(config->common[AW_COMMON_SEND_TIMEOUT].number > 0);
    aw_device_config_free(config);
}

static void test_config_new_bad_name_is_refused(void **state)
{
    struct aw_device_config *config = NULL;
    struct aw_error error;

    (void)state;
    assert_int_equal(aw_device_config_new("can-bus", "wire", &config, &error),
                     -EINVAL);
    assert_non_null(strstr(error.text, "\"can-bus\""));
    assert_non_null(strstr(error.text, "identifier"));
    assert_null(config);
}

static void test_config_new_unknown_driver_lists_those_there_are(void **state)
{
    struct aw_device_config *config = NULL;
    struct aw_error error;

    (void)state;
    assert_int_equal(aw_device_config_new("bus", "serial", &config, &error),
                     -ENOENT);
    assert_string_equal(error.text, "there is no driver \"serial\"; there "
                                    "are: wire, tape, bare");
}

static void test_config_new_misspelt_driver_is_suggested(void **state)
{
    struct aw_device_config *config = NULL;
    struct aw_error error;

    (void)state;
    assert_int_equal(aw_device_config_new("bus", "wier", &config, &error),
                     -ENOENT);
    assert_string_equal(error.text,
                        "there is no driver \"wier\"; did you mean \"wire\"? "
                        "There are: wire, tape, bare");
}

static void test_config_set_reaches_driver_and_common_options(void **state)
{
    struct aw_device_config *config = made("wire");

    (void)state;
    set(config, "port", "left");
    set(config, "priority", "50");
    assert_string_equal(config->values[FAKE_WIRE_PORT].text, "left");
    assert_int_equal(config->common[AW_COMMON_PRIORITY].integer, 50);
    aw_device_config_free(config);
}

static void test_config_set_misspelt_key_is_suggested(void **state)
{
    (void)state;
    assert_set_fails("wire", "bufer", "1", ENOENT,
                     "driver wire has no option \"bufer\"; did you mean "
                     "\"buffer\"?");
    assert_set_fails("bare", "prioritiy", "1", ENOENT,
                     "driver bare has no option \"prioritiy\"; did you mean "
                     "\"priority\"?");
}

static void test_config_set_key_of_another_driver_is_refused(void **state)
{
    (void)state;
    assert_set_fails("tape", "mode", "fast", ENOENT,
                     "driver tape has no option \"mode\"; it has: file, "
                     "speed, priority, cpus, mlock, send_timeout_s, "
                     "allow_block, wakeup, on_loss, required, send_depth");
}

static void test_config_set_bad_value_is_refused(void **state)
{
    (void)state;
    assert_set_fails("wire", "fd", "2", EINVAL,
                     "fd takes yes or no, not \"2\"");
    assert_set_fails("wire", "priority", "100", EINVAL,
                     "priority takes a whole number from 0 to 99, not \"100\"");
}

static void test_config_check_missing_required_names_it(void **state)
{
    struct aw_device_config *config = made("wire");
    struct aw_error error;

    (void)state;
    assert_int_equal(aw_device_config_check(config, &error), -EINVAL);
    assert_string_equal(error.text, "driver wire needs the option \"port\": "
                                    "where the wire is plugged in");
    set(config, "port", "");
    assert_int_equal(aw_device_config_check(config, &error), -EINVAL);
    set(config, "port", "left");
    assert_int_equal(aw_device_config_check(config, &error), 0);
    aw_device_config_free(config);
}

static void test_config_check_asks_the_driver(void **state)
{
    struct aw_device_config *config = made("wire");
    struct aw_error error;

    (void)state;
    set(config, "port", "left");
    set(config, "fd", "yes");
    set(config, "mode", "slow");
    assert_int_equal(aw_device_config_check(config, &error), -EINVAL);
    assert_string_equal(error.text, "fd does not go with mode slow");
    aw_device_config_free(config);
}

static void test_config_check_bad_cpus_are_refused(void **state)
{
    struct aw_device_config *config = made("bare");
    struct aw_error error;

    (void)state;
    set(config, "cpus", "0,2-3");
    assert_int_equal(aw_device_config_check(config, &error), 0);
    set(config, "cpus", "3-");
    assert_int_equal(aw_device_config_check(config, &error), -EINVAL);
    assert_non_null(strstr(error.text, "\"3-\""));
    aw_device_config_free(config);
}

static void test_config_free_accepts_null(void **state)
{
    (void)state;
    aw_device_config_free(NULL);
}

/* ---- the short form ---- */

static void test_parse_main_option_stands_behind_the_colon(void **state)
{
    struct aw_device_config *config = parsed("bus=wire:[::1]:5005");

    (void)state;
    assert_string_equal(config->name, "bus");
    assert_string_equal(config->values[FAKE_WIRE_PORT].text, "[::1]:5005");
    aw_device_config_free(config);
}

static void test_parse_options_follow_commas(void **state)
{
    struct aw_device_config *config =
        parsed("bus=wire:left,fd=yes,buffer=2k,mlock=on");

    (void)state;
    assert_string_equal(config->values[FAKE_WIRE_PORT].text, "left");
    assert_true(config->values[FAKE_WIRE_FD].flag);
    assert_int_equal(config->values[FAKE_WIRE_BUFFER].integer, 2048);
    assert_true(config->common[AW_COMMON_MLOCK].flag);
    aw_device_config_free(config);
}

static void test_parse_main_option_may_be_given_by_its_key(void **state)
{
    struct aw_device_config *config = parsed("bus=wire,port=a=b:c");

    (void)state;
    assert_string_equal(config->values[FAKE_WIRE_PORT].text, "a=b:c");
    aw_device_config_free(config);
}

static void
test_parse_driver_alone_suffices_if_nothing_is_required(void **state)
{
    struct aw_device_config *config = parsed("bus=bare");

    (void)state;
    assert_string_equal(config->driver->name, "bare");
    aw_device_config_free(config);
    aw_device_config_free(parsed("bus=bare:"));
}

static void test_parse_list_of_numbers_keeps_its_commas(void **state)
{
    struct aw_device_config *config =
        parsed("bus=wire:left,cpus=0,2-3,mlock=yes");

    (void)state;
    assert_string_equal(config->common[AW_COMMON_CPUS].text, "0,2-3");
    assert_true(config->common[AW_COMMON_MLOCK].flag);
    aw_device_config_free(config);
}

static void test_parse_no_device_at_all_shows_the_form(void **state)
{
    (void)state;
    assert_parse_fails("", EINVAL, "write NAME=DRIVER:MAIN");
    assert_parse_fails("can0", EINVAL, "\"can0\" is no device");
    assert_parse_fails("wire:left", EINVAL, "write NAME=DRIVER:MAIN");
    assert_parse_fails("wire:left,fd=yes", EINVAL, "write NAME=DRIVER:MAIN");
}

static void test_parse_bad_name_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("a-b=wire:left", EINVAL, "\"a-b\" cannot be the name");
    assert_parse_fails("=wire:left", EINVAL, "cannot be the name");
}

static void test_parse_unknown_driver_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=serial:left", ENOENT,
                       "device bus: there is no driver \"serial\"");
    assert_parse_fails("bus=", ENOENT, "there is no driver \"\"");
}

static void test_parse_unknown_key_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire:left,bufer=1", ENOENT,
                       "device bus: driver wire has no option \"bufer\"; did "
                       "you mean \"buffer\"?");
}

static void test_parse_bad_value_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire:left,mode=odd", EINVAL,
                       "device bus: mode takes one of fast, slow, not "
                       "\"odd\"");
}

static void test_parse_piece_without_value_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire:left,fd", EINVAL, "\"fd\" is no option");
    assert_parse_fails("bus=wire:left,=yes", EINVAL, "is no option");
    assert_parse_fails("bus=wire:left,,fd=yes", EINVAL, "is no option");
}

static void test_parse_key_given_twice_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire:left,fd=yes,fd=no", EINVAL,
                       "fd is given twice");
    assert_parse_fails("bus=wire:left,port=right", EINVAL,
                       "port is given twice");
}

static void test_parse_missing_required_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire", EINVAL, "needs the option \"port\"");
    assert_parse_fails("bus=wire:", EINVAL, "needs the option \"port\"");
}

static void test_parse_values_that_clash_are_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=wire:left,fd=yes,mode=slow", EINVAL,
                       "fd does not go with mode slow");
}

static void test_parse_main_for_a_driver_without_one_is_refused(void **state)
{
    (void)state;
    assert_parse_fails("bus=bare:x", EINVAL,
                       "driver bare takes nothing behind a colon");
}

static void test_parse_too_many_options_are_refused(void **state)
{
    char text[1000] = "bus=wire:left";

    (void)state;
    for (int i = 0; i < 65; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ",k%d=1", i);
    assert_parse_fails(text, EINVAL, "more than 64 options");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_identifier_is_valid),
        cmocka_unit_test(test_name_no_identifier_is_invalid),
        cmocka_unit_test(test_name_keyword_is_invalid),
        cmocka_unit_test(test_name_of_the_module_itself_is_invalid),
        cmocka_unit_test(test_name_of_64_characters_is_invalid),
        cmocka_unit_test(test_config_new_has_the_fallbacks),
        cmocka_unit_test(test_config_new_bad_name_is_refused),
        cmocka_unit_test(test_config_new_unknown_driver_lists_those_there_are),
        cmocka_unit_test(test_config_new_misspelt_driver_is_suggested),
        cmocka_unit_test(test_config_set_reaches_driver_and_common_options),
        cmocka_unit_test(test_config_set_misspelt_key_is_suggested),
        cmocka_unit_test(test_config_set_key_of_another_driver_is_refused),
        cmocka_unit_test(test_config_set_bad_value_is_refused),
        cmocka_unit_test(test_config_check_missing_required_names_it),
        cmocka_unit_test(test_config_check_asks_the_driver),
        cmocka_unit_test(test_config_check_bad_cpus_are_refused),
        cmocka_unit_test(test_config_free_accepts_null),
        cmocka_unit_test(test_parse_main_option_stands_behind_the_colon),
        cmocka_unit_test(test_parse_options_follow_commas),
        cmocka_unit_test(test_parse_main_option_may_be_given_by_its_key),
        cmocka_unit_test(
            test_parse_driver_alone_suffices_if_nothing_is_required),
        cmocka_unit_test(test_parse_list_of_numbers_keeps_its_commas),
        cmocka_unit_test(test_parse_no_device_at_all_shows_the_form),
        cmocka_unit_test(test_parse_bad_name_is_refused),
        cmocka_unit_test(test_parse_unknown_driver_is_refused),
        cmocka_unit_test(test_parse_unknown_key_is_refused),
        cmocka_unit_test(test_parse_bad_value_is_refused),
        cmocka_unit_test(test_parse_piece_without_value_is_refused),
        cmocka_unit_test(test_parse_key_given_twice_is_refused),
        cmocka_unit_test(test_parse_missing_required_is_refused),
        cmocka_unit_test(test_parse_values_that_clash_are_refused),
        cmocka_unit_test(test_parse_main_for_a_driver_without_one_is_refused),
        cmocka_unit_test(test_parse_too_many_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
