/* Getters of Device: how its link, its bus and the device itself are. All of
 * them read a consistent copy and do not wait. */
#ifndef AW_PYMOD_DEVICE_STATUS_H
#define AW_PYMOD_DEVICE_STATUS_H

#include "devices/link_status.h"
#include "pymod/module.h"

/* A consistent copy of the status of the Device `self`. */
struct aw_link_status aw_device_object_status(PyObject *self) AW_WITH_GIL;

/* What a closure names. */
enum aw_status_rate {
    AW_STATUS_BITRATE,
    AW_STATUS_DBITRATE,
    AW_STATUS_RESTART_MS,
};

enum aw_status_count {
    AW_STATUS_TX_ERRORS,
    AW_STATUS_RX_ERRORS,
    AW_STATUS_BUS_OFFS,
    AW_STATUS_RESTARTS,
    AW_STATUS_LOST,
    AW_STATUS_REOPENED,
    AW_STATUS_OVERRUNS,
    AW_STATUS_MISSED,
    AW_STATUS_LATE_MAX_NS,
};

PyObject *aw_device_get_state(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_device_get_carrier(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_device_get_bus_state(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_device_get_kernel_filter(PyObject *self,
                                      void *closure) AW_WITH_GIL;
PyObject *aw_device_get_failure(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_device_get_rate(PyObject *self, void *closure) AW_WITH_GIL;
PyObject *aw_device_get_count(PyObject *self, void *closure) AW_WITH_GIL;

/* Entries of a table of getters. */
#define AW_STATUS_NUMBER(name, get, which, doc)                                \
    {                                                                          \
        name, get, NULL, doc, (void *)(intptr_t)(which)                        \
    }
#define AW_STATUS_GETSET                                                       \
    {"state", aw_device_get_state, NULL,                                       \
     "\"up\"; \"down\": its link is, or it is bus-off; \"lost\", for good or " \
     "until it comes back; \"waiting\": it has not been there yet; or "        \
     "\"closed\".",                                                            \
     NULL},                                                                    \
        {"carrier", aw_device_get_carrier, NULL,                               \
         "True, False, or None where nobody knows.", NULL},                    \
        {"bus_state", aw_device_get_bus_state, NULL,                           \
         "Of a CAN controller: \"error-active\", \"warning\", "                \
         "\"error-passive\", \"bus-off\", \"stopped\" or \"sleeping\"; None "  \
         "where there is none that would know, as with vcan.",                 \
         NULL},                                                                \
        {"kernel_filter", aw_device_get_kernel_filter, NULL,                   \
         "True while the kernel keeps frames back that no queue wants: then "  \
         "no queue's `filtered` counts them.",                                 \
         NULL},                                                                \
        {"failure", aw_device_get_failure, NULL,                               \
         "Why it is lost or waited for: an errno; else None.", NULL},          \
        AW_STATUS_NUMBER("bitrate", aw_device_get_rate, AW_STATUS_BITRATE,     \
                         "In bit/s, of the arbitration phase; or None."),      \
        AW_STATUS_NUMBER("dbitrate", aw_device_get_rate, AW_STATUS_DBITRATE,   \
                         "In bit/s, of CAN FD's data phase; or None."),        \
        AW_STATUS_NUMBER(                                                      \
            "restart_ms", aw_device_get_rate, AW_STATUS_RESTART_MS,            \
            "How long after a bus-off the controller restarts by "             \
            "itself; None: it does not."),                                     \
        AW_STATUS_NUMBER("tx_errors", aw_device_get_count,                     \
                         AW_STATUS_TX_ERRORS,                                  \
                         "The controller's transmit error counter."),          \
        AW_STATUS_NUMBER("rx_errors", aw_device_get_count,                     \
                         AW_STATUS_RX_ERRORS,                                  \
                         "The controller's receive error counter."),           \
        AW_STATUS_NUMBER("bus_offs", aw_device_get_count, AW_STATUS_BUS_OFFS,  \
                         "How often it went bus-off since it was opened."),    \
        AW_STATUS_NUMBER("restarts", aw_device_get_count, AW_STATUS_RESTARTS,  \
                         "How often it was restarted after that."),            \
        AW_STATUS_NUMBER("lost", aw_device_get_count, AW_STATUS_LOST,          \
                         "How often the device went away."),                   \
        AW_STATUS_NUMBER("reopened", aw_device_get_count, AW_STATUS_REOPENED,  \
                         "How often it came back, or came at last."),          \
        AW_STATUS_NUMBER("overruns", aw_device_get_count, AW_STATUS_OVERRUNS,  \
                         "Samples that a period had no time for."),            \
        AW_STATUS_NUMBER("missed", aw_device_get_count, AW_STATUS_MISSED,      \
                         "Edges of a data-ready line that were not seen."),    \
        AW_STATUS_NUMBER("late_max_ns", aw_device_get_count,                   \
                         AW_STATUS_LATE_MAX_NS,                                \
                         "The most that a sample came late, in ns.")

#endif
