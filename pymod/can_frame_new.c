/* CanFrame(...): a CAN frame made by hand, for sending and for tests.
 *
 * Refused is what no bus could carry (ISO 11898-1) and what contradicts itself;
 * each check raises ValueError with a sentence that says what would do. */
#include "pymod/can_frame.h"

#include <math.h>
#include <string.h>

#include "devices/queue/clock.h"

#define NOT_GIVEN (-1L)

/* What the constructor was given, in C's terms. */
struct can_arguments {
    PyObject *data;    /* borrowed; NULL: not given */
    PyObject *channel; /* borrowed; NULL: None */
    long arbitration_id;
    long dlc, raw_dlc; /* or NOT_GIVEN */
    double timestamp;
    int extended; /* or NOT_GIVEN */
    int remote, error, fd, bitrate_switch, error_state, is_rx;
};

static int refuse(const char *sentence)
{
    PyErr_SetString(PyExc_ValueError, sentence);
    return -1;
}

/* A non-negative integer into `*ret_value`; None leaves it as it is. Returns 0,
 * or -1 with TypeError or ValueError. */
static int parse_number(PyObject *value, const char *name, long *ret_value)
{
    PyObject *integer;
    long number;
    int overflow;

    if (!value || value == Py_None)
        return 0;
    if (!PyIndex_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s is an int, not %R", name, value);
        return -1;
    }
    integer = PyNumber_Index(value);
    if (!integer)
        return -1;
    number = PyLong_AsLongAndOverflow(integer, &overflow);
    Py_DECREF(integer);
    if (number < 0) {
        PyErr_Format(PyExc_ValueError, "%s %R is %s", name, value,
                     overflow > 0 ? "too large" : "negative");
        return -1;
    }
    *ret_value = number;
    return 0;
}

/* Py_None counts as not given, as in python-can. */
static PyObject *unless_none(PyObject *value)
{
    return value == Py_None ? NULL : value;
}

static int parse_arguments(PyObject *args, PyObject *kwargs,
                           struct can_arguments *given)
{
    static const char *const names[] = {"arbitration_id",
                                        "data",
                                        "is_extended_id",
                                        "is_remote_frame",
                                        "is_error_frame",
                                        "is_fd",
                                        "bitrate_switch",
                                        "error_state_indicator",
                                        "dlc",
                                        "raw_dlc",
                                        "timestamp",
                                        "channel",
                                        "is_rx",
                                        NULL};
    PyObject *id = NULL, *extended = NULL, *dlc = NULL, *raw_dlc = NULL;

    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "|OO$OpppppOOdOp:CanFrame", (char **)names, &id,
            &given->data, &extended, &given->remote, &given->error, &given->fd,
            &given->bitrate_switch, &given->error_state, &dlc, &raw_dlc,
            &given->timestamp, &given->channel, &given->is_rx))
        return -1;
    given->data = unless_none(given->data);
    given->channel = unless_none(given->channel);
    if (given->channel && !PyUnicode_Check(given->channel)) {
        PyErr_Format(PyExc_TypeError, "channel is a str or None, not %R",
                     given->channel);
        return -1;
    }
    if (extended && extended != Py_None) {
        given->extended = PyObject_IsTrue(extended);
        if (given->extended < 0)
            return -1;
    }
    if (parse_number(id, "arbitration_id", &given->arbitration_id) < 0 ||
        parse_number(dlc, "dlc", &given->dlc) < 0)
        return -1;
    return parse_number(raw_dlc, "raw_dlc", &given->raw_dlc);
}

/* ---- checks: 0, or -1 with ValueError ---- */

static int check_kind(const struct can_arguments *given)
{
    if (given->remote && given->error)
        return refuse("a frame is not both a remote frame and an error frame");
    if (given->remote && given->fd)
        return refuse("CAN FD has no remote frames: is_remote_frame needs "
                      "is_fd=False");
    if (given->error && given->fd)
        return refuse("an error frame has no CAN FD form: is_error_frame needs "
                      "is_fd=False");
    if (given->bitrate_switch && !given->fd)
        return refuse("bitrate_switch needs is_fd=True");
    if (given->error_state && !given->fd)
        return refuse("error_state_indicator needs is_fd=True");
    return 0;
}

static int refuse_id(unsigned long id, const char *why)
{
    char text[160];

    snprintf(text, sizeof(text), "arbitration_id 0x%lX %s", id, why);
    return refuse(text);
}

static int check_id(const struct can_arguments *given)
{
    unsigned long id = (unsigned long)given->arbitration_id;

    if (id > AW_CAN_ID_MASK)
        return refuse_id(id, "does not fit in 29 bits (at most 0x1FFFFFFF); "
                             "flag bits are not part of it");
    if (given->error && given->extended > 0)
        return refuse("an error frame has no extended identifier: its "
                      "arbitration_id is the error class");
    if (given->extended == 0 && !given->error && id > AW_CAN_SFF_MASK)
        return refuse_id(id, "does not fit in 11 bits (at most 0x7FF): it "
                             "needs is_extended_id=True");
    return 0;
}

static int check_length(const struct can_arguments *given, size_t length)
{
    if (given->remote && length)
        return refuse("a remote frame carries no data: say with dlc= how many "
                      "bytes it asks for");
    if (given->fd && !aw_can_is_fd_length(length)) {
        PyErr_Format(PyExc_ValueError, AW_CAN_FD_LENGTHS, length);
        return -1;
    }
    if (!given->fd && length > AW_CAN_DATA_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "a classic CAN frame carries at most 8 bytes, not %zu; "
                     "CAN FD (is_fd=True) up to 64",
                     length);
        return -1;
    }
    if (given->error && length && length != AW_CAN_DATA_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "an error frame has 8 bytes of data, not %zu", length);
        return -1;
    }
    return 0;
}

/* `length`: of the data or, for a remote frame, not known yet. */
static int check_dlc(const struct can_arguments *given, size_t length)
{
    if (given->dlc == NOT_GIVEN)
        return 0;
    if (given->remote && given->dlc > (long)AW_CAN_DATA_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "a remote frame asks for 0 to 8 bytes, not %ld",
                     given->dlc);
        return -1;
    }
    if (!given->remote && given->dlc != (long)length) {
        PyErr_Format(PyExc_ValueError,
                     "dlc is the length of the data in bytes: %zu, not %ld",
                     length, given->dlc);
        return -1;
    }
    return 0;
}

/* In classic CAN every code from 8 to 15 means eight bytes. */
static int check_raw_dlc(const struct can_arguments *given, size_t length)
{
    long code = (long)aw_can_dlc_code(length);

    if (given->raw_dlc == NOT_GIVEN || given->raw_dlc == code ||
        (!given->fd && code == 8 && given->raw_dlc > 8 && given->raw_dlc <= 15))
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "raw_dlc %ld does not go with %zu bytes; their code is %ld%s",
                 given->raw_dlc, length, code,
                 !given->fd && code == 8 ? ", or 9 to 15" : "");
    return -1;
}

static int check_timestamp(const struct can_arguments *given)
{
    /* Also false for a NaN. 2^63 ns end in the year 2262. */
    if (given->timestamp >= 0.0 && given->timestamp < 9223372036.0)
        return 0;
    return refuse("timestamp is in seconds since 1970, from 0 up");
}

/* ---- making ---- */

/* The bytes of the frame on the bus. */
static size_t wire_length(const struct can_arguments *given, size_t data_bytes)
{
    if (given->remote)
        return given->dlc == NOT_GIVEN ? 0 : (size_t)given->dlc;
    if (given->error)
        return AW_CAN_DATA_MAX;
    return data_bytes;
}

static uint32_t id_with_flags(const struct can_arguments *given)
{
    uint32_t id = (uint32_t)given->arbitration_id;
    bool extended =
        given->extended == NOT_GIVEN ? id > AW_CAN_SFF_MASK : given->extended;

    if (given->error)
        return id | AW_CAN_ERROR;
    return id | (extended ? AW_CAN_EXTENDED : 0) |
           (given->remote ? AW_CAN_REMOTE : 0);
}

static uint16_t frame_flags(const struct can_arguments *given)
{
    unsigned flags = 0;

    if (given->fd)
        flags |= AW_FRAME_FD;
    if (given->bitrate_switch)
        flags |= AW_FRAME_BRS;
    if (given->error_state)
        flags |= AW_FRAME_ESI;
    if (!given->is_rx)
        flags |= AW_FRAME_SENT;
    if (!given->fd && given->raw_dlc > 8)
        flags |= (unsigned)given->raw_dlc << AW_FRAME_RAW_DLC_SHIFT;
    return (uint16_t)flags;
}

static uint64_t nanoseconds(double timestamp)
{
    double seconds = floor(timestamp);

    /* In two parts: nanoseconds since 1970 have more digits than a double. */
    return (uint64_t)seconds * AW_NS_PER_S +
           (uint64_t)llrint((timestamp - seconds) * 1e9);
}

AW_WITH_GIL static PyObject *make(PyTypeObject *type,
                                  const struct can_arguments *given,
                                  const char *data, size_t data_bytes)
{
    size_t length = wire_length(given, data_bytes);
    PyObject *self;
    struct aw_frame *frame;

    if (check_kind(given) < 0 || check_id(given) < 0 ||
        check_length(given, data_bytes) < 0 || check_dlc(given, length) < 0 ||
        check_raw_dlc(given, length) < 0 || check_timestamp(given) < 0)
        return NULL;
    self = aw_frame_alloc(type, AW_KIND_CAN, length);
    if (!self)
        return NULL;
    ((FrameObject *)self)->channel = Py_XNewRef(given->channel);
    frame = aw_frame_slot(self);
    frame->timestamp_ns = nanoseconds(given->timestamp);
    frame->id = id_with_flags(given);
    frame->flags = frame_flags(given);
    memcpy(frame->payload, data, data_bytes);
    return self;
}

PyObject *aw_can_frame_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct can_arguments given = {
        .dlc = NOT_GIVEN,
        .raw_dlc = NOT_GIVEN,
        .extended = (int)NOT_GIVEN,
        .is_rx = 1,
    };
    PyObject *bytes, *self;

    if (parse_arguments(args, kwargs, &given) < 0)
        return NULL;
    bytes = given.data ? PyBytes_FromObject(given.data)
                       : PyBytes_FromStringAndSize(NULL, 0);
    if (!bytes)
        return NULL;
    self = make(type, &given, PyBytes_AS_STRING(bytes),
                (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return self;
}
