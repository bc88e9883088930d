/* All counters as text for Prometheus: `awaitctl metrics`, and over HTTP.
 *
 * A queue's series are those of its device, script and name: when a script
 * opens another one of that name they go on, and counters never fall. */
#ifndef AW_METRICS_H
#define AW_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/device_table.h"
#include "daemon/runtime.h"
#include "devices/queue/roles.h"

/* What a scraper is to be told that it gets. */
#define AW_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define AW_METRICS_TYPE_OPEN                                                   \
    "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What is told of, as it is at that moment. Scripts are while the runtime has
 * them; it may be NULL. */
struct aw_metrics_source {
    const struct aw_device_table *devices;
    const struct aw_runtime *runtime;
};

/* Writes the exposition: Prometheus's text format, or OpenMetrics. `*ret_text`
 * is the caller's, for free(). Returns 0 or -ENOMEM. */
int aw_metrics_text(const struct aw_metrics_source *from, bool openmetrics,
                    char **ret_text, size_t *ret_length) AW_ON(main) AW_NO_GIL;

#endif
