#include "devices/can_status.h"

#include "devices/can_error.h"
#include "devices/queue/clock.h"

static void add_event(struct aw_can_status *status, enum aw_event_kind kind,
                      int32_t value, uint32_t detail)
{
    uint32_t place = (status->first + status->count) % AW_CAN_EVENTS_MAX;

    if (status->count == AW_CAN_EVENTS_MAX)
        status->first = (status->first + 1) % AW_CAN_EVENTS_MAX;
    else
        status->count++;
    status->events[place].kind = kind;
    status->events[place].value = value;
    status->events[place].detail = detail;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

static enum aw_link_state state_of(bool up, const struct aw_link_status *link)
{
    return up && link->carrier != AW_CARRIER_NO && link->bus_state != AW_BUS_OFF
               ? AW_LINK_UP
               : AW_LINK_DOWN;
}

/* ---- the events that two statuses differ by ---- */

static void compare_bus(struct aw_can_status *status,
                        const struct aw_link_status *before)
{
    const struct aw_link_status *now = status->link;

    if (now->restarts > before->restarts)
        add_event(status, AW_EVENT_RESTARTED, 0, 0);
    if (now->bus_state != before->bus_state)
        add_event(status, AW_EVENT_BUS_STATE, now->bus_state,
                  (uint32_t)now->tx_errors << 16 | now->rx_errors);
}

static void compare_link(struct aw_can_status *status,
                         const struct aw_link_status *before)
{
    const struct aw_link_status *now = status->link;

    if (now->bitrate != before->bitrate || now->dbitrate != before->dbitrate)
        add_event(status, AW_EVENT_BITRATE, (int32_t)now->bitrate,
                  now->dbitrate);
    if (now->state == before->state)
        return;
    if (now->state == AW_LINK_UP)
        add_event(status, AW_EVENT_LINK_UP, 0, 0);
    else
        add_event(status, AW_EVENT_LINK_DOWN,
                  status->up ? AW_DOWN_CARRIER : AW_DOWN_ADMIN, 0);
}

static void compare(struct aw_can_status *status,
                    const struct aw_link_status *before)
{
    status->link->state = (uint8_t)state_of(status->up, status->link);
    compare_bus(status, before);
    compare_link(status, before);
}

/* ---- what rtnetlink says ---- */

static void take_controller(struct aw_can_status *status,
                            const struct aw_can_facts *facts)
{
    struct aw_link_status *link = status->link;

    link->bus_state = (uint8_t)facts->bus_state;
    link->bitrate = facts->bitrate;
    link->dbitrate = facts->dbitrate;
    link->restart_ms = facts->restart_ms;
    if (facts->counted) {
        link->tx_errors = facts->tx_errors;
        link->rx_errors = facts->rx_errors;
    }
    link->bus_offs = larger(facts->bus_offs - status->bus_offs_before,
                            status->bus_offs_read);
    link->restarts = larger(facts->restarts - status->restarts_before,
                            status->restarts_read);
}

static void take_facts(struct aw_can_status *status,
                       const struct aw_can_facts *facts)
{
    struct aw_link_status *link = status->link;

    status->up = facts->up;
    status->controller = facts->controller;
    status->heard_ns = aw_clock_realtime_ns();
    link->carrier = facts->carrier ? AW_CARRIER_YES : AW_CARRIER_NO;
    if (facts->controller)
        take_controller(status, facts);
    else if (!facts->up)
        /* Whatever an error frame said of it ends with that. */
        link->bus_state = AW_BUS_UNKNOWN;
}

void aw_can_status_begin(struct aw_can_status *status,
                         struct aw_link_status *link,
                         const struct aw_can_facts *facts)
{
    *status = (struct aw_can_status){
        .link = link,
        .bus_offs_before = facts->bus_offs,
        .restarts_before = facts->restarts,
    };
    take_facts(status, facts);
    link->state = (uint8_t)state_of(status->up, link);
}

void aw_can_status_hear(struct aw_can_status *status,
                        const struct aw_can_facts *facts)
{
    struct aw_link_status before = *status->link;

    take_facts(status, facts);
    compare(status, &before);
}

/* ---- what error frames say ---- */

void aw_can_status_read(struct aw_can_status *status,
                        const struct aw_frame *frame)
{
    struct aw_can_error error = aw_can_error_decode(frame);
    struct aw_link_status *link = status->link, before = *link;

    if (error.bus_state != AW_BUS_UNKNOWN)
        link->bus_state = (uint8_t)error.bus_state;
    if (error.counted) {
        link->tx_errors = error.tx_errors;
        link->rx_errors = error.rx_errors;
    }
    status->bus_offs_read += error.bus_off;
    status->restarts_read += error.restarted;
    link->bus_offs = larger(link->bus_offs, status->bus_offs_read);
    link->restarts = larger(link->restarts, status->restarts_read);
    compare(status, &before);
}

bool aw_can_status_is_late(const struct aw_can_status *status,
                           const struct aw_frame *frame)
{
    return status->controller && frame->timestamp_ns < status->heard_ns;
}

/* ---- out ---- */

bool aw_can_status_tell(struct aw_can_status *status, struct aw_batch *batch)
{
    while (status->count > 0) {
        uint32_t place = status->first;

        if (!aw_batch_add_event(batch, status->events[place].kind,
                                status->events[place].value,
                                status->events[place].detail, status->channel))
            return false;
        status->first = (place + 1) % AW_CAN_EVENTS_MAX;
        status->count--;
    }
    return true;
}

bool aw_can_status_can_send(const struct aw_can_facts *facts,
                            const struct aw_link_status *link)
{
    unsigned bus_state =
        facts->controller ? (unsigned)facts->bus_state : link->bus_state;

    return facts->up && facts->carrier && bus_state != AW_BUS_OFF;
}
