#include "pymod/device.h"

#include <errno.h>
#include <structmember.h>

#include "pymod/device_status.h"
#include "pymod/errors.h"
#include "pymod/filters.h"
#include "pymod/queue.h"
#include "pymod/send.h"
#include "pymod/stats.h"

/* ---- methods ---- */

static PyObject *reports_to_list(struct aw_module *module,
                                 const struct aw_queue_report *reports,
                                 int count)
{
    PyObject *list = PyList_New(0);

    for (int i = 0; list && i < count; i++) {
        PyObject *stats = aw_stats_from(module, &reports[i].stats);
        PyObject *line =
            stats ? Py_BuildValue("{s:s,s:s,s:O,s:N}", "name", reports[i].name,
                                  "script", reports[i].owner, "open",
                                  reports[i].open ? Py_True : Py_False, "stats",
                                  stats)
                  : NULL;

        if (!line || PyList_Append(list, line) < 0)
            Py_CLEAR(list);
        Py_XDECREF(line);
    }
    return list;
}

static PyObject *device_stats(PyObject *object, PyObject *Py_UNUSED(unused))
{
    DeviceObject *self = (DeviceObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_queue_report *reports = NULL;
    struct aw_send_stats sent;
    PyObject *list, *send;
    int count;

    if (aw_module_check_fork(module) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    aw_device_sync(self->device);
    count = aw_device_reports(self->device, &reports);
    aw_device_send_stats(self->device, &sent);
    Py_END_ALLOW_THREADS
    if (count < 0)
        return PyErr_NoMemory();
    list = reports_to_list(module, reports, count);
    free(reports);
    send = list ? aw_send_stats_new(module, &sent) : NULL;
    if (!send) {
        Py_XDECREF(list);
        return NULL;
    }
    return Py_BuildValue("{s:N,s:N}", "queues", list, "send", send);
}

static PyObject *device_close(PyObject *object, PyObject *Py_UNUSED(unused))
{
    DeviceObject *self = (DeviceObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));

    if (self->hosted) {
        PyErr_Format(module->error,
                     "device %U belongs to the daemon: close its queues "
                     "instead",
                     self->name);
        return NULL;
    }
    if (aw_module_check_fork(module) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    aw_device_close(self->device);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* The host: every script has attached or waits. */
static PyObject *device_release(PyObject *object, PyObject *Py_UNUSED(unused))
{
    Py_BEGIN_ALLOW_THREADS
    aw_device_release(((DeviceObject *)object)->device);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *device_enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return Py_NewRef(self);
}

/* The daemon's devices, and the parent's in a child made by fork, stay open. */
static PyObject *device_exit(PyObject *object, PyObject *Py_UNUSED(arguments))
{
    if (((DeviceObject *)object)->hosted ||
        aw_module_forked(aw_module_of_type(Py_TYPE(object))))
        Py_RETURN_NONE;
    return device_close(object, NULL);
}

static PyObject *device_get_driver(PyObject *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(
        aw_device_driver(((DeviceObject *)self)->device)->name);
}

static PyObject *device_get_kind(PyObject *self, void *Py_UNUSED(closure))
{
    static const char *const names[] = {
        [AW_KIND_BYTES] = "bytes", [AW_KIND_CAN] = "can",
        [AW_KIND_CAN_XL] = "can",  [AW_KIND_DATAGRAM] = "datagram",
        [AW_KIND_J1939] = "j1939", [AW_KIND_ETHERNET] = "ethernet",
    };

    return PyUnicode_FromString(
        names[aw_device_kind(((DeviceObject *)self)->device)]);
}

static PyObject *device_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_device_closed(((DeviceObject *)self)->device));
}

static PyObject *device_get_send_depth(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(
        aw_device_send_depth(((DeviceObject *)self)->device));
}

static PyObject *device_get_held(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_device_start(((DeviceObject *)self)->device) ==
                           AW_START_RELEASED);
}

static PyObject *device_repr(PyObject *object)
{
    DeviceObject *self = (DeviceObject *)object;

    return PyUnicode_FromFormat(
        "<%s %U (%s)%s>", _PyType_Name(Py_TYPE(self)), self->name,
        aw_device_driver(self->device)->name,
        aw_device_closed(self->device) ? ", closed" : "");
}

/* ---- life ---- */

static PyTypeObject *type_for(const struct aw_module *module,
                              const struct aw_device *device)
{
    if (strcmp(aw_device_driver(device)->name, "spi") == 0)
        return module->spi_device_type;
    switch (aw_device_kind(device)) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return module->can_device_type;
    case AW_KIND_DATAGRAM:
        return module->datagram_device_type;
    case AW_KIND_J1939:
        return module->j1939_device_type;
    case AW_KIND_ETHERNET:
        return module->ethernet_device_type;
    case AW_KIND_BYTES:
    case AW_KIND_EVENT:
        break;
    }
    return module->bytes_device_type;
}

PyObject *aw_device_raise(DeviceObject *self, int code,
                          const struct aw_error *error)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    const char *name = aw_device_name(self->device);

    if (code == ENODEV && aw_device_closed(self->device))
        return aw_raise_advised(module, code, name, "the device was closed",
                                self->hosted ? "" : "open it anew");
    return aw_raise(module, code, name, error);
}

PyObject *aw_device_object_new(struct aw_module *module,
                               struct aw_device *device, bool hosted)
{
    PyTypeObject *type = type_for(module, device);
    DeviceObject *self = PyObject_New(DeviceObject, type);

    if (!self) {
        aw_device_unref(device);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->device = device;
    self->hosted = hosted;
    self->name = PyUnicode_FromString(aw_device_name(device));
    self->channels = PyList_New(0);
    if (!self->name || !self->channels)
        Py_CLEAR(self);
    return (PyObject *)self;
}

PyObject *aw_device_channel_name(DeviceObject *self, uint16_t index)
{
    while (PyList_GET_SIZE(self->channels) <= index) {
        uint16_t next = (uint16_t)PyList_GET_SIZE(self->channels);
        PyObject *name =
            PyUnicode_FromString(aw_device_channel(self->device, next));

        if (!name || PyUnicode_GET_LENGTH(name) == 0 ||
            PyList_Append(self->channels, name) < 0) {
            PyErr_Clear();
            Py_XDECREF(name);
            return NULL;
        }
        Py_DECREF(name);
    }
    return PyList_GET_ITEM(self->channels, index);
}

static void device_dealloc(PyObject *object)
{
    DeviceObject *self = (DeviceObject *)object;
    PyTypeObject *type = Py_TYPE(object);
    struct aw_module *module = aw_module_of_type(type);

    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    /* In a forked child there is no reader that would answer. */
    if (!aw_module_forked(module)) {
        Py_BEGIN_ALLOW_THREADS
        aw_device_unref(self->device);
        Py_END_ALLOW_THREADS
    }
    Py_CLEAR(self->name);
    Py_CLEAR(self->channels);
    PyObject_Free(object);
    Py_DECREF(type);
}

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef device_methods[] = {
    {"queue", METHOD(aw_device_queue), METH_VARARGS | METH_KEYWORDS,
     "queue($self, /, filters=None, name=None, depth=None,\n"
     "      overflow='drop-newest', budget_us=0, gaps=False, wakeup=None,\n"
     "      events=False, filters_joined=False)\n"
     "--\n\n"
     "Subscribe: a new Queue that gets every frame from now on.\n\n"
     "filters: [{'can_id': int, 'can_mask': int, 'extended': bool}, ...] as\n"
     "in python-can; a frame passes if it matches any, or does not match one\n"
     "with 'inverted': True. filters_joined: it must pass all of them, as "
     "with\n"
     "j in candump. depth: frames, by\n"
     "default 16384 (CAN), 4096 (up to 2 KiB) or 512. overflow: what a full\n"
     "queue does: 'drop-newest', 'drop-oldest', 'latest' (one frame an id, "
     "the\n"
     "newest) or 'block' (the device is not read on). budget_us: by how much "
     "a\n"
     "wake may be put off to be one for many frames. gaps: give a Gap before\n"
     "the first frame after a loss. wakeup: 'bridge', which works with every\n"
     "loop, or 'fd', which is faster where the loop has add_reader(); by\n"
     "default what the device's configuration says. events: give an Event\n"
     "where something happens to the device, past the filters.\n\n"
     "Raises DeviceLost, or ValueError for what is no good."},
    {"send", METHOD(aw_device_send_method), METH_FASTCALL | METH_KEYWORDS,
     "send($self, frame, timeout=None, wait=False, confirm=False,\n"
     "     expires=None)\n--\n\n"
     "Await the kernel's acceptance of a frame.\n\n"
     "timeout: seconds that it may wait for a full send buffer; None:\n"
     "send_timeout_s; float('inf'): for ever. wait: wait while the link is\n"
     "down or bus-off or the device away, rather than fail. confirm: wait\n"
     "until its echo says that it was on the wire, and return the frame as "
     "it\n"
     "was sent, with the echo's timestamps. expires: seconds from now on "
     "after\n"
     "which it is too old to be sent.\n\n"
     "Returns None, or with confirm a frame. A frame of a send that is\n"
     "cancelled while it waits is not sent. Raises SendTimeout, SendExpired,\n"
     "DeviceDown, SendQueueFull (send_depth frames are under way),\n"
     "DeviceError when it is refused, TypeError for what cannot be sent "
     "here."},
    {"send_nowait", METHOD(aw_device_send_nowait_method),
     METH_FASTCALL | METH_KEYWORDS,
     "send_nowait($self, frame, timeout=None, wait=False, expires=None)\n"
     "--\n\n"
     "Hand a frame over to be sent, and do not wait for it. Needs no loop.\n\n"
     "What became of it is in stats() alone. Raises SendQueueFull, "
     "DeviceError\nand TypeError as send() does."},
    {"send_many", METHOD(aw_device_send_many_method),
     METH_FASTCALL | METH_KEYWORDS,
     "send_many($self, frames, timeout=None, wait=False, confirm=False,\n"
     "          expires=None, return_exceptions=False)\n--\n\n"
     "Await many frames, sent in order, with one wake.\n\n"
     "They are accepted all or none: SendQueueFull. Each has the timeout and\n"
     "the rest as in send(). When all are sent or have failed, the exception\n"
     "of the first that failed is raised, if any; a note on it says how many\n"
     "were sent. With return_exceptions the result is a list instead, in "
     "which\n"
     "each frame has None (with confirm, itself) or its exception. Else it is\n"
     "None, or with confirm the list of frames."},
    {"stats", device_stats, METH_NOARGS,
     "stats($self, /)\n--\n\n"
     "The device's ledger: {'queues': [{'name', 'script', 'open', 'stats'},\n"
     "...], 'send': SendStats}."},
    {"close", device_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Send what was accepted, end every queue with reason 'stopped', close."},
    {"__enter__", device_enter, METH_NOARGS, NULL},
    {"__exit__", device_exit, METH_VARARGS, NULL},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {"_release", device_release, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef device_members[] = {
    {"name", T_OBJECT, offsetof(DeviceObject, name), READONLY,
     "As configured, and as imported from awaitd.devices."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(DeviceObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef device_getset[] = {
    {"driver", device_get_driver, NULL, "The driver's name.", NULL},
    {"kind", device_get_kind, NULL,
     "'can', 'datagram', 'j1939', 'ethernet' or 'bytes'.", NULL},
    {"closed", device_get_closed, NULL, "True after close().", NULL},
    {"send_depth", device_get_send_depth, NULL,
     "How many frames may wait to be sent; further ones are refused.", NULL},
    AW_STATUS_GETSET,
    {"_held", device_get_held, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

#define DEVICE_FLAGS                                                           \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |                  \
     Py_TPFLAGS_IMMUTABLETYPE)

static PyType_Slot device_slots[] = {
    {Py_tp_doc,
     (void *)"An opened device. Made by the daemon or awaitd.open()."},
    {Py_tp_dealloc, device_dealloc},
    {Py_tp_repr, device_repr},
    {Py_tp_methods, device_methods},
    {Py_tp_members, device_members},
    {Py_tp_getset, device_getset},
    {0, NULL},
};

static PyType_Spec device_spec = {
    .name = "awaitd.Device",
    .basicsize = sizeof(DeviceObject),
    .flags = DEVICE_FLAGS | Py_TPFLAGS_BASETYPE,
    .slots = device_slots,
};

static PyMethodDef can_device_methods[] = {
    {"send_periodic", (PyCFunction)(void (*)(void))aw_device_send_periodic,
     METH_VARARGS | METH_KEYWORDS,
     "send_periodic($self, /, frame, period)\n--\n\n"
     "Have the kernel send a frame again and again: a new PeriodicSend.\n\n"
     "period: seconds, 0.0001 to 86400; the first frame goes at once. It ends\n"
     "with stop(), with its script, with the device and with the process, "
     "even\n"
     "if that is killed. The send ledger does not have these frames: the "
     "kernel\n"
     "counts them nowhere.\n\n"
     "Raises ValueError for what is no good, DeviceError where the driver has\n"
     "none, or the kernel refuses."},
    {NULL, NULL, 0, NULL},
};

/* Adds a kind of device, which differs from Device by its frames and what can
 * be done with them alone; `methods` may be NULL. */
static PyTypeObject *add_kind(PyObject *module, const char *name,
                              const char *doc, PyMethodDef *methods)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)doc},
        {methods ? Py_tp_methods : 0, methods},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = name,
        .flags = DEVICE_FLAGS,
        .slots = slots,
    };
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &spec, (PyObject *)aw_module_state(module)->device_type);

    if (type && PyModule_AddType(module, type) < 0)
        Py_CLEAR(type);
    return type;
}

int aw_device_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->device_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &device_spec, NULL);
    if (!state->device_type || PyModule_AddType(module, state->device_type) < 0)
        return -1;
    state->can_device_type =
        add_kind(module, "awaitd.CanDevice", "A device of CanFrame.",
                 can_device_methods);
    state->datagram_device_type = add_kind(module, "awaitd.DatagramDevice",
                                           "A device of Datagram.", NULL);
    state->j1939_device_type = add_kind(module, "awaitd.J1939Device",
                                        "A device of J1939Message.", NULL);
    state->ethernet_device_type = add_kind(module, "awaitd.EthernetDevice",
                                           "A device of EthernetFrame.", NULL);
    state->bytes_device_type = add_kind(
        module, "awaitd.BytesDevice", "A device of Frame: plain bytes.", NULL);
    return state->can_device_type && state->datagram_device_type &&
                   state->bytes_device_type && state->j1939_device_type &&
                   state->ethernet_device_type
               ? 0
               : -1;
}
