/* One function with a switch, in place of a callback for each step. */
#include "example.h"

struct total {
    PyObject *function; // owned
    long left;          // calls that are still to be made
    long sum;
};

static void free_total(void *arg)
{
    struct total *total = arg;

    Py_DECREF(total->function);
    PyMem_Free(total);
}

enum { BEGIN, GOT_NUMBER };

static int total_step(PyObject *aw, int state, PyObject *value, void *arg)
{
    struct total *total = arg;
    PyObject *result;
    int status;

    switch (state) {
    case GOT_NUMBER:
        total->sum += PyLong_AsLong(value);
        if (PyErr_Occurred())
            return -1;
        // fall through - and await the next one
    case BEGIN:
        if (total->left-- > 0)
            return PyAwaitable_StepAwait(
                aw, PyObject_CallNoArgs(total->function), GOT_NUMBER, -1);
    }
    result = PyLong_FromLong(total->sum);
    status = result ? PyAwaitable_SetResult(aw, result) : -1;
    Py_XDECREF(result);
    return status;
}

PyObject *example_total(PyObject *module, PyObject *args)
{
    PyObject *aw, *function;
    struct total *total;
    long count;

    (void)module;
    if (!PyArg_ParseTuple(args, "Ol", &function, &count))
        return NULL;
    total = PyMem_Malloc(sizeof(*total));
    if (!total)
        return PyErr_NoMemory();
    *total = (struct total){Py_NewRef(function), count, 0};
    aw = PyAwaitable_New();
    if (!aw || PyAwaitable_SetStep(aw, total_step, total, free_total) < 0) {
        Py_CLEAR(aw);
        free_total(total);
    }
    return aw;
}
