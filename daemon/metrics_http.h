/* The metrics over HTTP, for a scraper: GET /metrics, and nothing else.
 *
 * libmicrohttpd without threads of its own: main's loop watches its epoll
 * descriptor. A scraper that is slow or silent is dropped after a while. */
#ifndef AW_METRICS_HTTP_H
#define AW_METRICS_HTTP_H

#include <stddef.h>

#include "daemon/device_table.h"
#include "devices/queue/error.h"
#include "devices/queue/roles.h"

struct ev_loop;
struct aw_metrics_http;

/* Listens at `listen`, HOST:PORT. The table must stay. Reads /etc/hosts for a
 * name. Returns 0 or a negative errno with a sentence. */
int aw_metrics_http_new(const char *listen,
                        const struct aw_device_table *devices,
                        struct ev_loop *loop, struct aw_metrics_http **ret_http,
                        struct aw_error *error) AW_ON(main) AW_NO_GIL;

/* Accepts NULL. */
void aw_metrics_http_free(struct aw_metrics_http *http) AW_ON(main) AW_NO_GIL;

#endif
