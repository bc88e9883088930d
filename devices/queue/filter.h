/* Filters: which frames a queue wants.
 *
 * A set of CAN id/mask pairs as SocketCAN's CAN_RAW_FILTER: a frame passes if
 * `(id & mask) == (wanted & mask)` for any pair, flag bits included, or, with
 * `invert`, if it does not match that pair. As in the kernel, an error frame is
 * only compared with pairs whose mask names the error flag. An empty set passes
 * everything; frames that are not CAN pass always. */
#ifndef AW_FILTER_H
#define AW_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/frame.h"

#define AW_FILTERS_MAX 512u /* the kernel's own bound for a CAN_RAW socket */

struct aw_filter {
    uint32_t id;
    uint32_t mask;
    bool invert; /* the frame must not match */
};

/* True if a queue with these filters wants the frame. Any thread. */
bool aw_filter_pass(const struct aw_filter *filters, size_t count,
                    const struct aw_frame *frame);

/* The same where they are joined: the frame must pass each of them. */
bool aw_filter_pass_all(const struct aw_filter *filters, size_t count,
                        const struct aw_frame *frame);

#endif
