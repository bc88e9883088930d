#include "pymod/module.h"

/* Set before Python starts, read with the GIL. */
static const struct aw_hosted *hosted;

void aw_module_set_hosted(const struct aw_hosted *by)
{
    hosted = by;
}

const struct aw_hosted *aw_module_hosted(void)
{
    return hosted;
}

struct aw_module *aw_module_state(PyObject *module)
{
    return PyModule_GetState(module);
}

struct aw_module *aw_module_of_type(PyTypeObject *type)
{
    return PyType_GetModuleState(type);
}

/* ---- which process, which script ---- */

bool aw_module_forked(const struct aw_module *module)
{
    return module->forked;
}

int aw_module_check_fork(struct aw_module *module)
{
    if (!aw_module_forked(module))
        return 0;
    PyErr_SetString(module->error,
                    "awaitd cannot be used in a child made by os.fork(): its "
                    "readers stay with the parent; use subprocess, or the "
                    "spawn method of multiprocessing");
    return -1;
}

PyObject *aw_module_owner(struct aw_module *module)
{
    PyObject *owner;

    if (!module->owner_hook)
        return NULL;
    owner = PyObject_CallNoArgs(module->owner_hook);
    if (owner == Py_None)
        Py_CLEAR(owner);
    return owner;
}

int aw_module_pass_gate(struct aw_module *module)
{
    PyObject *passed;

    /* Before the first reload or restart there is only one version of each. */
    if (!module->gate_hook)
        return 0;
    passed = PyObject_CallNoArgs(module->gate_hook);
    Py_XDECREF(passed);
    return passed ? 0 : -1;
}

int aw_module_owner_name(struct aw_module *module, char *name, size_t size)
{
    PyObject *owner = aw_module_owner(module);
    PyObject *object = owner ? PyObject_GetAttrString(owner, "name") : NULL;
    const char *text = object ? PyUnicode_AsUTF8(object) : NULL;

    PyOS_snprintf(name, size, "%s", text ? text : "");
    Py_XDECREF(object);
    Py_XDECREF(owner);
    return PyErr_Occurred() ? -1 : 0;
}

/* ---- its loop ---- */

PyObject *aw_module_import(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);
    PyObject *attribute = module ? PyObject_GetAttrString(module, name) : NULL;

    Py_XDECREF(module);
    return attribute;
}

PyObject *aw_module_running_loop(struct aw_module *module)
{
    PyObject *loop = PyObject_CallNoArgs(module->get_running_loop), *running;

    if (loop || !PyDict_GetItemString(PyImport_GetModuleDict(), "trio"))
        return loop;
    PyErr_Clear();
    running = aw_module_import("awaitd._trio", "running_loop");
    loop = running ? PyObject_CallNoArgs(running) : NULL;
    Py_XDECREF(running);
    if (loop)
        Py_XSETREF(module->trio_type, (PyTypeObject *)PyObject_Type(loop));
    return loop;
}
