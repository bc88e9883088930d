#include "daemon/ctl/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

struct picture {
    json_t *status, *devices, *queues;
};

static void free_picture(struct picture *picture)
{
    json_decref(picture->status);
    json_decref(picture->devices);
    json_decref(picture->queues);
    *picture = (struct picture){NULL, NULL, NULL};
}

static int take_picture(struct aw_ctl_link *link, struct picture *ret_picture)
{
    struct picture picture = {NULL, NULL, NULL};
    int status = aw_ctl_ask_for(link, "status", &picture.status);

    if (status == AW_CTL_OK)
        status = aw_ctl_ask_for(link, "devices", &picture.devices);
    if (status == AW_CTL_OK)
        status = aw_ctl_ask_for(link, "queues", &picture.queues);
    if (status == AW_CTL_OK)
        *ret_picture = picture;
    else
        free_picture(&picture);
    return status;
}

/* ---- rates ---- */

static bool same(const json_t *one, const json_t *other, const char *key)
{
    return !strcmp(aw_ctl_text(one, key), aw_ctl_text(other, key));
}

/* The same line in the picture before, or NULL. Retired queues of its name are
 * before it in the list. */
static const json_t *before(const json_t *list, const json_t *line,
                            const char *device_key)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *candidate = json_array_get(list, i);

        if (same(candidate, line, "name") && same(candidate, line, "script") &&
            same(candidate, line, device_key))
            return candidate;
    }
    return NULL;
}

static void fill_rate(char cell[AW_CTL_CELL_MAX], const json_t *now,
                      const json_t *then, const char *path, double seconds)
{
    uint64_t count = aw_ctl_count(now, path), old = aw_ctl_count(then, path);

    if (!then || seconds <= 0 || count < old)
        aw_ctl_cell(cell, "-");
    else
        aw_ctl_cell_count(cell,
                          (uint64_t)((double)(count - old) / seconds + 0.5));
}

static double seconds_between(const struct picture *then,
                              const struct picture *now)
{
    uint64_t from = aw_ctl_count(then->queues, "monotonic_ns");
    uint64_t to = aw_ctl_count(now->queues, "monotonic_ns");

    return then->queues && to > from ? (double)(to - from) / 1e9 : 0;
}

/* ---- the picture ---- */

/* Names have no more room than this, so that 80 columns hold a line. */
static void fill_name(char cell[AW_CTL_CELL_MAX], const char *text, size_t room)
{
    aw_ctl_cell(cell, text[0] ? text : "-");
    if (strlen(cell) > room) {
        cell[room - 1] = '~';
        cell[room] = '\0';
    }
}

static void fill_counts(struct aw_ctl_row *row, size_t column,
                        const json_t *line, const char *const *paths)
{
    for (; *paths; paths++)
        aw_ctl_cell_count(row->cells[column++], aw_ctl_count(line, *paths));
}

static void add_queue(struct aw_ctl_table *table, const json_t *line,
                      const json_t *then, double seconds)
{
    static const char *const paths[] = {
        "pending",        "high_water",       "depth",
        "dropped.kernel", "dropped.overflow", NULL};
    struct aw_ctl_row *row = aw_ctl_table_add(table);

    fill_name(row->cells[0], aw_ctl_text(line, "device"), 10);
    fill_name(row->cells[1], aw_ctl_text(line, "name"), 8);
    fill_name(row->cells[2], aw_ctl_text(line, "script"), 11);
    fill_rate(row->cells[3], line, then, "received", seconds);
    fill_rate(row->cells[4], line, then, "delivered", seconds);
    fill_counts(row, 5, line, paths);
    aw_ctl_cell_count(row->cells[10], aw_ctl_count(line, "dropped.cleared") +
                                          aw_ctl_count(line, "dropped.closed"));
}

static void draw_queues(const struct picture *then, const struct picture *now,
                        int width)
{
    static const char *const heads[] = {"<device", "<queue", "<script", "in/s",
                                        "out/s",   "pend",   "high",    "depth",
                                        "kern",    "over",   "other",   NULL};
    const json_t *list = json_object_get(now->queues, "queues");
    const json_t *old = json_object_get(then->queues, "queues");
    /* 79 columns at most. */
    struct aw_ctl_table table = {.heads = heads, .gap = " "};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);

        if (json_is_true(json_object_get(line, "open")))
            add_queue(&table, line, before(old, line, "device"),
                      seconds_between(then, now));
    }
    aw_ctl_table_print(&table, width, stdout);
    aw_ctl_table_free(&table);
}

static void draw_devices(const struct picture *then, const struct picture *now,
                         int width)
{
    static const char *const heads[] = {"<device", "<driver", "<state",
                                        "<bus",    "sent/s",  "to send",
                                        "failed",  "lost",    NULL};
    static const char *const paths[] = {"send.pending", "send.failed",
                                        "link.lost", NULL};
    const json_t *list = json_object_get(now->devices, "devices");
    const json_t *old = json_object_get(then->devices, "devices");
    struct aw_ctl_table table = {.heads = heads};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);
        struct aw_ctl_row *row = aw_ctl_table_add(&table);

        fill_name(row->cells[0], aw_ctl_text(line, "name"), 16);
        fill_name(row->cells[1], aw_ctl_text(line, "driver"), 8);
        fill_name(row->cells[2], aw_ctl_text(line, "link.state"), 8);
        fill_name(row->cells[3], aw_ctl_text(line, "link.bus"), 13);
        fill_rate(row->cells[4], line, before(old, line, "driver"), "send.sent",
                  seconds_between(then, now));
        fill_counts(row, 5, line, paths);
    }
    aw_ctl_table_print(&table, width, stdout);
    aw_ctl_table_free(&table);
}

static void draw(const struct picture *then, const struct picture *now)
{
    int width = aw_ctl_width();

    /* Home, and clear what is below: what was drawn before scrolls away on no
     * terminal, and stays when the program ends. */
    if (width > 0)
        fputs("\033[H\033[J", stdout);
    aw_ctl_show_head(now->status);
    putchar('\n');
    draw_devices(then, now, width);
    putchar('\n');
    draw_queues(then, now, width);
}

static void print_json(const struct picture *now)
{
    json_t *all = json_pack("{s:O, s:O, s:O}", "status", now->status, "devices",
                            json_object_get(now->devices, "devices"), "queues",
                            json_object_get(now->queues, "queues"));

    json_object_set(all, "monotonic_ns",
                    json_object_get(now->queues, "monotonic_ns"));
    json_dumpf(all, stdout, JSON_COMPACT);
    json_decref(all);
}

static void wait_s(double seconds)
{
    struct timespec rest = {
        .tv_sec = (time_t)seconds,
        .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (nanosleep(&rest, &rest) < 0)
        ;
}

int aw_ctl_top(struct aw_ctl_link *link, bool json, unsigned long rounds,
               double interval_s)
{
    struct picture then = {NULL, NULL, NULL}, now;
    int status = AW_CTL_OK;

    for (unsigned long round = 0; rounds == 0 || round < rounds; round++) {
        if (round > 0)
            wait_s(interval_s);
        status = take_picture(link, &now);
        if (status != AW_CTL_OK)
            break;
        if (json)
            print_json(&now);
        else
            draw(&then, &now);
        if (json || aw_ctl_width() == 0)
            putchar('\n');
        if (fflush(stdout) != 0)
            rounds = 1;
        free_picture(&then);
        then = now;
    }
    free_picture(&then);
    return status;
}
