/* How a device is: its link, its bus, its losses and returns.
 *
 * The driver and the reader keep one copy, on the reader's thread, and the
 * reader publishes it as a whole (a ledger side, so that it never waits); any
 * thread reads a consistent one with aw_device_status(). */
#ifndef AW_LINK_STATUS_H
#define AW_LINK_STATUS_H

#include <stdint.h>

#include "devices/queue/frame.h"
#include "devices/queue/ledger.h"

enum aw_link_state {
    AW_LINK_UP,      /* frames can come and go, as far as anybody knows */
    AW_LINK_DOWN,    /* opened, but its link is down, or bus-off */
    AW_LINK_LOST,    /* it went away: for good, or until it comes back */
    AW_LINK_WAITING, /* it has not been there yet */
    AW_LINK_CLOSED,
};

enum aw_carrier {
    AW_CARRIER_UNKNOWN,
    AW_CARRIER_NO,
    AW_CARRIER_YES,
};

/* No padding: it is published and compared as words. A driver sets what it
 * knows and leaves the rest 0. `state` is the driver's while the device is open
 * (UP or DOWN), and the reader's else; `failure`, `lost` and `reopened` are the
 * reader's. A re-opened device starts with a blank status, but for those. */
struct aw_link_status {
    uint8_t state;         /* enum aw_link_state */
    uint8_t carrier;       /* enum aw_carrier */
    uint8_t bus_state;     /* enum aw_bus_state */
    uint8_t kernel_filter; /* 1: a filter in the kernel keeps frames back, so
                              that no queue's `filtered` counts them */
    int32_t failure;       /* LOST, WAITING: why, a positive errno */
    uint32_t bitrate;      /* bit/s; 0: unknown */
    uint32_t dbitrate;     /* of the data phase; 0: none, or unknown */
    uint32_t restart_ms;   /* automatic restart after bus-off; 0: none */
    uint16_t tx_errors, rx_errors; /* the controller's counters */
    uint32_t bus_offs;             /* how often, since it was opened */
    uint32_t restarts;
    uint64_t lost;        /* how often the device went away */
    uint64_t reopened;    /* how often it came back, or came at last */
    uint64_t overruns;    /* samples that a period had no time for */
    uint64_t missed;      /* edges that were not seen */
    uint64_t late_max_ns; /* the most that a sample came late */
    uint64_t reserved;    /* 0 */
};

_Static_assert(sizeof(struct aw_link_status) ==
                   AW_LEDGER_FIELDS * sizeof(uint64_t),
               "a status fills one ledger side");

/* "up", "down", "lost", "waiting" or "closed". Any thread. */
const char *aw_link_state_name(enum aw_link_state state);

/* "error-passive" and the like; NULL where it is unknown. Any thread. */
const char *aw_bus_state_name(enum aw_bus_state state);

#endif
