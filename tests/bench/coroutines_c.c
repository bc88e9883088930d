/* coroutines_c: the C awaitables that coroutines.py times, as an extension.
 *
 * Each awaits the coroutine that it is given. Those by hand have what is
 * needed for that and nothing else: no throw(), no close(), no errors handled;
 * they are the least that an awaitable can cost. */
#include <pyawaitable.h>

typedef struct {
    PyObject_HEAD PyObject *coroutine;
} BareObject;

struct state {
    PyTypeObject *iternext_type, *send_type;
};

/* ---- by hand ---- */

static PySendResult bare_send(PyObject *self, PyObject *value,
                              PyObject **ret_value)
{
    return PyIter_Send(((BareObject *)self)->coroutine, value, ret_value);
}

static PyObject *bare_iternext(PyObject *self)
{
    PyObject *value, *stop;
    PySendResult result = bare_send(self, Py_None, &value);

    if (result == PYGEN_NEXT)
        return value;
    if (result == PYGEN_RETURN) {
        stop = PyObject_CallOneArg(PyExc_StopIteration, value);
        Py_DECREF(value);
        if (stop)
            PyErr_SetObject(PyExc_StopIteration, stop);
        Py_XDECREF(stop);
    }
    return NULL;
}

/* A task takes only what has the methods of a coroutine. */
static PyObject *bare_method(PyObject *Py_UNUSED(self),
                             PyObject *Py_UNUSED(arguments))
{
    PyErr_SetString(PyExc_NotImplementedError, "this one is for timing only");
    return NULL;
}

static int bare_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((BareObject *)self)->coroutine);
    return 0;
}

static int bare_clear(PyObject *self)
{
    Py_CLEAR(((BareObject *)self)->coroutine);
    return 0;
}

static void bare_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    bare_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMethodDef bare_methods[] = {
    {"send", bare_method, METH_VARARGS, NULL},
    {"throw", bare_method, METH_VARARGS, NULL},
    {"close", bare_method, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

#define BARE_SLOTS                                                             \
    {Py_tp_dealloc, bare_dealloc}, {Py_tp_traverse, bare_traverse},            \
        {Py_tp_clear, bare_clear}, {Py_am_await, PyObject_SelfIter},           \
        {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, bare_iternext},      \
    {                                                                          \
        Py_tp_methods, bare_methods                                            \
    }

static PyType_Slot iternext_slots[] = {BARE_SLOTS, {0, NULL}};
static PyType_Slot send_slots[] = {
    BARE_SLOTS, {Py_am_send, bare_send}, {0, NULL}};

static PyType_Spec iternext_spec = {
    .name = "coroutines_c.Iternext",
    .basicsize = sizeof(BareObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = iternext_slots,
};

static PyType_Spec send_spec = {
    .name = "coroutines_c.Send",
    .basicsize = sizeof(BareObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = send_slots,
};

static PyObject *new_bare(PyTypeObject *type, PyObject *coroutine)
{
    BareObject *self = PyObject_GC_New(BareObject, type);

    if (!self)
        return NULL;
    self->coroutine = Py_NewRef(coroutine);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static PyObject *by_iternext(PyObject *module, PyObject *coroutine)
{
    struct state *state = PyModule_GetState(module);

    return new_bare(state->iternext_type, coroutine);
}

static PyObject *by_send(PyObject *module, PyObject *coroutine)
{
    struct state *state = PyModule_GetState(module);

    return new_bare(state->send_type, coroutine);
}

/* ---- by the API ---- */

static int set_result(PyObject *aw, PyObject *value)
{
    return PyAwaitable_SetResult(aw, value);
}

/* `aw` if nothing went wrong. */
static PyObject *checked(PyObject *aw, int result)
{
    if (result < 0)
        Py_CLEAR(aw);
    return aw;
}

static PyObject *by_api(PyObject *Py_UNUSED(module), PyObject *coroutine)
{
    PyObject *aw = PyAwaitable_New();

    if (!aw)
        return NULL;
    return checked(aw, PyAwaitable_AddAwait(aw, coroutine, NULL, NULL));
}

static PyObject *by_api_with_callback(PyObject *Py_UNUSED(module),
                                      PyObject *coroutine)
{
    PyObject *aw = PyAwaitable_New();

    if (!aw)
        return NULL;
    return checked(aw, PyAwaitable_AddAwait(aw, coroutine, set_result, NULL));
}

static PyObject *by_api_result(PyObject *Py_UNUSED(module), PyObject *coroutine)
{
    PyObject *aw = PyAwaitable_New();

    if (!aw)
        return NULL;
    return checked(aw, PyAwaitable_AddAwaitResult(aw, coroutine));
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
    {"by_iternext", by_iternext, METH_O, NULL},
    {"by_send", by_send, METH_O, NULL},
    {"by_api", by_api, METH_O, NULL},
    {"by_api_with_callback", by_api_with_callback, METH_O, NULL},
    {"by_api_result", by_api_result, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject *new_type(PyObject *module, PyType_Spec *spec)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
}

static int execute(PyObject *module)
{
    struct state *state = PyModule_GetState(module);

    state->iternext_type = new_type(module, &iternext_spec);
    state->send_type = new_type(module, &send_spec);
    if (!state->iternext_type || !state->send_type)
        return -1;
    return PyAwaitable_Init();
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "coroutines_c",
    .m_size = sizeof(struct state),
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_coroutines_c(void);

PyMODINIT_FUNC PyInit_coroutines_c(void)
{
    return PyModuleDef_Init(&definition);
}
