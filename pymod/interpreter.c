#include "pymod/interpreter.h"

#include <limits.h>
#include <stdio.h>

#include "pymod/module.h"

/* As python3 is configured, with its PYTHON* variables and folders, so that a
 * script finds what it finds there; but signals, the C streams and the locale
 * are the process's and are left alone, and text is UTF-8 whatever the locale.
 */
static PyStatus configure(PyConfig *config, const char *executable)
{
    PyPreConfig pre;
    PyStatus status;

    PyPreConfig_InitPythonConfig(&pre);
    pre.configure_locale = 0;
    pre.coerce_c_locale = 0;
    pre.utf8_mode = 1;
    status = Py_PreInitialize(&pre);
    if (PyStatus_Exception(status))
        return status;
    PyConfig_InitPythonConfig(config);
    config->parse_argv = 0;
    config->install_signal_handlers = 0;
    config->configure_c_stdio = 0;
    status = PyConfig_SetBytesString(config, &config->program_name, executable);
    if (!PyStatus_Exception(status))
        status =
            PyConfig_SetBytesString(config, &config->executable, executable);
    return status;
}

PyStatus aw_interpreter_init(const char *venv)
{
    char executable[PATH_MAX] = AW_PYTHON_EXECUTABLE;
    PyConfig config;
    PyStatus status;

    /* Python looks for pyvenv.cfg from where its program lies. */
    if (venv)
        snprintf(executable, sizeof(executable), "%s/bin/python3", venv);
    status = PyImport_AppendInittab("_awaitd", PyInit__awaitd) < 0
                 ? PyStatus_NoMemory()
                 : configure(&config, executable);
    if (PyStatus_Exception(status))
        return status;
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

int aw_interpreter_add_path(const char *folder)
{
    PyObject *path = PySys_GetObject("path");
    PyObject *text = PyUnicode_DecodeFSDefault(folder);
    int result = path && text ? PyList_Insert(path, 0, text) : -1;

    Py_XDECREF(text);
    return result;
}
