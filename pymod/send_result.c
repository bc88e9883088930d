/* What a script gets of the frames that it sent: a value for those that were
 * sent, and for one that was not the exception that says why and what helps. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "pymod/errors.h"
#include "pymod/frame.h"
#include "pymod/send.h"

/* ---- why not ---- */

/* What happened, and the remedy. */
struct reason {
    const char *text; /* NULL: as errors.c has it */
    char advice[256];
};

__attribute__((format(printf, 3, 4))) static void
give(struct reason *reason, const char *text, const char *format, ...)
{
    va_list arguments;

    reason->text = text;
    va_start(arguments, format);
    vsnprintf(reason->advice, sizeof(reason->advice), format, arguments);
    va_end(arguments);
}

/* Why nothing goes out, as far as the device knows. The name of a device's
 * interface is that of its first channel. */
static void explain_down(const struct aw_device *device, struct reason *reason)
{
    const char *channel = aw_device_channel(device, 0);
    const char *interface = *channel ? channel : "INTERFACE";
    struct aw_link_status status;

    aw_device_status(device, &status);
    if (status.state == AW_LINK_LOST || status.state == AW_LINK_WAITING)
        give(reason, "the device is not there, and is waited for",
             "wait as well, with send(..., wait=True)");
    else if (status.bus_state == AW_BUS_OFF)
        give(reason, "the controller is bus-off",
             "see to wiring, termination and bit rate; `ip link set %s type "
             "can restart` starts it again, and `restart-ms 100` in place of "
             "`restart` does so every time",
             interface);
    else if (status.carrier == AW_CARRIER_NO)
        give(reason, "the link is down",
             "interface %s has no carrier: see what is at its other end",
             interface);
    else
        give(reason, "the link is down",
             "bring the interface up: ip link set dev %s up", interface);
}

static bool is_down(const struct aw_device *device)
{
    struct aw_link_status status;

    aw_device_status(device, &status);
    return status.state == AW_LINK_DOWN;
}

/* What kept it is another thing with each driver. */
static void explain_late(const struct aw_device *device, bool confirm,
                         struct reason *reason)
{
    const char *advice = aw_device_driver(device)->late_advice;
    const char *separator = advice ? "; " : "";

    advice = advice ? advice : "";
    if (confirm)
        give(reason, "a frame was not confirmed in time",
             "it may have been sent%s%s", separator, advice);
    else
        give(reason, AW_TEXT_LATE, "%s%s" AW_ADVICE_LATE, advice, separator);
}

static void explain(DeviceObject *device, int code, bool confirm, size_t count,
                    struct reason *reason)
{
    bool late = code == ETIMEDOUT;

    /* One that was to wait for the link has waited in vain. */
    if (code == ENETDOWN || (late && !confirm && is_down(device->device)))
        explain_down(device->device, reason);
    else if (late)
        explain_late(device->device, confirm, reason);
    else if (code == EOPNOTSUPP && confirm &&
             aw_device_can_send(device->device))
        give(reason, "this device cannot confirm what it sends",
             "leave confirm=True out");
    else if (code == ENOBUFS && count > 1)
        give(reason, "there is no room for so many more frames",
             "send %u at most at once, and await them, or raise send_depth",
             (unsigned)aw_device_send_depth(device->device));
}

PyObject *aw_send_raise(DeviceObject *device, int code, bool confirm,
                        size_t count)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    const char *name = aw_device_name(device->device);
    struct reason reason = {.text = NULL};

    explain(device, code, confirm, count, &reason);
    if (!reason.text)
        return aw_device_raise(device, code, NULL);
    return aw_raise_advised(module, code, name, reason.text, reason.advice);
}

/* ---- what was sent ---- */

/* The frame as it was on the wire, by its echo's clocks. */
static PyObject *confirmed_frame(DeviceObject *device, struct aw_send *send)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(device));
    void *memory = send->frame;
    struct aw_frame *frame = memory;

    frame->timestamp_ns = send->timestamp_ns;
    frame->monotonic_ns = send->monotonic_ns;
    frame->flags |= AW_FRAME_SENT;
    aw_frame_set_stamp(frame, (enum aw_stamp)send->stamp);
    if (send->hw_timestamp_ns != 0)
        aw_frame_set_hw_timestamp(frame, send->hw_timestamp_ns);
    return aw_frame_from_slot(module, frame, device->name,
                              aw_device_channel_name(device, 0));
}

/* One frame's. NULL with an exception. */
static PyObject *part_result(DeviceObject *device, struct aw_send_parts *parts,
                             size_t index)
{
    const struct aw_send_part *part = &parts->parts[index];

    if (part->pending.result < 0)
        return aw_send_raise(device, -part->pending.result, parts->confirm, 1);
    if (parts->confirm)
        return confirmed_frame(device, part->send);
    return Py_NewRef(Py_None);
}

/* The exception that is set, as an object. */
static PyObject *take_exception(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* Notes on the exception how many of the frames were sent. */
static void note_extent(const struct aw_send_parts *parts, size_t index)
{
    PyObject *exception = take_exception();
    PyObject *noted = NULL;
    size_t sent = 0;
    char note[128];

    for (size_t i = 0; i < parts->count; i++)
        sent += parts->parts[i].pending.result == 0;
    snprintf(note, sizeof(note),
             "send_many: that was frame %zu of %zu, counted from 0; %zu were "
             "sent",
             index, parts->count, sent);
    if (exception)
        noted = PyObject_CallMethod(exception, "add_note", "s", note);
    if (!noted)
        PyErr_Clear();
    Py_XDECREF(noted);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
}

/* The result of each frame; a failure is an exception or, if it was asked for,
 * the exception's object in its place. */
static PyObject *list_results(DeviceObject *device, struct aw_send_parts *parts)
{
    PyObject *list = PyList_New((Py_ssize_t)parts->count);

    for (size_t i = 0; list && i < parts->count; i++) {
        PyObject *result = part_result(device, parts, i);

        if (!result && parts->reported)
            result = take_exception();
        if (result) {
            PyList_SET_ITEM(list, (Py_ssize_t)i, result);
            continue;
        }
        note_extent(parts, i);
        Py_CLEAR(list);
    }
    return list;
}

PyObject *aw_send_result(DeviceObject *device, struct aw_send_parts *parts)
{
    PyObject *list;

    if (!parts->many)
        return part_result(device, parts, 0);
    list = list_results(device, parts);
    if (!list || parts->confirm || parts->reported)
        return list;
    Py_DECREF(list);
    Py_RETURN_NONE;
}
