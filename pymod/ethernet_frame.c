/* EthernetFrame: a frame as it is on the wire, from the destination's address
 * on, with its VLAN tags, without the checksum behind it.
 *
 * The attributes are read out of the data when they are asked for; those of a
 * frame that is too short for them are None. */
#include "pymod/frame_base.h"

#define ADDRESS_BYTES 6u
#define TYPE_OFFSET   (2u * ADDRESS_BYTES)
#define TYPE_BYTES    2u
#define TAG_BYTES     4u
#define TPID_CUSTOMER 0x8100u /* IEEE 802.1Q */
#define TPID_PROVIDER 0x88a8u /* IEEE 802.1ad */
#define TCI_ID_MASK   0x0fffu
#define TCI_DEI       0x1000u
#define TCI_PCP_SHIFT 13
#define NOT_THERE     (-1)

/* The two bytes at `offset`, or NOT_THERE. */
static int word_at(const struct aw_frame *frame, size_t offset)
{
    const unsigned char *bytes = frame->payload + offset;

    return offset + TYPE_BYTES <= frame->length ? bytes[0] << 8 | bytes[1]
                                                : NOT_THERE;
}

static bool is_tag(int type)
{
    return type == (int)TPID_CUSTOMER || type == (int)TPID_PROVIDER;
}

/* That of the outer tag, or NOT_THERE. */
static int tci_of(PyObject *self)
{
    const struct aw_frame *frame = aw_frame_slot(self);

    return is_tag(word_at(frame, TYPE_OFFSET))
               ? word_at(frame, TYPE_OFFSET + TYPE_BYTES)
               : NOT_THERE;
}

/* Behind all tags. */
static int type_of(const struct aw_frame *frame)
{
    size_t offset = TYPE_OFFSET;

    while (is_tag(word_at(frame, offset)))
        offset += TAG_BYTES;
    return word_at(frame, offset);
}

static PyObject *number_or_none(int number)
{
    if (number == NOT_THERE)
        Py_RETURN_NONE;
    return PyLong_FromLong(number);
}

static PyObject *get_vlan_tci(PyObject *self, void *Py_UNUSED(closure))
{
    return number_or_none(tci_of(self));
}

static PyObject *get_vlan_id(PyObject *self, void *Py_UNUSED(closure))
{
    int tci = tci_of(self);

    return number_or_none(tci == NOT_THERE ? tci : tci & (int)TCI_ID_MASK);
}

static PyObject *get_vlan_pcp(PyObject *self, void *Py_UNUSED(closure))
{
    int tci = tci_of(self);

    return number_or_none(tci == NOT_THERE ? tci : tci >> TCI_PCP_SHIFT);
}

static PyObject *get_vlan_dei(PyObject *self, void *Py_UNUSED(closure))
{
    int tci = tci_of(self);

    if (tci == NOT_THERE)
        Py_RETURN_NONE;
    return PyBool_FromLong(tci & (int)TCI_DEI);
}

static PyObject *get_ethertype(PyObject *self, void *Py_UNUSED(closure))
{
    return number_or_none(type_of(aw_frame_slot(self)));
}

/* "02:00:00:00:00:01", of the bytes from `offset` on. */
static PyObject *address_at(PyObject *self, size_t offset)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    const unsigned char *bytes = frame->payload + offset;
    char text[3 * ADDRESS_BYTES];

    if (offset + ADDRESS_BYTES > frame->length)
        Py_RETURN_NONE;
    PyOS_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0],
                  bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
    return PyUnicode_FromString(text);
}

static PyObject *get_destination(PyObject *self, void *Py_UNUSED(closure))
{
    return address_at(self, 0);
}

static PyObject *get_source(PyObject *self, void *Py_UNUSED(closure))
{
    return address_at(self, ADDRESS_BYTES);
}

static PyObject *get_interface(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *channel = ((FrameObject *)self)->channel;

    return Py_NewRef(channel ? channel : Py_None);
}

static PyObject *get_is_outgoing(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(aw_frame_slot(self)->flags & AW_FRAME_SENT);
}

static PyObject *get_length(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(aw_frame_slot(self)->id);
}

/* ---- the type ---- */

AW_WITH_GIL static PyObject *ethernet_new(PyTypeObject *type, PyObject *args,
                                          PyObject *kwargs)
{
    static const char *const names[] = {"data", NULL};
    PyObject *data = NULL, *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:EthernetFrame",
                                     (char **)names, &data))
        return NULL;
    self = aw_frame_from_data(type, AW_KIND_ETHERNET, data);
    if (self)
        aw_frame_slot(self)->id = aw_frame_slot(self)->length;
    return self;
}

/* `value` is stolen; returns what is to be shown of it, or NULL. */
static PyObject *part(const char *format, PyObject *value)
{
    PyObject *text = NULL;

    if (value == Py_None)
        text = PyUnicode_FromStringAndSize("", 0);
    else if (value)
        text = PyUnicode_FromFormat(format, value);
    Py_XDECREF(value);
    return text;
}

static PyObject *type_part(const struct aw_frame *frame)
{
    int type = type_of(frame);

    return type == NOT_THERE ? PyUnicode_FromStringAndSize("", 0)
                             : PyUnicode_FromFormat(" 0x%04x", type);
}

/* "60 bytes: FFFF... 02:..:01 > ff:..:ff vlan 5 0x0800". */
AW_WITH_GIL static PyObject *ethernet_repr(PyObject *self)
{
    const struct aw_frame *frame = aw_frame_slot(self);
    PyObject *data = aw_frame_describe_data(frame);
    PyObject *source = part(" %U", get_source(self, NULL));
    PyObject *destination = part(" > %U", get_destination(self, NULL));
    PyObject *vlan = part(" vlan %S", get_vlan_id(self, NULL));
    PyObject *ethertype = type_part(frame);
    PyObject *content = NULL;

    if (data && source && destination && vlan && ethertype)
        content = PyUnicode_FromFormat("%U%U%U%U%U", data, source, destination,
                                       vlan, ethertype);
    Py_XDECREF(data);
    Py_XDECREF(source);
    Py_XDECREF(destination);
    Py_XDECREF(vlan);
    Py_XDECREF(ethertype);
    return aw_frame_describe(self, content);
}

static PyGetSetDef ethernet_getset[] = {
    {"destination", get_destination, NULL,
     PyDoc_STR("Who it is for, as \"02:00:00:00:00:01\"."), NULL},
    {"source", get_source, NULL, PyDoc_STR("Who it is from."), NULL},
    {"ethertype", get_ethertype, NULL,
     PyDoc_STR("What it carries (IEEE 802.3 EtherType, behind all VLAN tags): "
               "0x0800 is IPv4. Below 0x600 it is a length."),
     NULL},
    {"vlan_tci", get_vlan_tci, NULL,
     PyDoc_STR("Tag control information of its (outer) VLAN tag, IEEE 802.1Q; "
               "None if it has no tag."),
     NULL},
    {"vlan_id", get_vlan_id, NULL,
     PyDoc_STR("Of vlan_tci the identifier, 0 to 4095; or None."), NULL},
    {"vlan_pcp", get_vlan_pcp, NULL,
     PyDoc_STR("Of vlan_tci the priority code point, 0 to 7; or None."), NULL},
    {"vlan_dei", get_vlan_dei, NULL,
     PyDoc_STR("Of vlan_tci the drop eligible indicator, a bool; or None."),
     NULL},
    {"interface", get_interface, NULL,
     PyDoc_STR("The interface it came by, as \"eth0\": its channel; None for a "
               "frame made by hand."),
     NULL},
    {"is_outgoing", get_is_outgoing, NULL,
     PyDoc_STR("True if this machine sent it: not is_rx."), NULL},
    {"length", get_length, NULL,
     PyDoc_STR("Bytes on the wire: more than len() if it is truncated."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(ethernet_doc,
             "EthernetFrame(data)\n--\n\n"
             "An Ethernet frame: addresses, VLAN tags if it has any, EtherType "
             "and what\nit carries, without the checksum.\n\n"
             "data: bytes-like, or an iterable of integers; at most 65528 "
             "bytes, and of\nwhat is sent at most the interface's MTU and 14 "
             "(18 with a tag).\nValueError if it is longer.");

static PyType_Slot ethernet_slots[] = {
    {Py_tp_doc, (void *)ethernet_doc},
    {Py_tp_new, ethernet_new},
    {Py_tp_repr, ethernet_repr},
    {Py_tp_getset, ethernet_getset},
    {0, NULL},
};

static PyType_Spec ethernet_spec = {
    .name = "awaitd.EthernetFrame",
    .basicsize = AW_FRAME_BASIC_BYTES,
    .itemsize = 1,
    .flags = AW_FRAME_TYPE_FLAGS,
    .slots = ethernet_slots,
};

int aw_ethernet_frame_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->ethernet_frame_type = (PyTypeObject *)PyType_FromModuleAndSpec(
        module, &ethernet_spec, (PyObject *)state->frame_type);
    if (!state->ethernet_frame_type)
        return -1;
    return PyModule_AddType(module, state->ethernet_frame_type);
}
