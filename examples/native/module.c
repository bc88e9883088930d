/* The module: a table of functions, and PyAwaitable_Init() when it is
 * imported. */
#include "example.h"

static PyMethodDef functions[] = {
    {"answer", example_answer, METH_NOARGS, "Await the answer."},
    {"trampoline", example_trampoline, METH_O, "Await it; its result."},
    {"doubled", example_doubled, METH_O, "Await it; twice its result."},
    {"is_reachable", example_is_reachable, METH_O,
     "Whether make_request(), awaited, makes it in time."},
    {"value_or", example_value_or, METH_VARARGS,
     "Await it; its result, or the default after a LookupError."},
    {"something", example_something, METH_VARARGS, "bar(await foo() + a + b)"},
    {"locked", example_locked, METH_VARARGS, "Await it within the context."},
    {"total", example_total, METH_VARARGS,
     "The sum of what function(), awaited count times, gives."},
    {"my_sleep", example_my_sleep, METH_O, "Sleep, by a future."},
    {"nap", example_nap, METH_O, "Sleep, by the API's own timer."},
    {"speed", example_speed, METH_O,
     "The speed, in km/h, in a queue's next frame; None if none comes."},
    {"checksum", example_checksum, METH_O,
     "The Adler-32 of bytes, computed by a thread."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    (void)module;
    return PyAwaitable_Init();
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "native_example",
    .m_doc = "Awaitables from C.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_native_example(void)
{
    return PyModuleDef_Init(&definition);
}
