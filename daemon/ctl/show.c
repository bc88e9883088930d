#include "daemon/ctl/show.h"

#include <stdio.h>
#include <string.h>

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
};

/* Texts go to the left. */
static void fill_cell(char cell[AW_CTL_CELL_MAX], const json_t *value)
{
    if (json_is_string(value))
        aw_ctl_cell(cell, json_string_value(value));
    else if (json_is_boolean(value))
        aw_ctl_cell(cell, json_is_true(value) ? "yes" : "NO");
    else
        snprintf(cell, AW_CTL_CELL_MAX, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
    if (cell[0] == '\0')
        aw_ctl_cell(cell, "-");
}

static void print_list(const json_t *list, const struct column *columns)
{
    const char *heads[AW_CTL_COLUMNS_MAX + 1] = {NULL};
    struct aw_ctl_table table = {.heads = heads};

    for (size_t i = 0; columns[i].head; i++)
        heads[i] = columns[i].head;
    for (size_t j = 0; j < json_array_size(list); j++) {
        struct aw_ctl_row *row = aw_ctl_table_add(&table);

        for (size_t i = 0; columns[i].head; i++)
            fill_cell(row->cells[i],
                      find(json_array_get(list, j), columns[i].path));
    }
    aw_ctl_table_print(&table, 0, stdout);
    aw_ctl_table_free(&table);
}

void aw_ctl_show_devices(const json_t *result)
{
    static const struct column columns[] = {
        {"<device", "name"},
        {"<driver", "driver"},
        {"<state", "link.state"},
        {"<bus", "link.bus"},
        {"queues", "queues"},
        {"submitted", "send.submitted"},
        {"sent", "send.sent"},
        {"failed", "send.failed"},
        {"lost", "link.lost"},
        {"<why", "link.failure"},
        {NULL, NULL},
    };

    print_list(json_object_get(result, "devices"), columns);
}

void aw_ctl_show_queues(const json_t *result)
{
    static const struct column columns[] = {
        {"<device", "device"},
        {"<queue", "name"},
        {"<script", "script"},
        {"received", "received"},
        {"filtered", "filtered"},
        {"delivered", "delivered"},
        {"pending", "pending"},
        {"high", "high_water"},
        {"depth", "depth"},
        {"kernel", "dropped.kernel"},
        {"overflow", "dropped.overflow"},
        {"cleared", "dropped.cleared"},
        {"closed", "dropped.closed"},
        {"<exact", "exact"},
    };
    struct column all[AW_CTL_COLUMNS_MAX + 1] = {{NULL, NULL}};

    memcpy(all, columns, sizeof(columns));
    print_list(json_object_get(result, "queues"), all);
}

void aw_ctl_show_scripts(const json_t *result)
{
    static const struct column columns[] = {
        {"<script", "name"},
        {"<state", "state"},
        {"generation", "generation"},
        {"restarts", "restarts"},
        {"reloads", "reloads"},
        {"failed reloads", "failed_reloads"},
        {"exit", "exit_status"},
        {"stalls", "turns.stalls"},
        {"lines lost", "dropped_lines"},
        {"<last error", "last_error"},
        {NULL, NULL},
    };

    print_list(json_object_get(result, "scripts"), columns);
}

static unsigned long long number(const json_t *object, const char *path)
{
    return aw_ctl_count(object, path);
}

void aw_ctl_show_head(const json_t *result)
{
    unsigned long long up_s =
        (unsigned long long)json_number_value(json_object_get(result, "up_s"));
    bool exact = json_is_true(json_object_get(result, "exact"));
    bool lossless = json_is_true(json_object_get(result, "lossless"));

    printf("awaitd %s, process %llu, up %llu:%02llu:%02llu, ledger %s, %s\n",
           aw_ctl_text(result, "version"), number(result, "pid"), up_s / 3600,
           up_s / 60 % 60, up_s % 60, exact ? "exact" : "NOT EXACT",
           lossless ? "nothing lost" : "frames lost");
}

void aw_ctl_show_status(const json_t *result)
{
    aw_ctl_show_head(result);
    printf("devices: %llu, open queues: %llu\n", number(result, "devices"),
           number(result, "queues"));
    printf("socket: %s, clients: %llu, dropped: %llu\n",
           aw_ctl_text(result, "socket"), number(result, "clients"),
           number(result, "dropped_clients"));
}

void aw_ctl_show_metrics(const json_t *result)
{
    fputs(aw_ctl_text(result, "text"), stdout);
}
