/* Datagram: what a UDP socket received, or is to send.
 *
 * The address lies in front of the data (struct aw_address): the sender's on a
 * datagram received, the destination on one to be sent. */
#include "pymod/frame_base.h"

#include <arpa/inet.h>
#include <string.h>

#include "devices/address.h"

/* ---- the address ---- */

static struct aw_address address_of(PyObject *self)
{
    struct aw_address address;

    memcpy(&address, aw_frame_slot(self)->payload, sizeof(address));
    return address;
}

/* As socket.recvfrom() gives it. */
static PyObject *datagram_get_address(PyObject *self, void *closure)
{
    struct aw_address address = address_of(self);
    char host[INET6_ADDRSTRLEN];

    (void)closure;
    switch (address.family) {
    case 4:
        inet_ntop(AF_INET, address.ip, host, sizeof(host));
        return Py_BuildValue("sH", host, address.port);
    case 6:
        inet_ntop(AF_INET6, address.ip, host, sizeof(host));
        return Py_BuildValue("sHII", host, address.port, 0u, address.scope_id);
    default:
        Py_RETURN_NONE;
    }
}

/* Sets `*ret` to `value` if it is at most `limit`; -1 with ValueError else. */
static int parse_bounded(const char *name, long long value, uint32_t limit,
                         uint32_t *ret)
{
    if (value < 0 || value > limit) {
        PyErr_Format(PyExc_ValueError, "the address's %s is 0 to %u, not %lld",
                     name, (unsigned)limit, value);
        return -1;
    }
    *ret = (uint32_t)value;
    return 0;
}

/* A tuple as the socket module takes it, into `ret_address`. Returns 0, or -1
 * with TypeError or ValueError. */
static int parse_address(PyObject *tuple, struct aw_address *ret_address)
{
    const char *host;
    long long port, flow = 0, scope = 0;
    struct sockaddr_storage storage;
    struct aw_address address;
    uint32_t port_number, scope_id;

    if (!PyTuple_Check(tuple)) {
        PyErr_Format(PyExc_TypeError,
                     "address is a tuple (host, port) or None, not %R", tuple);
        return -1;
    }
    if (!PyArg_ParseTuple(tuple,
                          "sL|LL;address is (host, port) or (host, port, "
                          "flowinfo, scope_id)",
                          &host, &port, &flow, &scope) ||
        parse_bounded("port", port, UINT16_MAX, &port_number) < 0 ||
        parse_bounded("scope_id", scope, UINT32_MAX, &scope_id) < 0)
        return -1;
    if (aw_address_parse(host, &storage) < 0) {
        PyErr_Format(PyExc_ValueError,
                     "'%s' is no numeric IPv4 or IPv6 address; look a name up "
                     "with loop.getaddrinfo()",
                     host);
        return -1;
    }
    aw_address_import((struct sockaddr *)&storage, &address);
    address.port = (uint16_t)port_number;
    if (address.family == 6 && scope_id)
        address.scope_id = scope_id;
    *ret_address = address;
    return 0;
}

/* ---- the type ---- */

AW_WITH_GIL static PyObject *datagram_new(PyTypeObject *type, PyObject *args,
                                          PyObject *kwargs)
{
    static const char *const names[] = {"data", "address", NULL};
    PyObject *data = NULL, *tuple = Py_None, *self;
    struct aw_address address = {0};
    struct aw_frame *frame;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:Datagram",
                                     (char **)names, &data, &tuple))
        return NULL;
    if (tuple != Py_None && parse_address(tuple, &address) < 0)
        return NULL;
    self = aw_frame_from_data(type, AW_KIND_DATAGRAM, data);
    if (!self)
        return NULL;
    frame = aw_frame_slot(self);
    frame->id = (uint32_t)aw_frame_length(frame);
    memcpy(frame->payload, &address, sizeof(address));
    return self;
}

static PyObject *datagram_get_length(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromUnsignedLong(aw_frame_slot(self)->id);
}

AW_WITH_GIL static PyObject *datagram_repr(PyObject *self)
{
    PyObject *address = datagram_get_address(self, NULL);
    PyObject *data = aw_frame_describe_data(aw_frame_slot(self));
    PyObject *content = NULL;

    if (address && data && address != Py_None)
        content = PyUnicode_FromFormat("%U address=%R", data, address);
    else if (address && data)
        content = Py_NewRef(data);
    Py_XDECREF(address);
    Py_XDECREF(data);
    return aw_frame_describe(self, content);
}

static PyGetSetDef datagram_getset[] = {
    {"address", datagram_get_address, NULL,
     PyDoc_STR("The sender, or where to send it: (host, port) for IPv4, (host, "
               "port, 0, scope_id) for IPv6, or None."),
     NULL},
    {"length", datagram_get_length, NULL,
     PyDoc_STR("Bytes on the wire: more than len() if it is truncated."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    datagram_doc,
    "Datagram(data, address=None)\n--\n\n"
    "A UDP datagram.\n\n"
    "data: bytes-like, or an iterable of integers; at most 65504 bytes.\n"
    "address: where to send it, as a tuple of the socket module with a "
    "numeric\n"
    "host; None: to the device's own destination. ValueError for a host that\n"
    "is no address, a port above 65535, or data too long.");

static PyType_Slot datagram_slots[] = {
    {Py_tp_doc, (void *)datagram_doc},
    {Py_tp_new, datagram_new},
    {Py_tp_repr, datagram_repr},
    {Py_tp_getset, datagram_getset},
    {0, NULL},
};

static PyType_Spec datagram_spec = {
    .name = "awaitd.Datagram",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS,
    .slots = datagram_slots,
};

int aw_datagram_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->datagram_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &datagram_spec, (PyObject *)state->frame_type);
    if (!state->datagram_type)
        return -1;
    return PyModule_AddType(module, state->datagram_type);
}
