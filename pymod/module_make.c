/* Making the module: its types, each from its own file, its functions, and what
 * happens to it in the end. Nothing in here is called by those files; what they
 * ask of the module is in module.c. */
#include "pymod/bridge.h"
#include "pymod/module.h"
#include "pymod/queue.h"

/* ---- functions ---- */

static PyObject *set_owner_hook(PyObject *module, PyObject *hook)
{
    Py_XSETREF(aw_module_state(module)->owner_hook, Py_NewRef(hook));
    Py_RETURN_NONE;
}

static PyObject *set_gate_hook(PyObject *module, PyObject *hook)
{
    Py_XSETREF(aw_module_state(module)->gate_hook, Py_NewRef(hook));
    Py_RETURN_NONE;
}

static PyObject *interrupt(PyObject *module, PyObject *ident)
{
    unsigned long thread = PyLong_AsUnsignedLong(ident);

    if (PyErr_Occurred())
        return NULL;
    /* A blocked recv() raises it itself; other code does at its next
     * bytecode. */
    if (!aw_recv_interrupt(aw_module_state(module), thread))
        PyThreadState_SetAsyncExc(thread, PyExc_KeyboardInterrupt);
    Py_RETURN_NONE;
}

static PyObject *shut_down(PyObject *module, PyObject *Py_UNUSED(unused))
{
    aw_bridge_shutdown(aw_module_state(module));
    Py_RETURN_NONE;
}

/* A flag rather than a look at getpid(): a get() that finds a frame makes no
 * system call. */
static PyObject *forked(PyObject *module, PyObject *Py_UNUSED(unused))
{
    aw_module_state(module)->forked = true;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"open_device", aw_open_device, METH_VARARGS,
     "open_device(name, options, /)\n--\n\n"
     "Open a device; options maps keys to text, \"driver\" among them.\n"
     "Raises ConfigError or DeviceError."},
    {"parse_device", aw_parse_device, METH_O,
     "parse_device(text, /)\n--\n\n"
     "(name, options) of the short form NAME=DRIVER:MAIN[,key=value...].\n"
     "Raises ConfigError."},
    {"read_config", aw_read_config, METH_O,
     "read_config(path, /)\n--\n\n"
     "{name: options} of the devices in a configuration file. Raises\n"
     "ConfigError naming file, line and key."},
    {"hosted_devices", aw_hosted_devices, METH_NOARGS,
     "hosted_devices()\n--\n\n"
     "{name: Device} of the daemon this runs in; None outside a daemon."},
    {"_set_owner_hook", set_owner_hook, METH_O, NULL},
    {"_set_gate_hook", set_gate_hook, METH_O, NULL},
    {"_interrupt", interrupt, METH_O, NULL},
    {"_shutdown", shut_down, METH_NOARGS, NULL},
    {"_forked", forked, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- life ---- */

/* Has a function of the module called when something happens; `keyword` may be
 * NULL. */
static int register_call(PyObject *module, const char *function_name,
                         const char *registrar_module, const char *registrar,
                         const char *keyword)
{
    PyObject *call = aw_module_import(registrar_module, registrar);
    PyObject *function = PyObject_GetAttrString(module, function_name);
    PyObject *names = keyword ? Py_BuildValue("(s)", keyword) : NULL;
    PyObject *result = NULL;

    if (call && function && !PyErr_Occurred())
        result = PyObject_Vectorcall(call, &function, keyword ? 0 : 1, names);
    Py_XDECREF(result);
    Py_XDECREF(names);
    Py_XDECREF(function);
    Py_XDECREF(call);
    return result ? 0 : -1;
}

static int register_calls(PyObject *module)
{
    /* The bridge must be gone before the interpreter takes the GIL away from
     * threads: atexit runs early enough. */
    if (register_call(module, "_shutdown", "atexit", "register", NULL) < 0)
        return -1;
    return register_call(module, "_forked", "os", "register_at_fork",
                         "after_in_child");
}

static int intern_names(struct aw_names *names)
{
    names->call_soon = PyUnicode_InternFromString("call_soon");
    names->call_soon_threadsafe =
        PyUnicode_InternFromString("call_soon_threadsafe");
    names->run = PyUnicode_InternFromString("run");
    names->throw = PyUnicode_InternFromString("throw");
    names->close = PyUnicode_InternFromString("close");
    names->context_keyword = Py_BuildValue("(s)", "context");
    return names->call_soon && names->call_soon_threadsafe && names->run &&
                   names->throw &&names->close && names->context_keyword
               ? 0
               : -1;
}

static int import_asyncio(struct aw_module *state)
{
    state->get_running_loop = aw_module_import("asyncio", "get_running_loop");
    state->cancelled_error = aw_module_import("asyncio", "CancelledError");
    state->invalid_state_error =
        aw_module_import("asyncio", "InvalidStateError");
    return state->get_running_loop && state->cancelled_error &&
                   state->invalid_state_error
               ? 0
               : -1;
}

/* One bridge and one asyncio serve a process. Python 3.12 asks the slots
 * below first. */
static int check_interpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
    PyErr_SetString(PyExc_ImportError, "_awaitd serves the main interpreter "
                                       "and does not load in another");
    return -1;
}

static int execute(PyObject *module)
{
    static int (*const setups[])(PyObject *) = {
        aw_errors_setup,    aw_frame_setup,          aw_can_frame_setup,
        aw_datagram_setup,  aw_ethernet_frame_setup, aw_stats_setup,
        aw_device_setup,    aw_queue_setup,          aw_get_setup,
        aw_send_setup,      aw_waiter_setup,         aw_doorbell_setup,
        aw_gap_setup,       aw_lease_setup,          aw_batch_setup,
        aw_awaitable_setup, aw_capsule_setup,        aw_completion_wait_setup,
        aw_fd_wait_setup,   aw_j1939_setup,          aw_periodic_setup,
        aw_event_setup,     aw_can_error_setup,      aw_spi_device_setup,
        aw_transfer_setup,
    };
    struct aw_module *state = aw_module_state(module);

    if (check_interpreter() < 0 || import_asyncio(state) < 0 ||
        intern_names(&state->names) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        if (setups[i](module) < 0)
            return -1;
    }
    if (PyModule_AddStringConstant(module, "__version__", AW_VERSION) < 0)
        return -1;
    return register_calls(module);
}

/* Every object the state holds lies between its first member and `forked`. */
static PyObject **objects(struct aw_module *state, size_t *ret_count)
{
    *ret_count = offsetof(struct aw_module, forked) / sizeof(PyObject *);
    return (PyObject **)state;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    size_t count;
    PyObject **members = objects(aw_module_state(module), &count);

    for (size_t i = 0; i < count; i++)
        Py_VISIT(members[i]);
    return 0;
}

static int clear(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);
    size_t count;
    PyObject **members = objects(state, &count);

    aw_awaitable_forget(state);
    /* Freeing memory of a type's object looks at the type: while it lives. */
    if (state->spare_get)
        PyObject_GC_Del(state->spare_get);
    state->spare_get = NULL;
    for (size_t i = 0; i < count; i++)
        Py_CLEAR(members[i]);
    return 0;
}

static void free_module(void *module)
{
    clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_mod_gil
    /* A queue's consumer is one thread at a time, which the GIL sees to. */
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_awaitd",
    .m_doc = "Frames from C queues, awaited. Import awaitd instead.",
    .m_size = sizeof(struct aw_module),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__awaitd(void)
{
    return PyModuleDef_Init(&definition);
}
