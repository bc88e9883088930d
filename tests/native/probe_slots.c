/* What Python itself never does: drop an object while an exception is set, and
 * ask for an object's slots. */
#include "probe.h"

/* Drops a new awaitable, its step not run, with `exception` on its way. */
static PyObject *drop_while_raising(PyObject *Py_UNUSED(module),
                                    PyObject *exception)
{
    PyObject *aw = PyAwaitable_New();

    if (!aw)
        return NULL;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_DECREF(aw);
    return NULL;
}

/* send() as asyncio's tasks and `await` on 3.11 do it: (0, result) at its end,
 * (1, yielded) before. */
static PyObject *send_by_slot(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *aw, *value, *result, *pair;
    PySendResult outcome;

    if (!PyArg_ParseTuple(args, "OO", &aw, &value))
        return NULL;
    outcome = PyIter_Send(aw, value, &result);
    if (outcome == PYGEN_ERROR)
        return probe_borrowed(NULL);
    pair = Py_BuildValue("iO", outcome == PYGEN_NEXT, result);
    Py_DECREF(result);
    return pair;
}

/* next() as `await` on 3.12 and later does it. NULL without an exception, which
 * stands for StopIteration(None), becomes "end". */
static PyObject *next_by_slot(PyObject *Py_UNUSED(module), PyObject *aw)
{
    PyObject *result = Py_TYPE(aw)->tp_iternext(aw);

    if (!result && !PyErr_Occurred())
        return PyUnicode_FromString("end");
    return result;
}

PyMethodDef probe_slot_functions[] = {
    {"drop_while_raising", drop_while_raising, METH_O, NULL},
    {"send_by_slot", send_by_slot, METH_VARARGS, NULL},
    {"next_by_slot", next_by_slot, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
