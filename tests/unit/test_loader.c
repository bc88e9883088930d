/* The configuration file: what it gives, and files that are none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"
#include "tests/support/fake_drivers.h"

static void write_yaml(const struct fixture *fixture, const char *content)
{
    fixture_write(fixture, content, strlen(content));
}

/* ---- what a file gives ---- */

static void test_load_devices_gives_their_options(void **state)
{
    const struct aw_config *config = fixture_load(
        *state, "devices:\n"
                "  - {name: bus, driver: wire, port: left, fd: on}\n"
                "  - name: log\n"
                "    driver: tape\n"
                "    file: /var/log/a.tape\n"
                "    speed: 2\n"
                "    priority: 10\n");

    assert_int_equal(config->device_count, 2);
    assert_string_equal(config->devices[0]->name, "bus");
    assert_string_equal(config->devices[0]->driver->name, "wire");
    assert_string_equal(config->devices[0]->values[FAKE_WIRE_PORT].text,
                        "left");
    assert_true(config->devices[0]->values[FAKE_WIRE_FD].flag);
    assert_string_equal(config->devices[1]->driver->name, "tape");
    assert_true(config->devices[1]->values[FAKE_TAPE_SPEED].number > 1.9);
    assert_int_equal(config->devices[1]->common[AW_COMMON_PRIORITY].integer,
                     10);
}

static void test_load_options_left_out_have_fallbacks(void **state)
{
    const struct aw_config *config = fixture_load(
        *state, "devices: [{name: bus, driver: wire, port: left}]\n");

    assert_false(config->devices[0]->values[FAKE_WIRE_FD].set);
    assert_int_equal(config->devices[0]->values[FAKE_WIRE_BUFFER].integer,
                     65536);
}

static void test_load_scripts_gives_name_path_and_arguments(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "scripts:\n"
                             "  - {name: logger, path: /etc/log.py}\n"
                             "  - path: /etc/echo.py\n"
                             "    args: [--fast, '2', '']\n");

    assert_int_equal(config->script_count, 2);
    assert_string_equal(config->scripts[0].name, "logger");
    assert_string_equal(config->scripts[0].path, "/etc/log.py");
    assert_null(config->scripts[0].arguments[0]);
    assert_string_equal(config->scripts[1].name, "echo");
    assert_string_equal(config->scripts[1].arguments[0], "--fast");
    assert_string_equal(config->scripts[1].arguments[1], "2");
    assert_string_equal(config->scripts[1].arguments[2], "");
    assert_null(config->scripts[1].arguments[3]);
}

static void test_load_relative_paths_start_at_the_file(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config = fixture_load(
        fixture, "devices: [{name: log, driver: tape, file: a.tape}]\n"
                 "scripts: [{path: sub/echo.py}]\n");
    char expected[128];

    snprintf(expected, sizeof(expected), "%s/a.tape", fixture->folder);
    assert_string_equal(config->devices[0]->values[FAKE_TAPE_FILE].text,
                        expected);
    snprintf(expected, sizeof(expected), "%s/sub/echo.py", fixture->folder);
    assert_string_equal(config->scripts[0].path, expected);
}

static void test_load_file_of_this_folder_keeps_relative_paths(void **state)
{
    struct fixture *fixture = *state;
    char *before = get_current_dir_name();
    int result;

    write_yaml(fixture, "scripts: [{path: echo.py}]\n");
    assert_int_equal(chdir(fixture->folder), 0);
    result = aw_config_load("bench.yaml", &fixture->config, &fixture->error);
    assert_int_equal(chdir(before), 0);
    free(before);
    assert_int_equal(result, 0);
    assert_string_equal(fixture->config->scripts[0].path, "echo.py");
}

static void test_load_without_stop_times_has_the_defaults(void **state)
{
    const struct aw_config *config = fixture_load(*state, "{}\n");

    assert_int_equal(config->device_count, 0);
    assert_int_equal(config->script_count, 0);
    assert_int_equal((int)config->stop_grace_s, 5);
    assert_int_equal((int)config->stop_timeout_s, 10);
}

static void test_load_stop_times_are_taken(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "stop_grace_s: 0.5\nstop_timeout_s: 20\n");

    assert_int_equal((int)(config->stop_grace_s * 10), 5);
    assert_int_equal((int)config->stop_timeout_s, 20);
}

static void test_load_short_stop_timeout_shortens_the_grace(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "stop_timeout_s: 2\n");

    assert_int_equal((int)config->stop_grace_s, 2);
    assert_int_equal((int)config->stop_timeout_s, 2);
}

static void test_load_long_stop_grace_lengthens_the_timeout(void **state)
{
    const struct aw_config *config = fixture_load(*state, "stop_grace_s: 60\n");

    assert_int_equal((int)config->stop_grace_s, 60);
    assert_int_equal((int)config->stop_timeout_s, 60);
}

static void test_load_alias_stands_for_its_anchor(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "devices:\n"
                             "  - {name: a, driver: wire, port: &p left}\n"
                             "  - {name: b, driver: wire, port: *p}\n");

    assert_string_equal(config->devices[1]->values[FAKE_WIRE_PORT].text,
                        "left");
}

static void test_load_from_a_pipe_works(void **state)
{
    struct fixture *fixture = *state;
    static const char content[] = "stop_grace_s: 1\n";
    char path[32];
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], content, sizeof(content) - 1),
                     sizeof(content) - 1);
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    assert_int_equal(aw_config_load(path, &fixture->config, &fixture->error),
                     0);
    close(ends[0]);
    assert_int_equal((int)fixture->config->stop_grace_s, 1);
}

/* ---- files that are none ---- */

static void test_load_missing_file_gives_enoent(void **state)
{
    fixture_assert_fails(*state, ENOENT, ": No such file or directory");
}

static void test_load_folder_gives_eisdir(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    fixture_assert_fails(fixture, EISDIR, ": Is a directory");
}

static void test_load_empty_file_is_refused(void **state)
{
    fixture_assert_refused(
        state, "",
        ":1: the file is empty: it needs the keys devices and "
        "scripts");
    fixture_assert_refused(
        state, "# nothing\n\n",
        ":1: the file is empty: it needs the keys devices and "
        "scripts");
}

static void test_load_too_large_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t length = AW_CONFIG_BYTES_MAX + 1;
    char *content = malloc(length);

    assert_non_null(content);
    memset(content, '#', length);
    fixture_write(fixture, content, length);
    free(content);
    fixture_assert_fails(fixture, EINVAL,
                         ": larger than 1024 KiB, which is no configuration");
}

static void test_load_binary_file_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture_write(fixture, "a: b\n\x7f\x45LF\0\1\2", 12);
    fixture_assert_fails(fixture, EINVAL,
                         ":2: not YAML: control characters are not allowed");
}

static void test_load_broken_yaml_names_the_line(void **state)
{
    fixture_assert_refused(state, "devices:\n  - {name: bus\nscripts: []\n",
                           ":3: not YAML: did not find expected ',' or '}'");
}

static void test_load_tab_names_the_line(void **state)
{
    fixture_assert_refused(
        state, "devices:\n\t- {name: bus}\n",
        ":2: not YAML: found character that cannot start any "
        "token");
}

static void test_load_plain_text_is_refused(void **state)
{
    fixture_assert_refused(state, "import awaitd\n",
                           ":1: should be a set of keys with their values");
    fixture_assert_refused(state, "- a\n- b\n",
                           ":1: should be a set of keys with their values");
}

static void test_load_second_document_is_refused(void **state)
{
    fixture_assert_refused(state, "{}\n---\ndevices: []\n",
                           ":3: a second document: only one is read");
}

static void test_load_undefined_alias_is_refused(void **state)
{
    fixture_assert_refused(state, "devices: *none\n",
                           ":1: not YAML: found undefined alias");
}

static void test_load_anchor_inside_itself_is_refused(void **state)
{
    struct fixture *fixture = *state;

    write_yaml(fixture, "devices: &a [*a]\n");
    assert_int_equal(
        aw_config_load(fixture->path, &fixture->config, &fixture->error),
        -EINVAL);
    assert_non_null(strstr(fixture->error.text, "bench.yaml:1: "));
    assert_non_null(strstr(fixture->error.text, "nested too deeply"));
}

static void test_load_many_entries_are_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t length = 200000;
    char *content = malloc(length);

    assert_non_null(content);
    memset(content, ' ', length);
    content[0] = '[';
    for (size_t i = 1; i + 2 < length; i += 2)
        memcpy(content + i, "1,", 2);
    content[length - 1] = ']';
    fixture_write(fixture, content, length);
    free(content);
    fixture_assert_fails(fixture, EINVAL,
                         ":1: [19999]: too many entries for a configuration");
}

static void test_load_nul_in_a_value_is_refused(void **state)
{
    fixture_assert_refused(
        state, "devices:\n- {name: \"a\\0b\", driver: bare}\n",
        ":2: devices[0].name: a value must not contain a NUL");
}

static void test_load_control_and_metrics_are_taken(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "control: {socket: /run/a.sock, read_group: 12, "
                             "admin_group: adm}\n"
                             "metrics: {listen: \"127.0.0.1:9464\"}\n");

    assert_string_equal(config->control_socket, "/run/a.sock");
    assert_string_equal(config->control_read_group, "12");
    assert_string_equal(config->control_admin_group, "adm");
    assert_string_equal(config->metrics_listen, "127.0.0.1:9464");
}

static void test_load_without_control_has_none(void **state)
{
    const struct aw_config *config = fixture_load(*state, "devices: []\n");

    assert_null(config->control_socket);
    assert_null(config->control_read_group);
    assert_null(config->control_admin_group);
    assert_null(config->metrics_listen);
}

static void test_load_control_socket_none_is_no_path(void **state)
{
    const struct aw_config *config =
        fixture_load(*state, "control: {socket: none}\n");

    assert_string_equal(config->control_socket, "none");
}

static void test_load_wrong_metrics_address_is_refused(void **state)
{
    fixture_assert_refused(state, "metrics:\n  listen: here\n",
                           ":2: metrics.listen: \"here\" is not HOST:PORT, as "
                           "0.0.0.0:5005 or [::]:5005 (ports are 0 to 65535)");
}

static void test_load_key_that_is_no_word_is_refused(void **state)
{
    fixture_assert_refused(state, "? [a]\n: b\n",
                           ":1: a key here is no single word");
    fixture_assert_refused(state, "\"a\\nb\": 1\n",
                           ":1: a key here is no single word");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_load_devices_gives_their_options),
        IN_FOLDER(test_load_options_left_out_have_fallbacks),
        IN_FOLDER(test_load_scripts_gives_name_path_and_arguments),
        IN_FOLDER(test_load_relative_paths_start_at_the_file),
        IN_FOLDER(test_load_file_of_this_folder_keeps_relative_paths),
        IN_FOLDER(test_load_without_stop_times_has_the_defaults),
        IN_FOLDER(test_load_stop_times_are_taken),
        IN_FOLDER(test_load_short_stop_timeout_shortens_the_grace),
        IN_FOLDER(test_load_long_stop_grace_lengthens_the_timeout),
        IN_FOLDER(test_load_alias_stands_for_its_anchor),
        IN_FOLDER(test_load_from_a_pipe_works),
        IN_FOLDER(test_load_missing_file_gives_enoent),
        IN_FOLDER(test_load_folder_gives_eisdir),
        IN_FOLDER(test_load_empty_file_is_refused),
        IN_FOLDER(test_load_too_large_file_is_refused),
        IN_FOLDER(test_load_binary_file_is_refused),
        IN_FOLDER(test_load_broken_yaml_names_the_line),
        IN_FOLDER(test_load_tab_names_the_line),
        IN_FOLDER(test_load_plain_text_is_refused),
        IN_FOLDER(test_load_second_document_is_refused),
        IN_FOLDER(test_load_undefined_alias_is_refused),
        IN_FOLDER(test_load_anchor_inside_itself_is_refused),
        IN_FOLDER(test_load_many_entries_are_refused),
        IN_FOLDER(test_load_nul_in_a_value_is_refused),
        IN_FOLDER(test_load_control_and_metrics_are_taken),
        IN_FOLDER(test_load_without_control_has_none),
        IN_FOLDER(test_load_control_socket_none_is_no_path),
        IN_FOLDER(test_load_wrong_metrics_address_is_refused),
        IN_FOLDER(test_load_key_that_is_no_word_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
