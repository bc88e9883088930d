/* A transfer between a script's form and the driver's (devices/spi.h): bytes,
 * or a list of segments, each of them bytes or a dict. */
#include "pymod/transfer.h"

#include <math.h>
#include <string.h>

#include "devices/spi.h"

/* A segment on its way. */
struct piece {
    struct aw_spi_segment head;
    PyObject *bytes; /* what to send, owned */
};

struct pieces {
    uint32_t count;
    size_t bytes; /* of all of them */
    struct piece pieces[AW_SPI_SEGMENTS_MAX];
};

static void clear(struct pieces *pieces)
{
    for (uint32_t i = 0; i < pieces->count; i++)
        Py_CLEAR(pieces->pieces[i].bytes);
    pieces->count = 0;
}

/* ---- a segment ---- */

/* A whole number from 0 to `maximum`; 1e6 is one, too. */
static int parse_number(PyObject *value, Py_ssize_t index, const char *key,
                        double maximum, uint32_t *ret_number)
{
    double number = PyFloat_AsDouble(value);

    if (PyErr_Occurred())
        return -1;
    if (!(number >= 0 && number <= maximum) || number > floor(number)) {
        PyErr_Format(PyExc_ValueError,
                     "segments[%zd][\"%s\"] is a whole number from 0 to %.0lu, "
                     "not %R",
                     index, key, (unsigned long)maximum, value);
        return -1;
    }
    *ret_number = (uint32_t)number;
    return 0;
}

static int set_tx(PyObject *value, Py_ssize_t index, struct piece *piece)
{
    if (!PyObject_CheckBuffer(value)) {
        PyErr_Format(PyExc_TypeError,
                     "segments[%zd] is bytes, or a dict whose \"tx\" is bytes, "
                     "not %s",
                     index, Py_TYPE(value)->tp_name);
        return -1;
    }
    Py_XSETREF(piece->bytes, PyBytes_FromObject(value));
    return piece->bytes ? 0 : -1;
}

/* Zeros, for as long as there is something to come in. */
static int set_read(PyObject *value, Py_ssize_t index, struct piece *piece)
{
    uint32_t count;

    if (parse_number(value, index, "read", AW_PAYLOAD_MAX, &count) < 0)
        return -1;
    Py_XSETREF(piece->bytes, PyBytes_FromStringAndSize(NULL, count));
    if (!piece->bytes)
        return -1;
    memset(PyBytes_AS_STRING(piece->bytes), 0, count);
    return 0;
}

static int set_cs_change(PyObject *value, struct piece *piece)
{
    int truth = PyObject_IsTrue(value);

    piece->head.cs_change = truth > 0;
    return truth < 0 ? -1 : 0;
}

static int set_number(const char *key, PyObject *value, Py_ssize_t index,
                      struct piece *piece)
{
    uint32_t number = 0;
    double maximum = strcmp(key, "bits") == 0       ? 32
                     : strcmp(key, "delay_us") == 0 ? UINT16_MAX
                                                    : UINT32_MAX;

    if (parse_number(value, index, key, maximum, &number) < 0)
        return -1;
    if (strcmp(key, "bits") == 0)
        piece->head.bits = (uint8_t)number;
    else if (strcmp(key, "delay_us") == 0)
        piece->head.delay_us = (uint16_t)number;
    else
        piece->head.speed_hz = number;
    return 0;
}

static int set_key(PyObject *name, PyObject *value, Py_ssize_t index,
                   struct piece *piece)
{
    const char *key = PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : "";

    if (!key)
        return -1;
    if (strcmp(key, "tx") == 0)
        return set_tx(value, index, piece);
    if (strcmp(key, "read") == 0)
        return set_read(value, index, piece);
    if (strcmp(key, "cs_change") == 0)
        return set_cs_change(value, piece);
    if (strcmp(key, "speed_hz") == 0 || strcmp(key, "delay_us") == 0 ||
        strcmp(key, "bits") == 0)
        return set_number(key, value, index, piece);
    PyErr_Format(PyExc_ValueError,
                 "segments[%zd]: unknown key %R (tx, read, speed_hz, delay_us, "
                 "bits and cs_change are known)",
                 index, name);
    return -1;
}

static int parse_dict(PyObject *dict, Py_ssize_t index, struct piece *piece)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;

    if (PyDict_GetItemString(dict, "tx") && PyDict_GetItemString(dict, "read"))
        return PyErr_Format(PyExc_ValueError,
                            "segments[%zd] has tx and read: one of them says "
                            "how long it is",
                            index),
               -1;
    while (PyDict_Next(dict, &position, &name, &value)) {
        if (set_key(name, value, index, piece) < 0)
            return -1;
    }
    if (piece->bytes)
        return 0;
    PyErr_Format(PyExc_ValueError, "segments[%zd] has neither tx nor read",
                 index);
    return -1;
}

/* `object` is bytes-like, or a dict. */
static int add_piece(struct pieces *pieces, PyObject *object)
{
    struct piece *piece = &pieces->pieces[pieces->count];
    Py_ssize_t index = pieces->count++;
    PyObject *dict;
    int result;

    *piece = (struct piece){.bytes = NULL};
    if (!PyDict_Check(object)) {
        result = set_tx(object, index, piece);
    } else {
        /* A copy: parsing it calls what may change it. */
        dict = PyDict_Copy(object);
        result = dict ? parse_dict(dict, index, piece) : -1;
        Py_XDECREF(dict);
    }
    if (result < 0)
        return -1;
    piece->head.bytes = (uint32_t)PyBytes_GET_SIZE(piece->bytes);
    pieces->bytes += (size_t)PyBytes_GET_SIZE(piece->bytes);
    return 0;
}

static int add_list(struct pieces *pieces, PyObject *tx)
{
    PyObject *list =
        PyList_Check(tx) || PyTuple_Check(tx) ? PySequence_Tuple(tx) : NULL;
    Py_ssize_t count = list ? PyTuple_GET_SIZE(list) : 0;
    int result = 0;

    if (!list && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError,
                     "transfer() takes bytes, or a list of segments, not %s",
                     Py_TYPE(tx)->tp_name);
    if (!list)
        return -1;
    if (count == 0 || count > (Py_ssize_t)AW_SPI_SEGMENTS_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "a transfer has 1 to %u segments, not %zd",
                     AW_SPI_SEGMENTS_MAX, count);
        result = -1;
    }
    for (Py_ssize_t i = 0; result == 0 && i < count; i++)
        result = add_piece(pieces, PyTuple_GET_ITEM(list, i));
    Py_DECREF(list);
    return result;
}

/* ---- the request ---- */

static struct aw_frame *frame_of(const struct aw_send *send)
{
    const void *frame = send->frame;

    return (struct aw_frame *)(uintptr_t)frame;
}

/* Frame and answer are behind the request, in one piece of memory. */
static struct aw_send *allocate(size_t payload_bytes, size_t reply_bytes)
{
    size_t frame_bytes = aw_slot_bytes((uint32_t)payload_bytes);
    struct aw_send *send = PyMem_RawCalloc(1, offsetof(struct aw_send, frame) +
                                                  frame_bytes + reply_bytes);

    if (!send) {
        PyErr_NoMemory();
        return NULL;
    }
    frame_of(send)->kind = AW_KIND_BYTES;
    frame_of(send)->length = (uint16_t)payload_bytes;
    send->reply = send->frame + frame_bytes;
    send->reply_capacity = (uint32_t)reply_bytes;
    return send;
}

static struct aw_send *compose(const struct pieces *pieces, bool segmented)
{
    size_t heads =
        segmented ? pieces->count * sizeof(struct aw_spi_segment) : 0;
    struct aw_send *send;
    uint8_t *to;

    if (pieces->bytes == 0 || heads + pieces->bytes > AW_PAYLOAD_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "a transfer of %zu bytes cannot be made; it has 1 to %zu",
                     pieces->bytes, AW_PAYLOAD_MAX - heads);
        return NULL;
    }
    send = allocate(heads + pieces->bytes, pieces->bytes);
    if (!send)
        return NULL;
    frame_of(send)->id = segmented ? pieces->count : 0;
    to = frame_of(send)->payload + heads;
    for (uint32_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->pieces[i];

        if (segmented)
            memcpy(frame_of(send)->payload + i * sizeof(piece->head),
                   &piece->head, sizeof(piece->head));
        memcpy(to, PyBytes_AS_STRING(piece->bytes), piece->head.bytes);
        to += piece->head.bytes;
    }
    return send;
}

int aw_transfer_make(PyObject *tx, struct aw_transfer *ret_transfer)
{
    bool segmented = !PyObject_CheckBuffer(tx);
    struct pieces pieces = {.count = 0};
    struct aw_send *send = NULL;
    int result = segmented ? add_list(&pieces, tx) : add_piece(&pieces, tx);

    if (result == 0)
        send = compose(&pieces, segmented);
    clear(&pieces);
    if (!send)
        return -1;
    *ret_transfer = (struct aw_transfer){send, segmented};
    return 0;
}

/* ---- the answer ---- */

static PyObject *bytes_of(const uint8_t *data, uint32_t count)
{
    return PyBytes_FromStringAndSize((const char *)data, count);
}

PyObject *aw_transfer_result(const struct aw_transfer *transfer)
{
    const struct aw_send *send = transfer->send;
    const struct aw_frame *frame = frame_of(send);
    const uint8_t *from = send->reply;
    PyObject *list;

    if (!transfer->segmented)
        return bytes_of(from, send->reply_bytes);
    list = PyList_New((Py_ssize_t)frame->id);
    for (uint32_t i = 0; list && i < frame->id; i++) {
        struct aw_spi_segment head;
        PyObject *bytes;

        memcpy(&head, frame->payload + i * sizeof(head), sizeof(head));
        bytes = bytes_of(from, head.bytes);
        from += head.bytes;
        if (bytes)
            PyList_SET_ITEM(list, (Py_ssize_t)i, bytes);
        else
            Py_CLEAR(list);
    }
    return list;
}
