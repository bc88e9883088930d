/* How a CAN interface is, from two sources: what rtnetlink says of it, and what
 * error frames say. Keeps the device's status, and the events that its changes
 * are until there is room for them in a batch.
 *
 * A controller's state comes from both; which of them says it first makes no
 * difference, since only a change is an event. A virtual interface has no state
 * until an error frame says one. */
#ifndef AW_CAN_STATUS_H
#define AW_CAN_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/can_netlink.h"
#include "devices/device.h"

/* Events that wait for room; of more than that the oldest is forgotten, which
 * takes a flood of changes beside a script that takes none. */
#define AW_CAN_EVENTS_MAX 32u

struct aw_can_status {
    struct aw_link_status *link; /* the device's, kept up to date */
    uint16_t channel;            /* of its events */
    bool up;
    bool controller;   /* rtnetlink knows its state, */
    uint64_t heard_ns; /* and said it then (CLOCK_REALTIME) */
    /* The kernel counts from the interface's beginning, error frames from when
     * they are read: what both have counted since open(). */
    uint32_t bus_offs_before, restarts_before;
    uint32_t bus_offs_read, restarts_read;
    uint32_t first, count;
    struct {
        enum aw_event_kind kind;
        int32_t value;
        uint32_t detail;
    } events[AW_CAN_EVENTS_MAX];
};

/* Begins with an interface as it is, which is no event. open(). */
void aw_can_status_begin(struct aw_can_status *status,
                         struct aw_link_status *link,
                         const struct aw_can_facts *facts);

/* Takes in what rtnetlink says. The reader. */
void aw_can_status_hear(struct aw_can_status *status,
                        const struct aw_can_facts *facts);

/* Takes in an error frame. The reader. */
void aw_can_status_read(struct aw_can_status *status,
                        const struct aw_frame *frame);

/* Was this error frame there before the last that rtnetlink said, so that it
 * may tell of a state that is over? Frames may wait in the kernel while their
 * reader is held up. Then the interface has to be asked for. The reader. */
bool aw_can_status_is_late(const struct aw_can_status *status,
                           const struct aw_frame *frame);

/* Moves events into the batch, as far as there is room. Returns true if none is
 * left. The reader. */
bool aw_can_status_tell(struct aw_can_status *status, struct aw_batch *batch);

/* Would an interface that is so let frames out? `link` for the state that only
 * error frames have told. Any thread. */
bool aw_can_status_can_send(const struct aw_can_facts *facts,
                            const struct aw_link_status *link);

#endif
