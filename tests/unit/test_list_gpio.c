/* GPIO lines, with a kernel that is a function: only few machines have one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/list.h"
#include "tests/support/unit.h"

/* Three lines: one free, one without a name, one that somebody has. */
static int answer(int fd, unsigned long request, void *argument)
{
    struct gpiochip_info *chip = argument;
    struct gpio_v2_line_info *line = argument;

    (void)fd;
    if (request == GPIO_GET_CHIPINFO_IOCTL) {
        strcpy(chip->label, "pinctrl");
        chip->lines = 4;
        return 0;
    }
    assert_int_equal(request, GPIO_V2_GET_LINEINFO_IOCTL);
    if (line->offset == 3) {
        errno = EINVAL;
        return -1;
    }
    if (line->offset == 0)
        strcpy(line->name, "DRDY");
    if (line->offset == 2) {
        strcpy(line->name, "LED");
        strcpy(line->consumer, "led0");
        line->flags = GPIO_V2_LINE_FLAG_USED | GPIO_V2_LINE_FLAG_OUTPUT;
    }
    return 0;
}

static int refuse(int fd, unsigned long request, void *argument)
{
    (void)fd;
    (void)request;
    (void)argument;
    errno = ENOTTY;
    return -1;
}

struct machine {
    char path[64];
    json_t *list;
};

static void make_folder(const struct machine *machine, const char *folder)
{
    char path[160];

    snprintf(path, sizeof(path), "%s%s", machine->path, folder);
    assert_int_equal(mkdir(path, 0755), 0);
}

static int set_up(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));
    char node[160];
    int fd;

    assert_non_null(machine);
    strcpy(machine->path, "/tmp/awaitd-gpio-XXXXXX");
    assert_non_null(mkdtemp(machine->path));
    make_folder(machine, "/dev");
    make_folder(machine, "/sys");
    make_folder(machine, "/sys/bus");
    make_folder(machine, "/sys/bus/gpio");
    make_folder(machine, "/sys/bus/gpio/devices");
    make_folder(machine, "/sys/bus/gpio/devices/gpiochip0");
    make_folder(machine, "/sys/bus/gpio/devices/other");
    snprintf(node, sizeof(node), "%s/dev/gpiochip0", machine->path);
    fd = open(node, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
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

static void list(struct machine *machine,
                 int (*control)(int fd, unsigned long request, void *argument))
{
    const struct aw_list_root root = {.path = machine->path,
                                      .control = control};

    assert_int_equal(aw_list_gpio(&root, machine->list), 0);
}

static const char *text(const struct machine *machine, size_t index,
                        const char *key)
{
    const json_t *object = json_array_get(machine->list, index);

    return json_string_value(json_object_get(object, key));
}

static void test_list_gpio_names_lines(void **state)
{
    struct machine *machine = *state;

    list(machine, answer);
    assert_int_equal(json_array_size(machine->list), 3);
    assert_string_equal(text(machine, 0, "name"), "gpiochip0");
    assert_non_null(strstr(text(machine, 0, "summary"), "pinctrl, 4 lines"));
    assert_string_equal(text(machine, 1, "name"), "DRDY");
    assert_string_equal(text(machine, 1, "summary"), "gpiochip0 line 0, input");
    assert_string_equal(text(machine, 2, "name"), "LED");
}

static void test_list_gpio_used_line_is_not_to_be_had(void **state)
{
    struct machine *machine = *state;

    list(machine, answer);
    assert_string_equal(text(machine, 2, "summary"),
                        "gpiochip0 line 2, output, used by led0");
    assert_true(json_is_false(
        json_object_get(json_array_get(machine->list, 2), "may_open")));
    assert_true(json_is_true(
        json_object_get(json_array_get(machine->list, 1), "may_open")));
}

static void test_list_gpio_silent_chip_has_no_lines(void **state)
{
    struct machine *machine = *state;

    list(machine, refuse);
    assert_int_equal(json_array_size(machine->list), 1);
    assert_string_equal(text(machine, 0, "name"), "gpiochip0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list_gpio_names_lines, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_list_gpio_used_line_is_not_to_be_had, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_gpio_silent_chip_has_no_lines,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
