/* Python callables as callbacks. A callback gets no argument of its own, so
 * each callable has a C function of its own, out of a fixed stock. */
#include "probe.h"

#define FOR_EACH_SLOT(X)                                                       \
    X(0)                                                                       \
    X(1)                                                                       \
    X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

enum { SLOT_COUNT = 16 };

static struct slot {
    PyObject *callable;
    int code_if_raised;
} slots[SLOT_COUNT];

int probe_code(PyObject *result, int code_if_raised)
{
    PyObject *exception = NULL;
    int code = 0;

    if (!result)
        return code_if_raised;
    if (PyTuple_Check(result) &&
        PyArg_ParseTuple(result, "iO", &code, &exception))
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    else if (PyLong_Check(result))
        code = (int)PyLong_AsLong(result);
    Py_DECREF(result);
    return code;
}

static int call_slot(size_t index, PyObject *aw, PyObject *value)
{
    struct slot *slot = &slots[index];

    if (PyErr_Occurred() || !slot->callable) {
        PyErr_Clear();
        PyErr_SetString(PyExc_AssertionError,
                        "called with an exception set, or after release()");
        return -2;
    }
    return probe_code(
        PyObject_CallFunctionObjArgs(slot->callable, aw, value, NULL),
        slot->code_if_raised);
}

#define DEFINE_SLOT(n)                                                         \
    static int slot_##n(PyObject *aw, PyObject *value)                         \
    {                                                                          \
        return call_slot(n, aw, value);                                        \
    }                                                                          \
    static int defer_##n(PyObject *aw)                                         \
    {                                                                          \
        return call_slot(n, aw, NULL);                                         \
    }

FOR_EACH_SLOT(DEFINE_SLOT)

#define NAME_SLOT(n)  slot_##n,
#define NAME_DEFER(n) defer_##n,

static const PyAwaitable_Callback by_slot[] = {FOR_EACH_SLOT(NAME_SLOT)};
static const PyAwaitable_Defer defer_by_slot[] = {FOR_EACH_SLOT(NAME_DEFER)};

/* The callable's slot, the one it has if it has one; or -1 with an exception.
 */
static int take_slot(PyObject *callable, int code_if_raised)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &slots[i];

        if (!slot->callable) {
            slot->callable = Py_NewRef(callable);
            slot->code_if_raised = code_if_raised;
            return i;
        }
        if (slot->callable == callable &&
            slot->code_if_raised == code_if_raised)
            return i;
    }
    PyErr_SetString(PyExc_AssertionError, "no slot is left: see release()");
    return -1;
}

static PyObject *release(PyObject *Py_UNUSED(module),
                         PyObject *Py_UNUSED(unused))
{
    for (size_t i = 0; i < SLOT_COUNT; i++)
        Py_CLEAR(slots[i].callable);
    Py_RETURN_NONE;
}

/* ---- callbacks in C alone ---- */

static int set_result(PyObject *aw, PyObject *value)
{
    return PyAwaitable_SetResult(aw, value);
}

static int go_on(PyObject *Py_UNUSED(aw), PyObject *Py_UNUSED(value))
{
    return 0;
}

static int minus_one(PyObject *Py_UNUSED(aw), PyObject *Py_UNUSED(value))
{
    return -1;
}

static int minus_two(PyObject *Py_UNUSED(aw), PyObject *Py_UNUSED(value))
{
    return -2;
}

static int fail(PyObject *Py_UNUSED(aw), PyObject *Py_UNUSED(value))
{
    PyErr_SetString(PyExc_ValueError, "in C");
    return -1;
}

static int cancel(PyObject *aw, PyObject *Py_UNUSED(value))
{
    PyAwaitable_Cancel(aw);
    return 0;
}

static int fail_and_cancel(PyObject *aw, PyObject *value)
{
    int code = fail(aw, value);

    PyAwaitable_Cancel(aw);
    return code;
}

static const struct {
    const char *name;
    PyAwaitable_Callback callback;
} in_c[] = {
    {"set_result", set_result},
    {"go_on", go_on},
    {"-1", minus_one},
    {"-2", minus_two},
    {"fail", fail},
    {"cancel", cancel},
    {"fail_and_cancel", fail_and_cancel},
};

static PyAwaitable_Callback find_in_c(PyObject *name)
{
    for (size_t i = 0; i < sizeof(in_c) / sizeof(in_c[0]); i++) {
        if (PyUnicode_CompareWithASCIIString(name, in_c[i].name) == 0)
            return in_c[i].callback;
    }
    PyErr_Format(PyExc_AssertionError, "there is no callback %R in C", name);
    return NULL;
}

/* ---- converters ---- */

static int as_callback(PyObject *object, int code_if_raised,
                       PyAwaitable_Callback *ret)
{
    int slot;

    *ret = NULL;
    if (object == Py_None)
        return 1;
    if (PyUnicode_Check(object)) {
        *ret = find_in_c(object);
        return *ret != NULL;
    }
    slot = take_slot(object, code_if_raised);
    if (slot >= 0)
        *ret = by_slot[slot];
    return slot >= 0;
}

int probe_as_callback(PyObject *object, PyAwaitable_Callback *ret)
{
    return as_callback(object, -1, ret);
}

int probe_as_error(PyObject *object, PyAwaitable_Error *ret)
{
    return as_callback(object, -2, ret);
}

int probe_as_defer(PyObject *object, PyAwaitable_Defer *ret)
{
    int slot = take_slot(object, -1);

    if (slot >= 0)
        *ret = defer_by_slot[slot];
    return slot >= 0;
}

PyMethodDef probe_callback_functions[] = {
    {"release", release, METH_NOARGS,
     "release()\n--\n\nForget the callables that served as callbacks."},
    {NULL, NULL, 0, NULL},
};
