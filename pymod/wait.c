#include "pymod/wait.h"

/* StopIteration(value): a tuple would be taken for its arguments. Not by
 * PyErr_SetObject(), which would look for a context: it is no error. */
static void raise_stop(PyObject *value)
{
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);

    if (stop)
        PyErr_Restore(Py_NewRef(PyExc_StopIteration), stop, NULL);
}

PyObject *aw_wait_result(PySendResult result, PyObject *value)
{
    switch (result) {
    case PYGEN_NEXT:
        return value;
    case PYGEN_RETURN:
        raise_stop(value);
        Py_DECREF(value);
        break;
    case PYGEN_ERROR:
        break;
    }
    return NULL;
}

PyObject *aw_wait_send(PyObject *awaitable, PyObject *value, sendfunc send)
{
    PyObject *given = NULL;
    PySendResult result = send(awaitable, value, &given);

    return aw_wait_result(result, given);
}

/* An iterator that ends with None need not say so. */
PyObject *aw_wait_iternext(PyObject *awaitable, sendfunc send)
{
    PyObject *given = NULL;
    PySendResult result = send(awaitable, Py_None, &given);

    if (result != PYGEN_RETURN || given != Py_None)
        return aw_wait_result(result, given);
    Py_DECREF(given);
    return NULL;
}

bool aw_wait_raise(PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *type = count > 0 ? arguments[0] : NULL;
    PyObject *value = count > 1 ? arguments[1] : NULL;
    PyObject *traceback = count > 2 ? arguments[2] : NULL;

    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError,
                        "throw() takes an exception (or type, value, "
                        "traceback)");
        return false;
    }
    if (traceback == Py_None)
        traceback = NULL;
    if (value == Py_None)
        value = NULL;
    if (traceback && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError,
                        "throw() third argument must be a traceback object");
        return false;
    }
    if (PyExceptionInstance_Check(type)) {
        if (value) {
            PyErr_SetString(PyExc_TypeError, "instance exception may not have "
                                             "a separate value");
            return false;
        }
        value = type;
        type = (PyObject *)Py_TYPE(value);
    } else if (!PyExceptionClass_Check(type)) {
        PyErr_SetString(PyExc_TypeError,
                        "exceptions must be classes or instances deriving "
                        "from BaseException");
        return false;
    }
    /* Restore is the one public way to give the traceback along. */
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
    return true;
}
