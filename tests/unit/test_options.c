/* Options: what each type takes, what it refuses, and in which words. */
#include "devices/options.h"

#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const colours[] = {"red", "green", NULL};

static const struct aw_option text_option = {.name = "label",
                                             .type = AW_OPTION_TEXT};
static const struct aw_option path_option = {.name = "file",
                                             .type = AW_OPTION_PATH};
static const struct aw_option bool_option = {.name = "loud",
                                             .type = AW_OPTION_BOOL};
static const struct aw_option int_option = {.name = "size",
                                            .type = AW_OPTION_INT};
static const struct aw_option bounded_option = {
    .name = "level", .type = AW_OPTION_INT, .minimum = -2, .maximum = 2048};
static const struct aw_option number_option = {.name = "speed",
                                               .type = AW_OPTION_NUMBER};
static const struct aw_option limited_option = {
    .name = "wait_s", .type = AW_OPTION_NUMBER, .maximum = 2.5};
static const struct aw_option choice_option = {
    .name = "colour", .type = AW_OPTION_CHOICE, .choices = colours};

static const struct aw_option table[] = {{.name = "interface"},
                                         {.name = "fd"},
                                         {.name = "error_frames"},
                                         {.name = "path"},
                                         {.name = "cpus"}};

#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

/* `option` takes `text`: the value is the caller's to deinit. */
static struct aw_value parsed(const struct aw_option *option, const char *text)
{
    struct aw_value value = {.set = false};
    struct aw_error error = {""};

    assert_int_equal(aw_option_parse(option, text, &value, &error), 0);
    assert_string_equal(error.text, "");
    assert_true(value.set);
    assert_string_equal(value.text, text);
    return value;
}

static void assert_integer(const char *text, int64_t expected)
{
    struct aw_value value = parsed(&int_option, text);

    assert_true(value.integer == expected);
    assert_true(value.number - (double)expected == 0);
    aw_value_deinit(&value);
}

static void assert_number(const char *text, double expected)
{
    struct aw_value value = parsed(&number_option, text);

    assert_true(value.number - expected == 0);
    aw_value_deinit(&value);
}

static void assert_flag(const char *text, bool expected)
{
    struct aw_value value = parsed(&bool_option, text);

    assert_int_equal(value.flag, expected);
    aw_value_deinit(&value);
}

/* `option` refuses `text` and leaves the value alone. */
static void assert_refused(const struct aw_option *option, const char *text,
                           const char *sentence)
{
    struct aw_value value = {.set = true, .integer = 77};
    struct aw_error error = {""};

    assert_int_equal(aw_option_parse(option, text, &value, &error), -EINVAL);
    if (sentence)
        assert_string_equal(error.text, sentence);
    else
        assert_non_null(strstr(error.text, option->name));
    assert_int_equal(value.integer, 77);
    assert_null(value.text);
}

static void assert_suggested(const char *name, const char *expected)
{
    const char *found = aw_options_suggest(table, TABLE_COUNT, name);

    if (!expected)
        assert_null(found);
    else if (!found)
        fail_msg("no suggestion for %s", name);
    else
        assert_string_equal(found, expected);
}

/* ---- types ---- */

static void test_option_text_takes_anything(void **state)
{
    struct aw_value value = parsed(&text_option, " any \"thing\" ");

    (void)state;
    aw_value_deinit(&value);
    value = parsed(&text_option, "");
    aw_value_deinit(&value);
    value = parsed(&path_option, "../a b.log");
    aw_value_deinit(&value);
}

static void test_option_bool_takes_the_usual_words(void **state)
{
    (void)state;
    assert_flag("yes", true);
    assert_flag("true", true);
    assert_flag("on", true);
    assert_flag("no", false);
    assert_flag("false", false);
    assert_flag("off", false);
}

static void test_option_bool_in_capitals_is_taken(void **state)
{
    (void)state;
    assert_flag("True", true);
    assert_flag("OFF", false);
}

static void test_option_bool_refuses_other_words(void **state)
{
    (void)state;
    assert_refused(&bool_option, "maybe",
                   "loud takes yes or no, not \"maybe\"");
    assert_refused(&bool_option, "", NULL);
    assert_refused(&bool_option, "1", NULL);
}

static void test_option_int_takes_decimal(void **state)
{
    (void)state;
    assert_integer("0", 0);
    assert_integer("-17", -17);
    assert_integer("+17", 17);
    assert_integer("9223372036854775807", INT64_MAX);
}

static void test_option_int_leading_zero_stays_decimal(void **state)
{
    (void)state;
    assert_integer("010", 10);
}

static void test_option_int_takes_hexadecimal(void **state)
{
    (void)state;
    assert_integer("0x7FF", 0x7ff);
    assert_integer("-0x10", -16);
}

static void test_option_int_suffix_multiplies(void **state)
{
    (void)state;
    assert_integer("64k", 65536);
    assert_integer("64K", 65536);
    assert_integer("2M", 2 * 1024 * 1024);
    assert_integer("0x2k", 2048);
}

static void test_option_int_refuses_what_is_no_number(void **state)
{
    static const char *const texts[] = {"",    "x",   "1.5", "1 ", " 1", "--1",
                                        "+-1", "1kk", "k",   "0x", "1G", "-"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(&int_option, texts[i], NULL);
    assert_refused(&int_option, "ten",
                   "size takes a whole number, not \"ten\"");
}

static void test_option_int_overflow_is_refused(void **state)
{
    (void)state;
    assert_refused(&int_option, "9223372036854775808", NULL);
    assert_refused(&int_option, "-9223372036854775809", NULL);
    assert_refused(&int_option, "9223372036854775807k", NULL);
}

static void test_option_int_bounds_are_included(void **state)
{
    struct aw_value value = parsed(&bounded_option, "-2");

    (void)state;
    aw_value_deinit(&value);
    value = parsed(&bounded_option, "2k");
    aw_value_deinit(&value);
}

static void test_option_int_out_of_bounds_is_refused(void **state)
{
    (void)state;
    assert_refused(&bounded_option, "-3",
                   "level takes a whole number from -2 to 2048, not \"-3\"");
    assert_refused(&bounded_option, "2049", NULL);
}

static void test_option_number_takes_fractions(void **state)
{
    (void)state;
    assert_number("0", 0);
    assert_number("2", 2);
    assert_number("-0.25", -0.25);
    assert_number(".5", 0.5);
    assert_number("1e3", 1000);
}

static void test_option_number_refuses_what_is_no_fraction(void **state)
{
    static const char *const texts[] = {"",    "x",  "inf",   "nan", "0x10",
                                        "1,5", "1e", "1e999", " 1",  "1s"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused(&number_option, texts[i], NULL);
    assert_refused(&number_option, "fast",
                   "speed takes a number, not \"fast\"");
}

static void test_option_number_out_of_bounds_is_refused(void **state)
{
    (void)state;
    assert_refused(&limited_option, "2.6",
                   "wait_s takes a number from 0 to 2.5, not \"2.6\"");
    assert_refused(&limited_option, "-0.1", NULL);
}

static void test_option_number_in_a_comma_locale_keeps_the_point(void **state)
{
    const char *locale = setlocale(LC_NUMERIC, "de_DE.UTF-8");

    (void)state;
    if (!locale) {
        print_message("SKIPPED: this machine has no de_DE locale\n");
        skip();
    }
    assert_number("1.5", 1.5);
    assert_refused(&number_option, "1,5", NULL);
    setlocale(LC_NUMERIC, "C");
}

static void test_option_choice_gives_the_index(void **state)
{
    struct aw_value value = parsed(&choice_option, "green");

    (void)state;
    assert_int_equal(value.integer, 1);
    aw_value_deinit(&value);
}

static void test_option_choice_refused_lists_the_choices(void **state)
{
    (void)state;
    assert_refused(&choice_option, "blue",
                   "colour takes one of red, green, not \"blue\"");
    assert_refused(&choice_option, "gree", NULL);
    assert_refused(&choice_option, "", NULL);
}

/* ---- values ---- */

static void test_value_parsed_again_is_replaced(void **state)
{
    struct aw_value value = parsed(&int_option, "1");

    (void)state;
    assert_int_equal(aw_option_parse(&int_option, "2", &value, NULL), 0);
    assert_int_equal(value.integer, 2);
    assert_string_equal(value.text, "2");
    aw_value_deinit(&value);
}

static void test_value_deinited_is_not_set(void **state)
{
    struct aw_value value = parsed(&text_option, "a");

    (void)state;
    aw_value_deinit(&value);
    assert_false(value.set);
    assert_null(value.text);
    aw_value_deinit(&value);
}

static void test_option_long_text_is_quoted_in_part(void **state)
{
    char text[5000];
    struct aw_value value = {.set = false};
    struct aw_error error;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(aw_option_parse(&int_option, text, &value, &error),
                     -EINVAL);
    assert_true(strlen(error.text) < 120);
}

/* ---- names ---- */

static void test_options_find_known_gives_the_index(void **state)
{
    (void)state;
    assert_int_equal(aw_options_find(table, TABLE_COUNT, "interface"), 0);
    assert_int_equal(aw_options_find(table, TABLE_COUNT, "cpus"), 4);
}

static void test_options_find_unknown_gives_enoent(void **state)
{
    (void)state;
    assert_int_equal(aw_options_find(table, TABLE_COUNT, "cpu"), -ENOENT);
    assert_int_equal(aw_options_find(NULL, 0, "cpu"), -ENOENT);
}

static void test_options_suggest_a_slip_finds_the_name(void **state)
{
    (void)state;
    assert_suggested("interfce", "interface");   /* a letter missing */
    assert_suggested("interfacce", "interface"); /* one too many */
    assert_suggested("imterface", "interface");  /* another one */
    assert_suggested("cups", "cpus");            /* two swapped */
    assert_suggested("errorframes", "error_frames");
}

static void test_options_suggest_another_word_finds_nothing(void **state)
{
    (void)state;
    assert_suggested("bind", NULL);
    assert_suggested("x", NULL);
    assert_suggested("", NULL);
}

static void test_options_suggest_a_long_word_finds_nothing(void **state)
{
    char name[2000];

    (void)state;
    memset(name, 'i', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_suggested(name, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_text_takes_anything),
        cmocka_unit_test(test_option_bool_takes_the_usual_words),
        cmocka_unit_test(test_option_bool_in_capitals_is_taken),
        cmocka_unit_test(test_option_bool_refuses_other_words),
        cmocka_unit_test(test_option_int_takes_decimal),
        cmocka_unit_test(test_option_int_leading_zero_stays_decimal),
        cmocka_unit_test(test_option_int_takes_hexadecimal),
        cmocka_unit_test(test_option_int_suffix_multiplies),
        cmocka_unit_test(test_option_int_refuses_what_is_no_number),
        cmocka_unit_test(test_option_int_overflow_is_refused),
        cmocka_unit_test(test_option_int_bounds_are_included),
        cmocka_unit_test(test_option_int_out_of_bounds_is_refused),
        cmocka_unit_test(test_option_number_takes_fractions),
        cmocka_unit_test(test_option_number_refuses_what_is_no_fraction),
        cmocka_unit_test(test_option_number_out_of_bounds_is_refused),
        cmocka_unit_test(test_option_number_in_a_comma_locale_keeps_the_point),
        cmocka_unit_test(test_option_choice_gives_the_index),
        cmocka_unit_test(test_option_choice_refused_lists_the_choices),
        cmocka_unit_test(test_value_parsed_again_is_replaced),
        cmocka_unit_test(test_value_deinited_is_not_set),
        cmocka_unit_test(test_option_long_text_is_quoted_in_part),
        cmocka_unit_test(test_options_find_known_gives_the_index),
        cmocka_unit_test(test_options_find_unknown_gives_enoent),
        cmocka_unit_test(test_options_suggest_a_slip_finds_the_name),
        cmocka_unit_test(test_options_suggest_another_word_finds_nothing),
        cmocka_unit_test(test_options_suggest_a_long_word_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
