/* Which drop-in a device lacks, for what a process may or may not do. */
#include "tests/support/unit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/drop_in.h"

static const struct aw_allowed nothing = {0};
static const struct aw_allowed all = {true, true, true, true};

static struct aw_device_config *device_of(const char *short_form)
{
    struct aw_device_config *config;
    struct aw_error error;

    assert_int_equal(aw_device_config_parse(short_form, &config, &error), 0);
    return config;
}

static void check_missing(const char *short_form, const char *name)
{
    struct aw_device_config *config = device_of(short_form);
    const char *found = aw_drop_in_missing(config, &nothing, "");

    assert_null(aw_drop_in_missing(config, &all, ""));
    if (name)
        assert_string_equal(found, name);
    else
        assert_null(found);
    aw_device_config_free(config);
}

static void test_drop_in_of_each_driver(void **state)
{
    (void)state;
    check_missing("x=udp:127.0.0.1:5005", "udp");
    check_missing("x=packet:eth0", "packet");
    check_missing("x=can:can0", NULL);
    check_missing("x=virtual:can", NULL);
}

static void test_drop_in_of_a_priority_is_only_wanted(void **state)
{
    struct aw_device_config *config = device_of("x=virtual:can,priority=10");

    (void)state;
    assert_null(aw_drop_in_missing(config, &nothing, ""));
    assert_string_equal(aw_drop_in_wanted(config, &nothing), "realtime");
    assert_null(aw_drop_in_wanted(config, &all));
    aw_device_config_free(config);
    config = device_of("x=virtual:can");
    assert_null(aw_drop_in_wanted(config, &nothing));
    aw_device_config_free(config);
}

static void test_drop_in_of_cpus_is_only_wanted(void **state)
{
    struct aw_device_config *config = device_of("x=virtual:can,cpus=0");

    (void)state;
    assert_null(aw_drop_in_missing(config, &nothing, ""));
    assert_string_equal(aw_drop_in_wanted(config, &nothing), "realtime");
    assert_null(aw_drop_in_wanted(config, &all));
    aw_device_config_free(config);
}

static void test_drop_in_is_asked_for_without_a_trace(void **state)
{
    struct aw_allowed allowed;
    cpu_set_t before, after;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    aw_allowed_find(&allowed);
    assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    assert_true(allowed.affinity);
}

static void make(const char *root, const char *path, bool folder)
{
    char whole[100];

    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    if (folder) {
        assert_int_equal(mkdir(whole, 0700), 0);
    } else {
        FILE *file = fopen(whole, "w");

        assert_non_null(file);
        fclose(file);
    }
}

/* The device is there for the system, but not in a private /dev. */
static void test_drop_in_of_a_hidden_spi_device(void **state)
{
    static const char *const folders[] = {"dev", "sys", "sys/class",
                                          "sys/class/spidev"};
    struct aw_device_config *config = device_of("x=spi:/dev/spidev0.0");
    char root[] = "/tmp/awaitd-drop-in-XXXXXX", command[60];

    (void)state;
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        make(root, folders[i], true);
    /* No such device anywhere: that is for the driver to say. */
    assert_null(aw_drop_in_missing(config, &nothing, root));
    make(root, "sys/class/spidev/spidev0.0", true);
    assert_string_equal(aw_drop_in_missing(config, &nothing, root), "spi");
    make(root, "dev/spidev0.0", false);
    assert_null(aw_drop_in_missing(config, &nothing, root));
    snprintf(command, sizeof(command), "rm -r %s", root);
    assert_int_equal(system(command), 0);
    aw_device_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_in_of_each_driver),
        cmocka_unit_test(test_drop_in_of_a_priority_is_only_wanted),
        cmocka_unit_test(test_drop_in_of_cpus_is_only_wanted),
        cmocka_unit_test(test_drop_in_is_asked_for_without_a_trace),
        cmocka_unit_test(test_drop_in_of_a_hidden_spi_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
