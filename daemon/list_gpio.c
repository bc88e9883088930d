/* GPIO: the chips, and of each chip that this user may open its lines with a
 * name. The names come by the GPIO uAPI v2 (linux/gpio.h): sysfs has none. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/gpio.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "daemon/list.h"

#define DEVICES "/sys/bus/gpio/devices"

/* A chip asked for its lines. */
struct chip {
    const struct aw_list_root *root;
    const char *name; /* "gpiochip0" */
    int fd;
    struct gpiochip_info info;
};

static bool is_used(const struct gpio_v2_line_info *line)
{
    return (line->flags & GPIO_V2_LINE_FLAG_USED) != 0;
}

static int add_line(const struct chip *chip,
                    const struct gpio_v2_line_info *line, json_t *list)
{
    char summary[AW_LIST_SUMMARY] = "";
    struct aw_listed listed = {
        .kind = "gpio", .name = line->name, .may_open = !is_used(line)};
    json_t *object;
    int result;

    aw_list_say(summary, sizeof(summary), "%s line %u", chip->name,
                line->offset);
    aw_list_say(summary, sizeof(summary), "%s",
                line->flags & GPIO_V2_LINE_FLAG_OUTPUT ? "output" : "input");
    if (is_used(line)) {
        aw_list_say(summary, sizeof(summary), "used by %s",
                    line->consumer[0] ? line->consumer : "the kernel");
        listed.advice = "somebody has it: only one can";
    }
    listed.summary = summary;
    result = aw_list_add(list, &listed, &object);
    if (result == 0 &&
        (json_object_set_new(object, "chip", json_string(chip->name)) < 0 ||
         json_object_set_new(object, "line", json_integer(line->offset)) < 0 ||
         json_object_set_new(object, "used", json_boolean(is_used(line))) < 0))
        result = -ENOMEM;
    return result;
}

static int add_lines(const struct chip *chip, json_t *list)
{
    int result = 0;

    for (uint32_t i = 0; result == 0 && i < chip->info.lines; i++) {
        struct gpio_v2_line_info line = {.offset = i};

        if (chip->root->control(chip->fd, GPIO_V2_GET_LINEINFO_IOCTL, &line) <
            0)
            continue;
        line.name[sizeof(line.name) - 1] = '\0';
        line.consumer[sizeof(line.consumer) - 1] = '\0';
        if (line.name[0])
            result = add_line(chip, &line, list);
    }
    return result;
}

/* Opens the chip, and fills in `info`; -1 if it is none that answers. */
static int open_chip(struct chip *chip, const char *node)
{
    int fd = open(node, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (chip->root->control(fd, GPIO_GET_CHIPINFO_IOCTL, &chip->info) < 0) {
        close(fd);
        return -1;
    }
    chip->info.label[sizeof(chip->info.label) - 1] = '\0';
    return fd;
}

static int add_chip(const struct chip *chip, const char *node, json_t *list)
{
    char summary[AW_LIST_SUMMARY] = "", advice[320];
    struct aw_listed listed = {.kind = "gpio", .name = chip->name};
    json_t *object;
    int result;

    aw_list_say(summary, sizeof(summary), "%s", node);
    if (chip->fd >= 0)
        aw_list_say(summary, sizeof(summary), "%s, %u lines", chip->info.label,
                    chip->info.lines);
    listed.summary = summary;
    listed.may_open = aw_list_may_open(node, advice, sizeof(advice));
    listed.advice = listed.may_open ? NULL : advice;
    result = aw_list_add(list, &listed, &object);
    if (result == 0 &&
        (json_object_set_new(object, "chip", json_string(chip->name)) < 0 ||
         json_object_set_new(object, "node", json_string(node)) < 0))
        result = -ENOMEM;
    return result;
}

static int visit(const struct aw_list_root *root, const char *name,
                 json_t *list)
{
    struct chip chip = {.root = root, .name = name};
    char node[PATH_MAX];
    int result;

    if (strncmp(name, "gpiochip", strlen("gpiochip")) != 0)
        return 0;
    snprintf(node, sizeof(node), "%s/dev/%s", root->path, name);
    chip.fd = open_chip(&chip, node);
    result = add_chip(&chip, node, list);
    if (chip.fd < 0)
        return result;
    if (result == 0)
        result = add_lines(&chip, list);
    close(chip.fd);
    return result;
}

int aw_list_gpio(const struct aw_list_root *root, json_t *list)
{
    return aw_list_each(root, DEVICES, visit, list);
}
