#include "pymod/host_scripts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/queue/log.h"
#include "pymod/device.h"
#include "pymod/heartbeat_object.h"
#include "pymod/host_threads.h"
#include "pymod/output_object.h"

static const char *const start_names[] = {
    [AW_HOST_START] = "start",   [AW_HOST_RESTART] = "restart",
    [AW_HOST_RELOAD] = "reload", [AW_HOST_RELOAD_CHANGED] = "changed",
    [AW_HOST_REVERT] = "revert",
};

static const char *const why_names[] = {
    [AW_HOST_WHY_STOP] = "stop",
    [AW_HOST_WHY_RELOAD] = "reload",
    [AW_HOST_WHY_RESTART] = "restart",
};

/* ---- what Python is told ---- */

static PyObject *list_texts(char *const *texts)
{
    PyObject *list = PyList_New(0);

    for (; list && texts && *texts; texts++) {
        PyObject *text = PyUnicode_DecodeFSDefault(*texts);

        if (!text || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
}

/* The arguments of _host.slot.Slot, in its order. */
static PyObject *describe_script(const struct aw_host_script *script)
{
    PyObject *path = PyUnicode_DecodeFSDefault(script->path);
    PyObject *state = script->state_path
                          ? PyUnicode_DecodeFSDefault(script->state_path)
                          : Py_NewRef(Py_None);

    return Py_BuildValue(
        "(sNNNNNNN)", script->name, path, list_texts(script->arguments),
        list_texts(script->paths), PyBool_FromLong(script->keeps_queues),
        PyBool_FromLong(script->flush_backlog), state,
        PyBool_FromLong(script->always_keeps));
}

static PyObject *describe_scripts(const struct aw_host_config *config)
{
    PyObject *scripts = PyList_New(0);

    for (size_t i = 0; scripts && i < config->script_count; i++) {
        PyObject *script = describe_script(&config->scripts[i]);

        if (!script || PyList_Append(scripts, script) < 0)
            Py_CLEAR(scripts);
        Py_XDECREF(script);
    }
    return scripts;
}

/* Python's word that a version has come to its hold: any thread. */
static PyObject *tell_held(PyObject *capsule, PyObject *arguments)
{
    struct aw_host *host = PyCapsule_GetPointer(capsule, NULL);
    struct aw_host_event held = {.kind = AW_HOST_SCRIPT_HELD};
    Py_ssize_t script;
    unsigned long long generation;

    if (!host || !PyArg_ParseTuple(arguments, "nK", &script, &generation))
        return NULL;
    held.script = (size_t)script;
    held.generation = generation;
    aw_host_post(host, &held);
    Py_RETURN_NONE;
}

/* Python's word on who uses a device: any thread. What it tells in place of a
 * script is negative: see _host/leaving.py. */
static PyObject *tell_device(PyObject *capsule, PyObject *arguments)
{
    struct aw_host *host = PyCapsule_GetPointer(capsule, NULL);
    struct aw_host_event told = {.kind = AW_HOST_DEVICE_USED};
    unsigned long long device;
    Py_ssize_t script;

    if (!host || !PyArg_ParseTuple(arguments, "Kn", &device, &script))
        return NULL;
    if (script < 0)
        told.kind = script == -1 ? AW_HOST_DEVICE_TOLD : AW_HOST_DEVICE_UNUSED;
    else
        told.script = (size_t)script;
    told.device = device;
    aw_host_post(host, &told);
    Py_RETURN_NONE;
}

static PyMethodDef tell_device_method = {"tell_device", tell_device,
                                         METH_VARARGS, NULL};

static PyMethodDef tell_held_method = {"tell_held", tell_held, METH_VARARGS,
                                       NULL};

/* The handlers that faulthandler has for the two signals. Written once, before
 * a script runs and before anybody sends one of them. */
static void (*dumpers[2])(int signal);

/* faulthandler's leaves errno at 0, in whatever the script was at. */
static void keep_errno(int signal)
{
    int before = errno;

    dumpers[signal == aw_host_stack_signal()](signal);
    errno = before;
}

static int wrap_dumper(int signal)
{
    struct sigaction action;

    if (sigaction(signal, NULL, &action) < 0)
        return -1;
    dumpers[signal == aw_host_stack_signal()] = action.sa_handler;
    action.sa_handler = keep_errno;
    return sigaction(signal, &action, NULL);
}

static int wrap_dumpers(int dump_signal, int stack_signal)
{
    if (wrap_dumper(dump_signal) == 0 && wrap_dumper(stack_signal) == 0)
        return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

int aw_host_begin(struct aw_host *host, PyObject *module, int dump_signal,
                  int stack_signal)
{
    const struct aw_host_config *config = host->config;
    PyObject *scripts = describe_scripts(config);
    PyObject *capsule = PyCapsule_New(host, NULL, NULL);
    PyObject *held =
        capsule ? PyCFunction_New(&tell_held_method, capsule) : NULL;
    PyObject *device =
        capsule ? PyCFunction_New(&tell_device_method, capsule) : NULL;
    PyObject *result = NULL;

    if (scripts && held && device)
        result = PyObject_CallMethod(module, "start", "ONOdiiiOOz", scripts,
                                     aw_output_callables(&config->output),
                                     config->plain_alone ? Py_True : Py_False,
                                     config->executor_timeout_s, dump_signal,
                                     stack_signal, host->stack_write_fd, held,
                                     device, config->cwd);
    Py_XDECREF(held);
    Py_XDECREF(device);
    Py_XDECREF(capsule);
    Py_XDECREF(scripts);
    Py_XDECREF(result);
    return result ? wrap_dumpers(dump_signal, stack_signal) : -1;
}

/* ---- threads ---- */

static void take_result(PyObject *result, struct aw_host_event *event)
{
    const char *text = "";
    int cancelled = 0, unchanged = 0;

    event->status = 70;
    if (!result || !PyArg_ParseTuple(result, "ipps", &event->status, &cancelled,
                                     &unchanged, &text))
        PyErr_WriteUnraisable(result);
    event->cancelled = cancelled != 0;
    event->unchanged = unchanged != 0;
    snprintf(event->text, sizeof(event->text), "%s", text);
}

static PyObject *run(const struct aw_host_thread *own, PyObject *module)
{
    return PyObject_CallMethod(module, "run", "nK", (Py_ssize_t)own->script,
                               (unsigned long long)own->generation);
}

static void *script_main(void *argument)
{
    struct aw_host_thread *own = argument;
    struct aw_host_event event = {.kind = AW_HOST_SCRIPT_ENDED,
                                  .script = own->script,
                                  .generation = own->generation};
    struct aw_host *host = own->host;
    PyGILState_STATE state;
    PyObject *module, *result;
    sigset_t none;

    aw_role_enter(AW_ROLE_SCRIPT);
    aw_heartbeat_own(own->heartbeat);
    /* The children of a script inherit its mask, and a child that blocks
     * SIGTERM cannot be terminated. */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    /* Release: partner of aw_host_dump_stacks(), though it orders nothing. */
    atomic_store_explicit(&own->tid, (int)syscall(SYS_gettid),
                          memory_order_release);
    state = PyGILState_Ensure();
    module = PyImport_ImportModule("awaitd._host");
    result = module ? run(own, module) : NULL;
    take_result(result, &event);
    Py_XDECREF(result);
    Py_XDECREF(module);
    PyGILState_Release(state);
    /* An exception may have come between a loop's end and the word of it. */
    (void)aw_heartbeat_asleep(own->heartbeat);
    atomic_store_explicit(&own->tid, 0, memory_order_release);
    aw_host_post(host, &event);
    /* Release: the last use of `own`. Partner: is_over(). */
    atomic_store_explicit(&own->ended, true, memory_order_release);
    return NULL;
}

/* Else others would wait for it. */
static void say_never_ran(const struct aw_host_thread *own, PyObject *module)
{
    PyObject *said =
        PyObject_CallMethod(module, "never_ran", "nK", (Py_ssize_t)own->script,
                            (unsigned long long)own->generation);

    if (!said)
        PyErr_WriteUnraisable(module);
    Py_XDECREF(said);
}

/* Makes the generation known to Python, and starts its thread. 0 or a positive
 * errno, then with what went wrong in Python told. */
static int start_thread(struct aw_host_thread *own, PyObject *module,
                        enum aw_host_start how)
{
    PyObject *made = PyObject_CallMethod(
        module, "create", "nKsN", (Py_ssize_t)own->script,
        (unsigned long long)own->generation, start_names[how],
        aw_heartbeat_callables(own->heartbeat));
    int error;

    if (!made) {
        PyErr_WriteUnraisable(module);
        return ENOMEM;
    }
    Py_DECREF(made);
    error = pthread_create(&own->thread, NULL, script_main, own);
    if (error != 0)
        say_never_ran(own, module);
    return error;
}

void aw_host_run_script(struct aw_host *host, PyObject *module, size_t script,
                        uint64_t generation, enum aw_host_start how)
{
    struct aw_host_event ended = {.kind = AW_HOST_SCRIPT_ENDED,
                                  .script = script,
                                  .generation = generation,
                                  .status = 70};
    struct aw_host_thread *own;
    int error;

    aw_host_threads_sweep(host);
    own = aw_host_thread_new(host, script, generation);
    error = own ? start_thread(own, module, how) : ENOMEM;
    if (error == 0) {
        aw_host_threads_add(own);
        return;
    }
    if (own)
        aw_host_thread_free(own);
    aw_log(AW_LOG_ERROR, "cannot start the thread of a script: %s",
           strerror(error));
    snprintf(ended.text, sizeof(ended.text), "cannot start its thread: %s",
             strerror(error));
    aw_host_post(host, &ended);
}

void aw_host_join_scripts(struct aw_host *host)
{
    Py_BEGIN_ALLOW_THREADS
    aw_host_threads_join(host);
    Py_END_ALLOW_THREADS
}

/* ---- what main asks for ---- */

/* The arguments of configure(): those of the slot behind the first two. */
static PyObject *configure(const struct aw_host_request *request,
                           PyObject *module)
{
    PyObject *head = Py_BuildValue("(nd)", (Py_ssize_t)request->script,
                                   request->executor_timeout_s);
    PyObject *settings = describe_script(request->settings);
    PyObject *function = PyObject_GetAttrString(module, "configure");
    PyObject *arguments =
        head && settings ? PySequence_Concat(head, settings) : NULL;
    PyObject *result = NULL;

    if (function && arguments)
        result = PyObject_CallObject(function, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(function);
    Py_XDECREF(settings);
    Py_XDECREF(head);
    return result;
}

static PyObject *add_device(const struct aw_host_request *request,
                            PyObject *module)
{
    PyObject *extension = PyImport_ImportModule("_awaitd");
    PyObject *device = NULL, *result = NULL;

    if (extension)
        device = aw_device_object_new(aw_module_state(extension),
                                      aw_device_ref(request->device), true);
    if (device)
        result = PyObject_CallMethod(module, "add_device", "OK", device,
                                     (unsigned long long)request->number);
    Py_XDECREF(device);
    Py_XDECREF(extension);
    return result;
}

static PyObject *serve(const struct aw_host_request *request, PyObject *module)
{
    Py_ssize_t script = (Py_ssize_t)request->script;
    unsigned long long generation = request->generation;

    switch (request->kind) {
    case AW_REQUEST_START:
        break;
    case AW_REQUEST_ADMIT:
        return PyObject_CallMethod(module, "admit", "nK", script, generation);
    case AW_REQUEST_DISCARD:
        return PyObject_CallMethod(module, "discard", "nK", script, generation);
    case AW_REQUEST_DROP:
        return PyObject_CallMethod(module, "drop_queues", "nK", script,
                                   generation);
    case AW_REQUEST_CANCEL:
        return PyObject_CallMethod(module, "cancel", "nKsiO", script,
                                   generation, why_names[request->why],
                                   request->signal,
                                   request->again ? Py_True : Py_False);
    case AW_REQUEST_INTERRUPT:
        return PyObject_CallMethod(module, "interrupt", "nK", script,
                                   generation);
    case AW_REQUEST_CONFIGURE:
        return configure(request, module);
    case AW_REQUEST_REMOVE:
        return PyObject_CallMethod(module, "remove", "n", script);
    case AW_REQUEST_ADD_DEVICE:
        return add_device(request, module);
    case AW_REQUEST_REMOVE_DEVICE:
        return PyObject_CallMethod(module, "remove_device", "sK", request->name,
                                   (unsigned long long)request->number);
    case AW_REQUEST_TELL_USERS:
        return PyObject_CallMethod(module, "tell_users", "sK", request->name,
                                   (unsigned long long)request->number);
    case AW_REQUEST_SETTLED:
        return PyObject_CallMethod(module, "settled", NULL);
    }
    return Py_NewRef(Py_None);
}

void aw_host_serve_requests(struct aw_host *host, PyObject *module)
{
    struct aw_host_request *request = aw_host_take_requests(host);

    while (request) {
        struct aw_host_request *next = request->next;
        PyObject *result = serve(request, module);

        if (!result)
            PyErr_WriteUnraisable(module);
        Py_XDECREF(result);
        if (request->kind == AW_REQUEST_DISCARD)
            aw_host_threads_discard(host, request->script, request->generation);
        if (request->kind == AW_REQUEST_START)
            aw_host_run_script(host, module, request->script,
                               request->generation, request->start);
        aw_host_free_request(host, request);
        request = next;
    }
}
