#include "devices/can_error.h"

#include <linux/can/error.h>

#define PASSIVE (CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE)
#define WARNING (CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING)

static uint8_t byte_at(const struct aw_frame *frame, uint16_t place)
{
    return place < frame->length ? frame->payload[place] : 0;
}

/* The worse of its two directions is the controller's state. */
static enum aw_bus_state controller_state(uint8_t status)
{
    if (status & PASSIVE)
        return AW_BUS_PASSIVE;
    if (status & WARNING)
        return AW_BUS_WARNING;
    if (status & CAN_ERR_CRTL_ACTIVE)
        return AW_BUS_ERROR_ACTIVE;
    return AW_BUS_UNKNOWN;
}

static enum aw_bus_state state_of(const struct aw_frame *frame)
{
    if (frame->id & CAN_ERR_BUSOFF)
        return AW_BUS_OFF;
    if (frame->id & CAN_ERR_CRTL) {
        enum aw_bus_state state = controller_state(byte_at(frame, 1));

        if (state != AW_BUS_UNKNOWN)
            return state;
    }
    return frame->id & CAN_ERR_RESTARTED ? AW_BUS_ERROR_ACTIVE : AW_BUS_UNKNOWN;
}

struct aw_can_error aw_can_error_decode(const struct aw_frame *frame)
{
    uint8_t tx = byte_at(frame, 6), rx = byte_at(frame, 7);
    struct aw_can_error error = {
        .bus_state = state_of(frame),
        .bus_off = (frame->id & CAN_ERR_BUSOFF) != 0,
        .restarted = (frame->id & CAN_ERR_RESTARTED) != 0,
    };

    /* Before Linux 6.0 they came without their flag, with changes of state. */
    if ((frame->id & CAN_ERR_CNT) ||
        ((frame->id & CAN_ERR_CRTL) && (tx != 0 || rx != 0))) {
        error.counted = true;
        error.tx_errors = tx;
        error.rx_errors = rx;
    }
    return error;
}
