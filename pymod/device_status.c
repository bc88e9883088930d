/* What Device tells of its link, bus, losses and returns. Each attribute is of
 * the moment in which it is asked for; events tell in which order things
 * happened. */
#include "pymod/device_status.h"

#include "pymod/device.h"

struct aw_link_status aw_device_object_status(PyObject *self)
{
    struct aw_link_status status;

    aw_device_status(((DeviceObject *)self)->device, &status);
    return status;
}

PyObject *aw_device_get_state(PyObject *self, void *Py_UNUSED(closure))
{
    enum aw_link_state state =
        (enum aw_link_state)aw_device_object_status(self).state;

    return PyUnicode_InternFromString(aw_link_state_name(state));
}

PyObject *aw_device_get_carrier(PyObject *self, void *Py_UNUSED(closure))
{
    switch ((enum aw_carrier)aw_device_object_status(self).carrier) {
    case AW_CARRIER_NO:
        Py_RETURN_FALSE;
    case AW_CARRIER_YES:
        Py_RETURN_TRUE;
    case AW_CARRIER_UNKNOWN:
        break;
    }
    Py_RETURN_NONE;
}

PyObject *aw_device_get_bus_state(PyObject *self, void *Py_UNUSED(closure))
{
    const char *name = aw_bus_state_name(
        (enum aw_bus_state)aw_device_object_status(self).bus_state);

    if (!name)
        Py_RETURN_NONE;
    return PyUnicode_InternFromString(name);
}

PyObject *aw_device_get_kernel_filter(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_device_object_status(self).kernel_filter);
}

PyObject *aw_device_get_failure(PyObject *self, void *Py_UNUSED(closure))
{
    struct aw_link_status status = aw_device_object_status(self);

    if (status.failure == 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(status.failure);
}

/* 0: none, or unknown. */
static PyObject *rate_or_none(uint32_t rate)
{
    if (rate == 0)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(rate);
}

PyObject *aw_device_get_rate(PyObject *self, void *closure)
{
    struct aw_link_status status = aw_device_object_status(self);

    switch ((enum aw_status_rate)(intptr_t)closure) {
    case AW_STATUS_BITRATE:
        return rate_or_none(status.bitrate);
    case AW_STATUS_DBITRATE:
        return rate_or_none(status.dbitrate);
    case AW_STATUS_RESTART_MS:
        break;
    }
    return rate_or_none(status.restart_ms);
}

static uint64_t count_of(const struct aw_link_status *status,
                         enum aw_status_count which)
{
    switch (which) {
    case AW_STATUS_TX_ERRORS:
        return status->tx_errors;
    case AW_STATUS_RX_ERRORS:
        return status->rx_errors;
    case AW_STATUS_BUS_OFFS:
        return status->bus_offs;
    case AW_STATUS_RESTARTS:
        return status->restarts;
    case AW_STATUS_LOST:
        return status->lost;
    case AW_STATUS_REOPENED:
        return status->reopened;
    case AW_STATUS_OVERRUNS:
        return status->overruns;
    case AW_STATUS_MISSED:
        return status->missed;
    case AW_STATUS_LATE_MAX_NS:
        break;
    }
    return status->late_max_ns;
}

PyObject *aw_device_get_count(PyObject *self, void *closure)
{
    struct aw_link_status status = aw_device_object_status(self);

    return PyLong_FromUnsignedLongLong(
        count_of(&status, (enum aw_status_count)(intptr_t)closure));
}
