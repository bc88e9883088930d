/* Histograms of the protocol, as numbers for a table. */
#ifndef AW_CTL_LATENCY_H
#define AW_CTL_LATENCY_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/ctl/table.h"

/* What `permille` of the frames that `now` has more than `then` (NULL: nothing)
 * took at most; 0 where it has no more. In ns; UINT64_MAX: longer than any
 * bucket. Both are stages of a queue's `latency`. */
uint64_t aw_ctl_quantile(const json_t *now, const json_t *then,
                         unsigned permille);

/* A cell of a duration, at most five characters: <1us, 12us, 1.3ms, 250ms,
 * 4.0s, 300s; `-` for 0. */
void aw_ctl_cell_time(char cell[AW_CTL_CELL_MAX], uint64_t ns);

#endif
