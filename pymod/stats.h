/* QueueStats and SendStats: ledgers as Python sees them. */
#ifndef AW_PYMOD_STATS_H
#define AW_PYMOD_STATS_H

#include "pymod/module.h"

#include "devices/device.h"

/* A snapshot of `queue`'s ledger. */
PyObject *aw_stats_new(struct aw_module *module,
                       const struct aw_queue *queue) AW_WITH_GIL;

PyObject *aw_stats_from(struct aw_module *module,
                        const struct aw_stats *stats) AW_WITH_GIL;

PyObject *aw_send_stats_new(struct aw_module *module,
                            const struct aw_send_stats *stats) AW_WITH_GIL;

#endif
