/* The extension `awaitable_waits`: what C can await, shown to Python's tests.
 */
#include "waits.h"

static int execute(PyObject *module)
{
    if (PyAwaitable_Init() < 0 ||
        PyModule_AddFunctions(module, waits_step_functions) < 0 ||
        PyModule_AddFunctions(module, threads_completion_functions) < 0 ||
        PyModule_AddFunctions(module, threads_pool_functions) < 0 ||
        PyModule_AddIntConstant(module, "READ", PyAwaitable_READ) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "WRITE", PyAwaitable_WRITE);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "awaitable_waits",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_awaitable_waits(void);

PyMODINIT_FUNC PyInit_awaitable_waits(void)
{
    return PyModuleDef_Init(&definition);
}
