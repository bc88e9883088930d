#include "pymod/device.h"

#include <errno.h>
#include <structmember.h>

#include "pymod/errors.h"
#include "pymod/filters.h"
#include "pymod/queue.h"
#include "pymod/stats.h"

/* ---- queues ---- */

/* Two seconds of a full CAN bus; less where a slot is large (design: at most
 * about 8 MiB a queue). */
static uint32_t default_depth(const struct aw_device *device)
{
    uint32_t payload_bytes = aw_device_payload_bytes(device);

    if (payload_bytes <= AW_PAYLOAD_FD)
        return 16384;
    return payload_bytes <= AW_PAYLOAD_2K ? 4096 : 512;
}

struct queue_arguments {
    PyObject *filters, *name, *depth;
    const char *overflow;
    Py_ssize_t budget_us;
};

static int parse_depth(DeviceObject *self, PyObject *depth,
                       struct aw_queue_config *config)
{
    long count;
    int overflow;

    config->depth = default_depth(self->device);
    if (!depth || depth == Py_None)
        return 0;
    count = PyLong_AsLongAndOverflow(depth, &overflow);
    if (count == -1 && PyErr_Occurred())
        return -1;
    if (overflow || count < 1 || count > (long)AW_RING_SLOTS_MAX) {
        PyErr_Format(PyExc_ValueError, "depth must be 1..%lu frames, not %S",
                     (unsigned long)AW_RING_SLOTS_MAX, depth);
        return -1;
    }
    config->depth = (uint32_t)count;
    return 0;
}

static int parse_name(DeviceObject *self, PyObject *name, char *buffer,
                      size_t size)
{
    const char *text;
    Py_ssize_t length;

    if (!name || name == Py_None) {
        PyOS_snprintf(buffer, size, "%u", aw_device_next_number(self->device));
        return 0;
    }
    text = PyUnicode_AsUTF8AndSize(name, &length);
    if (!text)
        return -1;
    if (length == 0 || (size_t)length >= size ||
        strlen(text) != (size_t)length) {
        PyErr_Format(PyExc_ValueError,
                     "a queue's name has 1..%zu bytes, none of them 0, not %R",
                     size - 1, name);
        return -1;
    }
    PyOS_snprintf(buffer, size, "%s", text);
    return 0;
}

static int check_policy(const struct queue_arguments *given)
{
    if (strcmp(given->overflow, "drop-newest") != 0) {
        PyErr_Format(PyExc_ValueError,
                     "overflow=\"%s\" is not known to this version: "
                     "\"drop-newest\" is",
                     given->overflow);
        return -1;
    }
    if (given->budget_us != 0) {
        PyErr_Format(PyExc_ValueError,
                     "budget_us=%zd is not known to this version: 0 is",
                     given->budget_us);
        return -1;
    }
    return 0;
}

/* Makes and attaches the C queue. NULL with an exception. */
static struct aw_queue *attach(DeviceObject *self,
                               const struct aw_queue_config *config)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_queue *queue = NULL;
    int result;

    Py_BEGIN_ALLOW_THREADS
    result = aw_queue_new(config, &queue);
    if (result == 0)
        result = aw_device_attach(self->device, queue);
    Py_END_ALLOW_THREADS
    if (result == 0)
        return queue;
    if (result == -EEXIST)
        PyErr_Format(PyExc_ValueError, "device %U already has a queue named %s",
                     self->name, config->name);
    else
        aw_raise(module, -result, config->device, NULL);
    aw_queue_unref(queue);
    return NULL;
}

static PyObject *new_queue(DeviceObject *self, struct aw_queue_config *config,
                           PyObject *owner)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_queue *queue = attach(self, config);
    PyObject *object, *adopted;

    if (!queue)
        return NULL;
    object = aw_queue_object_new(module, self, queue, owner);
    if (!object || !owner)
        return object;
    /* The script keeps track of it, and ends it when it ends. */
    adopted = PyObject_CallMethod(owner, "adopt", "O", object);
    if (!adopted)
        Py_CLEAR(object);
    Py_XDECREF(adopted);
    return object;
}

static PyObject *make_queue(DeviceObject *self,
                            const struct queue_arguments *given)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    char name[64], owner_name[64];
    struct aw_filter *filters = NULL;
    struct aw_queue_config config = {
        .name = name,
        .device = aw_device_name(self->device),
        .owner = owner_name,
        .payload_bytes = aw_device_payload_bytes(self->device),
        .overflow = AW_OVERFLOW_DROP_NEWEST,
    };
    PyObject *queue = NULL, *owner;
    Py_ssize_t count = aw_filters_parse(given->filters, self, &filters);

    if (count < 0)
        return NULL;
    config.filters = filters;
    config.filter_count = (size_t)count;
    owner = aw_module_owner(module);
    if (!PyErr_Occurred() && check_policy(given) == 0 &&
        parse_depth(self, given->depth, &config) == 0 &&
        parse_name(self, given->name, name, sizeof(name)) == 0 &&
        aw_module_owner_name(module, owner_name, sizeof(owner_name)) == 0)
        queue = new_queue(self, &config, owner);
    Py_XDECREF(owner);
    PyMem_Free(filters);
    return queue;
}

static PyObject *device_queue(PyObject *self, PyObject *arguments,
                              PyObject *keywords)
{
    static const char *const names[] = {"filters",  "name",      "depth",
                                        "overflow", "budget_us", NULL};
    struct queue_arguments given = {.overflow = "drop-newest"};

    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "|OOOsn:queue", (char **)names, &given.filters,
            &given.name, &given.depth, &given.overflow, &given.budget_us) ||
        aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    return make_queue((DeviceObject *)self, &given);
}

/* ---- the rest ---- */

static PyObject *device_send(PyObject *self, PyObject *frame)
{
    return aw_send_new((DeviceObject *)self, frame);
}

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
        [AW_KIND_BYTES] = "bytes",
        [AW_KIND_CAN] = "can",
        [AW_KIND_CAN_XL] = "can",
        [AW_KIND_DATAGRAM] = "datagram",
    };

    return PyUnicode_FromString(
        names[aw_device_kind(((DeviceObject *)self)->device)]);
}

static PyObject *device_get_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_device_closed(((DeviceObject *)self)->device));
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
    switch (aw_device_kind(device)) {
    case AW_KIND_CAN:
    case AW_KIND_CAN_XL:
        return module->can_device_type;
    case AW_KIND_DATAGRAM:
        return module->datagram_device_type;
    case AW_KIND_BYTES:
        break;
    }
    return module->bytes_device_type;
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

static PyMethodDef device_methods[] = {
    {"queue", (PyCFunction)(void (*)(void))device_queue,
     METH_VARARGS | METH_KEYWORDS,
     "queue($self, /, filters=None, name=None, depth=None,\n"
     "      overflow='drop-newest', budget_us=0)\n--\n\n"
     "Subscribe: a new Queue that gets every frame from now on.\n\n"
     "filters: [{'can_id': int, 'can_mask': int, 'extended': bool}, ...] as\n"
     "in python-can; a frame passes if it matches any. depth: frames, by\n"
     "default 16384 (CAN), 4096 (up to 2 KiB) or 512. Raises DeviceLost, or\n"
     "ValueError for a filter, name, depth or policy that is no good."},
    {"send", device_send, METH_O,
     "send($self, frame, /)\n--\n\n"
     "Await the kernel's acceptance of a frame.\n\n"
     "Raises SendTimeout when it does not take it within send_timeout_s,\n"
     "DeviceError when it refuses, TypeError for what cannot be sent here."},
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
    {"kind", device_get_kind, NULL, "'can', 'datagram' or 'bytes'.", NULL},
    {"closed", device_get_closed, NULL, "True after close().", NULL},
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

/* Adds a kind of device, which differs from Device by its frames alone. */
static PyTypeObject *add_kind(PyObject *module, const char *name,
                              const char *doc)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)doc},
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
        add_kind(module, "awaitd.CanDevice", "A device of CanFrame.");
    state->datagram_device_type =
        add_kind(module, "awaitd.DatagramDevice", "A device of Datagram.");
    state->bytes_device_type = add_kind(module, "awaitd.BytesDevice",
                                        "A device of Frame: plain bytes.");
    return state->can_device_type && state->datagram_device_type &&
                   state->bytes_device_type
               ? 0
               : -1;
}
