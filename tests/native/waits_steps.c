/* An awaitable with one step of each kind. With aw=OBJECT the step goes to that
 * object instead; with catch=True its exception becomes the result. */
#include "waits.h"

int waits_keep(PyObject *aw, PyObject *value)
{
    return PyAwaitable_SetResult(aw, value);
}

int waits_keep_error(PyObject *aw, PyObject *exception)
{
    return PyAwaitable_SetResult(aw, exception);
}

static PyAwaitable_Error error_for(int catch)
{
    return catch ? waits_keep_error : NULL;
}

/* A new reference to the awaitable, if `status` is 0. */
static PyObject *checked(PyObject *aw, int status)
{
    if (status == 0)
        return aw;
    PyAwaitable_Cancel(aw);
    Py_DECREF(aw);
    return NULL;
}

static PyObject *given_or_new(PyObject *aw)
{
    return aw ? Py_NewRef(aw) : PyAwaitable_New();
}

static PyObject *queue_get(PyObject *module, PyObject *arguments,
                           PyObject *keywords)
{
    static const char *const names[] = {"queue", "timeout", "aw", "catch",
                                        NULL};
    PyObject *queue, *aw = NULL;
    double timeout = -1;
    int catch = 0;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|dOp",
                                     (char **)names, &queue, &timeout, &aw,
                                     &catch))
        return NULL;
    aw = given_or_new(aw);
    if (!aw)
        return NULL;
    return checked(
        aw, PyAwaitable_AddQueueGet(aw, queue == Py_None ? NULL : queue,
                                    timeout, waits_keep, error_for(catch)));
}

static PyObject *sleeper(PyObject *module, PyObject *arguments,
                         PyObject *keywords)
{
    static const char *const names[] = {"seconds", "aw", "catch", NULL};
    PyObject *aw = NULL;
    double seconds;
    int catch = 0;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "d|Op",
                                     (char **)names, &seconds, &aw, &catch))
        return NULL;
    aw = given_or_new(aw);
    if (!aw)
        return NULL;
    return checked(
        aw, PyAwaitable_AddSleep(aw, seconds, waits_keep, error_for(catch)));
}

static PyObject *timeout(PyObject *module, PyObject *arguments,
                         PyObject *keywords)
{
    static const char *const names[] = {"coro", "seconds", "aw", "catch", NULL};
    PyObject *coro, *aw = NULL;
    double seconds;
    int catch = 0;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "Od|Op",
                                     (char **)names, &coro, &seconds, &aw,
                                     &catch))
        return NULL;
    aw = given_or_new(aw);
    if (!aw)
        return NULL;
    return checked(aw, PyAwaitable_AddTimeout(aw, coro == Py_None ? NULL : coro,
                                              seconds, waits_keep,
                                              error_for(catch)));
}

static PyObject *fd(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static const char *const names[] = {"fd", "events", "aw", "catch", NULL};
    PyObject *aw = NULL;
    int number, events, catch = 0;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ii|Op",
                                     (char **)names, &number, &events, &aw,
                                     &catch))
        return NULL;
    aw = given_or_new(aw);
    if (!aw)
        return NULL;
    return checked(aw, PyAwaitable_AddFd(aw, number, events, waits_keep,
                                         error_for(catch)));
}

static PyObject *cancel(PyObject *module, PyObject *aw)
{
    (void)module;
    PyAwaitable_Cancel(aw);
    Py_RETURN_NONE;
}

#define KEYWORDS(function)                                                     \
    (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS, NULL

PyMethodDef waits_step_functions[] = {
    {"queue_get", KEYWORDS(queue_get)}, {"sleep", KEYWORDS(sleeper)},
    {"timeout", KEYWORDS(timeout)},     {"fd", KEYWORDS(fd)},
    {"cancel", cancel, METH_O, NULL},   {NULL, NULL, 0, NULL},
};
