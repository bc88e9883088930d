/* The bridge's half of the host: Python, from initialisation to finalisation.
 *
 * What a script means is Python's business and is told in awaitd/_host/; here
 * is the interpreter; the scripts' threads are host_scripts.c's. The bridge
 * initialises Python, and so no script runs on what Python takes for its main
 * thread. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "pymod/bridge.h"
#include "pymod/host_scripts.h"
#include "pymod/interpreter.h"
#include "pymod/module.h"

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

/* ---- scripts ---- */

/* Imports the Python half and hands it the scripts. 0, or -1 with an exception.
 */
static int import_host(struct aw_host *host)
{
    struct host_bridge *own = host->bridge;

    if (aw_interpreter_add_path(host->config->package_path) == 0)
        own->module = PyImport_ImportModule("awaitd._host");
    return own->module ? aw_host_begin(host, own->module, aw_host_dump_signal(),
                                       aw_host_stack_signal())
                       : -1;
}

/* ---- the bridge ---- */

static void serve_requests(void *context)
{
    struct aw_host *host = context;
    struct host_bridge *own = host->bridge;

    aw_host_serve_requests(host, own->module);
    /* Acquire: what was asked for before is served. Partner: aw_host_finish().
     */
    if (atomic_load_explicit(&host->finish, memory_order_acquire)) {
        aw_host_serve_requests(host, own->module);
        aw_bridge_stop(&own->bridge);
    }
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
    for (size_t i = 0; i < host->config->script_count; i++)
        aw_host_run_script(host, own->module, i, 1, AW_HOST_START);
    /* Python has these by now; main may close them when it likes. */
    own->hosted.device_count = 0;
    aw_host_post(host, &started);
    aw_bridge_run(&own->bridge);
    aw_host_join_scripts(host);
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
    /* Scripts change the working directory, by configuration or by themselves:
     * main reads the configuration again from where it was. Where that is not
     * allowed a file given by a relative path may not be found again. */
    (void)unshare(CLONE_FS);
    aw_module_set_hosted(&own->hosted);
    status = aw_interpreter_init(host->config->venv);
    if (PyStatus_Exception(status)) {
        post_failure(host, "cannot initialise Python",
                     status.err_msg ? status.err_msg : "unknown");
        return NULL;
    }
    serve(host);
    /* Its only failure: what was in a stream's buffer was not taken. */
    finished.status = Py_FinalizeEx();
    aw_host_post(host, &finished);
    return NULL;
}
