#include "probe.h"

PyObject *probe_checked(int status)
{
    if (status == 0 && !PyErr_Occurred())
        Py_RETURN_NONE;
    if (status == -1 && PyErr_Occurred())
        return NULL;
    PyErr_Clear();
    return PyErr_Format(PyExc_AssertionError,
                        "returned %d, which does not fit the exception set",
                        status);
}

PyObject *probe_borrowed(PyObject *value)
{
    if (!value == !PyErr_Occurred()) {
        PyErr_SetString(PyExc_AssertionError,
                        "the value does not fit the exception set");
        return NULL;
    }
    return Py_XNewRef(value);
}

static int execute(PyObject *module)
{
    static PyMethodDef *const parts[] = {
        probe_callback_functions, probe_step_functions,   probe_value_functions,
        probe_switch_functions,   probe_memory_functions, probe_slot_functions,
    };

    if (PyAwaitable_Init() < 0)
        return -1;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (PyModule_AddFunctions(module, parts[i]) < 0)
            return -1;
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "awaitable_probe",
    .m_doc = "The coroutine API, as its tests see it.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_awaitable_probe(void);

PyMODINIT_FUNC PyInit_awaitable_probe(void)
{
    return PyModuleDef_Init(&definition);
}
