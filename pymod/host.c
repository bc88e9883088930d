/* The bridge's half of the host: Python, from initialisation to finalisation.
 *
 * What a script means is Python's business and is told in awaitd/_host/; here
 * are the threads and the interpreter. The bridge initialises Python, and so no
 * script runs on what Python takes for its main thread. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/queue/log.h"
#include "pymod/bridge.h"
#include "pymod/heartbeat_object.h"
#include "pymod/host_state.h"
#include "pymod/module.h"
#include "pymod/output_object.h"

struct host_bridge {
    struct aw_bridge bridge;
    struct aw_hosted hosted;
    PyObject *module; /* awaitd._host */
};

int aw_host_bridge_new(struct aw_host *host)
{
    struct host_bridge *own = calloc(1, sizeof(*own));
    int result;

    if (!own)
        return -ENOMEM;
    result = aw_bridge_init(&own->bridge);
    if (result < 0) {
        free(own);
        return result;
    }
    own->hosted = (struct aw_hosted){
        .bridge = &own->bridge,
        .devices = host->config->devices,
        .device_count = host->config->device_count,
    };
    host->bridge = own;
    host->bell = own->bridge.waker.fd;
    return 0;
}

void aw_host_bridge_free(struct aw_host *host)
{
    struct host_bridge *own = host->bridge;

    aw_bridge_deinit(&own->bridge);
    free(own);
    host->bridge = NULL;
}

int aw_host_dump_signal(void)
{
    return SIGRTMIN + 7;
}

int aw_host_stack_signal(void)
{
    return SIGRTMIN + 8;
}

/* ---- the interpreter ---- */

/* As python3 is configured, with its PYTHON* variables and folders, so that a
 * script finds what it finds there; but signals, the C streams and the locale
 * are the process's and are left alone, and text is UTF-8 whatever the locale.
 */
static PyStatus configure(PyConfig *config)
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
    status = PyConfig_SetBytesString(config, &config->program_name,
                                     AW_PYTHON_EXECUTABLE);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(config, &config->executable,
                                         AW_PYTHON_EXECUTABLE);
    return status;
}

static PyStatus initialise(void)
{
    PyConfig config;
    PyStatus status = PyImport_AppendInittab("_awaitd", PyInit__awaitd) < 0
                          ? PyStatus_NoMemory()
                          : configure(&config);

    if (PyStatus_Exception(status))
        return status;
    status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

/* ---- scripts ---- */

static void take_result(PyObject *result, struct aw_host_event *event)
{
    int cancelled = 0;

    event->status = 70;
    if (!result || !PyArg_ParseTuple(result, "ip", &event->status, &cancelled))
        PyErr_WriteUnraisable(result);
    event->cancelled = cancelled != 0;
}

static void *script_main(void *argument)
{
    struct aw_host_thread *own = argument;
    struct host_bridge *bridge = own->host->bridge;
    struct aw_host_event event = {.kind = AW_HOST_SCRIPT_ENDED,
                                  .script = own->script};
    PyGILState_STATE state;
    PyObject *result;
    sigset_t none;

    aw_role_enter(AW_ROLE_SCRIPT);
    aw_heartbeat_own(&own->heartbeat);
    /* The children of a script inherit its mask, and a child that blocks
     * SIGTERM cannot be terminated. */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    atomic_store_explicit(&own->tid, (int)syscall(SYS_gettid),
                          memory_order_release);
    state = PyGILState_Ensure();
    result = PyObject_CallMethod(bridge->module, "run", "n",
                                 (Py_ssize_t)own->script);
    take_result(result, &event);
    Py_XDECREF(result);
    PyGILState_Release(state);
    atomic_store_explicit(&own->tid, 0, memory_order_release);
    aw_host_post(own->host, &event);
    return NULL;
}

static PyObject *describe_script(const struct aw_host_script *script,
                                 struct aw_heartbeat *heartbeat)
{
    PyObject *arguments = PyList_New(0);
    char *const *argument = script->arguments;

    for (; arguments && argument && *argument; argument++) {
        PyObject *text = PyUnicode_DecodeFSDefault(*argument);

        if (!text || PyList_Append(arguments, text) < 0)
            Py_CLEAR(arguments);
        Py_XDECREF(text);
    }
    if (!arguments)
        return NULL;
    return Py_BuildValue("(sNNN)", script->name,
                         PyUnicode_DecodeFSDefault(script->path), arguments,
                         aw_heartbeat_callables(heartbeat));
}

static PyObject *describe_scripts(struct aw_host *host)
{
    const struct aw_host_config *config = host->config;
    PyObject *scripts = PyList_New(0);

    for (size_t i = 0; scripts && i < config->script_count; i++) {
        PyObject *script =
            describe_script(&config->scripts[i], &host->threads[i].heartbeat);

        if (!script || PyList_Append(scripts, script) < 0)
            Py_CLEAR(scripts);
        Py_XDECREF(script);
    }
    return scripts;
}

/* Imports the Python half and hands it the scripts. 0, or -1 with an exception.
 */
static int import_host(struct aw_host *host)
{
    const struct aw_host_config *config = host->config;
    struct host_bridge *own = host->bridge;
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(config->package_path);
    PyObject *scripts = NULL, *result = NULL;

    if (path && folder && PyList_Insert(path, 0, folder) == 0)
        own->module = PyImport_ImportModule("awaitd._host");
    if (own->module)
        scripts = describe_scripts(host);
    if (scripts)
        result = PyObject_CallMethod(
            own->module, "start", "ONdiii", scripts,
            aw_output_callables(&config->output), config->executor_timeout_s,
            aw_host_dump_signal(), aw_host_stack_signal(),
            host->stack_write_fd);
    Py_XDECREF(scripts);
    Py_XDECREF(folder);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* A script whose thread cannot be made has ended. */
static void start_scripts(struct aw_host *host)
{
    for (size_t i = 0; i < host->config->script_count; i++) {
        struct aw_host_thread *own = &host->threads[i];
        struct aw_host_event ended = {
            .kind = AW_HOST_SCRIPT_ENDED, .script = i, .status = 70};
        int error = pthread_create(&own->thread, NULL, script_main, own);

        own->created = error == 0;
        if (error == 0)
            continue;
        aw_log(AW_LOG_ERROR, "script %s: cannot start its thread: %s",
               host->config->scripts[i].name, strerror(error));
        aw_host_post(host, &ended);
    }
}

static void join_scripts(struct aw_host *host)
{
    Py_BEGIN_ALLOW_THREADS
    for (size_t i = 0; i < host->config->script_count; i++) {
        if (host->threads[i].created)
            pthread_join(host->threads[i].thread, NULL);
    }
    Py_END_ALLOW_THREADS
}

/* ---- the bridge ---- */

static void serve_request(struct host_bridge *own, size_t script,
                          unsigned request)
{
    PyObject *result;

    if (request & AW_REQUEST_CANCEL)
        result = PyObject_CallMethod(
            own->module, "cancel", "niO", (Py_ssize_t)script,
            (int)(request & AW_REQUEST_SIGNAL_MASK),
            request & AW_REQUEST_AGAIN ? Py_True : Py_False);
    else if (request & AW_REQUEST_INTERRUPT)
        result = PyObject_CallMethod(own->module, "interrupt", "n",
                                     (Py_ssize_t)script);
    else
        return;
    if (!result)
        PyErr_WriteUnraisable(own->module);
    Py_XDECREF(result);
}

/* What main has asked for since the bell last rang. */
static void serve_requests(void *context)
{
    struct aw_host *host = context;
    struct host_bridge *own = host->bridge;

    for (size_t i = 0; i < host->config->script_count; i++) {
        unsigned request = atomic_exchange_explicit(&host->threads[i].request,
                                                    0, memory_order_acquire);

        serve_request(own, i, request);
    }
    if (atomic_load_explicit(&host->finish, memory_order_acquire))
        aw_bridge_stop(&own->bridge);
}

static void post_failure(struct aw_host *host, const char *what,
                         const char *why)
{
    struct aw_host_event event = {.kind = AW_HOST_FAILED};

    snprintf(event.text, sizeof(event.text), "%s: %s", what, why);
    aw_host_post(host, &event);
}

/* The bridge's life between initialisation and finalisation. */
static void serve(struct aw_host *host)
{
    struct host_bridge *own = host->bridge;
    struct aw_host_event started = {.kind = AW_HOST_STARTED};

    if (import_host(host) < 0) {
        /* Not PyErr_Print(), which may end the process. */
        PyErr_WriteUnraisable(NULL);
        post_failure(host, "cannot host scripts",
                     "the package awaitd cannot be used (see above)");
        return;
    }
    own->bridge.hook = serve_requests;
    own->bridge.hook_context = host;
    start_scripts(host);
    aw_host_post(host, &started);
    aw_bridge_run(&own->bridge);
    join_scripts(host);
    Py_CLEAR(own->module);
}

void *aw_host_bridge_main(void *argument)
{
    struct aw_host *host = argument;
    struct host_bridge *own = host->bridge;
    struct aw_host_event finished = {.kind = AW_HOST_FINISHED};
    PyStatus status;

    aw_role_enter(AW_ROLE_BRIDGE);
    aw_role_assume(&aw_role_bridge);
    aw_module_set_hosted(&own->hosted);
    status = initialise();
    if (PyStatus_Exception(status)) {
        post_failure(host, "cannot initialise Python",
                     status.err_msg ? status.err_msg : "unknown");
        return NULL;
    }
    serve(host);
    Py_FinalizeEx();
    aw_host_post(host, &finished);
    return NULL;
}
