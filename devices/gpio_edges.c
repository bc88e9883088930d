#include "devices/gpio_edges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/chardev.h"

#define CHIP_PATH_BYTES 64

/* How to become one who may open it. */
#define JOIN                                                                   \
    "; join it by `adduser USER GROUP`, or by SupplementaryGroups= of the "    \
    "systemd unit"

/* Chips that are searched for a name. */
#define CHIPS_MAX 64u

/* ---- which line ---- */

struct place {
    char chip[CHIP_PATH_BYTES]; /* as /dev/gpiochip0 */
    uint32_t offset;
};

/* CHIP:OFFSET. A name may have a colon in it, but then no chip before it. */
static bool parse_place(const char *text, struct place *place)
{
    const char *colon = strrchr(text, ':');
    const char *path = strncmp(text, "/dev/", 5) == 0 ? text + 5 : text;
    unsigned long offset;
    char *end;

    if (!colon || strncmp(path, "gpiochip", 8) != 0 ||
        colon - path > CHIP_PATH_BYTES - 8 || colon[1] < '0' || colon[1] > '9')
        return false;
    offset = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || offset > UINT32_MAX)
        return false;
    snprintf(place->chip, sizeof(place->chip), "/dev/%.*s", (int)(colon - path),
             path);
    place->offset = (uint32_t)offset;
    return true;
}

/* Opens the `index`-th chip. */
static int open_chip(uint32_t index, char path[CHIP_PATH_BYTES])
{
    snprintf(path, CHIP_PATH_BYTES, "/dev/gpiochip%u", (unsigned)index);
    return aw_chardev_open(path);
}

/* Appends the lines of an open chip that have this name to what was found. */
static void search_chip(int fd, const char *path, const char *name,
                        struct place *place, uint32_t *found)
{
    struct gpiochip_info chip = {.lines = 0};

    if (aw_chardev_ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &chip) < 0)
        return;
    for (uint32_t offset = 0; offset < chip.lines; offset++) {
        struct gpio_v2_line_info info = {.offset = offset};

        if (aw_chardev_ioctl(fd, GPIO_V2_GET_LINEINFO_IOCTL, &info) < 0 ||
            strncmp(info.name, name, sizeof(info.name)) != 0)
            continue;
        if ((*found)++ == 0) {
            snprintf(place->chip, sizeof(place->chip), "%s", path);
            place->offset = offset;
        }
    }
}

struct search {
    uint32_t found;   /* lines of that name */
    uint32_t refused; /* chips that may not be opened */
};

static struct search search_chips(const char *name, struct place *place)
{
    struct search search = {0, 0};

    for (uint32_t i = 0; i < CHIPS_MAX; i++) {
        char path[CHIP_PATH_BYTES];
        int fd = open_chip(i, path);

        if (fd == -EACCES || fd == -EPERM)
            search.refused++;
        if (fd < 0)
            continue;
        search_chip(fd, path, name, place, &search.found);
        close(fd);
    }
    return search;
}

static int find_line(const char *name, const char *text, struct place *place,
                     struct aw_error *error)
{
    struct search search;

    if (parse_place(text, place))
        return 0;
    search = search_chips(text, place);
    if (search.found == 1)
        return 0;
    if (search.found > 1)
        return aw_error_set(error, EINVAL,
                            "device %s: %u GPIO lines are called \"%s\": say "
                            "which, as gpiochipN:OFFSET (`gpioinfo` lists "
                            "them)",
                            name, (unsigned)search.found, text);
    if (search.refused > 0)
        return aw_error_set(error, EACCES,
                            "device %s: this user may not open %u of the GPIO "
                            "chips, and the others have no line \"%s\": `ls "
                            "-l /dev/gpiochip*` names the group that may "
                            "(often gpio)" JOIN,
                            name, (unsigned)search.refused, text);
    return aw_error_set(error, ENOENT,
                        "device %s: there is no GPIO line \"%s\": `gpioinfo` "
                        "lists those there are; one without a name is "
                        "gpiochipN:OFFSET",
                        name, text);
}

/* ---- requesting it ---- */

static uint64_t line_flags(const struct aw_gpio_settings *settings)
{
    static const uint64_t edges[] = {
        [AW_GPIO_RISING] = GPIO_V2_LINE_FLAG_EDGE_RISING,
        [AW_GPIO_FALLING] = GPIO_V2_LINE_FLAG_EDGE_FALLING,
        [AW_GPIO_BOTH] =
            GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING,
    };
    static const uint64_t biases[] = {
        [AW_GPIO_BIAS_AS_IS] = 0,
        [AW_GPIO_BIAS_PULL_UP] = GPIO_V2_LINE_FLAG_BIAS_PULL_UP,
        [AW_GPIO_BIAS_PULL_DOWN] = GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN,
        [AW_GPIO_BIAS_DISABLED] = GPIO_V2_LINE_FLAG_BIAS_DISABLED,
    };

    return GPIO_V2_LINE_FLAG_INPUT | edges[settings->edge] |
           biases[settings->bias];
}

/* Who has the line, if the kernel says so. */
static void find_user(int chip, const struct place *place, char *text,
                      size_t size)
{
    struct gpio_v2_line_info info = {.offset = place->offset};

    if (aw_chardev_ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info) == 0 &&
        info.consumer[0] != '\0')
        snprintf(text, size, "\"%.31s\"", info.consumer);
    else
        snprintf(text, size, "another user");
}

static int refuse_line(const char *name, int chip, const struct place *place,
                       int code, struct aw_error *error)
{
    char user[48];

    if (code == EBUSY) {
        find_user(chip, place, user, sizeof(user));
        return aw_error_set(error, code,
                            "device %s: line %u of %s is in use by %s", name,
                            (unsigned)place->offset, place->chip, user);
    }
    if (code == EINVAL)
        return aw_error_set(error, code,
                            "device %s: %s has no line %u that can be an "
                            "input with this `edge` and `bias`",
                            name, place->chip, (unsigned)place->offset);
    if (code == ENOTTY)
        return aw_error_set(error, code,
                            "device %s: %s is no GPIO chip of a kernel from "
                            "5.10 on",
                            name, place->chip);
    return aw_error_set(error, code,
                        "device %s: cannot watch line %u of %s: %s", name,
                        (unsigned)place->offset, place->chip, strerror(code));
}

static int request_line(struct aw_gpio_line *line, const char *name, int chip,
                        const struct place *place,
                        const struct aw_gpio_settings *settings,
                        struct aw_error *error)
{
    struct gpio_v2_line_request request = {
        .offsets = {place->offset},
        .consumer = "awaitd",
        .config = {.flags = line_flags(settings)},
        .num_lines = 1,
        .event_buffer_size = AW_GPIO_EDGES_HELD,
    };
    int result = aw_chardev_ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request);

    if (result < 0)
        return refuse_line(name, chip, place, -result, error);
    *line = (struct aw_gpio_line){.fd = request.fd, .edge = settings->edge};
    result = fcntl(line->fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (result == 0)
        return 0;
    aw_gpio_line_deinit(line);
    return refuse_line(name, chip, place, -result, error);
}

static int explain_chip(const char *name, const char *path, int code,
                        struct aw_error *error)
{
    if (code == EACCES || code == EPERM)
        return aw_error_set(error, code,
                            "device %s: this user may not open %s: `ls -l %s` "
                            "names the group that may (often gpio)" JOIN,
                            name, path, path);
    return aw_error_set(error, code, "device %s: cannot open %s: %s", name,
                        path, strerror(code));
}

int aw_gpio_line_init(struct aw_gpio_line *line, const char *name,
                      const struct aw_gpio_settings *settings,
                      struct aw_error *error)
{
    struct place place;
    int result = find_line(name, settings->line, &place, error);
    int chip;

    if (result < 0)
        return result;
    chip = aw_chardev_open(place.chip);
    if (chip < 0)
        return explain_chip(name, place.chip, -chip, error);
    result = request_line(line, name, chip, &place, settings, error);
    close(chip);
    return result;
}

void aw_gpio_line_deinit(struct aw_gpio_line *line)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
}

/* ---- its edges ---- */

int aw_gpio_line_read(struct aw_gpio_line *line,
                      struct aw_gpio_event events[AW_GPIO_EDGES_BATCH])
{
    struct gpio_v2_line_event edges[AW_GPIO_EDGES_BATCH];
    ssize_t bytes = read(line->fd, edges, sizeof(edges));
    int count;

    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    /* An end, where there can be none: the line is gone. */
    if (bytes == 0)
        return -ENODEV;
    count = (int)((size_t)bytes / sizeof(edges[0]));
    for (int i = 0; i < count; i++) {
        events[i].monotonic_ns = edges[i].timestamp_ns;
        /* Unsigned: the numbers wrap. */
        events[i].missed = edges[i].line_seqno - line->seqno - 1;
        line->seqno = edges[i].line_seqno;
    }
    return count;
}

bool aw_gpio_line_asserted(const struct aw_gpio_line *line)
{
    struct gpio_v2_line_values values = {.mask = 1};

    if (line->edge == AW_GPIO_BOTH ||
        aw_chardev_ioctl(line->fd, GPIO_V2_LINE_GET_VALUES_IOCTL, &values) < 0)
        return false;
    return (values.bits & 1) == (line->edge == AW_GPIO_RISING);
}
