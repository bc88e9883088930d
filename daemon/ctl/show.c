#include "daemon/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/ctl/latency.h"
#include "daemon/ctl/table.h"

/* ---- members ---- */

static const json_t *find(const json_t *object, const char *path)
{
    while (object && *path) {
        size_t length = strcspn(path, ".");

        object = json_object_getn(object, path, length);
        path += length + (path[length] == '.');
    }
    return object;
}

const char *aw_ctl_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(find(object, path));

    return text ? text : "";
}

uint64_t aw_ctl_count(const json_t *object, const char *path)
{
    return (uint64_t)json_integer_value(find(object, path));
}

/* ---- tables ---- */

struct column {
    const char *head;
    const char *path;
    const char *narrow; /* its head where there is little room; NULL: it has
                           none */
    size_t room;        /* for a name there */
};

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), of_end = strlen(end);

    return length >= of_end && !strcmp(text + length - of_end, end);
}

static void fill_number(char cell[AW_CTL_CELL_MAX], const struct column *column,
                        uint64_t value, bool narrow)
{
    if (ends_in(column->path, "_ns"))
        aw_ctl_cell_time(cell, value);
    else if (narrow)
        aw_ctl_cell_count(cell, value);
    else
        snprintf(cell, AW_CTL_CELL_MAX, "%" PRIu64, value);
}

static void fill_cell(char cell[AW_CTL_CELL_MAX], const struct column *column,
                      const json_t *line, bool narrow)
{
    const json_t *value = find(line, column->path);

    if (json_is_string(value))
        aw_ctl_cell_name(cell, json_string_value(value),
                         narrow && column->room > 0 ? column->room
                                                    : AW_CTL_CELL_MAX - 1);
    else if (json_is_boolean(value))
        aw_ctl_cell(cell, json_is_true(value) ? "yes" : "NO");
    else
        fill_number(cell, column, (uint64_t)json_integer_value(value), narrow);
}

/* The columns that a table has, with their heads. */
static size_t choose(const struct column *columns, bool narrow,
                     const struct column *ret_chosen[AW_CTL_COLUMNS_MAX],
                     const char *ret_heads[AW_CTL_COLUMNS_MAX + 1])
{
    size_t count = 0;

    for (; columns->head; columns++) {
        if (narrow && !columns->narrow)
            continue;
        ret_chosen[count] = columns;
        ret_heads[count++] = narrow ? columns->narrow : columns->head;
    }
    ret_heads[count] = NULL;
    return count;
}

/* False if it does not fit; then nothing is printed. */
static bool try_list(const json_t *list, const struct column *columns,
                     bool narrow, int width)
{
    const struct column *chosen[AW_CTL_COLUMNS_MAX];
    const char *heads[AW_CTL_COLUMNS_MAX + 1];
    size_t count = choose(columns, narrow, chosen, heads);
    struct aw_ctl_table table = {.heads = heads, .gap = narrow ? " " : NULL};
    bool fits;

    for (size_t j = 0; j < json_array_size(list); j++) {
        struct aw_ctl_row *row = aw_ctl_table_add(&table);

        for (size_t i = 0; i < count; i++)
            fill_cell(row->cells[i], chosen[i], json_array_get(list, j),
                      narrow);
    }
    fits = width == 0 || aw_ctl_table_width(&table) <= width;
    if (fits || narrow)
        aw_ctl_table_print(&table, width, stdout);
    aw_ctl_table_free(&table);
    return fits;
}

/* In full, but for a terminal that has too little room. */
static void print_list(const json_t *list, const struct column *columns)
{
    int width = aw_ctl_width();

    if (!try_list(list, columns, false, width))
        (void)try_list(list, columns, true, width);
}

void aw_ctl_show_devices(const json_t *result)
{
    static const struct column columns[] = {
        {"<device", "name", "<device", 12},
        {"<driver", "driver", "<driver", 8},
        {"<state", "link.state", "<state", 7},
        {"<bus", "link.bus", "<bus", 13},
        {"queues", "queues", "queues", 0},
        {"submitted", "send.submitted", NULL, 0},
        {"sent", "send.sent", "sent", 0},
        {"failed", "send.failed", "failed", 0},
        {"lost", "link.lost", "lost", 0},
        {"<why", "link.failure", "<why", 20},
        {NULL, NULL, NULL, 0},
    };

    print_list(json_object_get(result, "devices"), columns);
}

void aw_ctl_show_queues(const json_t *result)
{
    static const struct column columns[] = {
        {"<device", "device", "<device", 8},
        {"<queue", "name", "<queue", 8},
        {"<script", "script", "<script", 7},
        {"received", "received", "in", 0},
        {"filtered", "filtered", "filt", 0},
        {"delivered", "delivered", "out", 0},
        {"pending", "pending", "pend", 0},
        {"high", "high_water", "high", 0},
        {"depth", "depth", "depth", 0},
        {"kernel", "dropped.kernel", "kern", 0},
        {"overflow", "dropped.overflow", "over", 0},
        {"cleared", "dropped.cleared", NULL, 0},
        {"closed", "dropped.closed", NULL, 0},
        {"p50", "latency.script.p50_ns", NULL, 0},
        {"p99", "latency.script.p99_ns", "p99", 0},
        {"max", "latency.script.max_ns", NULL, 0},
        {"<exact", "exact", NULL, 0},
        {NULL, NULL, NULL, 0},
    };

    print_list(json_object_get(result, "queues"), columns);
}

static unsigned long long number(const json_t *object, const char *path)
{
    return aw_ctl_count(object, path);
}

void aw_ctl_show_head(const json_t *result, FILE *to)
{
    unsigned long long up_s =
        (unsigned long long)json_number_value(json_object_get(result, "up_s"));
    bool exact = json_is_true(json_object_get(result, "exact"));
    bool lossless = json_is_true(json_object_get(result, "lossless"));

    fprintf(to,
            "awaitd %s, process %llu, up %llu:%02llu:%02llu, ledger %s, %s\n",
            aw_ctl_text(result, "version"), number(result, "pid"), up_s / 3600,
            up_s / 60 % 60, up_s % 60, exact ? "exact" : "NOT EXACT",
            lossless ? "nothing lost" : "frames lost");
}

void aw_ctl_show_status(const json_t *result)
{
    aw_ctl_show_head(result, stdout);
    printf("devices: %llu, open queues: %llu, scripts: %llu of %llu run\n",
           number(result, "devices"), number(result, "queues"),
           number(result, "running"), number(result, "scripts"));
    printf("socket: %s, clients: %llu, dropped: %llu\n",
           aw_ctl_text(result, "socket"), number(result, "clients"),
           number(result, "dropped_clients"));
}

void aw_ctl_show_metrics(const json_t *result)
{
    fputs(aw_ctl_text(result, "text"), stdout);
}
