/* The classes of error stand in the frame's identifier; its eight bytes say
 * more of some of them. Names are those of linux/can/error.h, in words. */
#include "pymod/can_error.h"

#include <linux/can/error.h>
#include <string.h>

/* Bytes of the data: what they are about. */
enum place { LOST_BIT, CONTROLLER, VIOLATION, LOCATION, TRANSCEIVER };
#define TX_COUNTER 6
#define RX_COUNTER 7

static PyStructSequence_Field fields[] = {
    {"tx_timeout", "the controller gave no sign of a frame's transmission"},
    {"lost_arbitration", "the bit at which it was lost, 0: not said; or None"},
    {"controller_state", "tuple of what the controller says of itself"},
    {"protocol", "CanProtocolError, or None"},
    {"transceiver", "what is wrong with the wires, or None"},
    {"no_ack", "nobody acknowledged a frame"},
    {"bus_off", "the controller has left the bus"},
    {"bus_error", "an error on the bus was seen"},
    {"restarted", "the controller is on the bus again"},
    {"tx_errors", "its transmit error counter, or None"},
    {"rx_errors", "its receive error counter, or None"},
    {NULL, NULL},
};

#define FIELD_COUNT 11

static PyStructSequence_Desc description = {
    .name = "awaitd.CanError",
    .doc = "What a CAN error frame says, as linux/can/error.h has it.",
    .fields = fields,
    .n_in_sequence = FIELD_COUNT,
};

static PyStructSequence_Field protocol_fields[] = {
    {"violations", "tuple of how the protocol was violated"},
    {"location", "where in the frame, or None"},
    {NULL, NULL},
};

static PyStructSequence_Desc protocol_description = {
    .name = "awaitd.CanProtocolError",
    .doc = "How the CAN protocol was violated, and where in a frame.",
    .fields = protocol_fields,
    .n_in_sequence = 2,
};

/* ---- names ---- */

struct name {
    unsigned code;
    const char *text;
};

static const struct name controller_names[] = {
    {CAN_ERR_CRTL_RX_OVERFLOW, "rx-overflow"},
    {CAN_ERR_CRTL_TX_OVERFLOW, "tx-overflow"},
    {CAN_ERR_CRTL_RX_WARNING, "rx-warning"},
    {CAN_ERR_CRTL_TX_WARNING, "tx-warning"},
    {CAN_ERR_CRTL_RX_PASSIVE, "rx-passive"},
    {CAN_ERR_CRTL_TX_PASSIVE, "tx-passive"},
    {CAN_ERR_CRTL_ACTIVE, "error-active"},
    {0, NULL},
};

static const struct name violation_names[] = {
    {CAN_ERR_PROT_BIT, "bit"},
    {CAN_ERR_PROT_FORM, "form"},
    {CAN_ERR_PROT_STUFF, "stuff"},
    {CAN_ERR_PROT_BIT0, "bit0"},
    {CAN_ERR_PROT_BIT1, "bit1"},
    {CAN_ERR_PROT_OVERLOAD, "overload"},
    {CAN_ERR_PROT_ACTIVE, "active"},
    {CAN_ERR_PROT_TX, "tx"},
    {0, NULL},
};

static const struct name location_names[] = {
    {CAN_ERR_PROT_LOC_SOF, "start-of-frame"},
    {CAN_ERR_PROT_LOC_ID28_21, "id28-21"},
    {CAN_ERR_PROT_LOC_ID20_18, "id20-18"},
    {CAN_ERR_PROT_LOC_SRTR, "srtr"},
    {CAN_ERR_PROT_LOC_IDE, "ide"},
    {CAN_ERR_PROT_LOC_ID17_13, "id17-13"},
    {CAN_ERR_PROT_LOC_ID12_05, "id12-05"},
    {CAN_ERR_PROT_LOC_ID04_00, "id04-00"},
    {CAN_ERR_PROT_LOC_RTR, "rtr"},
    {CAN_ERR_PROT_LOC_RES1, "reserved1"},
    {CAN_ERR_PROT_LOC_RES0, "reserved0"},
    {CAN_ERR_PROT_LOC_DLC, "dlc"},
    {CAN_ERR_PROT_LOC_DATA, "data"},
    {CAN_ERR_PROT_LOC_CRC_SEQ, "crc-sequence"},
    {CAN_ERR_PROT_LOC_CRC_DEL, "crc-delimiter"},
    {CAN_ERR_PROT_LOC_ACK, "ack-slot"},
    {CAN_ERR_PROT_LOC_ACK_DEL, "ack-delimiter"},
    {CAN_ERR_PROT_LOC_EOF, "end-of-frame"},
    {CAN_ERR_PROT_LOC_INTERM, "intermission"},
    {0, NULL},
};

/* One nibble for each wire. */
static const struct name canh_names[] = {
    {CAN_ERR_TRX_CANH_NO_WIRE, "canh-no-wire"},
    {CAN_ERR_TRX_CANH_SHORT_TO_BAT, "canh-short-to-battery"},
    {CAN_ERR_TRX_CANH_SHORT_TO_VCC, "canh-short-to-vcc"},
    {CAN_ERR_TRX_CANH_SHORT_TO_GND, "canh-short-to-ground"},
    {0, NULL},
};

static const struct name canl_names[] = {
    {CAN_ERR_TRX_CANL_NO_WIRE, "canl-no-wire"},
    {CAN_ERR_TRX_CANL_SHORT_TO_BAT, "canl-short-to-battery"},
    {CAN_ERR_TRX_CANL_SHORT_TO_VCC, "canl-short-to-vcc"},
    {CAN_ERR_TRX_CANL_SHORT_TO_GND, "canl-short-to-ground"},
    {CAN_ERR_TRX_CANL_SHORT_TO_CANH, "canl-short-to-canh"},
    {0, NULL},
};

static const char *find(const struct name *names, unsigned code)
{
    while (names->text && names->code != code)
        names++;
    return names->text;
}

/* ---- parts ---- */

/* The names of the bits that are set; ("unspecified",) of none. */
static PyObject *bit_names(const struct name *names, unsigned bits)
{
    PyObject *list = PyList_New(0);
    PyObject *tuple;

    for (; list && names->text; names++) {
        PyObject *text;

        if (!(bits & names->code))
            continue;
        text = PyUnicode_InternFromString(names->text);
        if (!text || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    if (list && PyList_GET_SIZE(list) == 0) {
        Py_DECREF(list);
        return Py_BuildValue("(s)", "unspecified");
    }
    tuple = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

static PyObject *text_or_none(const char *text)
{
    if (!text)
        Py_RETURN_NONE;
    return PyUnicode_InternFromString(text);
}

/* Fills `sequence` with `values`, which are stolen. Returns it, or NULL with an
 * exception where one of them is NULL. */
static PyObject *fill(PyObject *sequence, PyObject *const *values,
                      Py_ssize_t count)
{
    bool whole = sequence;

    for (Py_ssize_t i = 0; i < count; i++)
        whole = whole && values[i];
    for (Py_ssize_t i = 0; i < count; i++) {
        if (whole)
            PyStructSequence_SetItem(sequence, i, values[i]);
        else
            Py_XDECREF(values[i]);
    }
    if (!whole)
        Py_CLEAR(sequence);
    return sequence;
}

/* A place that the kernel's list does not have is told by its number. */
static PyObject *location_of(unsigned code)
{
    const char *name = find(location_names, code);

    if (code == CAN_ERR_PROT_LOC_UNSPEC || name)
        return text_or_none(name);
    return PyUnicode_FromFormat("0x%02x", code);
}

static PyObject *protocol_of(struct aw_module *module, uint32_t classes,
                             const uint8_t *data)
{
    PyObject *values[2];

    if (!(classes & CAN_ERR_PROT))
        Py_RETURN_NONE;
    values[0] = bit_names(violation_names, data[VIOLATION]);
    values[1] = location_of(data[LOCATION]);
    return fill(PyStructSequence_New(module->can_protocol_error_type), values,
                2);
}

static PyObject *transceiver_of(uint32_t classes, unsigned code)
{
    const char *high = find(canh_names, code & 0x0f);
    const char *low = find(canl_names, code & 0xf0);

    if (!(classes & CAN_ERR_TRX))
        Py_RETURN_NONE;
    if (high && low)
        return PyUnicode_FromFormat("%s+%s", high, low);
    return PyUnicode_FromString(high ? high : low ? low : "unspecified");
}

static PyObject *number_or_none(bool given, unsigned number)
{
    if (!given)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(number);
}

static PyObject *flag(uint32_t classes, uint32_t class)
{
    return PyBool_FromLong((classes & class) != 0);
}

PyObject *aw_can_error_object(struct aw_module *module,
                              const struct aw_frame *frame)
{
    uint32_t classes = frame->id & AW_CAN_ID_MASK;
    uint8_t data[CAN_ERR_DLC] = {0};
    size_t length = frame->length < sizeof(data) ? frame->length : sizeof(data);
    bool counted = classes & CAN_ERR_CNT;
    PyObject *values[FIELD_COUNT];

    memcpy(data, frame->payload, length);
    values[0] = flag(classes, CAN_ERR_TX_TIMEOUT);
    values[1] = number_or_none(classes & CAN_ERR_LOSTARB, data[LOST_BIT]);
    values[2] = classes & CAN_ERR_CRTL
                    ? bit_names(controller_names, data[CONTROLLER])
                    : PyTuple_New(0);
    values[3] = protocol_of(module, classes, data);
    values[4] = transceiver_of(classes, data[TRANSCEIVER]);
    values[5] = flag(classes, CAN_ERR_ACK);
    values[6] = flag(classes, CAN_ERR_BUSOFF);
    values[7] = flag(classes, CAN_ERR_BUSERROR);
    values[8] = flag(classes, CAN_ERR_RESTARTED);
    values[9] = number_or_none(counted, data[TX_COUNTER]);
    values[10] = number_or_none(counted, data[RX_COUNTER]);
    return fill(PyStructSequence_New(module->can_error_type), values,
                FIELD_COUNT);
}

int aw_can_error_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->can_error_type = PyStructSequence_NewType(&description);
    state->can_protocol_error_type =
        PyStructSequence_NewType(&protocol_description);
    if (!state->can_error_type || !state->can_protocol_error_type ||
        PyModule_AddType(module, state->can_error_type) < 0)
        return -1;
    return PyModule_AddType(module, state->can_protocol_error_type);
}
