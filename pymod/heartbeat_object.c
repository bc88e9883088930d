#include "pymod/heartbeat_object.h"

static const char capsule_name[] = "awaitd.heartbeat";

static PyObject *awake(PyObject *capsule, PyObject *Py_UNUSED(unused))
{
    aw_heartbeat_awake(PyCapsule_GetPointer(capsule, capsule_name));
    Py_RETURN_NONE;
}

static PyObject *asleep(PyObject *capsule, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(
        aw_heartbeat_asleep(PyCapsule_GetPointer(capsule, capsule_name)));
}

static PyObject *probe(PyObject *capsule, PyObject *Py_UNUSED(unused))
{
    return PyFloat_FromDouble(
        aw_heartbeat_probe(PyCapsule_GetPointer(capsule, capsule_name)));
}

static void let_go(PyObject *capsule)
{
    aw_heartbeat_unref(PyCapsule_GetPointer(capsule, capsule_name));
}

PyObject *aw_heartbeat_callables(struct aw_heartbeat *heartbeat)
{
    /* Python keeps pointers to them, and never writes. */
    static PyMethodDef methods[] = {
        {"awake", awake, METH_NOARGS, NULL},
        {"asleep", asleep, METH_NOARGS, NULL},
        {"probe", probe, METH_NOARGS, NULL},
    };
    PyObject *capsule = PyCapsule_New(heartbeat, capsule_name, let_go);
    PyObject *three;

    if (!capsule)
        return NULL;
    aw_heartbeat_ref(heartbeat);
    three = Py_BuildValue("(NNN)", PyCFunction_New(&methods[0], capsule),
                          PyCFunction_New(&methods[1], capsule),
                          PyCFunction_New(&methods[2], capsule));
    Py_DECREF(capsule);
    return three;
}
