/* J1939Message: what a J1939 socket received, or is to send.
 *
 * Who sent it to whom, and what, lies in front of the data (struct
 * aw_j1939_head). A message made by hand has no source: it is the device that
 * sends it. */
#include "pymod/frame_base.h"

#include <string.h>

#include "devices/j1939.h"

static struct aw_j1939_head head_of(PyObject *self)
{
    struct aw_j1939_head head;

    memcpy(&head, aw_frame_slot(self)->payload, sizeof(head));
    return head;
}

/* ---- the constructor ---- */

/* An int from 0 to `limit`, or with None `none`, into `ret`. Returns 0, or -1
 * with TypeError or ValueError. */
static int parse_number(const char *name, PyObject *object, uint64_t limit,
                        uint64_t none, uint64_t *ret)
{
    unsigned long long number;
    char most[24];

    if (object == Py_None) {
        *ret = none;
        return 0;
    }
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s is an int or None, not %R", name,
                     object);
        return -1;
    }
    number = PyLong_AsUnsignedLongLong(object);
    if (PyErr_Occurred() || number > limit) {
        snprintf(most, sizeof(most), "0x%llX", (unsigned long long)limit);
        PyErr_Format(PyExc_ValueError, "%s is 0 to %s, not %R", name, most,
                     object);
        return -1;
    }
    *ret = number;
    return 0;
}

static int parse_pgn(PyObject *object, uint32_t *ret_pgn)
{
    uint64_t pgn;

    if (parse_number("pgn", object, AW_J1939_PGN_MAX, UINT64_MAX, &pgn) < 0)
        return -1;
    if (pgn == UINT64_MAX) {
        PyErr_SetString(PyExc_TypeError, "pgn is an int, not None");
        return -1;
    }
    if (aw_j1939_is_pdu1((uint32_t)pgn) && (pgn & 0xff) != 0) {
        PyErr_Format(PyExc_ValueError,
                     "pgn %R is none: where the group has a destination "
                     "(PDU1), its last byte is 00 and destination_address says "
                     "which",
                     object);
        return -1;
    }
    *ret_pgn = (uint32_t)pgn;
    return 0;
}

static int parse_head(PyObject *pgn, PyObject *address, PyObject *priority,
                      PyObject *name, struct aw_j1939_head *head)
{
    uint64_t to, urgency;

    if (parse_pgn(pgn, &head->pgn) < 0 ||
        parse_number("destination_address", address, AW_J1939_NO_ADDRESS,
                     AW_J1939_NO_ADDRESS, &to) < 0 ||
        parse_number("priority", priority, 7, AW_J1939_DEFAULT, &urgency) < 0 ||
        parse_number("destination_name", name, UINT64_MAX, 0,
                     &head->destination_name) < 0)
        return -1;
    head->source_address = AW_J1939_NO_ADDRESS;
    head->destination_address = (uint8_t)to;
    head->defaults = address == Py_None;
    head->priority = (uint8_t)urgency;
    return 0;
}

AW_WITH_GIL static PyObject *j1939_new(PyTypeObject *type, PyObject *args,
                                       PyObject *kwargs)
{
    static const char *const names[] = {
        "data", "pgn", "destination_address", "priority", "destination_name",
        NULL};
    PyObject *data, *pgn, *address = Py_None, *priority = Py_None;
    PyObject *name = Py_None, *self;
    struct aw_j1939_head head = {0};
    struct aw_frame *frame;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OO$O:J1939Message",
                                     (char **)names, &data, &pgn, &address,
                                     &priority, &name) ||
        parse_head(pgn, address, priority, name, &head) < 0)
        return NULL;
    self = aw_frame_from_data(type, AW_KIND_J1939, data);
    if (!self)
        return NULL;
    frame = aw_frame_slot(self);
    frame->id = aw_j1939_id(&head);
    memcpy(frame->payload, &head, sizeof(head));
    return self;
}

/* ---- attributes ---- */

static PyObject *j1939_get_pgn(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(head_of(self).pgn);
}

/* `value`, or None where it is `none`. */
static PyObject *unless(unsigned value, unsigned none)
{
    if (value == none)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(value);
}

static PyObject *j1939_get_source_address(PyObject *self, void *closure)
{
    (void)closure;
    return unless(head_of(self).source_address, AW_J1939_NO_ADDRESS);
}

static PyObject *j1939_get_destination_address(PyObject *self, void *closure)
{
    struct aw_j1939_head head = head_of(self);

    (void)closure;
    if (head.defaults)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(head.destination_address);
}

static PyObject *j1939_get_priority(PyObject *self, void *closure)
{
    (void)closure;
    return unless(head_of(self).priority, AW_J1939_DEFAULT);
}

static PyObject *name_or_none(uint64_t name)
{
    if (name == 0)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(name);
}

static PyObject *j1939_get_name(PyObject *self, void *closure)
{
    (void)closure;
    return name_or_none(head_of(self).name);
}

static PyObject *j1939_get_destination_name(PyObject *self, void *closure)
{
    (void)closure;
    return name_or_none(head_of(self).destination_name);
}

/* "0FEF1 from 20 to FF, 8 bytes: ...", in hexadecimal as in J1939's tables. */
AW_WITH_GIL static PyObject *j1939_repr(PyObject *self)
{
    struct aw_j1939_head head = head_of(self);
    PyObject *data = aw_frame_describe_data(aw_frame_slot(self));
    PyObject *content = NULL;
    char source[16] = "", destination[16] = "";

    if (head.source_address != AW_J1939_NO_ADDRESS)
        snprintf(source, sizeof(source), " from %02X", head.source_address);
    if (!head.defaults)
        snprintf(destination, sizeof(destination), " to %02X",
                 head.destination_address);
    if (data)
        content = PyUnicode_FromFormat("pgn=0x%x%s%s, %U", (unsigned)head.pgn,
                                       source, destination, data);
    Py_XDECREF(data);
    return aw_frame_describe(self, content);
}

/* ---- the type ---- */

static PyGetSetDef j1939_getset[] = {
    {"pgn", j1939_get_pgn, NULL,
     PyDoc_STR("The parameter group's number, 0 to 0x3FFFF (SAE J1939-21)."),
     NULL},
    {"source_address", j1939_get_source_address, NULL,
     PyDoc_STR("Who sent it, 0 to 0xFE; None if it has no address, and for a "
               "message made by hand."),
     NULL},
    {"destination_address", j1939_get_destination_address, NULL,
     PyDoc_STR("To whom: 0 to 0xFD, or 0xFF for all; None: to the device's "
               "own destination."),
     NULL},
    {"priority", j1939_get_priority, NULL,
     PyDoc_STR("0 (first) to 7; None: the device's own."), NULL},
    {"name", j1939_get_name, NULL,
     PyDoc_STR("The sender's NAME (SAE J1939-81), 64 bits, where the kernel "
               "has heard it claim its address; or None."),
     NULL},
    {"destination_name", j1939_get_destination_name, NULL,
     PyDoc_STR("The NAME that it goes to, which the kernel turns into an "
               "address; or None."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    j1939_doc,
    "J1939Message(data, pgn, destination_address=None, priority=None, *,\n"
    "             destination_name=None)\n--\n\n"
    "A message of SAE J1939, whole: the kernel cuts and joins long ones.\n\n"
    "data: bytes-like, or an iterable of integers; at most 65504 bytes.\n"
    "destination_address: 0 to 0xFD, or 0xFF for all; None: the device's\n"
    "destination. priority: 0 (first) to 7; None: the device's.\n"
    "destination_name: a NAME, in place of an address.\n"
    "ValueError for what is out of range, and for a group with a destination\n"
    "(PDU1) whose last byte is not 00.");

static PyType_Slot j1939_slots[] = {
    {Py_tp_doc, (void *)j1939_doc},
    {Py_tp_new, j1939_new},
    {Py_tp_repr, j1939_repr},
    {Py_tp_getset, j1939_getset},
    {0, NULL},
};

static PyType_Spec j1939_spec = {
    .name = "awaitd.J1939Message",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS,
    .slots = j1939_slots,
};

int aw_j1939_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->j1939_message_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &j1939_spec, (PyObject *)state->frame_type);
    if (!state->j1939_message_type)
        return -1;
    return PyModule_AddType(module, state->j1939_message_type);
}
