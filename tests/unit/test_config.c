/* The configuration itself: what the command line adds, and what is checked
 * before a device is touched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/config_fixture.h"
#include "tests/support/fake_drivers.h"

static void add_device(struct fixture *fixture, const char *short_form)
{
    if (aw_config_add_device(fixture->config, short_form, &fixture->error) < 0)
        fail_msg("%s", fixture->error.text);
}

static void add_script(struct fixture *fixture, const char *path,
                       char *const *arguments)
{
    if (aw_config_add_script(fixture->config, path, arguments,
                             &fixture->error) < 0)
        fail_msg("%s", fixture->error.text);
}

/* ---- the command line's pieces ---- */

static void test_new_is_empty_with_defaults(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(aw_config_new(&fixture->config), 0);
    assert_int_equal(fixture->config->device_count, 0);
    assert_int_equal(fixture->config->script_count, 0);
    assert_int_equal((int)fixture->config->stop_grace_s, 5);
    assert_int_equal((int)fixture->config->stop_timeout_s, 10);
    assert_int_equal((int)fixture->config->stall_ms, 1000);
    assert_int_equal((int)fixture->config->stall_kill_s, 0);
}

static void test_script_has_the_stall_keys_of_the_file_or_its_own(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config_script *scripts;

    fixture_load(fixture, "stall_ms: 300\n"
                          "scripts:\n"
                          "- {path: a.py}\n"
                          "- {path: b.py, stall_ms: 0, stall_kill_s: 2.5}\n"
                          "stall_kill_s: 7\n");
    add_script(fixture, "c.py", NULL);
    scripts = fixture->config->scripts;
    assert_true(scripts[0].supervision.stall_ms == 300);
    assert_true(scripts[0].supervision.stall_kill_s == 7);
    assert_true(scripts[1].supervision.stall_ms == 0);
    assert_true(scripts[1].supervision.stall_kill_s == 2.5);
    assert_true(scripts[2].supervision.stall_ms == 300);
    assert_true(scripts[2].supervision.stall_kill_s == 7);
}

static void test_script_stall_key_that_is_no_number_is_refused(void **state)
{
    fixture_assert_refused(state,
                           "scripts:\n  - path: a.py\n    stall_ms: soon\n",
                           ":3: scripts[0].stall_ms: stall_ms takes a "
                           "number from 0 to 3600000, not \"soon\"");
}

static void test_add_device_of_a_new_name_is_appended(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "devices: [{name: a, driver: bare}]\n");
    add_device(fixture, "b=wire:left");
    assert_int_equal(fixture->config->device_count, 2);
    assert_string_equal(fixture->config->devices[1]->name, "b");
}

static void test_add_device_of_the_same_name_replaces(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "devices:\n"
                          "- {name: a, driver: bare}\n"
                          "- {name: b, driver: bare}\n");
    add_device(fixture, "a=tape:x.tape");
    assert_int_equal(fixture->config->device_count, 2);
    assert_string_equal(fixture->config->devices[0]->name, "a");
    assert_string_equal(fixture->config->devices[0]->driver->name, "tape");
    assert_string_equal(
        fixture->config->devices[0]->values[FAKE_TAPE_FILE].text, "x.tape");
}

static void test_add_device_refused_leaves_the_others(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "devices: [{name: a, driver: bare}]\n");
    assert_int_equal(
        aw_config_add_device(fixture->config, "a=serial", &fixture->error),
        -ENOENT);
    assert_non_null(strstr(fixture->error.text, "device a: "));
    assert_int_equal(fixture->config->device_count, 1);
    assert_string_equal(fixture->config->devices[0]->driver->name, "bare");
}

static void test_add_script_is_named_like_its_file(void **state)
{
    struct fixture *fixture = *state;
    char first[] = "--fast", second[] = "";
    char *arguments[] = {first, second, NULL};

    assert_int_equal(aw_config_new(&fixture->config), 0);
    add_script(fixture, "../x/echo.py", arguments);
    add_script(fixture, "other", NULL);
    first[0] = 'X';
    assert_string_equal(fixture->config->scripts[0].name, "echo");
    assert_string_equal(fixture->config->scripts[0].path, "../x/echo.py");
    assert_string_equal(fixture->config->scripts[0].arguments[0], "--fast");
    assert_string_equal(fixture->config->scripts[0].arguments[1], "");
    assert_null(fixture->config->scripts[0].arguments[2]);
    assert_null(fixture->config->scripts[0].origin);
    assert_string_equal(fixture->config->scripts[1].name, "other");
    assert_null(fixture->config->scripts[1].arguments[0]);
}

static void test_add_script_of_a_taken_name_is_numbered(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "scripts: [{path: echo.py}]\n");
    add_script(fixture, "echo.py", NULL);
    add_script(fixture, "a/echo.py", NULL);
    assert_string_equal(fixture->config->scripts[1].name, "echo-2");
    assert_string_equal(fixture->config->scripts[2].name, "echo-3");
}

static void test_add_script_without_a_file_name_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(aw_config_new(&fixture->config), 0);
    assert_int_equal(
        aw_config_add_script(fixture->config, "a/", NULL, &fixture->error),
        -EINVAL);
    assert_int_equal(fixture->config->script_count, 0);
}

/* ---- checking ---- */

static void test_check_readable_scripts_pass(void **state)
{
    struct fixture *fixture = *state;
    char path[96];
    FILE *script;

    snprintf(path, sizeof(path), "%s/echo.py", fixture->folder);
    script = fopen(path, "we");
    assert_non_null(script);
    assert_int_equal(fclose(script), 0);
    fixture_load(fixture, "scripts: [{path: echo.py}]\n");
    assert_int_equal(aw_config_check(fixture->config, &fixture->error), 0);
}

static void test_check_missing_script_names_its_line(void **state)
{
    struct fixture *fixture = *state;
    char expected[512];

    fixture_load(fixture, "scripts:\n- name: e\n  path: echo.py\n");
    assert_int_equal(aw_config_check(fixture->config, &fixture->error),
                     -ENOENT);
    snprintf(expected, sizeof(expected),
             "%s:3: scripts[0].path: script e: cannot read %s/echo.py: No "
             "such file or directory",
             fixture->path, fixture->folder);
    assert_string_equal(fixture->error.text, expected);
}

static void test_check_added_script_missing_is_named(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(aw_config_new(&fixture->config), 0);
    add_script(fixture, "/nowhere/echo.py", NULL);
    assert_int_equal(aw_config_check(fixture->config, &fixture->error),
                     -ENOENT);
    assert_string_equal(fixture->error.text,
                        "script echo: cannot read /nowhere/echo.py: No such "
                        "file or directory");
}

static void test_check_folder_is_no_script(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(aw_config_new(&fixture->config), 0);
    add_script(fixture, fixture->folder, NULL);
    assert_int_equal(aw_config_check(fixture->config, &fixture->error),
                     -EISDIR);
}

static void test_check_group_that_is_not_there_names_its_line(void **state)
{
    struct fixture *fixture = *state;
    char expected[512];

    fixture_load(fixture, "control:\n  read_group: root\n"
                          "  admin_group: no-such-group\n");
    assert_int_equal(aw_config_check(fixture->config, &fixture->error),
                     -EINVAL);
    snprintf(expected, sizeof(expected),
             "%s:3: control.admin_group: there is no group \"no-such-group\"",
             fixture->path);
    assert_string_equal(fixture->error.text, expected);
}

static void test_check_group_may_be_a_number(void **state)
{
    struct fixture *fixture = *state;

    fixture_load(fixture, "control: {read_group: 4711}\n");
    assert_int_equal(aw_config_check(fixture->config, &fixture->error), 0);
}

static void test_free_accepts_null(void **state)
{
    (void)state;
    aw_config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_new_is_empty_with_defaults),
        IN_FOLDER(test_script_has_the_stall_keys_of_the_file_or_its_own),
        IN_FOLDER(test_script_stall_key_that_is_no_number_is_refused),
        IN_FOLDER(test_add_device_of_a_new_name_is_appended),
        IN_FOLDER(test_add_device_of_the_same_name_replaces),
        IN_FOLDER(test_add_device_refused_leaves_the_others),
        IN_FOLDER(test_add_script_is_named_like_its_file),
        IN_FOLDER(test_add_script_of_a_taken_name_is_numbered),
        IN_FOLDER(test_add_script_without_a_file_name_is_refused),
        IN_FOLDER(test_check_readable_scripts_pass),
        IN_FOLDER(test_check_missing_script_names_its_line),
        IN_FOLDER(test_check_added_script_missing_is_named),
        IN_FOLDER(test_check_folder_is_no_script),
        IN_FOLDER(test_check_group_that_is_not_there_names_its_line),
        IN_FOLDER(test_check_group_may_be_a_number),
        IN_FOLDER(test_free_accepts_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
