/* CanFrame: a CAN frame, classic, FD or XL, by python-can's names.
 *
 * Not in here: the constructor and its checks (can_frame_new.c), and the
 * grammar of candump's form (devices/candump.h). */
#include "pymod/can_frame.h"

#include <string.h>

#include "devices/candump.h"
#include "pymod/can_error.h"

/* ---- the data length code ---- */

static const uint8_t dlc_bytes[16] = {0, 1,  2,  3,  4,  5,  6,  7,
                                      8, 12, 16, 20, 24, 32, 48, 64};

unsigned aw_can_dlc_code(size_t data_bytes)
{
    unsigned code = 0;

    while (code < 15 && dlc_bytes[code] < data_bytes)
        code++;
    return code;
}

bool aw_can_is_fd_length(size_t data_bytes)
{
    return dlc_bytes[aw_can_dlc_code(data_bytes)] == data_bytes;
}

/* ---- attributes ---- */

static PyObject *can_get_arbitration_id(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(aw_frame_slot(self)->id & AW_CAN_ID_MASK);
}

static PyObject *can_get_dlc(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromSize_t(aw_frame_length(aw_frame_slot(self)));
}

static PyObject *can_get_raw_dlc(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    size_t length = aw_frame_length(frame);
    unsigned raw = (unsigned)frame->flags >> AW_FRAME_RAW_DLC_SHIFT;

    (void)closure;
    if (frame->kind == AW_KIND_CAN_XL)
        return PyLong_FromSize_t(length ? length - 1 : 0);
    return PyLong_FromUnsignedLong(raw ? raw : aw_can_dlc_code(length));
}

/* `closure` is the bit of `id`. */
static PyObject *can_get_id_bit(PyObject *self, void *closure)
{
    return PyBool_FromLong((aw_frame_slot(self)->id & (uintptr_t)closure) != 0);
}

/* `closure` is the bit of `flags`. */
static PyObject *can_get_flag(PyObject *self, void *closure)
{
    return PyBool_FromLong((aw_frame_slot(self)->flags & (uintptr_t)closure) !=
                           0);
}

static PyObject *can_get_is_xl(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(aw_frame_slot(self)->kind == AW_KIND_CAN_XL);
}

/* The head of a CAN XL frame, zeros for any other. */
static struct aw_xl_head xl_head(PyObject *self)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    struct aw_xl_head head = {0};

    if (frame->kind == AW_KIND_CAN_XL)
        memcpy(&head, frame->payload, sizeof(head));
    return head;
}

static PyObject *can_get_sdt(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(xl_head(self).sdt);
}

static PyObject *can_get_vcid(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(xl_head(self).vcid);
}

static PyObject *can_get_acceptance_field(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(xl_head(self).acceptance_field);
}

static PyObject *can_get_xl_flags(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(xl_head(self).flags);
}

static PyObject *can_get_error(PyObject *self, void *closure)
{
    const struct aw_frame *frame = aw_frame_slot(self);

    (void)closure;
    if (frame->kind != AW_KIND_CAN || !(frame->id & AW_CAN_ERROR))
        Py_RETURN_NONE;
    return aw_can_error_object(aw_module_of_type(Py_TYPE(self)), frame);
}

#define BIT(bits) (void *)(uintptr_t)(bits)

static PyGetSetDef can_getset[] = {
    {"arbitration_id", can_get_arbitration_id, NULL,
     PyDoc_STR("The identifier without flag bits, 11 or 29 bits; of an error "
               "frame its error class, of a CAN XL frame its priority."),
     NULL},
    {"dlc", can_get_dlc, NULL,
     PyDoc_STR("Length of the data in bytes (not the 4-bit code); of a remote "
               "frame the length it asks for."),
     NULL},
    {"raw_dlc", can_get_raw_dlc, NULL,
     PyDoc_STR("The data length code as it is on the wire: 0 to 15, in classic "
               "CAN 9 to 15 for 8 bytes too; 0 to 2047 in CAN XL."),
     NULL},
    {"is_extended_id", can_get_id_bit, NULL,
     PyDoc_STR("True for a 29-bit identifier."), BIT(AW_CAN_EXTENDED)},
    {"is_remote_frame", can_get_id_bit, NULL,
     PyDoc_STR("True for a request to send: it has a dlc, but no data."),
     BIT(AW_CAN_REMOTE)},
    {"is_error_frame", can_get_id_bit, NULL,
     PyDoc_STR("True for an error that the controller reports; the data are "
               "those of linux/can/error.h."),
     BIT(AW_CAN_ERROR)},
    {"error", can_get_error, NULL,
     PyDoc_STR("What an error frame says: a CanError; None for any other "
               "frame."),
     NULL},
    {"is_fd", can_get_flag, NULL, PyDoc_STR("True for CAN FD."),
     BIT(AW_FRAME_FD)},
    {"bitrate_switch", can_get_flag, NULL,
     PyDoc_STR("CAN FD: the data were sent at the higher rate (BRS)."),
     BIT(AW_FRAME_BRS)},
    {"error_state_indicator", can_get_flag, NULL,
     PyDoc_STR("CAN FD: the sender is error passive (ESI)."),
     BIT(AW_FRAME_ESI)},
    {"is_xl", can_get_is_xl, NULL, PyDoc_STR("True for CAN XL."), NULL},
    {"sdt", can_get_sdt, NULL,
     PyDoc_STR("CAN XL: type of the service data unit; else 0."), NULL},
    {"vcid", can_get_vcid, NULL,
     PyDoc_STR("CAN XL: identifier of the virtual CAN network; else 0."), NULL},
    {"acceptance_field", can_get_acceptance_field, NULL,
     PyDoc_STR("CAN XL: the 32-bit acceptance field; else 0."), NULL},
    {"xl_flags", can_get_xl_flags, NULL,
     PyDoc_STR("CAN XL: flags of linux/can.h: XLF 0x80, SEC 0x01; else 0."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- candump's form ---- */

/* A frame's text is the third word of the line that candump would log, so the
 * one grammar of devices/candump.h serves here too. */
#define LINE_START "(0000000000.000000) c "

AW_WITH_GIL static PyObject *can_parse(PyObject *type, PyObject *argument)
{
    struct aw_module *module = aw_module_of_type((PyTypeObject *)type);
    struct aw_error error = {.text = "not a frame"};
    struct aw_candump record;
    const struct aw_frame *frame;
    char line[AW_CANDUMP_LINE_MAX];
    const char *text;
    Py_ssize_t length;
    int written;

    if (!module)
        return NULL;
    if (!PyUnicode_Check(argument))
        return PyErr_Format(PyExc_TypeError,
                            "CanFrame.parse() takes a str, not %s",
                            Py_TYPE(argument)->tp_name);
    text = PyUnicode_AsUTF8AndSize(argument, &length);
    if (!text)
        return NULL;
    /* A second word would be read as the line's direction. */
    if (strcspn(text, " \t\r\n") != (size_t)length)
        return PyErr_Format(PyExc_ValueError,
                            "%.200R is no CAN frame: it is not one word",
                            argument);
    written = snprintf(line, sizeof(line), "%s%s", LINE_START, text);
    if (written < 0 || (size_t)written >= sizeof(line) ||
        aw_candump_parse(line, (size_t)written, &record, &error) !=
            AW_CANDUMP_FRAME)
        return PyErr_Format(PyExc_ValueError, "%.200R is no CAN frame: %s",
                            argument, error.text);
    frame = aw_candump_frame(&record);
    if (frame->flags & AW_FRAME_FD && !aw_can_is_fd_length(frame->length))
        return PyErr_Format(PyExc_ValueError, AW_CAN_FD_LENGTHS,
                            (size_t)frame->length);
    return aw_frame_from_slot(module, frame, NULL, NULL);
}

AW_WITH_GIL static PyObject *can_str(PyObject *self)
{
    char line[AW_CANDUMP_LINE_MAX];
    int length =
        aw_candump_format(aw_frame_slot(self), "c", 0, line, sizeof(line));
    const char *text;

    /* Such a frame came from no bus: a length beyond its kind's, say. */
    if (length < 0)
        return aw_frame_describe_data(aw_frame_slot(self));
    text = strrchr(line, ' ') + 1;
    return PyUnicode_FromString(text);
}

AW_WITH_GIL static PyObject *can_repr(PyObject *self)
{
    return aw_frame_describe(self, can_str(self));
}

/* ---- the type ---- */

PyDoc_STRVAR(
    can_frame_doc,
    "CanFrame(arbitration_id=0, data=b'', *, is_extended_id=None,\n"
    "         is_remote_frame=False, is_error_frame=False, is_fd=False,\n"
    "         bitrate_switch=False, error_state_indicator=False, dlc=None,\n"
    "         raw_dlc=None, timestamp=0.0, channel=None, is_rx=True)\n--\n\n"
    "A CAN frame, by the names of python-can's Message.\n\n"
    "is_extended_id=None means: extended if the identifier is above 0x7FF.\n"
    "dlc is the length in bytes: only a remote frame needs it. An error frame\n"
    "without data has eight zeros. ValueError for what no bus could carry\n"
    "(ISO 11898-1).\n"
    "str() and CanFrame.parse() use candump's form, as 123#0102.");

PyDoc_STRVAR(
    parse_doc,
    "parse($type, text, /)\n--\n\n"
    "Makes a frame of candump's form: 123#0102, 00000123# (extended), 123#R5\n"
    "(remote), 123##10102 (FD with flags), 20000004#0004000000000060 (error),\n"
    "123#1122334455667788_9 (raw DLC), 45123#81:00:12345678#1122 (XL).\n"
    "ValueError if it is none of them.");

static PyMethodDef can_methods[] = {
    {"parse", can_parse, METH_O | METH_CLASS, parse_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot can_slots[] = {
    {Py_tp_doc, (void *)can_frame_doc},
    {Py_tp_new, aw_can_frame_new},
    {Py_tp_repr, can_repr},
    {Py_tp_str, can_str},
    {Py_tp_getset, can_getset},
    {Py_tp_methods, can_methods},
    {0, NULL},
};

static PyType_Spec can_spec = {
    .name = "awaitd.CanFrame",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS,
    .slots = can_slots,
};

int aw_can_frame_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->can_frame_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &can_spec, (PyObject *)state->frame_type);
    if (!state->can_frame_type)
        return -1;
    return PyModule_AddType(module, state->can_frame_type);
}
