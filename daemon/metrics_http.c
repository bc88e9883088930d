#include "daemon/metrics_http.h"

#include <errno.h>
#include <ev.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/metrics.h"
#include "devices/address.h"
#include "devices/queue/log.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S       10u

struct aw_metrics_http {
    const struct aw_device_table *devices;
    struct ev_loop *loop;
    struct MHD_Daemon *daemon;
    ev_io ready;
    ev_timer due;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection,
                              unsigned status, const char *type, char *text,
                              size_t length, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, text, mode);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_plain(struct MHD_Connection *connection,
                                    unsigned status, char *text)
{
    return answer(connection, status, "text/plain", text, strlen(text),
                  MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result answer_metrics(const struct aw_metrics_http *http,
                                      struct MHD_Connection *connection)
    AW_ON(main)
{
    const char *accept = MHD_lookup_connection_value(
        connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool openmetrics = accept && strstr(accept, "application/openmetrics-text");
    static char no_memory[] = "not enough memory\n";
    size_t length;
    char *text;

    if (aw_metrics_text(http->devices->devices, http->devices->count,
                        openmetrics, &text, &length) < 0)
        return answer_plain(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
                            no_memory);
    return answer(connection, MHD_HTTP_OK,
                  openmetrics ? AW_METRICS_TYPE_OPEN : AW_METRICS_TYPE, text,
                  length, MHD_RESPMEM_MUST_FREE);
}

/* Called twice for a request: once its head is there, and when all of it is. */
static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_bytes, void **state) AW_ON(main)
{
    static char seen;
    static char not_found[] = "there is only /metrics\n";
    static char not_allowed[] = "GET or HEAD\n";

    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = &seen;
        return MHD_YES;
    }
    *body_bytes = 0;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            not_allowed);
    if (strcmp(url, "/metrics") != 0)
        return answer_plain(connection, MHD_HTTP_NOT_FOUND, not_found);
    return answer_metrics(context, connection);
}

/* ---- the loop ---- */

/* Lets the library work, and asks it when it wants to be called next. */
static void run(struct aw_metrics_http *http)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run(http->daemon);
    ev_timer_stop(http->loop, &http->due);
    if (MHD_get_timeout(http->daemon, &wait_ms) == MHD_YES) {
        ev_timer_set(&http->due, (double)wait_ms / 1e3, 0.);
        ev_timer_start(http->loop, &http->due);
    }
}

static void on_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    run(watcher->data);
}

static void on_due(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    run(watcher->data);
}

/* ---- life ---- */

static int resolve(const char *listen, struct sockaddr_storage *ret_address,
                   struct aw_error *error)
{
    struct aw_endpoint endpoint;
    int result = aw_endpoint_parse(listen, &endpoint, error);

    if (result < 0)
        return result;
    result = aw_endpoint_resolve(&endpoint, ret_address);
    if (result < 0)
        return aw_error_set(error, -result, "metrics: %s: no such address",
                            listen);
    return 0;
}

static int start(struct aw_metrics_http *http, const char *listen,
                 struct aw_error *error)
{
    struct sockaddr_storage address;
    const union MHD_DaemonInfo *info;
    unsigned flags = MHD_USE_EPOLL;
    int result = resolve(listen, &address, error);

    if (result < 0)
        return result;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (!http->daemon)
        return aw_error_set(error, errno ? errno : EIO,
                            "metrics: cannot listen at %s: %s", listen,
                            errno ? strerror(errno) : "refused");
    info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ev_io_init(&http->ready, on_ready, info->epoll_fd, EV_READ);
    ev_timer_init(&http->due, on_due, 0., 0.);
    http->ready.data = http;
    http->due.data = http;
    ev_io_start(http->loop, &http->ready);
    return 0;
}

int aw_metrics_http_new(const char *listen,
                        const struct aw_device_table *devices,
                        struct ev_loop *loop, struct aw_metrics_http **ret_http,
                        struct aw_error *error)
{
    struct aw_metrics_http *http = calloc(1, sizeof(*http));
    int result;

    AW_ASSERT_ROLE(MAIN);
    if (!http)
        return aw_error_set(error, ENOMEM, "metrics: not enough memory");
    http->devices = devices;
    http->loop = loop;
    result = start(http, listen, error);
    if (result < 0)
        free(http);
    else
        *ret_http = http;
    return result;
}

void aw_metrics_http_free(struct aw_metrics_http *http)
{
    AW_ASSERT_ROLE(MAIN);
    if (!http)
        return;
    ev_io_stop(http->loop, &http->ready);
    ev_timer_stop(http->loop, &http->due);
    MHD_stop_daemon(http->daemon);
    free(http);
}
