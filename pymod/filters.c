#include "pymod/filters.h"

/* python-can and the kernel mark an inverted filter by this bit of can_id
 * (linux/can/raw.h CAN_INV_FILTER, which is CAN_ERR_FLAG's). */
#define INVERT AW_CAN_ERROR

static int parse_word(PyObject *filter, Py_ssize_t index, const char *key,
                      uint32_t *ret_word)
{
    PyObject *object = PyMapping_GetItemString(filter, key);
    unsigned long word;

    if (!object) {
        PyErr_Format(PyExc_ValueError, "filters[%zd] has no \"%s\"", index,
                     key);
        return -1;
    }
    word = PyLong_Check(object) ? PyLong_AsUnsignedLong(object) : 0;
    if (!PyLong_Check(object))
        PyErr_Format(PyExc_TypeError,
                     "filters[%zd][\"%s\"] must be an int, not %R", index, key,
                     object);
    else if (PyErr_Occurred() || word > UINT32_MAX)
        PyErr_Format(PyExc_ValueError,
                     "filters[%zd][\"%s\"] must be 0..0xFFFFFFFF, not %R",
                     index, key, object);
    Py_DECREF(object);
    *ret_word = (uint32_t)word;
    return PyErr_Occurred() ? -1 : 0;
}

static bool is_known(PyObject *key)
{
    static const char *const known[] = {"can_id", "can_mask", "extended",
                                        "inverted"};

    if (!PyUnicode_Check(key))
        return false;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (PyUnicode_CompareWithASCIIString(key, known[i]) == 0)
            return true;
    }
    return false;
}

static int refuse_other_keys(PyObject *filter, Py_ssize_t index)
{
    PyObject *keys = PyMapping_Keys(filter);

    for (Py_ssize_t i = 0; keys && i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = PyList_GET_ITEM(keys, i);

        if (is_known(key))
            continue;
        PyErr_Format(PyExc_ValueError,
                     "filters[%zd]: unknown key %R (can_id, can_mask, "
                     "extended and inverted are known)",
                     index, key);
        Py_CLEAR(keys);
    }
    Py_XDECREF(keys);
    return PyErr_Occurred() ? -1 : 0;
}

/* The bool called `key`: 1 or 0, also of an int that equals one; `fallback` if
 * it is not there; -1 with TypeError for anything else: a "no" would be true.
 */
static int parse_bool(PyObject *filter, Py_ssize_t index, const char *key,
                      int fallback)
{
    PyObject *object;
    long value = -1;
    int overflow;

    if (!PyMapping_HasKeyString(filter, key))
        return fallback;
    object = PyMapping_GetItemString(filter, key);
    if (!object)
        return -1;
    if (PyLong_Check(object))
        value = PyLong_AsLongAndOverflow(object, &overflow);
    if (value != 0 && value != 1) {
        PyErr_Format(PyExc_TypeError,
                     "filters[%zd][\"%s\"] must be a bool, not %R", index, key,
                     object);
        value = -1;
    }
    Py_DECREF(object);
    return (int)value;
}

/* With "extended" the frame format joins the comparison. */
static int parse_extended(PyObject *filter, Py_ssize_t index,
                          struct aw_filter *parsed)
{
    int extended = parse_bool(filter, index, "extended", 2);

    if (extended < 0)
        return -1;
    if (extended == 2)
        return 0;
    parsed->mask |= AW_CAN_EXTENDED;
    if (extended)
        parsed->id |= AW_CAN_EXTENDED;
    else
        parsed->id &= ~AW_CAN_EXTENDED;
    return 0;
}

/* By the key, or by the kernel's bit. */
static int parse_inverted(PyObject *filter, Py_ssize_t index,
                          struct aw_filter *parsed)
{
    int inverted = parse_bool(filter, index, "inverted", 0);

    if (inverted < 0)
        return -1;
    parsed->invert = inverted;
    if ((parsed->id & INVERT) && !(parsed->mask & AW_CAN_ERROR)) {
        parsed->invert = true;
        parsed->id &= ~INVERT;
    }
    return 0;
}

static int parse_filter(PyObject *filter, Py_ssize_t index,
                        struct aw_filter *parsed)
{
    if (!PyDict_Check(filter)) {
        PyErr_Format(PyExc_TypeError,
                     "filters[%zd] must be a dict with can_id and can_mask, "
                     "not %R",
                     index, filter);
        return -1;
    }
    if (refuse_other_keys(filter, index) < 0 ||
        parse_word(filter, index, "can_id", &parsed->id) < 0 ||
        parse_word(filter, index, "can_mask", &parsed->mask) < 0 ||
        parse_extended(filter, index, parsed) < 0)
        return -1;
    return parse_inverted(filter, index, parsed);
}

static struct aw_filter *parse_all(PyObject *sequence)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    struct aw_filter *parsed =
        PyMem_Calloc(count ? (size_t)count : 1, sizeof(*parsed));

    if (!parsed) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (parse_filter(PySequence_Fast_GET_ITEM(sequence, i), i, &parsed[i]) <
            0) {
            PyMem_Free(parsed);
            return NULL;
        }
    }
    return parsed;
}

Py_ssize_t aw_filters_parse(PyObject *filters, DeviceObject *device,
                            struct aw_filter **ret)
{
    PyObject *sequence;
    Py_ssize_t count;

    *ret = NULL;
    if (!filters || filters == Py_None)
        return 0;
    sequence = PySequence_Fast(
        filters,
        "filters must be a sequence of dicts with can_id and can_mask");
    if (!sequence)
        return -1;
    count = PySequence_Fast_GET_SIZE(sequence);
    if (count > 0 && aw_device_kind(device->device) != AW_KIND_CAN) {
        PyErr_Format(PyExc_ValueError, "device %U has no CAN frames to filter",
                     device->name);
        count = -1;
    } else if (count > (Py_ssize_t)AW_FILTERS_MAX) {
        PyErr_Format(PyExc_ValueError, "%zd filters: at most %u are possible",
                     count, AW_FILTERS_MAX);
        count = -1;
    } else {
        *ret = parse_all(sequence);
        if (!*ret)
            count = -1;
    }
    Py_DECREF(sequence);
    return count;
}
