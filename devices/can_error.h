/* What an error frame of a CAN controller (linux/can/error.h) says of the state
 * of its bus. The rest of it is the script's to read. */
#ifndef AW_CAN_ERROR_H
#define AW_CAN_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/frame.h"

/* The classes of error frame that say something here. */
#define AW_CAN_ERROR_STATE_CLASSES                                             \
    (CAN_ERR_CRTL | CAN_ERR_BUSOFF | CAN_ERR_RESTARTED | CAN_ERR_CNT)

struct aw_can_error {
    enum aw_bus_state bus_state; /* AW_BUS_UNKNOWN: it does not say */
    bool bus_off;                /* the controller has just gone off */
    bool restarted;              /* … or has been started again */
    bool counted;                /* the counters are in it */
    uint8_t tx_errors, rx_errors;
};

/* Decodes an error frame; a shorter one than the kernel's own says only what
 * its bytes do. Any thread; does not block. */
struct aw_can_error aw_can_error_decode(const struct aw_frame *frame);

#endif
