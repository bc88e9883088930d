/* The command line, taken apart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/arguments.h"

#define WORDS_MAX 16

struct line {
    char words[WORDS_MAX][64];
    char *argv[WORDS_MAX + 1];
    int argc;
    struct aw_arguments arguments;
    struct aw_error error;
};

/* Splits `text` at its blanks, as a shell would, and parses it. */
static int parse(struct line *line, const char *text)
{
    char copy[512];
    char *rest = NULL;

    *line = (struct line){0};
    assert_true(strlen(text) < sizeof(copy));
    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest)) {
        assert_true(line->argc < WORDS_MAX && strlen(word) < 64);
        strcpy(line->words[line->argc], word);
        line->argv[line->argc] = line->words[line->argc];
        line->argc++;
    }
    return aw_arguments_parse(line->argc, line->argv, &line->arguments,
                              &line->error);
}

static void check_refused(const char *text, const char *part)
{
    struct line line;

    assert_int_equal(parse(&line, text), -EINVAL);
    if (!strstr(line.error.text, part))
        fail_msg("\"%s\" does not mention \"%s\"", line.error.text, part);
}

static void test_arguments_run_keeps_every_option(void **state)
{
    struct line line;
    const struct aw_arguments *arguments = &line.arguments;

    (void)state;
    assert_int_equal(parse(&line,
                           "awaitd run -c f.yaml -d a=udp:x -q -db=c:d "
                           "--stats-json=s --fail-on-drop --service -s t.py "
                           "m.py"),
                     0);
    assert_int_equal(arguments->command, AW_COMMAND_RUN);
    assert_string_equal(arguments->config_path, "f.yaml");
    assert_int_equal(arguments->device_count, 2);
    assert_string_equal(arguments->devices[0], "a=udp:x");
    assert_string_equal(arguments->devices[1], "b=c:d");
    assert_int_equal(arguments->script_count, 1);
    assert_string_equal(arguments->scripts[0], "t.py");
    assert_string_equal(arguments->script[0], "m.py");
    assert_string_equal(arguments->stats_path, "s");
    assert_true(arguments->quiet);
    assert_true(arguments->fail_on_drop);
    assert_true(arguments->service);
    aw_arguments_deinit(&line.arguments);
}

static void test_arguments_after_the_script_belong_to_it(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "awaitd run m.py -q --help -- x"), 0);
    assert_int_equal(line.arguments.command, AW_COMMAND_RUN);
    assert_false(line.arguments.quiet);
    assert_string_equal(line.arguments.script[1], "-q");
    assert_string_equal(line.arguments.script[4], "x");
    assert_null(line.arguments.script[5]);
    aw_arguments_deinit(&line.arguments);
}

static void test_arguments_double_dash_ends_the_options(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "awaitd run -q -- -odd.py"), 0);
    assert_string_equal(line.arguments.script[0], "-odd.py");
    aw_arguments_deinit(&line.arguments);
}

static void test_arguments_parsed_twice_start_afresh(void **state)
{
    struct line first, second;

    (void)state;
    assert_int_equal(parse(&first, "awaitd run -q -d a=b:c m.py x y z"), 0);
    assert_int_equal(parse(&second, "awaitd run -d d=e:f n.py"), 0);
    assert_string_equal(second.arguments.devices[0], "d=e:f");
    assert_string_equal(second.arguments.script[0], "n.py");
    aw_arguments_deinit(&first.arguments);
    aw_arguments_deinit(&second.arguments);
}

static void test_arguments_without_command_are_refused(void **state)
{
    (void)state;
    check_refused("awaitd", "no command");
}

static void test_arguments_script_as_command_suggests_run(void **state)
{
    (void)state;
    check_refused("awaitd logger.py", "awaitd run logger.py");
}

static void test_arguments_run_of_nothing_is_refused(void **state)
{
    (void)state;
    check_refused("awaitd run -d a=udp:x", "name a script");
}

static void test_arguments_unknown_options_are_named(void **state)
{
    (void)state;
    check_refused("awaitd run --colour m.py", "--colour");
    check_refused("awaitd run --fail-on-drop -zq m.py", "-z");
}

static void test_arguments_missing_values_are_named(void **state)
{
    (void)state;
    check_refused("awaitd run -d", "-d needs a value");
    check_refused("awaitd run --stats-json", "--stats-json needs a value");
}

static void test_arguments_print_effective_is_of_run_and_check(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "awaitd check --print-effective f.yaml"), 0);
    assert_int_equal(line.arguments.command, AW_COMMAND_CHECK);
    assert_true(line.arguments.print_effective);
    assert_string_equal(line.arguments.config_path, "f.yaml");
    aw_arguments_deinit(&line.arguments);
    assert_int_equal(parse(&line, "awaitd run --print-effective -d a=b m.py"),
                     0);
    assert_int_equal(line.arguments.command, AW_COMMAND_PRINT);
    assert_int_equal(line.arguments.device_count, 1);
    assert_string_equal(line.arguments.script[0], "m.py");
    aw_arguments_deinit(&line.arguments);
}

static void test_arguments_check_without_a_file_is_refused(void **state)
{
    (void)state;
    check_refused("awaitd check --print-effective", "one file");
    check_refused("awaitd check --colour f.yaml", "--colour");
}

static void test_arguments_check_takes_one_file(void **state)
{
    struct line line;

    (void)state;
    check_refused("awaitd check", "one file");
    check_refused("awaitd check a b", "one file");
    assert_int_equal(parse(&line, "awaitd check f.yaml"), 0);
    assert_int_equal(line.arguments.command, AW_COMMAND_CHECK);
    assert_string_equal(line.arguments.config_path, "f.yaml");
}

static void test_arguments_devices_keeps_its_options(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "awaitd devices"), 0);
    assert_int_equal(line.arguments.command, AW_COMMAND_DEVICES);
    assert_false(line.arguments.json);
    assert_null(line.arguments.root_path);
    assert_int_equal(parse(&line, "awaitd devices --json --root /x"), 0);
    assert_true(line.arguments.json);
    assert_string_equal(line.arguments.root_path, "/x");
    check_refused("awaitd devices can0", "can0");
    check_refused("awaitd devices --root", "needs a value");
    check_refused("awaitd devices --yaml", "--yaml");
}

static void test_arguments_help_on_a_driver_keeps_its_file(void **state)
{
    struct line line;

    (void)state;
    assert_int_equal(parse(&line, "awaitd help devices ./x.so"), 0);
    assert_string_equal(line.arguments.driver_path, "./x.so");
}

static void test_arguments_help_has_topics(void **state)
{
    static const struct {
        const char *line;
        enum aw_command command;
    } cases[] = {
        {"awaitd --help", AW_COMMAND_HELP},
        {"awaitd -h", AW_COMMAND_HELP},
        {"awaitd help", AW_COMMAND_HELP},
        {"awaitd help run", AW_COMMAND_HELP_RUN},
        {"awaitd help devices", AW_COMMAND_HELP_DEVICES},
        {"awaitd run --help", AW_COMMAND_HELP_RUN},
        {"awaitd run -h", AW_COMMAND_HELP_RUN},
        {"awaitd --version", AW_COMMAND_VERSION},
    };
    struct line line;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(&line, cases[i].line), 0);
        assert_int_equal(line.arguments.command, cases[i].command);
        aw_arguments_deinit(&line.arguments);
    }
    check_refused("awaitd help cooking", "cooking");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_run_keeps_every_option),
        cmocka_unit_test(test_arguments_after_the_script_belong_to_it),
        cmocka_unit_test(test_arguments_double_dash_ends_the_options),
        cmocka_unit_test(test_arguments_parsed_twice_start_afresh),
        cmocka_unit_test(test_arguments_without_command_are_refused),
        cmocka_unit_test(test_arguments_script_as_command_suggests_run),
        cmocka_unit_test(test_arguments_run_of_nothing_is_refused),
        cmocka_unit_test(test_arguments_unknown_options_are_named),
        cmocka_unit_test(test_arguments_missing_values_are_named),
        cmocka_unit_test(test_arguments_check_takes_one_file),
        cmocka_unit_test(test_arguments_print_effective_is_of_run_and_check),
        cmocka_unit_test(test_arguments_check_without_a_file_is_refused),
        cmocka_unit_test(test_arguments_devices_keeps_its_options),
        cmocka_unit_test(test_arguments_help_on_a_driver_keeps_its_file),
        cmocka_unit_test(test_arguments_help_has_topics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
