#include "pymod/wait.h"

PySendResult aw_wait_step(PyObject **waiter, bool resuming, const char *what,
                          PyObject *value, PyObject **ret_value)
{
    PySendResult result = aw_waiter_step(*waiter, value, ret_value);

    if (result != PYGEN_NEXT) {
        if (result == PYGEN_RETURN)
            Py_CLEAR(*ret_value);
        Py_CLEAR(*waiter);
        return result;
    }
    if (!resuming)
        return result;
    Py_CLEAR(*ret_value);
    PyErr_Format(PyExc_RuntimeError, "%s is being awaited already", what);
    return PYGEN_ERROR;
}

/* StopIteration(value): a tuple would be taken for its arguments. */
static void raise_stop(PyObject *value)
{
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);

    if (!stop)
        return;
    PyErr_SetObject(PyExc_StopIteration, stop);
    Py_DECREF(stop);
}

PyObject *aw_wait_send(PyObject *awaitable, PyObject *value, sendfunc send)
{
    PyObject *result;

    switch (send(awaitable, value, &result)) {
    case PYGEN_NEXT:
        return result;
    case PYGEN_RETURN:
        raise_stop(result);
        Py_DECREF(result);
        return NULL;
    case PYGEN_ERROR:
        break;
    }
    return NULL;
}

PyObject *aw_wait_iternext(PyObject *awaitable, sendfunc send)
{
    return aw_wait_send(awaitable, Py_None, send);
}

PyObject *aw_wait_raise(PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *type = count > 0 ? arguments[0] : NULL;
    PyObject *value = count > 1 ? arguments[1] : NULL;
    PyObject *traceback = count > 2 ? arguments[2] : NULL;

    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError,
                        "throw() takes an exception (or type, value, "
                        "traceback)");
        return NULL;
    }
    if (PyExceptionInstance_Check(type)) {
        value = type;
        type = (PyObject *)Py_TYPE(value);
    } else if (!PyExceptionClass_Check(type)) {
        PyErr_SetString(PyExc_TypeError,
                        "exceptions must be classes or instances deriving "
                        "from BaseException");
        return NULL;
    }
    if (traceback == Py_None)
        traceback = NULL;
    if (value == Py_None)
        value = NULL;
    /* Restore is the one public way to give the traceback along. */
    PyErr_Restore(Py_NewRef(type), Py_XNewRef(value), Py_XNewRef(traceback));
    return NULL;
}
