#include "daemon/ctl/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/ctl/show.h"
#include "daemon/ctl/table.h"

static void print_json(const json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

/* Whoever reads us has gone: nothing is left to do. */
static bool flush(void)
{
    return fflush(stdout) == 0;
}

/* ---- frames ---- */

/* ID:MASK in hexadecimal; an id of eight digits means extended frames alone. */
static json_t *parse_filter(const char *text, size_t length)
{
    char word[32], *colon, *end_of_id, *end_of_mask;
    unsigned long id, mask;
    json_t *filter;

    if (length >= sizeof(word))
        return NULL;
    memcpy(word, text, length);
    word[length] = '\0';
    colon = strchr(word, ':');
    if (!colon || colon == word || colon[1] == '\0')
        return NULL;
    id = strtoul(word, &end_of_id, 16);
    mask = strtoul(colon + 1, &end_of_mask, 16);
    if (end_of_id != colon || *end_of_mask || id > UINT32_MAX ||
        mask > UINT32_MAX)
        return NULL;
    filter = json_pack("{s:I, s:I}", "can_id", (json_int_t)id, "can_mask",
                       (json_int_t)mask);
    if (colon - word == 8)
        json_object_set_new(filter, "extended", json_true());
    return filter;
}

/* NULL, and said, if a filter is none. */
static json_t *dump_request(const char *what)
{
    size_t length = strcspn(what, ",");
    json_t *filters = json_array();
    json_t *request = json_pack("{s:s, s:s#, s:o}", "command", "dump", "device",
                                what, (int)length, "filters", filters);

    for (what += length; *what == ','; what += length) {
        json_t *filter;

        what++;
        length = strcspn(what, ",");
        filter = parse_filter(what, length);
        if (!filter) {
            fprintf(stderr,
                    "awaitctl: \"%.*s\" is no filter: ID:MASK, both "
                    "hexadecimal\n",
                    (int)length, what);
            json_decref(request);
            return NULL;
        }
        json_array_append_new(filters, filter);
    }
    return request;
}

static void tell_loss(const json_t *event)
{
    const json_t *causes = json_object_get(event, "lost_cause");

    if (json_array_size(causes) == 0)
        return;
    fflush(stdout);
    fprintf(stderr, "awaitctl: %llu frames lost before the next",
            (unsigned long long)aw_ctl_count(event, "lost_before"));
    for (size_t i = 0; i < json_array_size(causes); i++)
        fprintf(stderr, "%s%s", i > 0 ? ", " : ": ",
                json_string_value(json_array_get(causes, i)));
    fputc('\n', stderr);
}

static void tell_end(const json_t *event)
{
    uint64_t dropped = aw_ctl_count(event, "dropped");

    fflush(stdout);
    fprintf(stderr, "awaitctl: %s after %llu frames",
            aw_ctl_text(event, "reason"),
            (unsigned long long)aw_ctl_count(event, "delivered"));
    if (dropped > 0)
        fprintf(stderr, ", %llu lost", (unsigned long long)dropped);
    fputc('\n', stderr);
}

static void show_frame(const json_t *event)
{
    tell_loss(event);
    puts(aw_ctl_text(event, "line"));
}

/* Returns whether the device's stream goes on. */
static bool take_event(const json_t *event, bool json)
{
    bool ended = !strcmp(aw_ctl_text(event, "event"), "end");

    if (json)
        print_json(event);
    else if (ended)
        tell_end(event);
    else
        show_frame(event);
    return !ended;
}

int aw_ctl_dump(struct aw_ctl_link *link, const char *what, bool json,
                unsigned long count)
{
    json_t *request = dump_request(what), *result, *event;
    unsigned long taken = 0;
    bool goes_on = true;
    int status;

    if (!request)
        return AW_CTL_USAGE;
    status = aw_ctl_ask(link, request, &result);
    if (status != AW_CTL_OK)
        return status;
    json_decref(result);
    while (goes_on && (count == 0 || taken < count)) {
        event = aw_ctl_receive(link);
        if (!event)
            return AW_CTL_UNAVAILABLE;
        goes_on = take_event(event, json);
        taken++;
        json_decref(event);
        if (link->length == 0 && !flush())
            return AW_CTL_OK;
    }
    return AW_CTL_OK;
}

/* ---- the log ---- */

static void show_line(const json_t *line)
{
    double seconds = json_number_value(json_object_get(line, "time"));
    const char *level = aw_ctl_text(line, "level");
    time_t time = (time_t)seconds;
    struct tm parts;
    char words[32];

    strftime(words, sizeof(words), "%Y-%m-%d %H:%M:%S",
             localtime_r(&time, &parts));
    printf("%s.%03d %s%s", words, (int)((seconds - (double)time) * 1000),
           strcmp(level, "info") ? level : "",
           strcmp(level, "info") ? ": " : "");
    aw_ctl_print_text(aw_ctl_text(line, "text"), stdout);
    putchar('\n');
}

static int show_lines(struct aw_ctl_link *link, bool json, unsigned long count)
{
    json_t *result, *lines;
    int status = aw_ctl_ask(
        link,
        json_pack("{s:s, s:I}", "command", "log", "lines", (json_int_t)count),
        &result);

    if (status != AW_CTL_OK)
        return status;
    lines = json_object_get(result, "lines");
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (json)
            print_json(json_array_get(lines, i));
        else
            show_line(json_array_get(lines, i));
    }
    json_decref(result);
    return AW_CTL_OK;
}

static void take_line(const json_t *event, bool json)
{
    if (json)
        print_json(event);
    else if (!strcmp(aw_ctl_text(event, "event"), "lost"))
        printf("... %llu lines lost\n",
               (unsigned long long)aw_ctl_count(event, "count"));
    else
        show_line(event);
}

int aw_ctl_log(struct aw_ctl_link *link, bool json, bool follow,
               unsigned long count)
{
    json_t *result, *event;
    int status;

    if (!follow)
        return show_lines(link, json, count);
    status = aw_ctl_ask(link,
                        json_pack("{s:s, s:I, s:b}", "command", "log", "lines",
                                  (json_int_t)count, "follow", 1),
                        &result);
    if (status != AW_CTL_OK)
        return status;
    json_decref(result);
    while ((event = aw_ctl_receive(link))) {
        take_line(event, json);
        json_decref(event);
        if (!flush())
            return AW_CTL_OK;
    }
    return AW_CTL_UNAVAILABLE;
}
