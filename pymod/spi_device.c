/* SpiDevice: a chip on an SPI bus, which scripts can ask for transfers. */
#include "pymod/device_status.h"
#include "pymod/transfer.h"

/* A transfer's `timeout` in ns, as struct aw_send has it. -1 with an exception.
 */
static int parse_timeout(PyObject *object, uint64_t *ret_ns)
{
    double seconds = PyFloat_AsDouble(object);

    if (PyErr_Occurred())
        return -1;
    if (!(seconds >= 0)) {
        PyErr_Format(PyExc_ValueError,
                     "timeout is in seconds, 0 or more, not %R", object);
        return -1;
    }
    /* 0 would be the device's own. */
    *ret_ns = seconds < 1e9 ? (uint64_t)(seconds * 1e9) + 1 : UINT64_MAX;
    return 0;
}

AW_WITH_GIL static PyObject *spi_transfer(PyObject *self, PyObject *arguments,
                                          PyObject *keywords)
{
    static const char *const names[] = {"", "timeout", NULL};
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *tx, *timeout = Py_None;
    struct aw_transfer transfer;
    uint64_t timeout_ns = 0;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|O:transfer",
                                     (char **)names, &tx, &timeout))
        return NULL;
    if ((timeout != Py_None && parse_timeout(timeout, &timeout_ns) < 0) ||
        aw_transfer_make(tx, &transfer) < 0)
        return NULL;
    transfer.send->timeout_ns = timeout_ns;
    if (aw_module_owner_name(module, transfer.send->owner,
                             sizeof(transfer.send->owner)) < 0) {
        PyMem_RawFree(transfer.send);
        return NULL;
    }
    return aw_transfer_new((DeviceObject *)self, &transfer);
}

/* ---- how the sampling goes ---- */

static PyObject *spi_get_overruns(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(aw_device_object_status(self).overruns);
}

static PyObject *spi_get_missed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(aw_device_object_status(self).missed);
}

static PyObject *spi_get_late_max_ns(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(
        aw_device_object_status(self).late_max_ns);
}

/* ---- the type ---- */

static PyMethodDef spi_methods[] = {
    {"transfer", (PyCFunction)(void (*)(void))spi_transfer,
     METH_VARARGS | METH_KEYWORDS,
     "transfer($self, tx, /, timeout=None)\n--\n\n"
     "Await a transfer, full duplex: as many bytes come in as go out.\n\n"
     "tx: bytes-like; the result is bytes, as many. Or a list of segments, 1 "
     "to\n64, made without a break; the result is a list of bytes. A segment "
     "is\nbytes-like, or a dict with 'tx' (bytes-like) or 'read' (so many "
     "zeros),\nand 'speed_hz', 'delay_us' (behind its last bit), 'bits' (in a "
     "word) and\n'cs_change' (deselect the chip behind it; behind the last "
     "one: leave it\nselected). timeout: seconds that it may wait for its "
     "turn; None:\nsend_timeout_s.\n\n"
     "Transfers are made in the order they are awaited. One whose wait is\n"
     "cancelled may still be made. Raises DeviceError when the controller\n"
     "refuses it or it fails, DeviceLost, SendTimeout, SendQueueFull, "
     "ValueError\nand TypeError."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef spi_getset[] = {
    {"overruns", spi_get_overruns, NULL,
     "Samples that their period had no time for.", NULL},
    {"missed", spi_get_missed, NULL,
     "Edges of the data-ready line that were missed.", NULL},
    {"late_max_ns", spi_get_late_max_ns, NULL,
     "The most that a sample began after its time or its edge.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot spi_slots[] = {
    {Py_tp_doc, (void *)"A chip on an SPI bus; its frames are samples."},
    {Py_tp_methods, spi_methods},
    {Py_tp_getset, spi_getset},
    {0, NULL},
};

static PyType_Spec spi_spec = {
    .name = "awaitd.SpiDevice",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = spi_slots,
};

int aw_spi_device_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->spi_device_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &spi_spec, (PyObject *)state->device_type);
    if (!state->spi_device_type)
        return -1;
    return PyModule_AddType(module, state->spi_device_type);
}
