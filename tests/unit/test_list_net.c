/* CAN interfaces, with a kernel that is a function. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/list.h"
#include "tests/support/unit.h"

struct machine {
    char path[64];
    json_t *list;
};

static void write_fact(const struct machine *machine, const char *fact,
                       const char *text)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/sys/class/net/can0/%s", machine->path,
             fact);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* A machine with can0, which is up. */
static int set_up(void **state)
{
    static const char *const folders[] = {
        "/sys", "/sys/class", "/sys/class/net", "/sys/class/net/can0"};
    struct machine *machine = calloc(1, sizeof(*machine));
    char path[160];

    assert_non_null(machine);
    strcpy(machine->path, "/tmp/awaitd-net-XXXXXX");
    assert_non_null(mkdtemp(machine->path));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", machine->path, folders[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    write_fact(machine, "type", "280\n");
    write_fact(machine, "mtu", "72\n");
    write_fact(machine, "flags", "0x1\n");
    machine->list = json_array();
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    struct machine *machine = *state;
    char command[160];

    snprintf(command, sizeof(command), "rm -r %s", machine->path);
    assert_int_equal(system(command), 0);
    json_decref(machine->list);
    free(machine);
    return 0;
}

static int answer(const char *name, struct aw_can_facts *ret)
{
    assert_string_equal(name, "can0");
    *ret = (struct aw_can_facts){.controller = true,
                                 .bus_state = AW_BUS_PASSIVE,
                                 .bitrate = 500000,
                                 .dbitrate = 2000000};
    return 0;
}

/* As a failure may: after it has begun. */
static int refuse(const char *name, struct aw_can_facts *ret)
{
    (void)answer(name, ret);
    return -ENODEV;
}

/* can0, as it is listed. */
static const json_t *list(struct machine *machine,
                          int (*ask)(const char *, struct aw_can_facts *))
{
    const struct aw_list_root root = {.path = machine->path, .ask_can = ask};

    assert_int_equal(aw_list_can(&root, machine->list), 0);
    assert_int_equal(json_array_size(machine->list), 1);
    return json_array_get(machine->list, 0);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void test_list_can_controller_tells_bus_and_rates(void **state)
{
    const json_t *can0 = list(*state, answer);

    assert_string_equal(
        text(can0, "summary"),
        "up, error-passive, 500000 bit/s, FD, data 2000000 bit/s");
    assert_string_equal(text(can0, "bus_state"), "error-passive");
    assert_int_equal(json_integer_value(json_object_get(can0, "bitrate")),
                     500000);
    assert_int_equal(json_integer_value(json_object_get(can0, "dbitrate")),
                     2000000);
}

static void test_list_can_down_keeps_its_bus_state_to_programs(void **state)
{
    const json_t *can0;

    write_fact(*state, "flags", "0x0\n");
    can0 = list(*state, answer);
    assert_string_equal(text(can0, "summary"),
                        "down, 500000 bit/s, FD, data 2000000 bit/s");
    assert_string_equal(text(can0, "bus_state"), "error-passive");
}

static void test_list_can_kernel_refuses_nothing_is_known(void **state)
{
    const json_t *can0 = list(*state, refuse);

    assert_string_equal(text(can0, "summary"), "up, FD");
    assert_true(json_is_null(json_object_get(can0, "bus_state")));
    assert_true(json_is_null(json_object_get(can0, "bitrate")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_list_can_controller_tells_bus_and_rates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_list_can_down_keeps_its_bus_state_to_programs, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            test_list_can_kernel_refuses_nothing_is_known, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
