/* Adapters found by what udev knows of them, in folders made as sysfs is. */
#include "tests/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/can_find.h"

struct machine {
    char root[64];
    char interfaces[96], udev[96];
    struct aw_can_places places;
};

static void run(const struct machine *machine, const char *command)
{
    char line[640];

    snprintf(line, sizeof(line), "cd %s && %s", machine->root, command);
    assert_int_equal(system(line), 0);
}

/* An interface `name`, channel `port`, of the device at `path`. */
static void add_interface(const struct machine *machine, const char *name,
                          const char *path, int index, int port)
{
    char command[512];

    snprintf(command, sizeof(command),
             "mkdir -p net/%s devices/%s && "
             "ln -s ../../devices/%s net/%s/device && "
             "echo 280 >net/%s/type && echo %d >net/%s/ifindex && "
             "echo %d >net/%s/dev_port && echo 0x0 >net/%s/dev_id",
             name, path, path, name, name, index, name, port, name, name);
    run(machine, command);
}

/* Two adapters of one kind, one of them with two channels, and a card. */
static int set_up(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    snprintf(machine->root, sizeof(machine->root), "/tmp/awaitd-find-XXXXXX");
    assert_non_null(mkdtemp(machine->root));
    snprintf(machine->interfaces, sizeof(machine->interfaces), "%s/net",
             machine->root);
    snprintf(machine->udev, sizeof(machine->udev), "%s/udev", machine->root);
    machine->places =
        (struct aw_can_places){machine->interfaces, machine->udev};
    add_interface(machine, "can0", "usb1/1-2/1-2:1.0", 3, 0);
    add_interface(machine, "can1", "usb1/1-3/1-3:1.0", 4, 0);
    add_interface(machine, "can2", "usb1/1-3/1-3:1.0", 5, 1);
    add_interface(machine, "can3", "pci0/0000:03:00.0", 6, 0);
    run(machine, "echo 0042 >devices/usb1/1-2/serial && "
                 "echo AB/7x >devices/usb1/1-3/serial && "
                 "mkdir udev && printf 'I:1\\nE:ID_PATH=pci-0000:00:14.0-usb-0:"
                 "2:1.0\\nE:ID_BUS=usb\\n' >udev/n3");
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    struct machine *machine = *state;

    run(machine, "rm -rf net devices udev");
    rmdir(machine->root);
    free(machine);
    return 0;
}

static const char *found(struct machine *machine, const char *text)
{
    static char name[AW_CAN_NAME_BYTES];
    struct aw_error error;

    assert_int_equal(aw_can_find(&machine->places, text, name, &error), 0);
    return name;
}

static void refuse(struct machine *machine, const char *text, const char *words)
{
    char name[AW_CAN_NAME_BYTES];
    struct aw_error error;

    assert_int_equal(aw_can_find(&machine->places, text, name, &error),
                     -ENODEV);
    assert_non_null(strstr(error.text, words));
}

static void test_can_find_name_is_left_as_it_is(void **state)
{
    assert_string_equal(found(*state, "can7"), "can7");
    assert_string_equal(found(*state, "engine"), "engine");
}

static void test_can_find_adapter_by_its_serial_number(void **state)
{
    assert_string_equal(found(*state, "serial=0042"), "can0");
}

static void test_can_find_part_of_a_serial_number_is_none(void **state)
{
    refuse(*state, "serial=004", "no CAN interface has serial=004");
    refuse(*state, "serial=00420", "no CAN interface has");
}

static void test_can_find_serial_number_of_the_hub_is_no_adapters(void **state)
{
    struct machine *machine = *state;

    run(machine, "echo 0000:00:14.0 >devices/usb1/serial && "
                 "rm devices/usb1/1-2/serial && "
                 "echo 1d50 >devices/usb1/1-2/idVendor");
    refuse(machine, "serial=0000:00:14.0", "no CAN interface has");
}

static void test_can_find_adapter_with_channels_wants_one_of_them(void **state)
{
    refuse(*state, "serial=AB/7x", "several: can1, can2");
    assert_string_equal(found(*state, "serial=AB/7x/0"), "can1");
    assert_string_equal(found(*state, "serial=AB/7x/1"), "can2");
    refuse(*state, "serial=AB/7x/2", "no CAN interface has");
}

static void test_can_find_channel_of_an_older_driver_by_its_dev_id(void **state)
{
    struct machine *machine = *state;

    run(machine, "echo 0 >net/can2/dev_port && echo 0x1 >net/can2/dev_id");
    assert_string_equal(found(machine, "serial=AB/7x/1"), "can2");
    assert_string_equal(found(machine, "serial=AB/7x/0"), "can1");
}

static void test_can_find_port_by_udevs_path(void **state)
{
    assert_string_equal(found(*state, "path=pci-0000:00:14.0-usb-0:2:1.0"),
                        "can0");
}

static void test_can_find_port_by_the_end_of_its_folder(void **state)
{
    assert_string_equal(found(*state, "path=1-2:1.0"), "can0");
    assert_string_equal(found(*state, "path=1-2/1-2:1.0"), "can0");
    assert_string_equal(found(*state, "path=0000:03:00.0"), "can3");
    refuse(*state, "path=00:03:00.0", "no CAN interface has");
    assert_string_equal(found(*state, "path=1-3:1.0/1"), "can2");
}

static void test_can_find_adapter_again_under_another_name(void **state)
{
    struct machine *machine = *state;

    run(machine, "mv net/can0 net/can9");
    assert_string_equal(found(machine, "serial=0042"), "can9");
}

static void test_can_find_serial_number_is_told(void **state)
{
    struct machine *machine = *state;
    char text[32];

    assert_int_equal(
        aw_can_find_serial(&machine->places, "can0", text, sizeof(text)), 4);
    assert_string_equal(text, "0042");
    assert_int_equal(
        aw_can_find_serial(&machine->places, "can3", text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void test_can_find_check_takes_what_can_be(void **state)
{
    static const char *const good[] = {"can0",     "any",         "serial=1",
                                       "path=1-2", "serial=AB 7", "path=a/b/1"};
    static const char *const bad[] = {"", "can 0", "../can0",
                                      "serial=", "path="};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(aw_can_find_check(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(aw_can_find_check(bad[i], NULL), -EINVAL);
    assert_int_equal(aw_can_find_check(NULL, NULL), -EINVAL);
}

#define MACHINE_TEST(test)                                                     \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_can_find_name_is_left_as_it_is),
        MACHINE_TEST(test_can_find_adapter_by_its_serial_number),
        MACHINE_TEST(test_can_find_part_of_a_serial_number_is_none),
        MACHINE_TEST(test_can_find_serial_number_of_the_hub_is_no_adapters),
        MACHINE_TEST(test_can_find_adapter_with_channels_wants_one_of_them),
        MACHINE_TEST(test_can_find_channel_of_an_older_driver_by_its_dev_id),
        MACHINE_TEST(test_can_find_port_by_udevs_path),
        MACHINE_TEST(test_can_find_port_by_the_end_of_its_folder),
        MACHINE_TEST(test_can_find_adapter_again_under_another_name),
        MACHINE_TEST(test_can_find_serial_number_is_told),
        cmocka_unit_test(test_can_find_check_takes_what_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
