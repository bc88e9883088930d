#include "pymod/event.h"

#include <stdlib.h>
#include <string.h>
#include <structmember.h>

#include "devices/link_status.h"
#include "pymod/frame_base.h"

/* ---- names ---- */

static const char *const kinds[] = {
    [AW_EVENT_LINK_UP] = "link-up",     [AW_EVENT_LINK_DOWN] = "link-down",
    [AW_EVENT_BUS_STATE] = "bus-state", [AW_EVENT_RESTARTED] = "restarted",
    [AW_EVENT_BITRATE] = "bitrate",     [AW_EVENT_LOST] = "lost",
    [AW_EVENT_BACK] = "back",           [AW_EVENT_TIMEOUT] = "timeout",
    [AW_EVENT_CHANGED] = "changed",     [AW_EVENT_OVERRUN] = "overrun",
    [AW_EVENT_MISSED] = "missed",
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* A driver of somebody's own may have kinds of its own. */
static const char *kind_name(uint32_t kind)
{
    return kind > 0 && kind < KIND_COUNT ? kinds[kind] : "other";
}

static struct aw_event event_of(const struct aw_frame *frame)
{
    struct aw_event event = {0};

    if (frame->length == sizeof(event))
        memcpy(&event, frame->payload, sizeof(event));
    return event;
}

static bool is_watched(uint32_t kind)
{
    return kind == AW_EVENT_TIMEOUT || kind == AW_EVENT_CHANGED;
}

/* ---- keys ---- */

PyObject *aw_event_key_name(const struct aw_frame *frame)
{
    if (is_watched(frame->id))
        return PyUnicode_FromFormat("event:%s:%x", kind_name(frame->id),
                                    (unsigned)event_of(frame).detail);
    return PyUnicode_FromFormat("event:%s", kind_name(frame->id));
}

/* The kind that `name` begins with, and what is behind it; 0: none. */
static uint32_t find_kind(const char *name, const char **ret_rest)
{
    for (uint32_t kind = 1; kind < KIND_COUNT; kind++) {
        size_t length = strlen(kinds[kind]);

        if (strncmp(name, kinds[kind], length) == 0 &&
            (name[length] == '\0' || name[length] == ':')) {
            *ret_rest = name + length;
            return kind;
        }
    }
    return 0;
}

int aw_event_key_parse(const char *name, struct aw_key *ret_key)
{
    static const char word[] = "event:";
    _Alignas(8) unsigned char
        slot[sizeof(struct aw_frame) + sizeof(struct aw_event)] = {0};
    void *memory = slot;
    struct aw_frame *frame = memory;
    struct aw_event event = {0};
    const char *rest;

    if (strncmp(name, word, sizeof(word) - 1) != 0)
        return 0;
    frame->kind = AW_KIND_EVENT;
    frame->length = sizeof(event);
    frame->id = find_kind(name + sizeof(word) - 1, &rest);
    if (frame->id == 0 || is_watched(frame->id) != (*rest == ':'))
        return 0;
    if (*rest == ':')
        event.detail = (uint32_t)strtoul(rest + 1, NULL, 16);
    memcpy(frame->payload, &event, sizeof(event));
    *ret_key = aw_key_of(frame);
    return 1;
}

/* ---- attributes ---- */

static PyObject *event_get_kind(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_InternFromString(kind_name(aw_frame_slot(self)->id));
}

static PyObject *down_name(int32_t value)
{
    const char *name = value == AW_DOWN_ADMIN     ? "admin"
                       : value == AW_DOWN_CARRIER ? "carrier"
                                                  : "";

    return PyUnicode_InternFromString(name);
}

static PyObject *event_get_value(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    int32_t value = event_of(frame).value;
    const char *state;

    (void)closure;
    switch (frame->id) {
    case AW_EVENT_LINK_DOWN:
        return down_name(value);
    case AW_EVENT_BUS_STATE:
        state = aw_bus_state_name((enum aw_bus_state)value);
        return PyUnicode_InternFromString(state ? state : "");
    default:
        return PyLong_FromLong(value);
    }
}

static PyObject *event_get_detail(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(event_of(aw_frame_slot(self)).detail);
}

/* `closure`: by how many bits the counter is shifted in the detail. */
static PyObject *event_get_errors(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    unsigned shift = (unsigned)(uintptr_t)closure;

    if (frame->id != AW_EVENT_BUS_STATE)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(event_of(frame).detail >> shift & 0xffff);
}

static PyMemberDef event_members[] = {
    AW_FRAME_STREAM_MEMBERS,
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef event_getset[] = {
    {"kind", event_get_kind, NULL,
     PyDoc_STR("\"link-up\", \"link-down\", \"bus-state\", \"restarted\", "
               "\"bitrate\", \"lost\", \"back\", \"timeout\", \"changed\", "
               "\"overrun\" or \"missed\"; \"other\" of a driver's own."),
     NULL},
    {"value", event_get_value, NULL,
     PyDoc_STR("link-down: \"admin\" or \"carrier\". bus-state: "
               "\"error-active\", \"warning\", \"error-passive\", "
               "\"bus-off\", \"stopped\" or \"sleeping\". bitrate: bit/s. "
               "lost: the errno. Else 0."),
     NULL},
    {"detail", event_get_detail, NULL,
     PyDoc_STR("bitrate: that of the data phase, or 0. back: ms it was away. "
               "timeout, changed: the frame's identifier. overrun: samples, "
               "and missed: edges, how many. bus-state: tx_errors << 16 | "
               "rx_errors. Else 0."),
     NULL},
    {"tx_errors", event_get_errors, NULL,
     PyDoc_STR("bus-state: the controller's transmit error counter; else "
               "None."),
     (void *)16},
    {"rx_errors", event_get_errors, NULL,
     PyDoc_STR("bus-state: the controller's receive error counter; else "
               "None."),
     NULL},
    AW_FRAME_STREAM_GETSET,
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- text ---- */

/* "bus-state bus-off tx_errors=248 rx_errors=0", "back 0 120" */
static PyObject *describe(PyObject *self)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    struct aw_event event = event_of(frame);
    PyObject *value, *text;

    if (event.value == 0 && event.detail == 0)
        return event_get_kind(self, NULL);
    value = event_get_value(self, NULL);
    if (!value)
        return NULL;
    if (frame->id == AW_EVENT_BUS_STATE)
        text = PyUnicode_FromFormat(
            "%s %S tx_errors=%u rx_errors=%u", kind_name(frame->id), value,
            (unsigned)(event.detail >> 16), (unsigned)(event.detail & 0xffff));
    else
        text = PyUnicode_FromFormat("%s %S %u", kind_name(frame->id), value,
                                    (unsigned)event.detail);
    Py_DECREF(value);
    return text;
}

AW_WITH_GIL static PyObject *event_repr(PyObject *self)
{
    return aw_frame_describe(self, describe(self));
}

/* ---- the type ---- */

/* For `match`: case Event("bus-state", "bus-off"). */
static int add_match_args(PyTypeObject *type)
{
    PyObject *names = Py_BuildValue("(sss)", "kind", "value", "detail");
    int result =
        names ? PyDict_SetItemString(type->tp_dict, "__match_args__", names)
              : -1;

    Py_XDECREF(names);
    PyType_Modified(type);
    return result;
}

static PyMethodDef event_methods[] = {
    {"__reduce__", aw_frame_reduce, METH_NOARGS,
     PyDoc_STR("__reduce__($self, /)\n--\n\nFor pickle.")},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_doc,
     (void *)"What happened to a device, at this place of its stream.\n\n"
             "Given by a queue opened with events=True, and counted there as a "
             "frame is."},
    {Py_tp_dealloc, aw_frame_dealloc},
    {Py_tp_repr, event_repr},
    {Py_tp_members, event_members},
    {Py_tp_getset, event_getset},
    {Py_tp_methods, event_methods},
    {0, NULL},
};

static PyType_Spec event_spec = {
    .name = "awaitd.Event",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = event_slots,
};

int aw_event_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->event_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &event_spec, NULL);
    if (!state->event_type || add_match_args(state->event_type) < 0)
        return -1;
    return PyModule_AddType(module, state->event_type);
}
