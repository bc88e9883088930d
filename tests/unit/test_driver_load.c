/* Loading drivers: what is taken, what is refused and why. Each is a shared
 * object built from tests/support/planted_driver.c. */
#include "devices/driver_load.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/device_config.h"
#include "tests/support/unit.h"

static char *path_of(const char *plant)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/planted_%s.so", AW_PLANTED, plant);
    return path;
}

static const struct aw_driver *load(const char *path)
{
    const struct aw_driver *driver = NULL;
    struct aw_error error = {""};

    if (aw_driver_load(path, &driver, &error) < 0)
        fail_msg("%s", error.text);
    return driver;
}

static void refuse(const char *path, int code, const char *reason)
{
    const struct aw_driver *driver = NULL;
    struct aw_error error = {""};

    assert_int_equal(aw_driver_load(path, &driver, &error), -code);
    assert_null(driver);
    if (!strstr(error.text, reason) || !strstr(error.text, path))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", error.text, reason,
                 path);
}

/* ---- taken ---- */

static void test_driver_load_sound_is_taken(void **state)
{
    const struct aw_driver *driver = load(path_of("none"));

    (void)state;
    assert_string_equal(driver->name, "planted");
    assert_string_equal(aw_driver_path(driver), path_of("none"));
}

static void test_driver_load_twice_is_the_same(void **state)
{
    char other[PATH_MAX];

    (void)state;
    snprintf(other, sizeof(other), "%s/./planted_none.so", AW_PLANTED);
    assert_ptr_equal(load(path_of("none")), load(other));
}

static void test_driver_load_is_behind_the_own_ones(void **state)
{
    const struct aw_driver *driver = load(path_of("none"));
    size_t index = 0;

    (void)state;
    for (; aw_drivers[index]; index++) {
        assert_ptr_equal(aw_driver_at(index), aw_drivers[index]);
        assert_null(aw_driver_path(aw_drivers[index]));
    }
    assert_ptr_equal(aw_driver_at(index), driver);
    assert_null(aw_driver_at(index + 1));
    assert_null(aw_driver_at(index + 100));
}

static void test_driver_load_calls_back(void **state)
{
    const struct aw_driver *driver = load(path_of("none"));
    struct aw_link link = {.name = "it"};
    struct aw_error error = {""};

    (void)state;
    assert_int_equal(driver->open(&link, NULL, &error), -ENODEV);
    assert_string_equal(error.text, "device it: it is only planted");
}

static void test_driver_load_serves_the_short_form(void **state)
{
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};
    char text[PATH_MAX];

    (void)state;
    snprintf(text, sizeof(text), "it=%s/planted_none.so:sweet,cpus=0",
             AW_PLANTED);
    if (aw_device_config_parse(text, &config, &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(config->driver->name, "planted");
    assert_string_equal(config->values[0].text, "sweet");
    aw_device_config_free(config);
}

/* ---- refused ---- */

static void test_driver_load_another_version_is_refused(void **state)
{
    (void)state;
    refuse(path_of("version"), EINVAL,
           "for version 2 of the drivers' contract");
}

static void test_driver_load_another_size_is_refused(void **state)
{
    (void)state;
    refuse(path_of("size"), EINVAL, "build it again");
}

static void test_driver_load_another_layout_is_refused(void **state)
{
    (void)state;
    refuse(path_of("layout"), EINVAL, "headers of another awaitd");
}

static void test_driver_load_without_the_symbol_is_refused(void **state)
{
    (void)state;
    refuse(path_of("symbol"), EINVAL, "does not export the symbol");
}

static void test_driver_load_a_function_is_no_table(void **state)
{
    (void)state;
    refuse(path_of("function"), EINVAL, "is no table");
}

static void test_driver_load_two_bytes_are_no_table(void **state)
{
    (void)state;
    refuse(path_of("small"), EINVAL, "is no table");
}

static void test_driver_load_undefined_function_is_refused(void **state)
{
    (void)state;
    refuse(path_of("undefined"), ELIBBAD, "aw_nobody_has_this");
}

static void test_driver_load_an_own_name_is_refused(void **state)
{
    (void)state;
    refuse(path_of("own_name"), EEXIST, "which awaitd has itself");
}

static void test_driver_load_a_name_twice_is_refused(void **state)
{
    (void)state;
    load(path_of("none"));
    refuse(path_of("same_name"), EEXIST, "planted_none.so");
}

static void test_driver_load_a_missing_file_is_refused(void **state)
{
    (void)state;
    refuse(path_of("nothing"), ENOENT, "No such file");
}

static void test_driver_load_what_is_no_object_is_refused(void **state)
{
    char path[] = "/tmp/awaitd-XXXXXX.so";
    int fd = mkstemps(path, 3);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
    close(fd);
    refuse(path, ELIBBAD, "cannot load the driver");
    unlink(path);
}

static void test_driver_load_refused_leaves_no_trace(void **state)
{
    size_t count = 0;

    (void)state;
    load(path_of("none"));
    refuse(path_of("version"), EINVAL, "version");
    while (aw_driver_at(count))
        count++;
    assert_string_equal(aw_driver_at(count - 1)->name, "planted");
    assert_string_equal(aw_driver_path(aw_driver_at(count - 1)),
                        path_of("none"));
}

static void test_driver_load_of_a_device_is_what_there_is_not(void **state)
{
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};

    (void)state;
    assert_int_equal(
        aw_device_config_new("it", path_of("version"), &config, &error),
        -ENOENT);
    assert_non_null(strstr(error.text, "version 2"));
}

/* ---- paths ---- */

static void test_driver_load_paths_are_told_from_names(void **state)
{
    (void)state;
    assert_true(aw_driver_is_path("./x.so"));
    assert_true(aw_driver_is_path("x.so"));
    assert_true(aw_driver_is_path("/x"));
    assert_false(aw_driver_is_path("can"));
    assert_false(aw_driver_is_path(".so"));
    assert_false(aw_driver_is_path(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver_load_sound_is_taken),
        cmocka_unit_test(test_driver_load_twice_is_the_same),
        cmocka_unit_test(test_driver_load_is_behind_the_own_ones),
        cmocka_unit_test(test_driver_load_calls_back),
        cmocka_unit_test(test_driver_load_serves_the_short_form),
        cmocka_unit_test(test_driver_load_another_version_is_refused),
        cmocka_unit_test(test_driver_load_another_size_is_refused),
        cmocka_unit_test(test_driver_load_another_layout_is_refused),
        cmocka_unit_test(test_driver_load_without_the_symbol_is_refused),
        cmocka_unit_test(test_driver_load_a_function_is_no_table),
        cmocka_unit_test(test_driver_load_two_bytes_are_no_table),
        cmocka_unit_test(test_driver_load_undefined_function_is_refused),
        cmocka_unit_test(test_driver_load_an_own_name_is_refused),
        cmocka_unit_test(test_driver_load_a_name_twice_is_refused),
        cmocka_unit_test(test_driver_load_a_missing_file_is_refused),
        cmocka_unit_test(test_driver_load_what_is_no_object_is_refused),
        cmocka_unit_test(test_driver_load_refused_leaves_no_trace),
        cmocka_unit_test(test_driver_load_of_a_device_is_what_there_is_not),
        cmocka_unit_test(test_driver_load_paths_are_told_from_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
