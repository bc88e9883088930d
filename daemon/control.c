/* The server: its socket, who may come in, and who is sent away. */
#include "daemon/control.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control_internal.h"
#include "daemon/control_socket.h"
#include "daemon/metrics_http.h"
#include "daemon/span_clock.h"
#include "devices/queue/log.h"

/* Connections taken in before other watchers have their turn. */
#define ACCEPTS_AT_ONCE 16
#define SWEEP_S         1.0
#define TELL_AGAIN_S    1.0

/* ---- coming in ---- */

static bool is_full(const struct aw_control *control,
                    enum aw_control_right right)
{
    size_t limit = AW_CONTROL_CLIENTS_MAX -
                   (right == AW_CONTROL_ADMIN ? 0 : AW_CONTROL_RESERVED);

    return control->client_count >= limit;
}

/* What it has said main has only not heard yet. */
static bool has_spoken(const struct aw_control_client *client)
{
    char byte;

    return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* For who comes to a full house: of those who may do no more, the one that has
 * been silent for longest goes, half a request or not. Of a crowd of them the
 * log tells once a second. */
static bool make_room(struct aw_control *control, enum aw_control_right right)
    AW_ON(main)
{
    struct aw_control_client *idle = NULL;
    double now_s = aw_span_clock_s(), since_s = now_s - AW_CONTROL_IDLE_S;

    for (struct aw_control_client *client = control->clients; client;
         client = client->next)
        if (!client->doomed && client->right <= right &&
            client->moved_s < since_s && aw_control_client_is_quiet(client) &&
            !has_spoken(client)) {
            idle = client;
            since_s = client->moved_s;
        }
    if (!idle)
        return false;
    if (now_s - control->told_full_s > TELL_AGAIN_S) {
        aw_log(AW_LOG_WARNING, "all places for control clients are taken");
        control->told_full_s = now_s;
    }
    control->dropped_clients++;
    aw_control_client_free(idle);
    return true;
}

/* One line that is lost if it cannot be had at once. */
static void turn_away(int fd, const char *code, const char *text)
{
    char line[200];
    int length = snprintf(line, sizeof(line),
                          "{\"ok\":false,\"error\":{\"code\":\"%s\","
                          "\"text\":\"%s\"}}\n",
                          code, text);

    (void)send(fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void admit(struct aw_control *control, int fd) AW_ON(main)
{
    int pid = 0, uid = -1;
    enum aw_control_right right =
        aw_control_peer_right(control, fd, &pid, &uid);
    struct aw_control_client *client;

    if (right == AW_CONTROL_NOTHING) {
        turn_away(fd, "permission",
                  "you may not look: ask for a place in read_group or "
                  "admin_group of this awaitd");
        return;
    }
    if (is_full(control, right) && !make_room(control, right)) {
        control->dropped_clients++;
        turn_away(fd, "busy", "there are too many clients");
        return;
    }
    client = aw_control_client_new(control, fd);
    if (!client)
        return;
    client->right = right;
    client->pid = pid;
    client->uid = uid;
    if (!ev_is_active(&control->sweep))
        ev_timer_again(control->config.loop, &control->sweep);
}

/* No descriptor to be had: the sweep takes it up again. */
static void rest(struct aw_control *control)
{
    ev_io_stop(control->config.loop, &control->accepting);
    ev_timer_again(control->config.loop, &control->sweep);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int events)
    AW_ON(main)
{
    struct aw_control *control = watcher->data;

    (void)loop;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            admit(control, fd);
        } else if (errno != ECONNABORTED && errno != EINTR) {
            if (errno != EAGAIN)
                rest(control);
            return;
        }
    }
}

/* ---- being sent away ---- */

static void judge(struct aw_control_client *client, double now_s)
{
    double quiet_s = now_s - client->moved_s;

    if (client->out_length > 0 && quiet_s > AW_CONTROL_STUCK_S)
        aw_control_client_doom(client, "%zu bytes wait, and it does not read",
                               client->out_length);
    else if (aw_control_client_is_quiet(client) &&
             quiet_s > AW_CONTROL_SILENT_S)
        aw_control_client_doom(client, "it has been silent for %.0f s",
                               AW_CONTROL_SILENT_S);
}

static void on_sweep(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main)
{
    struct aw_control *control = watcher->data;
    struct aw_control_client *next;

    (void)events;
    for (struct aw_control_client *client = control->clients; client;
         client = next) {
        next = client->next;
        aw_control_client_probe(client);
        judge(client, aw_span_clock_s());
        if (client->doomed)
            aw_control_client_free(client);
    }
    ev_io_start(loop, &control->accepting);
    if (!control->clients)
        ev_timer_stop(loop, watcher);
}

/* ---- what others tell ---- */

static void on_log(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct aw_control *control = watcher->data;

    (void)loop;
    (void)events;
    aw_log_ring_clear(control->config.log);
    aw_control_log_pump(control);
}

static void on_sent(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    aw_control_sends_take(watcher->data);
}

/* ---- life ---- */

static int find_group(const char *name, int *ret_gid, struct aw_error *error)
{
    char *end;
    struct group *group;
    unsigned long number;

    *ret_gid = -1;
    if (!name)
        return 0;
    number = strtoul(name, &end, 10);
    if (isdigit((unsigned char)name[0]) && *end == '\0' &&
        number <= INT32_MAX) {
        *ret_gid = (int)number;
        return 0;
    }
    group = getgrnam(name);
    if (!group)
        return aw_error_set(error, EINVAL, "control: there is no group \"%s\"",
                            name);
    *ret_gid = (int)group->gr_gid;
    return 0;
}

static void watch(struct aw_control *control, ev_io *watcher,
                  void (*callback)(struct ev_loop *, ev_io *, int), int fd)
{
    ev_io_init(watcher, callback, fd, EV_READ);
    watcher->data = control;
    ev_io_start(control->config.loop, watcher);
}

/* Nobody has asked for the default socket, so nothing fails without. */
static int open_default(struct aw_control *control, bool open_to_all)
{
    struct aw_error error = {""};

    if (!aw_control_default_path(control->path))
        return -1;
    control->listener =
        aw_control_listen(control->path, true, open_to_all, &error);
    if (control->listener < 0)
        aw_log(AW_LOG_INFO, "no control socket (--socket names another): %s",
               error.text);
    return control->listener;
}

static int open_listener(struct aw_control *control, struct aw_error *error)
    AW_ON(main)
{
    const char *path = control->config.path;
    bool open_to_all = control->read_gid >= 0 || control->admin_gid >= 0;

    if (aw_control_inherit(control)) {
        watch(control, &control->accepting, on_connection, control->listener);
        return 0;
    }
    if (path && (strcmp(path, "none") == 0 || path[0] == '\0'))
        return 0;
    if (!path) {
        if (open_default(control, open_to_all) < 0)
            return 0;
    } else {
        control->listener = aw_control_listen(path, false, open_to_all, error);
        if (control->listener < 0)
            return control->listener;
        snprintf(control->path, sizeof(control->path), "%s", path);
    }
    watch(control, &control->accepting, on_connection, control->listener);
    return 0;
}

static int open_all(struct aw_control *control, struct aw_error *error)
    AW_ON(main)
{
    int result =
        find_group(control->config.read_group, &control->read_gid, error);

    if (result == 0)
        result =
            find_group(control->config.admin_group, &control->admin_gid, error);
    if (result == 0)
        result = aw_control_sends_new(control, &control->sends);
    if (result == 0)
        result = open_listener(control, error);
    if (result == 0 && control->config.metrics_listen)
        result = aw_metrics_http_new(
            control->config.metrics_listen,
            &(struct aw_metrics_source){control->config.devices,
                                        control->config.runtime},
            control->config.loop, &control->http, error);
    return result;
}

int aw_control_new(const struct aw_control_config *config,
                   struct aw_control **ret_control, struct aw_error *error)
{
    struct aw_control *control = calloc(1, sizeof(*control));
    int result;

    AW_ASSERT_ROLE(MAIN);
    if (!control)
        return aw_error_set(error, ENOMEM, "control: not enough memory");
    control->config = *config;
    control->listener = -1;
    control->begun_s = aw_span_clock_s();
    ev_timer_init(&control->sweep, on_sweep, SWEEP_S, SWEEP_S);
    control->sweep.data = control;
    result = open_all(control, error);
    if (result < 0) {
        aw_control_free(control);
        return result;
    }
    watch(control, &control->logging, on_log, aw_log_ring_fd(config->log));
    watch(control, &control->sent, on_sent,
          aw_control_sends_fd(control->sends));
    *ret_control = control;
    return 0;
}

static void close_listener(struct aw_control *control)
{
    if (control->listener < 0)
        return;
    ev_io_stop(control->config.loop, &control->accepting);
    close(control->listener);
    if (!control->inherited)
        unlink(control->path);
}

void aw_control_free(struct aw_control *control)
{
    AW_ASSERT_ROLE(MAIN);
    if (!control)
        return;
    close_listener(control);
    aw_control_forget_askings(control);
    while (control->clients)
        aw_control_client_free(control->clients);
    ev_timer_stop(control->config.loop, &control->sweep);
    ev_io_stop(control->config.loop, &control->logging);
    ev_io_stop(control->config.loop, &control->sent);
    aw_metrics_http_free(control->http);
    aw_control_sends_free(control->sends);
    free(control);
}
