/* `async with`, in two steps. The second, __aexit__, is put in front of the
 * others before __aenter__ is called, so that no lack of memory can lose it,
 * and is made an exit when __aenter__ has returned. */
#include "pymod/coroutine/awaitable.h"

/* What the type and its bases define as `name`; not what the object has, nor
 * the metaclass, which PyObject_GetAttr() would ask. A new reference, or NULL
 * with TypeError. */
static PyObject *find_method(PyObject *context, const char *name)
{
    PyObject *bases = Py_NewRef(Py_TYPE(context)->tp_mro);
    PyObject *method = NULL;

    for (Py_ssize_t i = 0; !method && i < PyTuple_GET_SIZE(bases); i++) {
        PyObject *names =
            PyObject_GetAttrString(PyTuple_GET_ITEM(bases, i), "__dict__");

        method = names ? PyMapping_GetItemString(names, name) : NULL;
        Py_XDECREF(names);
        if (!method && !PyErr_ExceptionMatches(PyExc_KeyError))
            break;
        if (!method)
            PyErr_Clear();
    }
    Py_DECREF(bases);
    if (!method && !PyErr_Occurred())
        aw_raise_format(PyExc_TypeError,
                        "'%.200s' object does not support the asynchronous "
                        "context manager protocol",
                        Py_TYPE(context)->tp_name);
    return method;
}

static int check_method(PyObject *context, const char *name)
{
    PyObject *method = find_method(context, name);

    Py_XDECREF(method);
    return method ? 0 : -1;
}

/* The same, bound to `context`, as its kind of method is: a static one and a
 * mock are called without it. */
static PyObject *bind_method(PyObject *context, const char *name)
{
    PyObject *method = find_method(context, name), *bound;

    if (!method || !Py_TYPE(method)->tp_descr_get)
        return method;
    bound = Py_TYPE(method)->tp_descr_get(method, context,
                                          (PyObject *)Py_TYPE(context));
    Py_DECREF(method);
    return bound;
}

int aw_async_with(PyObject *aw, PyObject *context,
                  PyAwaitable_Callback callback, PyAwaitable_Error error)
{
    struct aw_step *step;

    if (!aw_can_add(aw, context) || check_method(context, "__aenter__") < 0 ||
        check_method(context, "__aexit__") < 0)
        return -1;
    step = aw_steps_append(&((AwaitableObject *)aw)->steps);
    if (!step)
        return -1;
    step->object = Py_NewRef(context);
    step->then.callback = callback;
    step->error = error;
    step->kind = AW_STEP_ENTER;
    return 0;
}

/* The iterator of what `method` returned; takes over the reference. */
static PyObject *await_returned(AwaitableObject *self, PyObject *returned,
                                const char *method)
{
    if (!returned)
        return NULL;
    if (aw_can_await(returned))
        return aw_iterator_of(self, returned);
    aw_raise_format(PyExc_TypeError,
                    "'async with' received an object from %s that does not "
                    "implement __await__: %.100s",
                    method, Py_TYPE(returned)->tp_name);
    Py_DECREF(returned);
    return NULL;
}

PyObject *aw_with_enter(AwaitableObject *self)
{
    PyObject *context = self->step.object, *returned = NULL;
    PyObject *enter = bind_method(context, "__aenter__");
    PyObject *exit = enter ? bind_method(context, "__aexit__") : NULL;
    struct aw_step *step = NULL;

    if (exit)
        step = aw_steps_prepend(&self->steps);
    if (step) {
        step->object = NULL;
        step->then.exit = Py_NewRef(exit);
        step->error = self->step.error;
        step->kind = AW_STEP_UNMADE;
        returned = PyObject_CallNoArgs(enter);
    }
    aw_step_drop(&self->step);
    Py_XDECREF(enter);
    Py_XDECREF(exit);
    return await_returned(self, returned, "__aenter__");
}

/* What the block raises is the exit's from now on, and its error callback too:
 * -2 goes past that one. */
int aw_with_entered(AwaitableObject *self, PyObject *value)
{
    PyAwaitable_Callback callback = self->step.then.callback;
    int code;

    aw_steps_exit(&self->steps)->kind = AW_STEP_EXIT;
    self->step.error = NULL;
    if (!callback)
        return 0;
    code = aw_step_code(callback((PyObject *)self, value));
    if (code < -1)
        aw_steps_exit(&self->steps)->error = NULL;
    return code;
}

/* __aexit__(type, exception, traceback), or with None three times. */
static PyObject *call_exit(PyObject *exit, PyObject *exception)
{
    PyObject *traceback = NULL, *returned, *outer;
    PyObject *arguments[] = {Py_None, Py_None, Py_None};

    if (!exception)
        return PyObject_Vectorcall(exit, arguments, 3, NULL);
    traceback = PyException_GetTraceback(exception);
    arguments[0] = (PyObject *)Py_TYPE(exception);
    arguments[1] = exception;
    if (traceback)
        arguments[2] = traceback;
    outer = aw_handled_begin(exception);
    returned = PyObject_Vectorcall(exit, arguments, 3, NULL);
    aw_handled_end(outer);
    Py_XDECREF(traceback);
    return returned;
}

PyObject *aw_with_exit(AwaitableObject *self)
{
    PyObject *returned = call_exit(self->step.then.exit, self->exception);

    aw_step_drop(&self->step);
    return await_returned(self, returned, "__aexit__");
}

int aw_with_exited(AwaitableObject *self, PyObject *value)
{
    PyObject *exception = self->exception;
    int swallowed = -1;

    self->exception = NULL;
    if (!exception)
        return value ? 0 : -1;
    if (value)
        swallowed = PyObject_IsTrue(value);
    if (swallowed == 0) {
        aw_raised_set(exception);
        return -1;
    }
    Py_DECREF(exception);
    return swallowed < 0 ? -1 : 0;
}
