/* Keys, shapes and values of a configuration file: what is said about those
 * that are wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"

/* ---- keys ---- */

static void test_load_unknown_top_key_is_refused(void **state)
{
    fixture_assert_refused(
        state, "device: []\n",
        ":1: device: unknown key; did you mean \"devices\"?");
}

static void test_load_strange_top_key_lists_those_there_are(void **state)
{
    fixture_assert_refused(
        state, "\nlogging: on\n",
        ":2: logging: unknown key; there are devices, scripts, "
        "stop_grace_s, stop_timeout_s, start_timeout_s, reload_settle_s, "
        "stall_ms, stall_kill_s, environment, cwd, venv, control and metrics");
}

static void test_load_unknown_script_key_is_refused(void **state)
{
    fixture_assert_refused(
        state, "scripts:\n  - path: a.py\n    arg: [b]\n",
        ":3: scripts[0].arg: unknown key; did you mean \"args\"?");
    fixture_assert_refused(
        state, "scripts:\n  - path: a.py\n    priority: 1\n",
        ":3: scripts[0].priority: unknown key; there are name, path, args, "
        "paths, restart, restart_delay_s, restart_limit, restart_interval_s, "
        "on_restart, state, stall_ms and stall_kill_s");
}

static void test_load_misspelt_option_is_suggested(void **state)
{
    fixture_assert_refused(
        state,
        "devices:\n"
        "  - {name: a, driver: bare}\n"
        "  - name: b\n"
        "    bufer: 3\n"
        "    driver: wire\n",
        ":4: devices[1].bufer: driver wire has no option \"bufer\"; "
        "did you mean \"buffer\"?");
}

static void test_load_option_of_another_driver_is_refused(void **state)
{
    fixture_assert_refused(
        state,
        "devices:\n"
        "  - name: b\n"
        "    driver: tape\n"
        "    file: a\n"
        "    mode: fast\n",
        ":5: devices[0].mode: driver tape has no option \"mode\"; "
        "it has: file, speed, priority, cpus, mlock, "
        "send_timeout_s, allow_block, wakeup, on_loss, required, send_depth");
}

static void test_load_misspelt_name_or_driver_is_suggested(void **state)
{
    fixture_assert_refused(
        state, "devices: [{nme: b, driver: bare}]\n",
        ":1: devices[0].nme: unknown key; did you mean \"name\"?");
    fixture_assert_refused(state, "devices: [{name: b, drvier: bare}]\n",
                           ":1: devices[0].drvier: unknown key; did you mean "
                           "\"driver\"?");
}

static void test_load_key_given_twice_is_refused(void **state)
{
    fixture_assert_refused(state, "stop_grace_s: 1\nstop_grace_s: 2\n",
                           ":2: stop_grace_s: given twice");
    fixture_assert_refused(state,
                           "devices:\n"
                           "  - name: b\n"
                           "    driver: wire\n"
                           "    name: c\n",
                           ":4: devices[0].name: given twice");
}

static void test_load_missing_key_is_named(void **state)
{
    fixture_assert_refused(state,
                           "devices:\n- {name: a, driver: bare}\n- name: b\n",
                           ":3: devices[1]: \"driver\" is missing");
    fixture_assert_refused(state, "devices:\n- {}\n",
                           ":2: devices[0]: \"name\" is missing");
    fixture_assert_refused(state, "scripts:\n- {name: a, args: [b]}\n",
                           ":2: scripts[0]: \"path\" is missing");
    fixture_assert_refused(state, "devices:\n- {name: b, prt: 3}\n",
                           ":2: devices[0]: \"driver\" is missing");
}

static void test_load_missing_required_option_is_named(void **state)
{
    fixture_assert_refused(
        state, "devices:\n\n- {name: a, driver: wire}\n",
        ":3: devices[0]: driver wire needs the option \"port\": "
        "where the wire is plugged in");
}

static void test_load_key_without_value_is_refused(void **state)
{
    fixture_assert_refused(state,
                           "devices:\n- name: a\n  driver: wire\n  port:\n",
                           ":4: devices[0].port: there is no value");
    fixture_assert_refused(state, "devices:\nscripts: []\n",
                           ":1: devices: there is no value");
    fixture_assert_refused(state, "scripts:\n- path: ~\n",
                           ":2: scripts[0].path: there is no value");
    fixture_assert_refused(state, "scripts:\n- path: ''\n",
                           ":2: scripts[0].path: there is no value");
}

/* ---- shapes and values ---- */

static void test_load_wrong_shape_is_refused(void **state)
{
    fixture_assert_refused(state, "devices: can0\n",
                           ":1: devices: should be a list");
    fixture_assert_refused(state, "devices: {a: b}\n",
                           ":1: devices: should be a list");
    fixture_assert_refused(state, "devices:\n- a\n",
                           ":2: devices[0]: should be a set of keys with their "
                           "values");
    fixture_assert_refused(state, "scripts:\n- path: a.py\n  args: b\n",
                           ":3: scripts[0].args: should be a list");
    fixture_assert_refused(state,
                           "scripts:\n- path: a.py\n  args:\n  - b\n  - [c]\n",
                           ":5: scripts[0].args[1]: should be a single value");
    fixture_assert_refused(state, "stop_grace_s: [1]\n",
                           ":1: stop_grace_s: should be a single value");
}

static void test_load_bad_option_value_is_refused(void **state)
{
    fixture_assert_refused(
        state,
        "devices:\n- name: a\n  driver: wire\n  port: left\n"
        "  fd: maybe\n",
        ":5: devices[0].fd: fd takes yes or no, not \"maybe\"");
    fixture_assert_refused(
        state, "devices:\n- {name: a, driver: bare, mlock: 3}\n",
        ":2: devices[0].mlock: mlock takes yes or no, not \"3\"");
}

static void test_load_value_of_two_lines_gives_one_line(void **state)
{
    fixture_assert_refused(
        state, "devices:\n- {name: a, driver: bare, mlock: \"x\\ny\"}\n",
        ":2: devices[0].mlock: mlock takes yes or no, not \"x y\"");
}

static void test_load_values_that_clash_are_refused(void **state)
{
    fixture_assert_refused(
        state,
        "devices:\n"
        "- {name: a, driver: wire, port: b, fd: on, mode: slow}\n",
        ":2: devices[0]: fd does not go with mode slow");
}

static void test_load_bad_stop_time_is_refused(void **state)
{
    fixture_assert_refused(
        state, "stop_grace_s: soon\n",
        ":1: stop_grace_s: stop_grace_s takes a number from 0 to "
        "3600, not \"soon\"");
    fixture_assert_refused(
        state, "stop_timeout_s: -1\n",
        ":1: stop_timeout_s: stop_timeout_s takes a number from 0 "
        "to 3600, not \"-1\"");
    fixture_assert_refused(
        state, "stop_grace_s: 3\nstop_timeout_s: 2\n",
        ":2: stop_timeout_s: must not be less than stop_grace_s");
}

static void test_load_bad_device_name_is_refused(void **state)
{
    fixture_assert_refused(
        state, "devices:\n- driver: bare\n  name: can-0\n",
        ":3: devices[0].name: \"can-0\" cannot be the name of a "
        "device: scripts import it, so it must be a Python "
        "identifier of at most 63 letters (a-z), digits and _, no "
        "keyword");
}

static void test_load_unknown_driver_is_refused(void **state)
{
    fixture_assert_refused(
        state, "devices:\n- name: a\n  driver: serial\n",
        ":3: devices[0].driver: there is no driver \"serial\"; "
        "there are: wire, tape, bare");
    fixture_assert_refused(
        state, "devices:\n- name: a\n  driver: wires\n  x: 1\n",
        ":3: devices[0].driver: there is no driver \"wires\"; did "
        "you mean \"wire\"? There are: wire, tape, bare");
}

static void test_load_device_name_given_twice_is_refused(void **state)
{
    fixture_assert_refused(
        state,
        "devices:\n"
        "- {name: a, driver: bare}\n"
        "- {name: a, driver: bare}\n",
        ":3: devices[1].name: there is another device called "
        "\"a\"");
}

static void test_load_script_name_given_twice_is_refused(void **state)
{
    fixture_assert_refused(
        state, "scripts:\n- path: a.py\n- path: b/a.py\n",
        ":3: scripts[1].path: there is another script called "
        "\"a\"; give one of them a name of its own");
    fixture_assert_refused(
        state, "scripts:\n- path: a.py\n- path: b.py\n  name: a\n",
        ":4: scripts[1].name: there is another script called "
        "\"a\"; give one of them a name of its own");
}

static void test_load_bad_script_name_is_refused(void **state)
{
    fixture_assert_refused(
        state, "scripts:\n- {path: a.py, name: a/b}\n",
        ":2: scripts[0].name: \"a/b\" cannot be the name of a "
        "script: it must have 1 to 63 characters, no / among them");
    fixture_assert_refused(
        state, "scripts:\n- {path: a.py, name: ''}\n",
        ":2: scripts[0].name: \"\" cannot be the name of a script: "
        "it must have 1 to 63 characters, no / among them");
}

/* Writes `head`, and below it what `print` gives for each number. */
static void write_lines(const struct fixture *fixture, const char *head,
                        void (*print)(FILE *stream, int number), int count)
{
    FILE *stream = fopen(fixture->path, "we");

    assert_non_null(stream);
    fputs(head, stream);
    for (int i = 0; i < count; i++)
        print(stream, i);
    assert_int_equal(fclose(stream), 0);
}

static void print_device(FILE *stream, int number)
{
    fprintf(stream, "- {name: d%d, driver: bare}\n", number);
}

static void print_script(FILE *stream, int number)
{
    fprintf(stream, "- path: s%d.py\n", number);
}

static void print_argument(FILE *stream, int number)
{
    fprintf(stream, "  - a%d\n", number);
}

static void test_load_64_devices_are_taken(void **state)
{
    struct fixture *fixture = *state;

    write_lines(fixture, "devices:\n", print_device, 64);
    assert_int_equal(
        aw_config_load(fixture->path, &fixture->config, &fixture->error), 0);
    assert_int_equal(fixture->config->device_count, 64);
    assert_int_equal(
        aw_config_add_device(fixture->config, "more=bare", &fixture->error),
        -EINVAL);
    assert_string_equal(fixture->error.text, "more than 64 devices");
}

static void test_load_too_many_entries_in_a_list_are_refused(void **state)
{
    write_lines(*state, "devices:\n", print_device, 65);
    fixture_assert_fails(*state, EINVAL, ":1: devices: more than 64 entries");
    write_lines(*state, "\nscripts:\n", print_script, 65);
    fixture_assert_fails(*state, EINVAL, ":2: scripts: more than 64 entries");
    write_lines(*state, "scripts:\n- path: a.py\n  args:\n", print_argument,
                257);
    fixture_assert_fails(*state, EINVAL,
                         ":3: scripts[0].args: more than 256 entries");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_load_unknown_top_key_is_refused),
        IN_FOLDER(test_load_strange_top_key_lists_those_there_are),
        IN_FOLDER(test_load_unknown_script_key_is_refused),
        IN_FOLDER(test_load_misspelt_option_is_suggested),
        IN_FOLDER(test_load_option_of_another_driver_is_refused),
        IN_FOLDER(test_load_misspelt_name_or_driver_is_suggested),
        IN_FOLDER(test_load_key_given_twice_is_refused),
        IN_FOLDER(test_load_missing_key_is_named),
        IN_FOLDER(test_load_missing_required_option_is_named),
        IN_FOLDER(test_load_key_without_value_is_refused),
        IN_FOLDER(test_load_wrong_shape_is_refused),
        IN_FOLDER(test_load_bad_option_value_is_refused),
        IN_FOLDER(test_load_value_of_two_lines_gives_one_line),
        IN_FOLDER(test_load_values_that_clash_are_refused),
        IN_FOLDER(test_load_bad_stop_time_is_refused),
        IN_FOLDER(test_load_bad_device_name_is_refused),
        IN_FOLDER(test_load_unknown_driver_is_refused),
        IN_FOLDER(test_load_device_name_given_twice_is_refused),
        IN_FOLDER(test_load_script_name_given_twice_is_refused),
        IN_FOLDER(test_load_bad_script_name_is_refused),
        IN_FOLDER(test_load_64_devices_are_taken),
        IN_FOLDER(test_load_too_many_entries_in_a_list_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
