/* The C examples of the documents that the API goes back to, their slips
 * mended, written against the header that PyAwaitable's users include. */
#include <pyawaitable.h>

/* ---- awaiting ---- */

/* async def trampoline(coro): await coro */
static PyObject *trampoline_without_callback(PyObject *Py_UNUSED(module),
                                             PyObject *coro)
{
    PyObject *awaitable = PyAwaitable_New();

    if (awaitable == NULL)
        return NULL;
    if (PyAwaitable_AddAwait(awaitable, coro, NULL, NULL) < 0) {
        Py_DECREF(awaitable);
        return NULL;
    }
    return awaitable;
}

/* async def trampoline(coro): return await coro */
static PyObject *trampoline(PyObject *Py_UNUSED(module), PyObject *coro)
{
    PyObject *awaitable = PyAwaitable_New();

    if (awaitable == NULL)
        return NULL;
    if (PyAwaitable_AddAwaitResult(awaitable, coro) < 0) {
        Py_DECREF(awaitable);
        return NULL;
    }
    return awaitable;
}

/* Awaits what `function()` returns; takes nothing over. */
static PyObject *await_call(PyObject *function, PyAwaitable_Callback callback,
                            PyAwaitable_Error error)
{
    PyObject *awaitable = PyAwaitable_New();
    PyObject *coro = awaitable ? PyObject_CallNoArgs(function) : NULL;

    if (coro == NULL ||
        PyAwaitable_AddAwait(awaitable, coro, callback, error) < 0)
        Py_CLEAR(awaitable);
    Py_XDECREF(coro);
    return awaitable;
}

/* async def module_do_something(function): await function() */
static PyObject *module_do_something(PyObject *Py_UNUSED(module),
                                     PyObject *args)
{
    PyObject *function;

    if (!PyArg_ParseTuple(args, "O", &function))
        return NULL;
    return await_call(function, NULL, NULL);
}

/* ---- a result callback ---- */

static int print_value(PyObject *Py_UNUSED(awaitable), PyObject *value)
{
    PySys_WriteStdout("silly() returned: ");
    PySys_FormatStdout("%S\n", value);
    return 0;
}

static PyObject *call_silly(PyObject *Py_UNUSED(module), PyObject *silly)
{
    return await_call(silly, print_value, NULL);
}

static int hello_and_ten(PyObject *awaitable, PyObject *result)
{
    PyObject *ten = PyLong_FromLong(10);
    int status;

    PySys_WriteStdout("hello, world!\n");
    PySys_FormatStdout("%S\n", result);
    status = ten ? PyAwaitable_SetResult(awaitable, ten) : -1;
    Py_XDECREF(ten);
    return status;
}

static PyObject *awaitable_new(PyObject *Py_UNUSED(module),
                               PyObject *Py_UNUSED(unused))
{
    return PyAwaitable_New();
}

static PyObject *awaitable_add_await(PyObject *Py_UNUSED(module),
                                     PyObject *args)
{
    PyObject *awaitable, *coro;

    if (!PyArg_ParseTuple(args, "O!O", PyAwaitable_GetType(), &awaitable,
                          &coro))
        return NULL;
    if (!PyCoro_CheckExact(coro)) {
        PyErr_SetString(PyExc_TypeError, "argument 2 must be a coroutine");
        return NULL;
    }
    if (PyAwaitable_AddAwait(awaitable, coro, hello_and_ten, NULL) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- arguments that a callback uses ---- */

/* return bar(result + (a + b)) */
static int call_bar(PyObject *awaitable, PyObject *result)
{
    PyObject *foo, *bar, *value = NULL;
    int a, b, status = -1;
    long number = PyLong_AsLong(result);

    if ((number == -1 && PyErr_Occurred()) ||
        PyAwaitable_UnpackArgs(awaitable, &a, &b, &foo, &bar) < 0)
        return -1;
    value = PyObject_CallFunction(bar, "l", number + a + b);
    if (value)
        status = PyAwaitable_SetResult(awaitable, value);
    Py_XDECREF(value);
    return status;
}

/* async def something(a, b, foo, bar): return bar(await foo() + (a + b)) */
static PyObject *module_something(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *awaitable = PyAwaitable_New();
    PyObject *foo, *bar;
    int a, b;

    if (awaitable == NULL)
        return NULL;
    if (PyAwaitable_ParseArgs(awaitable, args, "iiOO", &a, &b, &foo, &bar) <
            0 ||
        PyAwaitable_AddExpr(awaitable, PyObject_CallNoArgs(foo), call_bar,
                            NULL) < 0) {
        PyAwaitable_Cancel(awaitable);
        Py_CLEAR(awaitable);
    }
    return awaitable;
}

/* ---- an error callback ---- */

static int return_true(PyObject *awaitable, PyObject *Py_UNUSED(value))
{
    return PyAwaitable_SetResult(awaitable, Py_True);
}

static int return_false(PyObject *awaitable, PyObject *exc)
{
    if (!PyErr_GivenExceptionMatches(exc, PyExc_TimeoutError))
        return -1;
    return PyAwaitable_SetResult(awaitable, Py_False) < 0 ? -2 : 0;
}

/* try: await make_request(); return True
 * except TimeoutError: return False */
static PyObject *is_api_reachable(PyObject *Py_UNUSED(module),
                                  PyObject *make_request)
{
    return await_call(make_request, return_true, return_false);
}

/* ---- past the error callback ---- */

static int print_error(PyObject *Py_UNUSED(awaitable), PyObject *error)
{
    PyErr_SetRaisedException(Py_NewRef(error));
    PyErr_Print();
    return 0;
}

static int log_value(PyObject *Py_UNUSED(awaitable), PyObject *logger)
{
    PyObject *done = PyObject_CallFunction(logger, "s", "LOG: Got value");

    Py_XDECREF(done);
    return done ? 0 : -2;
}

/* `function` gives what is called to log. */
static PyObject *log_or_propagate(PyObject *Py_UNUSED(module),
                                  PyObject *function)
{
    return await_call(function, log_value, print_error);
}

static PyMethodDef functions[] = {
    {"trampoline", trampoline, METH_O, NULL},
    {"trampoline_without_callback", trampoline_without_callback, METH_O, NULL},
    {"module_do_something", module_do_something, METH_VARARGS, NULL},
    {"call_silly", call_silly, METH_O, NULL},
    {"awaitable_new", awaitable_new, METH_NOARGS, NULL},
    {"awaitable_add_await", awaitable_add_await, METH_VARARGS, NULL},
    {"module_something", module_something, METH_VARARGS, NULL},
    {"is_api_reachable", is_api_reachable, METH_O, NULL},
    {"log_or_propagate", log_or_propagate, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *Py_UNUSED(module))
{
    return PyAwaitable_Init();
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "awaitable_documents",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_awaitable_documents(void);

PyMODINIT_FUNC PyInit_awaitable_documents(void)
{
    return PyModuleDef_Init(&definition);
}
