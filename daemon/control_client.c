/* One connection: its bytes in, its bytes out, both bounded. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_internal.h"
#include "daemon/span_clock.h"
#include "devices/queue/log.h"

/* Requests that one client is answered before others have their turn. */
#define REQUESTS_AT_ONCE 32

bool aw_control_client_has_room(const struct aw_control_client *client)
{
    return !client->doomed && client->out_length < AW_CONTROL_ROOM;
}

bool aw_control_client_is_quiet(const struct aw_control_client *client)
{
    return client->out_length == 0 && client->awaited == 0 && !client->stream;
}

struct aw_control_client *aw_control_awaited(const struct aw_control *control,
                                             uint64_t number)
{
    struct aw_control_client *client = control->clients;

    while (client && client->number != number)
        client = client->next;
    if (!client || client->doomed)
        return NULL;
    client->awaited--;
    return client;
}

void aw_control_client_doom(struct aw_control_client *client,
                            const char *reason, ...)
{
    char text[200];
    va_list arguments;

    if (client->doomed)
        return;
    client->doomed = true;
    if (!reason)
        return;
    va_start(arguments, reason);
    vsnprintf(text, sizeof(text), reason, arguments);
    va_end(arguments);
    client->control->dropped_clients++;
    aw_log(AW_LOG_WARNING, "control: client dropped (process %d, user %d): %s",
           client->pid, client->uid, text);
}

void aw_control_client_probe(struct aw_control_client *client)
{
    /* Sends nothing, but says EPIPE when the other end is closed altogether
     * rather than for its requests alone. */
    if (client->hung_up &&
        send(client->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
        errno == EPIPE)
        aw_control_client_doom(client, NULL);
}

/* ---- out ---- */

static int reserve(struct aw_control_client *client, size_t more)
{
    size_t wanted = client->out_length + more, capacity = 4096;
    char *out;

    if (wanted > AW_CONTROL_OUT_MAX)
        return -EMSGSIZE;
    if (client->out_start > 0) {
        memmove(client->out, client->out + client->out_start,
                client->out_length);
        client->out_start = 0;
    }
    if (wanted <= client->out_capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    out = realloc(client->out, capacity);
    if (!out)
        return -ENOMEM;
    client->out = out;
    client->out_capacity = capacity;
    return 0;
}

static void put_bytes(struct aw_control_client *client, const char *bytes,
                      size_t length)
{
    if (client->out_start + client->out_length + length + 1 >
            client->out_capacity &&
        reserve(client, length + 1) < 0) {
        aw_control_client_doom(client, "an answer of %zu bytes does not fit",
                               length);
        return;
    }
    if (client->out_length == 0)
        client->moved_s = aw_span_clock_s();
    memcpy(client->out + client->out_start + client->out_length, bytes, length);
    client->out_length += length;
    client->out[client->out_start + client->out_length++] = client->delimiter;
    ev_io_start(client->control->config.loop, &client->writing);
}

void aw_control_client_put(struct aw_control_client *client, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
    if (!text)
        aw_control_client_doom(client, "not enough memory for an answer");
    else if (!client->doomed)
        put_bytes(client, text, strlen(text));
    free(text);
}

/* ---- in ---- */

/* The length of the first request in the buffer, or -1: there is none yet. */
static ssize_t find_request(const struct aw_control_client *client)
{
    for (size_t i = 0; i < client->in_length; i++)
        if (client->in[i] == '\n' || client->in[i] == '\0')
            return (ssize_t)i;
    return -1;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r", text[i]))
            return false;
    return true;
}

static void take_request(struct aw_control_client *client, size_t length)
    AW_ON(main)
{
    size_t rest = client->in_length - length - 1;

    client->delimiter = client->in[length];
    if (!is_blank(client->in, length))
        aw_control_handle(client, client->in, length);
    memmove(client->in, client->in + length + 1, rest);
    client->in_length = rest;
}

/* Where such a request ends nobody knows: it was the last one, and with it ends
 * what the client follows. */
static void refuse_length(struct aw_control_client *client)
{
    if (client->stream)
        aw_control_stream_end(client);
    aw_control_refuse(client, NULL, "too-long",
                      "a request has less than %u bytes",
                      AW_CONTROL_REQUEST_MAX);
    client->in_length = 0;
    client->hung_up = true;
}

/* Answers what has come, as long as the answers are read. */
static void take_requests(struct aw_control_client *client) AW_ON(main)
{
    struct ev_loop *loop = client->control->config.loop;
    ssize_t length = -1;

    for (int i = 0; i < REQUESTS_AT_ONCE; i++) {
        length = aw_control_client_has_room(client) ? find_request(client) : -1;
        if (length < 0)
            break;
        take_request(client, (size_t)length);
    }
    if (length >= 0)
        ev_feed_event(loop, &client->reading, EV_CUSTOM);
    if (client->in_length == sizeof(client->in) && find_request(client) < 0)
        refuse_length(client);
    if (client->hung_up && aw_control_client_is_quiet(client) &&
        find_request(client) < 0)
        aw_control_client_doom(client, NULL);
    if (!aw_control_client_has_room(client) || client->hung_up)
        ev_io_stop(loop, &client->reading);
    else
        ev_io_start(loop, &client->reading);
}

static void receive(struct aw_control_client *client)
{
    size_t room = sizeof(client->in) - client->in_length;
    ssize_t count;

    if (room == 0)
        return;
    count = recv(client->fd, client->in + client->in_length, room, 0);
    if (count > 0) {
        client->in_length += (size_t)count;
        client->moved_s = aw_span_clock_s();
    } else if (count == 0) {
        client->hung_up = true;
        aw_control_client_probe(client);
    } else if (errno != EAGAIN && errno != EINTR) {
        aw_control_client_doom(client, NULL);
    }
}

static void settle(struct aw_control_client *client) AW_ON(main)
{
    if (!client->doomed)
        take_requests(client);
    if (client->doomed)
        aw_control_client_free(client);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
    AW_ON(main)
{
    struct aw_control_client *client = watcher->data;

    (void)loop;
    if (events & EV_READ)
        receive(client);
    settle(client);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
    AW_ON(main)
{
    struct aw_control_client *client = watcher->data;
    ssize_t count = send(client->fd, client->out + client->out_start,
                         client->out_length, MSG_NOSIGNAL);

    (void)events;
    if (count > 0) {
        client->out_start += (size_t)count;
        client->out_length -= (size_t)count;
        client->moved_s = aw_span_clock_s();
    } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
        aw_control_client_doom(client, NULL);
    }
    if (client->out_length == 0) {
        client->out_start = 0;
        ev_io_stop(loop, watcher);
    }
    if (client->stream && aw_control_client_has_room(client))
        client->stream->pump(client);
    settle(client);
}

/* ---- life ---- */

struct aw_control_client *aw_control_client_new(struct aw_control *control,
                                                int fd)
{
    struct aw_control_client *client = calloc(1, sizeof(*client));
    struct ev_loop *loop = control->config.loop;

    if (!client) {
        close(fd);
        return NULL;
    }
    client->control = control;
    client->number = control->next_number++;
    client->fd = fd;
    client->delimiter = '\n';
    client->moved_s = aw_span_clock_s();
    ev_io_init(&client->reading, on_readable, fd, EV_READ);
    ev_io_init(&client->writing, on_writable, fd, EV_WRITE);
    client->reading.data = client;
    client->writing.data = client;
    ev_io_start(loop, &client->reading);
    client->next = control->clients;
    control->clients = client;
    control->client_count++;
    return client;
}

static void unlink_client(struct aw_control_client *client)
{
    struct aw_control *control = client->control;
    struct aw_control_client **link = &control->clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    control->client_count--;
}

void aw_control_client_free(struct aw_control_client *client)
{
    struct ev_loop *loop = client->control->config.loop;

    if (client->stream)
        client->stream->end(client);
    json_decref(client->stream_id);
    ev_clear_pending(loop, &client->reading);
    ev_io_stop(loop, &client->reading);
    ev_io_stop(loop, &client->writing);
    unlink_client(client);
    close(client->fd);
    free(client->out);
    free(client);
}
