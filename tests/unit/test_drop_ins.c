/* Drop-ins: files in conf.d over the main one, what changes what, and where an
 * error is then said to be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"
#include "tests/support/fake_drivers.h"

/* Writes conf.d/NAME beside bench.yaml. */
static void drop_in(struct fixture *fixture, const char *name,
                    const char *content)
{
    char path[160];
    FILE *stream;

    snprintf(path, sizeof(path), "%s/conf.d", fixture->folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/conf.d/%s", fixture->folder, name);
    stream = fopen(path, "we");
    assert_non_null(stream);
    assert_true(fputs(content, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

/* `expected`: "FILE:LINE: …", the file from the folder on. */
static void assert_refused(struct fixture *fixture, const char *content,
                           const char *expected)
{
    char whole[600];

    fixture_write(fixture, content, strlen(content));
    assert_int_equal(
        aw_config_load(fixture->path, &fixture->config, &fixture->error),
        -EINVAL);
    snprintf(whole, sizeof(whole), "%s/%s", fixture->folder, expected);
    assert_string_equal(fixture->error.text, whole);
}

static void test_scalar_of_a_drop_in_wins(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "stop_timeout_s: 20\n");
    fixture_load(fixture, "stop_grace_s: 1\nstop_timeout_s: 2\n");
    assert_int_equal((int)fixture->config->stop_grace_s, 1);
    assert_int_equal((int)fixture->config->stop_timeout_s, 20);
}

static void test_later_name_wins_by_bytes(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "b.yaml", "stop_timeout_s: 22\n");
    drop_in(fixture, "a.yaml", "stop_timeout_s: 21\n");
    drop_in(fixture, "Z.yaml", "stop_timeout_s: 20\n");
    fixture_load(fixture, "{}\n");
    assert_int_equal((int)fixture->config->stop_timeout_s, 22);
}

static void test_other_names_are_passed_over(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml~", "stop_timeout_s: 20\n");
    drop_in(fixture, ".a.yaml", "stop_timeout_s: 20\n");
    drop_in(fixture, "a.yml.dpkg-old", "stop_timeout_s: 20\n");
    drop_in(fixture, ".yaml", "stop_timeout_s: 20\n");
    fixture_load(fixture, "{}\n");
    assert_int_equal((int)fixture->config->stop_timeout_s, 10);
}

static void test_drop_in_of_comments_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "# stop_timeout_s: 20\n");
    fixture_load(fixture, "stop_timeout_s: 15\n");
    assert_int_equal((int)fixture->config->stop_timeout_s, 15);
}

static void test_device_of_the_same_name_is_changed_by_key(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    drop_in(fixture, "a.yaml",
            "devices: [{name: b, port: right, mode: slow}]\n");
    config = fixture_load(fixture,
                          "devices:\n"
                          "- {name: a, driver: bare}\n"
                          "- {name: b, driver: wire, port: left, buffer: 7}\n"
                          "- {name: c, driver: bare}\n");
    assert_int_equal(config->device_count, 3);
    assert_string_equal(config->devices[1]->name, "b");
    assert_string_equal(config->devices[1]->values[FAKE_WIRE_PORT].text,
                        "right");
    assert_string_equal(config->devices[1]->values[FAKE_WIRE_MODE].text,
                        "slow");
    assert_int_equal(config->devices[1]->values[FAKE_WIRE_BUFFER].integer, 7);
}

static void test_device_of_another_name_is_appended(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    drop_in(fixture, "a.yaml", "devices: [{name: b, driver: bare}]\n");
    drop_in(fixture, "b.yaml", "devices: [{name: b, priority: 7}]\n");
    config = fixture_load(fixture, "devices: [{name: a, driver: bare}]\n");
    assert_int_equal(config->device_count, 2);
    assert_string_equal(config->devices[1]->name, "b");
    assert_int_equal(config->devices[1]->common[AW_COMMON_PRIORITY].integer, 7);
}

static void test_script_is_known_by_its_file(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    drop_in(fixture, "a.yaml",
            "scripts: [{name: log, restart: always, args: [c]}]\n");
    config =
        fixture_load(fixture, "scripts: [{path: x/log.py, args: [a, b]}]\n");
    assert_int_equal(config->script_count, 1);
    assert_int_equal(config->scripts[0].supervision.restart,
                     AW_CONFIG_RESTART_ALWAYS);
    assert_string_equal(config->scripts[0].arguments[0], "c");
    assert_null(config->scripts[0].arguments[1]);
}

static void test_environment_is_merged_by_variable(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    drop_in(fixture, "a.yaml", "environment: [AB=3, B=4]\n");
    config = fixture_load(fixture, "environment: [A=1, B=2]\n");
    assert_string_equal(config->environment[0], "A=1");
    assert_string_equal(config->environment[1], "B=4");
    assert_string_equal(config->environment[2], "AB=3");
    assert_null(config->environment[3]);
}

static void test_keys_of_control_are_merged(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "control: {read_group: adm}\n");
    fixture_load(fixture, "control: {socket: /s, read_group: tty}\n");
    assert_string_equal(fixture->config->control_socket, "/s");
    assert_string_equal(fixture->config->control_read_group, "adm");
}

static void test_paths_start_at_the_file_they_stand_in(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;
    char expected[200];

    drop_in(fixture, "a.yaml",
            "devices: [{name: b, driver: tape, file: y.tape}]\n");
    config = fixture_load(fixture,
                          "devices: [{name: a, driver: tape, file: x.tape}]\n");
    snprintf(expected, sizeof(expected), "%s/x.tape", fixture->folder);
    assert_string_equal(config->devices[0]->values[FAKE_TAPE_FILE].text,
                        expected);
    snprintf(expected, sizeof(expected), "%s/conf.d/y.tape", fixture->folder);
    assert_string_equal(config->devices[1]->values[FAKE_TAPE_FILE].text,
                        expected);
}

static void test_text_stays_what_it_is(void **state)
{
    struct fixture *fixture = *state;
    static const char script[] =
        "scripts: [{path: a.py, args: [\"\", 'null', '~', \"a\\n\\tb\\x01\", "
        "\"#\\\"\\\\'\", \"\\u00e9\\u0085\\u2028\", yes, 0x1F, '- a: b']}]\n";
    static const char *const expected[] = {
        "",    "null", "~",     "a\n\tb\x01", "#\"\\'", "\u00e9\xc2\x85\u2028",
        "yes", "0x1F", "- a: b"};

    drop_in(fixture, "a.yaml", "{}\n");
    fixture_load(fixture, script);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_string_equal(fixture->config->scripts[0].arguments[i],
                            expected[i]);
}

/* ---- errors ---- */

static void test_misspelt_key_of_a_drop_in_is_placed_there(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "# first\ndevices:\n- {name: a, prot: x}\n");
    assert_refused(fixture, "devices: [{name: a, driver: wire, port: y}]\n",
                   "conf.d/a.yaml:3: devices[0].prot: driver wire has no "
                   "option \"prot\"; did you mean \"port\"?");
}

static void
test_misspelt_key_beside_a_drop_in_stays_the_main_files(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "\n\n\nstop_grace_s: 1\n");
    assert_refused(fixture, "stop_grace: 2\n",
                   "bench.yaml:1: stop_grace: unknown key; did you mean "
                   "\"stop_grace_s\"?");
}

static void test_value_of_a_drop_in_is_refused_there(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "devices:\n- name: a\n  mode: quick\n");
    assert_refused(fixture, "devices: [{name: a, driver: wire, port: y}]\n",
                   "conf.d/a.yaml:3: devices[0].mode: mode takes one of fast, "
                   "slow, not \"quick\"");
}

static void test_each_device_that_is_added_has_its_place(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml",
            "devices:\n- {name: b, driver: wire, port: x}\n"
            "- {name: c, driver: wire, port: x, mode: quick}\n");
    assert_refused(fixture, "devices: [{name: a, driver: bare}]\n",
                   "conf.d/a.yaml:3: devices[2].mode: mode takes one of fast, "
                   "slow, not \"quick\"");
}

static void test_key_given_twice_in_a_drop_in_is_refused(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "cwd: /\ncwd: /tmp\n");
    assert_refused(fixture, "cwd: /\n", "conf.d/a.yaml:2: cwd: given twice");
}

static void test_name_given_twice_in_a_drop_in_is_refused(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml",
            "devices:\n- {name: a, priority: 1}\n- {name: a, driver: bare}\n");
    assert_refused(fixture, "devices: [{name: a, driver: bare}]\n",
                   "conf.d/a.yaml:3: devices[1].name: there is another device "
                   "called \"a\"");
}

static void test_change_of_a_device_that_is_not_there_is_refused(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "devices: [{name: b, priority: 1}]\n");
    assert_refused(fixture, "devices: [{name: a, driver: bare}]\n",
                   "conf.d/a.yaml:1: devices[1]: \"driver\" is missing, and no "
                   "file before this one has a device called \"b\"");
}

static void test_other_shape_in_a_drop_in_is_refused_there(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "devices: {name: b}\n");
    assert_refused(fixture, "devices: [{name: a, driver: bare}]\n",
                   "conf.d/a.yaml:1: devices: should be a list");
}

static void test_drop_in_that_is_no_yaml_is_refused(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "cwd: [\n");
    assert_refused(fixture, "{}\n",
                   "conf.d/a.yaml:2: not YAML: did not find expected node "
                   "content");
}

static void test_empty_value_in_a_drop_in_is_refused(void **state)
{
    struct fixture *fixture = *state;

    drop_in(fixture, "a.yaml", "cwd:\n");
    assert_refused(fixture, "cwd: /\n",
                   "conf.d/a.yaml:1: cwd: there is no value");
}

static void test_drop_in_that_cannot_be_read_is_named(void **state)
{
    struct fixture *fixture = *state;
    char path[160], expected[200];

    drop_in(fixture, "a.yaml", "{}\n");
    snprintf(path, sizeof(path), "%s/conf.d/b.yaml", fixture->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_write(fixture, "{}\n", 3);
    assert_int_equal(
        aw_config_load(fixture->path, &fixture->config, &fixture->error),
        -EISDIR);
    snprintf(expected, sizeof(expected), "%s: Is a directory", path);
    assert_string_equal(fixture->error.text, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_scalar_of_a_drop_in_wins),
        IN_FOLDER(test_later_name_wins_by_bytes),
        IN_FOLDER(test_other_names_are_passed_over),
        IN_FOLDER(test_drop_in_of_comments_changes_nothing),
        IN_FOLDER(test_device_of_the_same_name_is_changed_by_key),
        IN_FOLDER(test_device_of_another_name_is_appended),
        IN_FOLDER(test_script_is_known_by_its_file),
        IN_FOLDER(test_environment_is_merged_by_variable),
        IN_FOLDER(test_keys_of_control_are_merged),
        IN_FOLDER(test_paths_start_at_the_file_they_stand_in),
        IN_FOLDER(test_text_stays_what_it_is),
        IN_FOLDER(test_misspelt_key_of_a_drop_in_is_placed_there),
        IN_FOLDER(test_misspelt_key_beside_a_drop_in_stays_the_main_files),
        IN_FOLDER(test_value_of_a_drop_in_is_refused_there),
        IN_FOLDER(test_each_device_that_is_added_has_its_place),
        IN_FOLDER(test_key_given_twice_in_a_drop_in_is_refused),
        IN_FOLDER(test_name_given_twice_in_a_drop_in_is_refused),
        IN_FOLDER(test_change_of_a_device_that_is_not_there_is_refused),
        IN_FOLDER(test_other_shape_in_a_drop_in_is_refused_there),
        IN_FOLDER(test_drop_in_that_is_no_yaml_is_refused),
        IN_FOLDER(test_empty_value_in_a_drop_in_is_refused),
        IN_FOLDER(test_drop_in_that_cannot_be_read_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
