/* Device.send(), send_many() and send_nowait(): from what a script asks for to
 * what the reader takes. */
#include <errno.h>
#include <stdlib.h>

#include "devices/queue/clock.h"
#include "pymod/frame.h"
#include "pymod/send.h"

/* What is further away than this never comes: 30 years. */
#define FOR_EVER_S 1e9

/* ---- arguments ---- */

enum argument { FRAME, TIMEOUT, WAIT, CONFIRM, EXPIRES, REPORT, ARGUMENTS };

/* One method's arguments, in their order. */
struct signature {
    const char *method;
    struct {
        const char *name;
        enum argument argument;
    } names[ARGUMENTS];
    Py_ssize_t count;
};

static const struct signature send_signature = {
    "send",
    {{"frame", FRAME},
     {"timeout", TIMEOUT},
     {"wait", WAIT},
     {"confirm", CONFIRM},
     {"expires", EXPIRES}},
    5,
};

static const struct signature nowait_signature = {
    "send_nowait",
    {{"frame", FRAME},
     {"timeout", TIMEOUT},
     {"wait", WAIT},
     {"expires", EXPIRES}},
    4,
};

static const struct signature many_signature = {
    "send_many",
    {{"frames", FRAME},
     {"timeout", TIMEOUT},
     {"wait", WAIT},
     {"confirm", CONFIRM},
     {"expires", EXPIRES},
     {"return_exceptions", REPORT}},
    6,
};

static int place_keyword(const struct signature *signature, PyObject *name,
                         PyObject *value, PyObject *values[ARGUMENTS])
{
    for (Py_ssize_t i = 0; i < signature->count; i++) {
        enum argument argument = signature->names[i].argument;

        if (PyUnicode_CompareWithASCIIString(name, signature->names[i].name) !=
            0)
            continue;
        if (values[argument]) {
            PyErr_Format(PyExc_TypeError, "%s() got %R twice",
                         signature->method, name);
            return -1;
        }
        values[argument] = value;
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() has no argument %R", signature->method,
                 name);
    return -1;
}

/* Sorts what was given into `values`, borrowed; NULL: not given. */
static int place(const struct signature *signature, PyObject *const *arguments,
                 Py_ssize_t count, PyObject *keywords,
                 PyObject *values[ARGUMENTS])
{
    Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;

    if (count > signature->count) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most %zd arguments, not "
                     "%zd",
                     signature->method, signature->count, count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        values[signature->names[i].argument] = arguments[i];
    for (Py_ssize_t i = 0; i < named; i++) {
        if (place_keyword(signature, PyTuple_GET_ITEM(keywords, i),
                          arguments[count + i], values) < 0)
            return -1;
    }
    if (values[FRAME])
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() needs %s", signature->method,
                 signature->names[0].name);
    return -1;
}

/* Seconds, or FOR_EVER_S for None. -1 with an exception. */
static double parse_seconds(const char *name, PyObject *object)
{
    double seconds;

    if (!object || object == Py_None)
        return FOR_EVER_S;
    seconds = PyFloat_AsDouble(object);
    if (seconds == -1 && PyErr_Occurred())
        return -1;
    if (seconds >= 0)
        return seconds < FOR_EVER_S ? seconds : FOR_EVER_S;
    PyErr_Format(PyExc_ValueError, "%s is in seconds, 0 or more, not %R", name,
                 object);
    return -1;
}

/* What is asked for a frame. */
struct wishes {
    uint64_t timeout_ns, expires_ns; /* as in struct aw_send */
    bool wait, confirm, report;
};

static int parse_times(PyObject *const values[ARGUMENTS], struct wishes *wishes)
{
    bool bounded = values[TIMEOUT] && values[TIMEOUT] != Py_None;
    double timeout_s = parse_seconds("timeout", values[TIMEOUT]);
    double expires_s =
        timeout_s < 0 ? -1 : parse_seconds("expires", values[EXPIRES]);

    if (expires_s < 0)
        return -1;
    /* 0 would be the device's own; the least there is, is one attempt. */
    if (bounded)
        wishes->timeout_ns = timeout_s >= FOR_EVER_S
                                 ? UINT64_MAX
                                 : (uint64_t)(timeout_s * 1e9) + 1;
    if (expires_s < FOR_EVER_S)
        wishes->expires_ns =
            aw_clock_monotonic_ns() + (uint64_t)(expires_s * 1e9);
    return 0;
}

static int parse_flag(PyObject *object, bool *ret_flag)
{
    int truth = object ? PyObject_IsTrue(object) : 0;

    *ret_flag = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int parse_wishes(PyObject *const values[ARGUMENTS],
                        struct wishes *wishes)
{
    if (parse_times(values, wishes) < 0 ||
        parse_flag(values[WAIT], &wishes->wait) < 0 ||
        parse_flag(values[CONFIRM], &wishes->confirm) < 0)
        return -1;
    return parse_flag(values[REPORT], &wishes->report);
}

/* ---- frames ---- */

void aw_send_parts_clear(struct aw_send_parts *parts)
{
    for (size_t i = 0; parts->parts && i < parts->count; i++)
        free(parts->parts[i].send);
    free(parts->parts);
    parts->parts = NULL;
    parts->count = 0;
}

/* A frame as the reader takes it. NULL with an exception. */
static struct aw_send *make_send(DeviceObject *device, PyObject *frame,
                                 const struct wishes *wishes)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    struct aw_send *send;

    if (aw_module_pass_gate(module) < 0 ||
        aw_frame_to_send(module, frame, aw_device_kind(device->device), &send) <
            0)
        return NULL;
    send->timeout_ns = wishes->timeout_ns;
    send->expires_ns = wishes->expires_ns;
    send->wait = wishes->wait;
    send->confirm = wishes->confirm;
    if (aw_module_owner_name(module, send->owner, sizeof(send->owner)) == 0)
        return send;
    free(send);
    return NULL;
}

/* Fills `parts` from `count` frames. 0, or -1 with an exception and nothing in
 * it. */
static int make_parts(DeviceObject *device, PyObject *const *frames,
                      Py_ssize_t count, const struct wishes *wishes,
                      struct aw_send_parts *parts)
{
    *parts = (struct aw_send_parts){
        .parts = calloc((size_t)count + 1, sizeof(struct aw_send_part)),
        .confirm = wishes->confirm,
        .reported = wishes->report,
    };
    if (!parts->parts) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        struct aw_send *send = make_send(device, frames[i], wishes);

        if (!send) {
            aw_send_parts_clear(parts);
            return -1;
        }
        parts->parts[parts->count++].send = send;
    }
    return 0;
}

/* ---- the methods ---- */

PyObject *aw_device_send_method(PyObject *self, PyObject *const *arguments,
                                Py_ssize_t count, PyObject *keywords)
{
    PyObject *values[ARGUMENTS] = {NULL};
    struct wishes wishes = {0};
    struct aw_send_parts parts;

    if (place(&send_signature, arguments, count, keywords, values) < 0 ||
        parse_wishes(values, &wishes) < 0 ||
        make_parts((DeviceObject *)self, &values[FRAME], 1, &wishes, &parts) <
            0)
        return NULL;
    return aw_send_new((DeviceObject *)self, &parts);
}

PyObject *aw_device_send_many_method(PyObject *self, PyObject *const *arguments,
                                     Py_ssize_t count, PyObject *keywords)
{
    PyObject *values[ARGUMENTS] = {NULL};
    struct wishes wishes = {0};
    struct aw_send_parts parts;
    PyObject *frames;
    int result;

    if (place(&many_signature, arguments, count, keywords, values) < 0 ||
        parse_wishes(values, &wishes) < 0)
        return NULL;
    /* A copy: it must not change while frames are made of it. */
    frames = PySequence_Tuple(values[FRAME]);
    if (!frames)
        return NULL;
    result = make_parts((DeviceObject *)self, &PyTuple_GET_ITEM(frames, 0),
                        PyTuple_GET_SIZE(frames), &wishes, &parts);
    Py_DECREF(frames);
    if (result < 0)
        return NULL;
    parts.many = true;
    return aw_send_new((DeviceObject *)self, &parts);
}

PyObject *aw_device_send_nowait_method(PyObject *self,
                                       PyObject *const *arguments,
                                       Py_ssize_t count, PyObject *keywords)
{
    DeviceObject *device = (DeviceObject *)self;
    PyObject *values[ARGUMENTS] = {NULL};
    struct wishes wishes = {0};
    struct aw_send *send;
    int result;

    if (place(&nowait_signature, arguments, count, keywords, values) < 0 ||
        parse_wishes(values, &wishes) < 0 ||
        aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    send = make_send(device, values[FRAME], &wishes);
    if (!send)
        return NULL;
    send->done = aw_send_discard;
    result = aw_device_send(device->device, send);
    if (result == 0)
        Py_RETURN_NONE;
    free(send);
    return aw_send_raise(device, -result, false, 1);
}
