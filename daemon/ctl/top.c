#include "daemon/ctl/top.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/latency.h"
#include "daemon/ctl/scripts.h"
#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

struct picture {
    json_t *status, *devices, *queues, *scripts;
};

static void free_picture(struct picture *picture)
{
    json_decref(picture->status);
    json_decref(picture->devices);
    json_decref(picture->queues);
    json_decref(picture->scripts);
    *picture = (struct picture){0};
}

static int take_picture(struct aw_ctl_link *link, struct picture *ret_picture)
{
    struct picture picture = {0};
    int status = aw_ctl_ask_for(link, "status", &picture.status);

    if (status == AW_CTL_OK)
        status = aw_ctl_ask_for(link, "devices", &picture.devices);
    if (status == AW_CTL_OK)
        status = aw_ctl_ask_for(link, "queues", &picture.queues);
    if (status == AW_CTL_OK)
        status = aw_ctl_ask_for(link, "scripts", &picture.scripts);
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

static void fill_counts(struct aw_ctl_row *row, size_t column,
                        const json_t *line, const char *const *paths)
{
    for (; *paths; paths++)
        aw_ctl_cell_count(row->cells[column++], aw_ctl_count(line, *paths));
}

/* In 79 columns, or where there are more, in 106. */
#define WIDE 106

/* How old its frames were that the script had since then, and at worst. */
static void fill_latency(struct aw_ctl_row *row, const json_t *line,
                         const json_t *then, bool wide)
{
    const json_t *stages = json_object_get(line, "latency");
    const json_t *now = json_object_get(stages, "script");
    const json_t *old =
        json_object_get(json_object_get(then, "latency"), "script");
    size_t column = 11;

    if (wide)
        aw_ctl_cell_time(row->cells[column++], aw_ctl_quantile(now, old, 500));
    aw_ctl_cell_time(row->cells[column++], aw_ctl_quantile(now, old, 990));
    if (wide)
        aw_ctl_cell_time(row->cells[column], aw_ctl_count(now, "max_ns"));
}

static void add_queue(struct aw_ctl_table *table, const json_t *line,
                      const json_t *then, double seconds, bool wide)
{
    static const char *const paths[] = {
        "pending",        "high_water",       "depth",
        "dropped.kernel", "dropped.overflow", NULL};
    struct aw_ctl_row *row = aw_ctl_table_add(table);

    aw_ctl_cell_name(row->cells[0], aw_ctl_text(line, "device"), wide ? 13 : 8);
    aw_ctl_cell_name(row->cells[1], aw_ctl_text(line, "name"), wide ? 13 : 8);
    aw_ctl_cell_name(row->cells[2], aw_ctl_text(line, "script"), wide ? 12 : 7);
    fill_rate(row->cells[3], line, then, "received", seconds);
    fill_rate(row->cells[4], line, then, "delivered", seconds);
    fill_counts(row, 5, line, paths);
    aw_ctl_cell_count(row->cells[10], aw_ctl_count(line, "dropped.cleared") +
                                          aw_ctl_count(line, "dropped.closed"));
    fill_latency(row, line, then, wide);
}

static void draw_queues(const struct picture *then, const struct picture *now,
                        int width, FILE *to)
{
    static const char *const heads[] = {
        "<device", "<queue", "<script", "in/s",  "out/s", "pend", "high",
        "depth",   "kern",   "over",    "other", "p99",   NULL};
    static const char *const wide_heads[] = {
        "<device", "<queue", "<script", "in/s", "out/s",
        "pend",    "high",   "depth",   "kern", "over",
        "other",   "p50",    "p99",     "max",  NULL};
    const json_t *list = json_object_get(now->queues, "queues");
    const json_t *old = json_object_get(then->queues, "queues");
    bool wide = width == 0 || width >= WIDE;
    struct aw_ctl_table table = {.heads = wide ? wide_heads : heads,
                                 .gap = " "};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *line = json_array_get(list, i);

        if (json_is_true(json_object_get(line, "open")))
            add_queue(&table, line, before(old, line, "device"),
                      seconds_between(then, now), wide);
    }
    aw_ctl_table_print(&table, width, to);
    aw_ctl_table_free(&table);
}

static void draw_devices(const struct picture *then, const struct picture *now,
                         int width, FILE *to)
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

        aw_ctl_cell_name(row->cells[0], aw_ctl_text(line, "name"), 16);
        aw_ctl_cell_name(row->cells[1], aw_ctl_text(line, "driver"), 8);
        aw_ctl_cell_name(row->cells[2], aw_ctl_text(line, "link.state"), 8);
        aw_ctl_cell_name(row->cells[3], aw_ctl_text(line, "link.bus"), 13);
        fill_rate(row->cells[4], line, before(old, line, "driver"), "send.sent",
                  seconds_between(then, now));
        fill_counts(row, 5, line, paths);
    }
    aw_ctl_table_print(&table, width, to);
    aw_ctl_table_free(&table);
}

static void draw_all(const struct picture *then, const struct picture *now,
                     FILE *to)
{
    int width = aw_ctl_width();

    aw_ctl_show_head(now->status, to);
    fputc('\n', to);
    draw_devices(then, now, width, to);
    fputc('\n', to);
    draw_queues(then, now, width, to);
    fputc('\n', to);
    aw_ctl_scripts_table(json_object_get(now->scripts, "scripts"),
                         json_object_get(then->scripts, "scripts"),
                         seconds_between(then, now), width, to);
}

/* What a terminal has no room for would scroll the rest away. */
static void put_cut(const char *text, int height)
{
    int lines = 0, shown = 0;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    while (*text && (lines < height || shown < height - 2)) {
        size_t length = strcspn(text, "\n") + 1;

        fwrite(text, 1, length, stdout);
        text += length;
        shown++;
    }
    if (*text)
        printf("... %d lines more: awaitctl devices, queues, scripts\n",
               lines - shown);
}

static void draw(const struct picture *then, const struct picture *now)
{
    int height = aw_ctl_height();
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);

    if (to)
        draw_all(then, now, to);
    if (!to || fclose(to) != 0) {
        fputs("awaitctl: not enough memory\n", stderr);
        exit(AW_CTL_INTERNAL);
    }
    /* Home, and clear what is below: what was drawn before scrolls away on no
     * terminal, and stays when the program ends. */
    if (height > 0)
        fputs("\033[H\033[J", stdout);
    put_cut(text, height > 0 ? height : INT_MAX);
    free(text);
}

static void print_json(const struct picture *now)
{
    json_t *all =
        json_pack("{s:O, s:O, s:O, s:O}", "status", now->status, "devices",
                  json_object_get(now->devices, "devices"), "queues",
                  json_object_get(now->queues, "queues"), "scripts",
                  json_object_get(now->scripts, "scripts"));

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
    struct picture then = {0}, now;
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
