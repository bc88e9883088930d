/* Arguments kept between steps: the tuple that holds them and the format, to be
 * parsed once more, since only that knows what lies behind a `va_list`. */
#include <stdarg.h>
#include <string.h>

#include "pymod/coroutine/awaitable.h"

static int keep(struct aw_extras *extras, PyObject *args, const char *format)
{
    char *copy = PyMem_Malloc(strlen(format) + 1);

    if (!copy) {
        PyErr_NoMemory();
        return -1;
    }
    strcpy(copy, format);
    PyMem_Free(extras->format);
    extras->format = copy;
    Py_XSETREF(extras->arguments, Py_NewRef(args));
    return 0;
}

/* Kept first: what was parsed may hold memory or a buffer that only the caller
 * can free, and does not on failure. */
int aw_parse_args(PyObject *aw, PyObject *args, const char *format, ...)
{
    AwaitableObject *self = aw_awaitable_cast(aw);
    struct aw_extras *extras = self ? aw_awaitable_extras(self) : NULL;
    va_list variables;
    int parsed;

    if (!extras)
        return -1;
    if (!args || !PyTuple_Check(args) || !format)
        return aw_raise_format(
            PyExc_TypeError,
            "PyAwaitable_ParseArgs() takes a tuple and a format");
    if (keep(extras, args, format) < 0)
        return -1;
    va_start(variables, format);
    parsed = PyArg_VaParse(args, format, variables);
    va_end(variables);
    if (!parsed)
        Py_CLEAR(extras->arguments);
    return parsed ? 0 : -1;
}

int aw_unpack_args(PyObject *aw, ...)
{
    AwaitableObject *self = aw_awaitable_cast(aw);
    struct aw_extras *extras = self ? self->extras : NULL;
    va_list variables;
    int parsed;

    if (!self)
        return -1;
    if (!extras || !extras->arguments)
        return aw_raise_format(PyExc_RuntimeError,
                               "no arguments have been parsed");
    va_start(variables, aw);
    parsed = PyArg_VaParse(extras->arguments, extras->format, variables);
    va_end(variables);
    return parsed ? 0 : -1;
}
