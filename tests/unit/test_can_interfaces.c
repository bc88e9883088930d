#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these four before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/can_interfaces.h"

/* A folder as /sys/class/net: a CAN interface, one of Ethernet, a virtual CAN
 * interface, and one that has gone between two looks. */
static const char *const interfaces[][2] = {
    {"vcan0", "280\n"}, {"eth0", "1\n"}, {"can0", "280\n"}, {"gone", NULL}};

#define INTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

static int set_up(void **state)
{
    char *folder = strdup("/tmp/awaitd-interfaces-XXXXXX");
    char path[128];

    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < INTERFACES; i++) {
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, interfaces[i][0]);
        assert_int_equal(mkdir(path, 0700), 0);
        if (!interfaces[i][1])
            continue;
        snprintf(path, sizeof(path), "%s/%s/type", folder, interfaces[i][0]);
        file = fopen(path, "we");
        assert_non_null(file);
        fputs(interfaces[i][1], file);
        fclose(file);
    }
    *state = folder;
    return 0;
}

static int tear_down(void **state)
{
    char *folder = *state;
    char path[128];

    for (size_t i = 0; i < INTERFACES; i++) {
        snprintf(path, sizeof(path), "%s/%s/type", folder, interfaces[i][0]);
        unlink(path);
        snprintf(path, sizeof(path), "%s/%s", folder, interfaces[i][0]);
        rmdir(path);
    }
    rmdir(folder);
    free(folder);
    return 0;
}

static void test_can_interfaces_are_listed_by_type_in_order(void **state)
{
    char text[64];

    assert_int_equal(aw_can_interfaces(*state, text, sizeof(text)), 2);
    assert_string_equal(text, "can0, vcan0");
}

static void
test_can_interfaces_without_room_are_counted_all_the_same(void **state)
{
    char text[8];

    assert_int_equal(aw_can_interfaces(*state, text, sizeof(text)), 2);
    assert_string_equal(text, "can0");
}

static void test_can_interfaces_without_the_folder_are_none(void **state)
{
    char text[8] = "before";

    (void)state;
    assert_int_equal(aw_can_interfaces("/nonexistent", text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_interfaces_are_listed_by_type_in_order),
        cmocka_unit_test(
            test_can_interfaces_without_room_are_counted_all_the_same),
        cmocka_unit_test(test_can_interfaces_without_the_folder_are_none),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
