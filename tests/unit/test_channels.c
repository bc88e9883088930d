/* Channel names by index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/device.h"

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct aw_channels));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void fill(struct aw_channels *channels, unsigned count)
{
    char name[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "can%u", i);
        assert_int_equal(aw_channels_index(channels, name), i);
    }
}

static void test_channels_new_name_is_appended(void **state)
{
    struct aw_channels *channels = *state;

    assert_int_equal(aw_channels_index(channels, "can0"), 0);
    assert_int_equal(aw_channels_index(channels, "can1"), 1);
    assert_int_equal(channels->count, 2);
    assert_string_equal(channels->names[0], "can0");
    assert_string_equal(channels->names[1], "can1");
}

static void test_channels_known_name_keeps_its_index(void **state)
{
    struct aw_channels *channels = *state;

    fill(channels, 5);
    assert_int_equal(aw_channels_index(channels, "can3"), 3);
    assert_int_equal(channels->count, 5);
}

static void test_channels_prefix_is_another_name(void **state)
{
    struct aw_channels *channels = *state;

    assert_int_equal(aw_channels_index(channels, "can10"), 0);
    assert_int_equal(aw_channels_index(channels, "can1"), 1);
    assert_int_equal(aw_channels_index(channels, "can10"), 0);
}

static void test_channels_long_name_is_cut_and_found_again(void **state)
{
    struct aw_channels *channels = *state;
    const char *name = "a-name-that-is-longer-than-31-characters";

    assert_int_equal(aw_channels_index(channels, name), 0);
    assert_int_equal(aw_channels_index(channels, name), 0);
    assert_int_equal(channels->count, 1);
    assert_int_equal(strlen(channels->names[0]), 31);
}

static void test_channels_full_table_names_the_rest_star(void **state)
{
    struct aw_channels *channels = *state;

    fill(channels, AW_CHANNELS_MAX - 1);
    assert_int_equal(aw_channels_index(channels, "one-more"),
                     AW_CHANNELS_MAX - 1);
    assert_int_equal(aw_channels_index(channels, "another"),
                     AW_CHANNELS_MAX - 1);
    assert_string_equal(channels->names[AW_CHANNELS_MAX - 1], "*");
    assert_int_equal(channels->count, AW_CHANNELS_MAX);
    assert_int_equal(aw_channels_index(channels, "can254"), 254);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_channels_new_name_is_appended,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_channels_known_name_keeps_its_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channels_prefix_is_another_name,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_channels_long_name_is_cut_and_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_channels_full_table_names_the_rest_star, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
