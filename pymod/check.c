/* `awaitd check`: each script is compiled as it would be run, and not run. */
#include <errno.h>
#include <stdio.h>

#include "pymod/host_state.h"
#include "pymod/interpreter.h"

/* Calls awaitd._host.check.check(paths): the findings, or NULL with an
 * exception. */
static PyObject *find(const struct aw_host_config *config)
{
    PyObject *paths = PyList_New(0), *module = NULL, *found = NULL;

    for (size_t i = 0; paths && i < config->script_count; i++) {
        PyObject *path = PyUnicode_DecodeFSDefault(config->scripts[i].path);

        if (!path || PyList_Append(paths, path) < 0)
            Py_CLEAR(paths);
        Py_XDECREF(path);
    }
    if (paths)
        module = PyImport_ImportModule("awaitd._host.check");
    if (module)
        found = PyObject_CallMethod(module, "check", "O", paths);
    Py_XDECREF(module);
    Py_XDECREF(paths);
    return found;
}

/* Returns how many there were. */
static int print(PyObject *found, FILE *to)
{
    Py_ssize_t count = PyList_Size(found);

    for (Py_ssize_t i = 0; i < count; i++) {
        const char *line = PyUnicode_AsUTF8(PyList_GetItem(found, i));

        if (!line)
            return -1;
        fprintf(to, "%s\n", line);
    }
    return (int)count;
}

static int check(const struct aw_host_config *config, FILE *to)
{
    PyObject *found = NULL;
    int count = -1;

    if (aw_interpreter_add_path(config->package_path) == 0)
        found = find(config);
    if (found)
        count = print(found, to);
    if (count < 0)
        PyErr_WriteUnraisable(NULL);
    Py_XDECREF(found);
    return count < 0 ? -EIO : count;
}

void *aw_host_check_main(void *argument)
{
    struct aw_host_check *wanted = argument;
    PyStatus status;

    aw_role_enter(AW_ROLE_BRIDGE);
    aw_role_assume(&aw_role_bridge);
    status = aw_interpreter_init(wanted->config->venv);
    if (PyStatus_Exception(status)) {
        fprintf(wanted->to, "cannot initialise Python: %s\n",
                status.err_msg ? status.err_msg : "unknown");
        wanted->result = -EIO;
        return NULL;
    }
    wanted->result = check(wanted->config, wanted->to);
    Py_FinalizeEx();
    return NULL;
}
