/* PeriodicSend: a frame that the kernel sends again and again.
 *
 * The driver owns the transmission, by a number; this object is a handle. So it
 * goes on when the object is forgotten, as in python-can, until it is stopped
 * or its script, its device or the process ends. */
#include "pymod/device.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <structmember.h>

#include "devices/can_periodic.h"
#include "pymod/can_frame.h"
#include "pymod/errors.h"

typedef struct {
    PyObject_HEAD DeviceObject *device;
    PyObject *frame; /* CanFrame: what is sent now */
    double period;   /* seconds */
    int32_t number;  /* the driver's; 0: stopped */
    PyObject *weak_references;
} PeriodicObject;

/* ---- to the driver ---- */

static void explain(struct aw_error *error, const DeviceObject *device,
                    int code)
{
    switch (code) {
    case EOPNOTSUPP:
        aw_error_set(error, code,
                     "no cyclic sending with driver %s, on interface any, or "
                     "of an FD frame where the device takes classic ones",
                     aw_device_driver(device->device)->name);
        break;
    case EPROTONOSUPPORT:
        aw_error_set(error, code,
                     "this kernel has no broadcast manager, which sends "
                     "cyclically: load it with `modprobe can-bcm`");
        break;
    case ENOSPC:
        aw_error_set(error, code,
                     "%u cyclic transmissions run already: stop some",
                     AW_CAN_PERIODIC_MAX);
        break;
    case ENODEV:
        aw_error_set(error, code,
                     "the cyclic transmission has ended, with its device");
        break;
    default:
        error->text[0] = '\0';
    }
}

/* Returns what the driver does, zero or positive, or -1 with an exception. */
static int request(DeviceObject *device, enum aw_can_request what,
                   struct aw_can_periodic *argument)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    struct aw_error error = {.text = ""};
    int result;

    if (aw_module_check_fork(module) < 0 || aw_module_pass_gate(module) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    result = aw_device_control(device->device, what, argument);
    Py_END_ALLOW_THREADS
    if (result >= 0)
        return result;
    /* Of an opening of the device that is over. */
    if (result == -ENOENT)
        result = -ENODEV;
    explain(&error, device, -result);
    aw_device_raise(device, -result, &error);
    return -1;
}

/* A copy of the frame's content, without what belongs to its arrival. */
static void put_frame(struct aw_can_periodic *argument, PyObject *object)
{
    const struct aw_frame *given = aw_frame_slot(object);
    void *slot = argument->frame;
    struct aw_frame *frame = slot;

    *frame = (struct aw_frame){
        .id = given->id,
        .length = given->length,
        .flags = (uint16_t)(given->flags & ~AW_FRAME_ARRIVAL),
        .kind = given->kind,
    };
    memcpy(frame->payload, given->payload, given->length);
}

/* ---- frames ---- */

/* Is it a frame that can be sent cyclically? 0, or -1 with an exception. */
static int check_frame(const struct aw_module *module, PyObject *object)
{
    if (!Py_IS_TYPE(object, module->can_frame_type)) {
        PyErr_Format(PyExc_TypeError, "a CanFrame is sent cyclically, not %s",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (aw_frame_slot(object)->kind != AW_KIND_CAN ||
        aw_frame_slot(object)->id & AW_CAN_ERROR) {
        PyErr_SetString(PyExc_ValueError,
                        "neither CAN XL frames nor error frames can be sent "
                        "cyclically");
        return -1;
    }
    return 0;
}

static int check_data(const struct aw_frame *frame, size_t length)
{
    if (aw_frame_is_remote(frame)) {
        PyErr_SetString(PyExc_ValueError, "a remote frame carries no data");
        return -1;
    }
    if (frame->flags & AW_FRAME_FD ? aw_can_is_fd_length(length)
                                   : length <= AW_CAN_DATA_MAX)
        return 0;
    if (frame->flags & AW_FRAME_FD)
        PyErr_Format(PyExc_ValueError, AW_CAN_FD_LENGTHS, length);
    else
        PyErr_Format(PyExc_ValueError,
                     "a classic CAN frame carries at most 8 bytes, not %zu",
                     length);
    return -1;
}

/* The frame that is sent now, with other data. A new reference. */
static PyObject *frame_with(PeriodicObject *self, PyObject *data)
{
    const struct aw_frame *old = aw_frame_slot(self->frame);
    const unsigned raw_dlc = 0xfu << AW_FRAME_RAW_DLC_SHIFT;
    PyObject *bytes = PyBytes_FromObject(data), *made = NULL;
    size_t length;

    if (!bytes)
        return NULL;
    length = (size_t)PyBytes_GET_SIZE(bytes);
    if (check_data(old, length) == 0)
        made = aw_frame_alloc(Py_TYPE(self->frame), AW_KIND_CAN, length);
    if (made) {
        struct aw_frame *frame = aw_frame_slot(made);

        frame->id = old->id;
        frame->flags = (uint16_t)(old->flags & ~raw_dlc);
        memcpy(frame->payload, PyBytes_AS_STRING(bytes), length);
    }
    Py_DECREF(bytes);
    return made;
}

static bool same_slot(PyObject *one, PyObject *two)
{
    const struct aw_frame *first = aw_frame_slot(one);
    const struct aw_frame *second = aw_frame_slot(two);

    return first->id == second->id &&
           ((first->flags ^ second->flags) & AW_FRAME_FD) == 0;
}

/* ---- methods ---- */

static PyObject *periodic_modify_data(PyObject *object, PyObject *data)
{
    PeriodicObject *self = (PeriodicObject *)object;
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_can_periodic argument = {.number = self->number};
    PyObject *frame;

    if (!Py_IS_TYPE(data, module->can_frame_type))
        frame = frame_with(self, data);
    else
        frame = check_frame(module, data) == 0 ? Py_NewRef(data) : NULL;
    if (!frame)
        return NULL;
    if (!same_slot(frame, self->frame)) {
        Py_DECREF(frame);
        return PyErr_Format(PyExc_ValueError,
                            "a cyclic transmission keeps its identifier and "
                            "kind: start another one, and stop this");
    }
    if (self->number == 0) {
        Py_DECREF(frame);
        return PyErr_Format(module->error,
                            "%U: the cyclic transmission was stopped",
                            self->device->name);
    }
    put_frame(&argument, frame);
    if (request(self->device, AW_CAN_PERIODIC_MODIFY, &argument) < 0) {
        Py_DECREF(frame);
        return NULL;
    }
    Py_SETREF(self->frame, frame);
    Py_RETURN_NONE;
}

/* What has ended by itself is stopped, too. */
static void stop(PeriodicObject *self)
{
    struct aw_can_periodic argument = {.number = self->number};
    struct aw_device *device = self->device->device;

    self->number = 0;
    if (argument.number == 0 ||
        aw_module_forked(aw_module_of_type(Py_TYPE(self))))
        return;
    Py_BEGIN_ALLOW_THREADS(void)
    aw_device_control(device, AW_CAN_PERIODIC_STOP, &argument);
    Py_END_ALLOW_THREADS
}

static PyObject *periodic_stop(PyObject *self, PyObject *Py_UNUSED(unused))
{
    stop((PeriodicObject *)self);
    Py_RETURN_NONE;
}

static PyObject *periodic_enter(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return Py_NewRef(self);
}

static PyObject *periodic_exit(PyObject *self, PyObject *Py_UNUSED(arguments))
{
    stop((PeriodicObject *)self);
    Py_RETURN_NONE;
}

static PyObject *periodic_get_stopped(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((PeriodicObject *)self)->number == 0);
}

static PyObject *periodic_repr(PyObject *object)
{
    PeriodicObject *self = (PeriodicObject *)object;
    PyObject *period = PyFloat_FromDouble(self->period);
    PyObject *text =
        period ? PyUnicode_FromFormat("<awaitd.PeriodicSend %S every %S s on "
                                      "device %U%s>",
                                      self->frame, period, self->device->name,
                                      self->number ? "" : ", stopped")
               : NULL;

    Py_XDECREF(period);
    return text;
}

/* ---- Device.send_periodic() ---- */

static int parse_period(double period, uint64_t *ret_period_ns)
{
    double shortest = (double)AW_CAN_PERIOD_MIN_NS / 1e9;
    double longest = (double)AW_CAN_PERIOD_MAX_NS / 1e9;

    /* Also false for a NaN. */
    if (period >= shortest && period <= longest) {
        *ret_period_ns = (uint64_t)llrint(period * 1e9);
        return 0;
    }
    PyErr_SetString(PyExc_ValueError,
                    "period is in seconds, 0.0001 to 86400: shorter ones no "
                    "bus carries");
    return -1;
}

/* Takes over the transmission: where there can be no handle, it ends. */
static PyObject *new_periodic(DeviceObject *device, PyObject *frame,
                              double period, int32_t number)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    PeriodicObject *self = PyObject_New(PeriodicObject, module->periodic_type);
    PyObject *owner, *adopted;

    if (!self) {
        struct aw_can_periodic argument = {.number = number};

        (void)aw_device_control(device->device, AW_CAN_PERIODIC_STOP,
                                &argument);
        return NULL;
    }
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->device = (DeviceObject *)Py_NewRef(device);
    self->frame = Py_NewRef(frame);
    self->period = period;
    self->number = number;
    owner = aw_module_owner(module);
    /* The script keeps it, and ends it when it ends. */
    adopted =
        owner ? PyObject_CallMethod(owner, "adopt_periodic", "O", self) : NULL;
    Py_XDECREF(owner);
    Py_XDECREF(adopted);
    if (!PyErr_Occurred())
        return (PyObject *)self;
    stop(self);
    Py_DECREF(self);
    return NULL;
}

PyObject *aw_device_send_periodic(PyObject *self, PyObject *arguments,
                                  PyObject *keywords)
{
    static const char *const names[] = {"frame", "period", NULL};
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    struct aw_can_periodic argument = {0};
    PyObject *frame;
    double period;
    int number;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Od:send_periodic",
                                     (char **)names, &frame, &period) ||
        check_frame(module, frame) < 0 ||
        parse_period(period, &argument.period_ns) < 0)
        return NULL;
    put_frame(&argument, frame);
    number = request((DeviceObject *)self, AW_CAN_PERIODIC_START, &argument);
    if (number < 0)
        return NULL;
    return new_periodic((DeviceObject *)self, frame, period, number);
}

/* ---- the type ---- */

static void periodic_dealloc(PyObject *object)
{
    PeriodicObject *self = (PeriodicObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    Py_CLEAR(self->device);
    Py_CLEAR(self->frame);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef periodic_methods[] = {
    {"modify_data", periodic_modify_data, METH_O,
     "modify_data($self, data, /)\n--\n\n"
     "Send other data from the next time on; the pace stays.\n\n"
     "data: bytes-like, or a CanFrame of the same identifier and kind.\n"
     "Raises ValueError for another, DeviceLost or DeviceDown where the\n"
     "transmission has ended with its device."},
    {"stop", periodic_stop, METH_NOARGS,
     "stop($self, /)\n--\n\n"
     "Send it no more. Harmless if it has ended already."},
    {"__enter__", periodic_enter, METH_NOARGS, NULL},
    {"__exit__", periodic_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef periodic_members[] = {
    {"frame", T_OBJECT, offsetof(PeriodicObject, frame), READONLY,
     "What is sent: a CanFrame."},
    {"period", T_DOUBLE, offsetof(PeriodicObject, period), READONLY,
     "Seconds from one frame to the next."},
    {"device", T_OBJECT, offsetof(PeriodicObject, device), READONLY,
     "The device that it is sent on."},
    {"__weaklistoffset__", T_PYSSIZET,
     offsetof(PeriodicObject, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef periodic_getset[] = {
    {"stopped", periodic_get_stopped, NULL, "True after stop().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot periodic_slots[] = {
    {Py_tp_doc,
     (void *)"A frame that the kernel sends cyclically. Made by "
             "CanDevice.send_periodic().\n\n"
             "Goes on when it is forgotten, until stop(), or until its script, "
             "its device\nor the process ends. Also a context manager."},
    {Py_tp_dealloc, periodic_dealloc},
    {Py_tp_repr, periodic_repr},
    {Py_tp_methods, periodic_methods},
    {Py_tp_members, periodic_members},
    {Py_tp_getset, periodic_getset},
    {0, NULL},
};

static PyType_Spec periodic_spec = {
    .name = "awaitd.PeriodicSend",
    .basicsize = sizeof(PeriodicObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = periodic_slots,
};

int aw_periodic_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->periodic_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &periodic_spec, NULL);
    if (!state->periodic_type)
        return -1;
    return PyModule_AddType(module, state->periodic_type);
}
