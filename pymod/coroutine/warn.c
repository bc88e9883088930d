/* The warning for an awaitable that was dropped without being awaited. */
#include "pymod/coroutine/awaitable.h"

/* Where the warnings of `frame` are noted, or of none. Python 3.11 makes it
 * when it is first needed, and crashes if there is no memory for that. 0, or -1
 * with an exception. */
static int make_registry(PyFrameObject *frame)
{
    static const char name[] = "__warningregistry__";
    PyObject *registry = PyDict_New();
    PyObject *key = PyUnicode_FromString(name), *globals;
    int result = -1;

    if (registry && key && frame) {
        globals = PyFrame_GetGlobals(frame);
        result = PyDict_SetDefault(globals, key, registry) ? 0 : -1;
        Py_DECREF(globals);
    } else if (registry && key) {
        result = PySys_GetObject(name) ? 0 : PySys_SetObject(name, registry);
    }
    Py_XDECREF(registry);
    Py_XDECREF(key);
    return result;
}

/* 0, or -1 with an exception: a filter may make one of it. */
static int warn(AwaitableObject *self)
{
    PyObject *qualname =
        PyObject_GetAttrString((PyObject *)self, "__qualname__");
    int result = -1;

    if (qualname)
        result = PyErr_ResourceWarning(
            (PyObject *)self, 1, "awaitable '%U' was never awaited", qualname);
    Py_XDECREF(qualname);
    return result;
}

void aw_awaitable_warn(AwaitableObject *self)
{
    /* Held, so that it need not be made once more. */
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());

    if (make_registry(frame) < 0 || warn(self) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(frame);
}
