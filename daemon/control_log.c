/* The log: its last lines, and those to come. */
#include <stdlib.h>

#include "daemon/control_internal.h"
#include "daemon/json_text.h"

#define LINES_DEFAULT 100

/* Where a client that follows stands: the number of its next line, kept in
 * stream_data's memory. */
struct follower {
    uint64_t next;
};

static const char *level_name(enum aw_log_level level)
{
    static const char *const names[] = {"error", "warning", "info"};

    return names[level];
}

static json_t *line_json(const struct aw_log_line *line)
{
    return json_pack("{s:I, s:f, s:s, s:o}", "number", (json_int_t)line->number,
                     "time", (double)line->time_ns / 1e9, "level",
                     level_name(line->level), "text", aw_json_text(line->text));
}

static void put_lost(struct aw_control_client *client, uint64_t count)
{
    aw_control_event(client, "lost",
                     json_pack("{s:I}", "count", (json_int_t)count));
}

static void pump(struct aw_control_client *client)
{
    struct aw_log_ring *ring = client->control->config.log;
    struct follower *follower = client->stream_data;
    struct aw_log_line line;
    uint64_t oldest, next;

    aw_log_ring_span(ring, &oldest, &next);
    if (follower->next < oldest && aw_control_client_has_room(client)) {
        put_lost(client, oldest - follower->next);
        follower->next = oldest;
    }
    while (follower->next < next && aw_control_client_has_room(client) &&
           aw_log_ring_get(ring, follower->next, &line)) {
        aw_control_event(client, "line", line_json(&line));
        follower->next++;
    }
}

static void end(struct aw_control_client *client)
{
    free(client->stream_data);
}

static const struct aw_control_stream follow = {pump, end};

void aw_control_log_pump(struct aw_control *control)
{
    for (struct aw_control_client *client = control->clients; client;
         client = client->next)
        if (client->stream == &follow)
            pump(client);
}

static void begin_follow(struct aw_control_request *request, uint64_t from)
{
    struct follower *follower;

    if (!aw_control_may_follow(request))
        return;
    follower = malloc(sizeof(*follower));
    if (!follower) {
        aw_control_refuse(request->client, request->id, "no-memory",
                          "not enough memory");
        return;
    }
    follower->next = from;
    aw_control_stream_begin(request, &follow, follower);
    pump(request->client);
}

static void answer_lines(struct aw_control_request *request, uint64_t from,
                         uint64_t next)
{
    struct aw_log_ring *ring = request->control->config.log;
    json_t *lines = json_array();
    struct aw_log_line line;

    for (; from < next; from++)
        if (aw_log_ring_get(ring, from, &line))
            json_array_append_new(lines, line_json(&line));
    aw_control_answer(
        request->client, request->id,
        json_pack("{s:o, s:I}", "lines", lines, "next", (json_int_t)next));
}

void aw_control_log(struct aw_control_request *request)
{
    json_t *wanted = json_object_get(request->object, "lines");
    json_t *following = json_object_get(request->object, "follow");
    json_int_t count = wanted ? json_integer_value(wanted) : LINES_DEFAULT;
    uint64_t oldest, next;

    if ((wanted && (!json_is_integer(wanted) || count < 0)) ||
        (following && !json_is_boolean(following))) {
        aw_control_refuse(request->client, request->id, "bad-request",
                          "\"lines\" is a number from 0, \"follow\" true or "
                          "false");
        return;
    }
    aw_log_ring_span(request->control->config.log, &oldest, &next);
    if ((uint64_t)count < next - oldest)
        oldest = next - (uint64_t)count;
    if (json_is_true(following))
        begin_follow(request, oldest);
    else
        answer_lines(request, oldest, next);
}
