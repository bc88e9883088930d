/* The scripts' part of the metrics. Private to metrics*.c. */
#ifndef AW_METRICS_SCRIPTS_H
#define AW_METRICS_SCRIPTS_H

#include "daemon/metrics_text.h"
#include "daemon/supervisor.h"

void aw_metrics_put_scripts(const struct aw_metrics_page *page,
                            const struct aw_supervisor *supervisor)
    AW_ON(main) AW_NO_GIL;

#endif
