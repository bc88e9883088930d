/* The list as a table: a section for each kind, a line for each thing, and
 * below it what keeps this user from it. */
#include <string.h>

#include "daemon/list.h"

struct section {
    const char *kind;
    const char *title;
    const char *none; /* what to say instead of nothing */
};

static const struct section sections[] = {
    {"can", "CAN interfaces",
     "none; `ip link add vcan0 type vcan` makes a virtual one"},
    {"spi", "SPI devices", "none with a /dev/spidevB.C"},
    {"gpio", "GPIO chips, and lines by name", "none"},
    {"net", "Network interfaces", "none"},
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_of(const json_t *object, const struct section *section)
{
    return strcmp(text_of(object, "kind"), section->kind) == 0;
}

static int width_of(const json_t *list, const struct section *section,
                    const char *key)
{
    size_t width = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        size_t length = strlen(text_of(object, key));

        if (is_of(object, section) && length > width)
            width = length;
    }
    return (int)width;
}

static void print_object(const json_t *object, int name_width,
                         int summary_width, FILE *to)
{
    const char *device = text_of(object, "device");
    const char *advice = text_of(object, "advice");

    fprintf(to, "  %-*s  ", name_width, text_of(object, "name"));
    if (device[0])
        fprintf(to, "%-*s  -d %s\n", summary_width, text_of(object, "summary"),
                device);
    else
        fprintf(to, "%s\n", text_of(object, "summary"));
    if (advice[0])
        fprintf(to, "  %*s  %s%s\n", name_width, "",
                json_is_true(json_object_get(object, "may_open"))
                    ? ""
                    : "not for this user: ",
                advice);
}

static void print_section(const json_t *list, const struct section *section,
                          FILE *to)
{
    int name_width = width_of(list, section, "name");
    int summary_width = width_of(list, section, "summary");

    fprintf(to, "%s:\n", section->title);
    if (name_width == 0)
        fprintf(to, "  %s\n", section->none);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);

        if (is_of(object, section))
            print_object(object, name_width, summary_width, to);
    }
}

void aw_list_print(const json_t *list, FILE *to)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        print_section(list, &sections[i], to);
}
