/* Exceptions, as one object each. */
#include <stdarg.h>

#include "pymod/coroutine/awaitable.h"

/* Up to 3.11 PyErr_Format() raises its type without a message if there is no
 * memory for that. */
int aw_raise_format(PyObject *type, const char *format, ...)
{
    PyObject *message;
    va_list values;

    va_start(values, format);
    message = PyUnicode_FromFormatV(format, values);
    va_end(values);
    if (message)
        PyErr_SetObject(type, message);
    Py_XDECREF(message);
    return -1;
}

int aw_raise_null(const char *what)
{
    if (!PyErr_Occurred())
        aw_raise_format(PyExc_ValueError, "%s is NULL", what);
    return -1;
}

PyObject *aw_raised_take(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void aw_raised_set(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception,
                  PyException_GetTraceback(exception));
#endif
}

PyObject *aw_handled_begin(PyObject *exception)
{
    PyObject *outer = PyErr_GetHandledException(), *below;

    /* That looks below the innermost coroutine, too, but is set in it alone:
     * what comes from below would be left behind in it. */
    PyErr_SetHandledException(NULL);
    below = PyErr_GetHandledException();
    if (below == outer)
        Py_CLEAR(outer);
    Py_XDECREF(below);
    PyErr_SetHandledException(exception);
    return outer;
}

void aw_handled_end(PyObject *outer)
{
    PyErr_SetHandledException(outer);
    Py_XDECREF(outer);
}

void aw_raised_chain(PyObject *handled)
{
    PyObject *exception = aw_raised_take();
    PyObject *outer = aw_handled_begin(handled);

    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    aw_handled_end(outer);
    Py_DECREF(exception);
}
