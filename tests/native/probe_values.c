/* The state that an awaitable carries between its steps. */
#include "probe.h"

#include <stdint.h>

/* ---- objects ---- */

static PyObject *save_values(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *one, *two = NULL, *three = NULL;

    if (!PyArg_ParseTuple(args, "OO|OO", &aw, &one, &two, &three))
        return NULL;
    if (three)
        return probe_checked(PyAwaitable_SaveValues(aw, 3, one, two, three));
    if (two)
        return probe_checked(PyAwaitable_SaveValues(aw, 2, one, two));
    return probe_checked(PyAwaitable_SaveValues(aw, 1, one));
}

/* None and a NULL. */
static PyObject *save_null(PyObject *Py_UNUSED(module), PyObject *aw)
{
    return probe_checked(PyAwaitable_SaveValues(aw, 2, Py_None, NULL));
}

/* Three values as a tuple. */
static PyObject *unpack_values(PyObject *Py_UNUSED(module), PyObject *aw)
{
    PyObject *one, *two, *three;

    if (PyAwaitable_UnpackValues(aw, &one, &two, &three) < 0)
        return NULL;
    return PyTuple_Pack(3, one, two, three);
}

/* The first and the last of three. */
static PyObject *unpack_outer_values(PyObject *Py_UNUSED(module), PyObject *aw)
{
    PyObject *one, *three;

    if (PyAwaitable_UnpackValues(aw, &one, NULL, &three) < 0)
        return NULL;
    return PyTuple_Pack(2, one, three);
}

static PyObject *get_value(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    Py_ssize_t index;

    if (!PyArg_ParseTuple(args, "On", &aw, &index))
        return NULL;
    return probe_borrowed(PyAwaitable_GetValue(aw, index));
}

static PyObject *set_value(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *value;
    Py_ssize_t index;

    if (!PyArg_ParseTuple(args, "OnO", &aw, &index, &value))
        return NULL;
    return probe_checked(PyAwaitable_SetValue(aw, index, value));
}

/* ---- void *: numbers in these tests ---- */

static void *pointer(Py_ssize_t number)
{
    return (void *)(intptr_t)number;
}

static Py_ssize_t number(void *value)
{
    return (Py_ssize_t)(intptr_t)value;
}

static PyObject *save_arb_values(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    Py_ssize_t one, two;

    if (!PyArg_ParseTuple(args, "Onn", &aw, &one, &two))
        return NULL;
    return probe_checked(
        PyAwaitable_SaveArbValues(aw, 2, pointer(one), pointer(two)));
}

static PyObject *unpack_arb_values(PyObject *Py_UNUSED(module), PyObject *aw)
{
    void *one, *two;

    if (PyAwaitable_UnpackArbValues(aw, &one, &two) < 0)
        return NULL;
    return Py_BuildValue("nn", number(one), number(two));
}

static PyObject *unpack_last_arb_value(PyObject *Py_UNUSED(module),
                                       PyObject *aw)
{
    void *two;

    if (PyAwaitable_UnpackArbValues(aw, NULL, &two) < 0)
        return NULL;
    return PyLong_FromSsize_t(number(two));
}

static PyObject *get_arb_value(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    Py_ssize_t index;
    void *value;

    if (!PyArg_ParseTuple(args, "On", &aw, &index))
        return NULL;
    value = PyAwaitable_GetArbValue(aw, index);
    if (!value && PyErr_Occurred())
        return NULL;
    return PyLong_FromSsize_t(number(value));
}

static PyObject *set_arb_value(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw;
    Py_ssize_t index, value;

    if (!PyArg_ParseTuple(args, "Onn", &aw, &index, &value))
        return NULL;
    return probe_checked(PyAwaitable_SetArbValue(aw, index, pointer(value)));
}

/* ---- arguments ---- */

/* What "iiOO" names, as a tuple. */
static PyObject *parse_args(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *parsed, *three, *four;
    int one, two;

    if (!PyArg_ParseTuple(args, "OO", &aw, &parsed) ||
        PyAwaitable_ParseArgs(aw, parsed, "iiOO", &one, &two, &three, &four) <
            0)
        return NULL;
    return Py_BuildValue("iiOO", one, two, three, four);
}

static PyObject *unpack_args(PyObject *Py_UNUSED(module), PyObject *aw)
{
    PyObject *three, *four;
    int one, two;

    if (PyAwaitable_UnpackArgs(aw, &one, &two, &three, &four) < 0)
        return NULL;
    return Py_BuildValue("iiOO", one, two, three, four);
}

/* The same for "s": a string that is borrowed from the tuple, and for a type
 * and an object of it, "O!". */
static PyObject *parse_text(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *parsed, *list;
    const char *text;

    if (!PyArg_ParseTuple(args, "OO", &aw, &parsed) ||
        PyAwaitable_ParseArgs(aw, parsed, "sO!", &text, &PyList_Type, &list) <
            0)
        return NULL;
    return Py_BuildValue("sO", text, list);
}

PyMethodDef probe_value_functions[] = {
    {"save_values", save_values, METH_VARARGS, NULL},
    {"save_null", save_null, METH_O, NULL},
    {"unpack_values", unpack_values, METH_O, NULL},
    {"unpack_outer_values", unpack_outer_values, METH_O, NULL},
    {"get_value", get_value, METH_VARARGS, NULL},
    {"set_value", set_value, METH_VARARGS, NULL},
    {"save_arb_values", save_arb_values, METH_VARARGS, NULL},
    {"unpack_arb_values", unpack_arb_values, METH_O, NULL},
    {"unpack_last_arb_value", unpack_last_arb_value, METH_O, NULL},
    {"get_arb_value", get_arb_value, METH_VARARGS, NULL},
    {"set_arb_value", set_arb_value, METH_VARARGS, NULL},
    {"parse_args", parse_args, METH_VARARGS, NULL},
    {"unpack_args", unpack_args, METH_O, NULL},
    {"parse_text", parse_text, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
