#include "daemon/ctl/scripts.h"

#include <string.h>

#include "daemon/ctl/latency.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

/* How it is, in at most 16 characters: what it does in brief. */
static void fill_state(char cell[AW_CTL_CELL_MAX], const json_t *line)
{
    const char *state = aw_ctl_text(line, "state");
    double wait_s = json_number_value(json_object_get(line, "wait_s"));

    if (json_is_true(json_object_get(line, "reloading")))
        aw_ctl_cell(cell, "reloading");
    else if (json_is_true(json_object_get(line, "stopping")))
        aw_ctl_cell(cell, "stopping");
    else if (wait_s > 0)
        snprintf(cell, AW_CTL_CELL_MAX, "%s %.0fs", state, wait_s);
    else
        aw_ctl_cell(cell, state);
}

static void fill_exit(char cell[AW_CTL_CELL_MAX], const json_t *line)
{
    json_int_t status =
        json_integer_value(json_object_get(line, "exit_status"));

    if (status < 0)
        aw_ctl_cell(cell, "-");
    else
        aw_ctl_cell_count(cell, (uint64_t)status);
}

static const json_t *before(const json_t *list, const json_t *line)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(aw_ctl_text(json_array_get(list, i), "name"),
                    aw_ctl_text(line, "name")))
            return json_array_get(list, i);
    return NULL;
}

/* The turns that have ended, and for a loop that is blocked the present one. */
static double busy_s(const json_t *line)
{
    const json_t *turns = json_object_get(line, "turns");

    return (double)aw_ctl_count(turns, "busy_ns") / 1e9 +
           json_number_value(json_object_get(turns, "now_s"));
}

static void fill_busy(char cell[AW_CTL_CELL_MAX], const json_t *now,
                      const json_t *then, double seconds)
{
    double busy = then && seconds > 0 ? busy_s(now) - busy_s(then) : -1;

    if (busy < 0)
        aw_ctl_cell(cell, "-");
    else
        snprintf(cell, AW_CTL_CELL_MAX, "%.0f%%",
                 busy < seconds ? 100 * busy / seconds : 100.);
}

static void fill_row(struct aw_ctl_row *row, const json_t *line)
{
    static const char *const paths[] = {"generation", "restarts", "reloads",
                                        "failed_reloads"};
    size_t column = 2;

    aw_ctl_cell_name(row->cells[0], aw_ctl_text(line, "name"), 16);
    fill_state(row->cells[1], line);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        aw_ctl_cell_count(row->cells[column++], aw_ctl_count(line, paths[i]));
    fill_exit(row->cells[column++], line);
    aw_ctl_cell_count(row->cells[column++], aw_ctl_count(line, "turns.stalls"));
    aw_ctl_cell_time(row->cells[column++],
                     aw_ctl_count(line, "turns.longest_ns"));
    aw_ctl_cell_count(row->cells[column], aw_ctl_count(line, "dropped_lines"));
}

void aw_ctl_scripts_table(const json_t *list, const json_t *then,
                          double seconds, int width, FILE *to)
{
    static const char *const heads[] = {
        "<script", "<state", "gen",     "restarts",   "reloads", "failed",
        "exit",    "stalls", "longest", "lines lost", "busy",    NULL};
    static const char *const heads_once[] = {
        "<script", "<state", "gen",     "restarts",   "reloads", "failed",
        "exit",    "stalls", "longest", "lines lost", NULL};
    struct aw_ctl_table table = {.heads = then ? heads : heads_once,
                                 .gap = then ? " " : NULL};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);
        struct aw_ctl_row *row = aw_ctl_table_add(&table);

        fill_row(row, line);
        fill_busy(row->cells[10], line, before(then, line), seconds);
    }
    aw_ctl_table_print(&table, width, to);
    aw_ctl_table_free(&table);
}

/* Errors are long, and their ends matter: each has its own line. */
void aw_ctl_show_scripts(const json_t *result)
{
    const json_t *list = json_object_get(result, "scripts");

    aw_ctl_scripts_table(list, NULL, 0, aw_ctl_width(), stdout);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);
        const char *error = aw_ctl_text(line, "last_error");

        if (!error[0])
            continue;
        putchar('\n');
        aw_ctl_print_text(aw_ctl_text(line, "name"), stdout);
        fputs(": last error: ", stdout);
        aw_ctl_print_text(error, stdout);
        putchar('\n');
    }
}
