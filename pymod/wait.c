#include "pymod/wait.h"

int aw_wait_begin(struct aw_wait *wait, PyObject *loop)
{
    PyObject *future = PyObject_CallMethod(loop, "create_future", NULL);
    PyAsyncMethods *async;

    if (!future)
        return -1;
    async = Py_TYPE(future)->tp_as_async;
    if (!async || !async->am_await) {
        PyErr_Format(PyExc_TypeError, "%R made a future that cannot be awaited",
                     loop);
        Py_DECREF(future);
        return -1;
    }
    wait->iterator = async->am_await(future);
    if (!wait->iterator) {
        Py_DECREF(future);
        return -1;
    }
    wait->future = future;
    return 0;
}

PySendResult aw_wait_step(struct aw_wait *wait, PyObject **ret_value)
{
    PySendResult result = PyIter_Send(wait->iterator, Py_None, ret_value);

    if (result != PYGEN_NEXT)
        aw_wait_clear(wait);
    return result;
}

PySendResult aw_wait_refuse(PyObject **value, const char *what)
{
    Py_CLEAR(*value);
    PyErr_Format(PyExc_RuntimeError, "%s is being awaited already", what);
    return PYGEN_ERROR;
}

int aw_wait_resolve(struct aw_wait *wait)
{
    PyObject *done, *result;

    if (!wait->future)
        return 0;
    done = PyObject_CallMethod(wait->future, "done", NULL);
    if (!done)
        return -1;
    Py_DECREF(done);
    if (done == Py_True)
        return 0;
    result = PyObject_CallMethod(wait->future, "set_result", "O", Py_None);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

void aw_wait_clear(struct aw_wait *wait)
{
    Py_CLEAR(wait->iterator);
    Py_CLEAR(wait->future);
}

int aw_wait_traverse(const struct aw_wait *wait, visitproc visit, void *arg)
{
    Py_VISIT(wait->iterator);
    Py_VISIT(wait->future);
    return 0;
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
