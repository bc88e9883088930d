/* Completions, and single threads that complete them without the GIL. */
#include "waits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- values ---- */

enum { ALIVE = 0x600d600d, DEAD = 0x0bad0bad };

struct value {
    unsigned life;
    long number;
};

static atomic_long made, converted, freed;

void *threads_value_new(long number)
{
    struct value *value = malloc(sizeof(*value));

    if (!value)
        return NULL;
    *value = (struct value){ALIVE, number};
    atomic_fetch_add(&made, 1);
    return value;
}

/* A value that is used after its end, or ended twice, ends the process. */
static void check(const struct value *value)
{
    if (value->life == ALIVE)
        return;
    fputs("a value was used after it was freed\n", stderr);
    abort();
}

static PyObject *convert(void *pointer)
{
    struct value *value = pointer;

    check(value);
    atomic_fetch_add(&converted, 1);
    if (value->number < 0) {
        PyErr_Format(PyExc_ArithmeticError, "%ld cannot be converted",
                     value->number);
        return NULL;
    }
    return PyLong_FromLong(value->number);
}

static void free_value(void *pointer)
{
    struct value *value = pointer;

    check(value);
    value->life = DEAD;
    atomic_fetch_add(&freed, 1);
    free(value);
}

static PyObject *counts(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(lll)", atomic_load(&made), atomic_load(&converted),
                         atomic_load(&freed));
}

/* ---- handles ---- */

#define HANDLE "awaitable_waits.handle"

PyAwaitable_Completion *threads_take_handle(PyObject *handle)
{
    PyAwaitable_Completion *completion = PyCapsule_GetPointer(handle, HANDLE);

    if (!completion)
        return NULL;
    if (PyCapsule_GetContext(handle)) {
        PyErr_SetString(PyExc_ValueError, "completed before");
        return NULL;
    }
    PyCapsule_SetContext(handle, completion);
    return completion;
}

/* completion(aw=None, plain=False, catch=False) -> (awaitable, handle);
 * `plain`: without convert and free_value. */
static PyObject *new_completion(PyObject *module, PyObject *arguments,
                                PyObject *keywords)
{
    static const char *const names[] = {"aw", "plain", "catch", NULL};
    PyAwaitable_Completion *completion;
    PyObject *aw = NULL;
    int plain = 0, catch = 0;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|Opp",
                                     (char **)names, &aw, &plain, &catch))
        return NULL;
    aw = aw ? Py_NewRef(aw) : PyAwaitable_New();
    if (!aw)
        return NULL;
    if (PyAwaitable_AddCompletion(
            aw, plain ? NULL : convert, plain ? NULL : free_value, &completion,
            waits_keep, catch ? waits_keep_error : NULL) < 0) {
        Py_DECREF(aw);
        return NULL;
    }
    return Py_BuildValue("(NN)", aw, PyCapsule_New(completion, HANDLE, NULL));
}

/* ---- completing ---- */

struct job {
    PyAwaitable_Completion *completion;
    void *value; /* NULL: abandon */
};

static void *work(void *argument)
{
    struct job *job = argument;

    if (job->value)
        PyAwaitable_Complete(job->completion, job->value);
    else
        PyAwaitable_Abandon(job->completion);
    return NULL;
}

static int parse_job(PyObject *arguments, struct job *job)
{
    PyObject *handle, *number;

    if (!PyArg_ParseTuple(arguments, "OO", &handle, &number))
        return -1;
    job->value = NULL;
    if (number != Py_None) {
        job->value = threads_value_new(PyLong_AsLong(number));
        if (!job->value)
            PyErr_NoMemory();
    }
    job->completion = PyErr_Occurred() ? NULL : threads_take_handle(handle);
    if (job->completion)
        return 0;
    if (job->value)
        free_value(job->value);
    return -1;
}

/* complete(handle, number): here and now, with the GIL; None abandons. */
static PyObject *complete(PyObject *module, PyObject *arguments)
{
    struct job job;

    (void)module;
    if (parse_job(arguments, &job) < 0)
        return NULL;
    work(&job);
    Py_RETURN_NONE;
}

/* The same on a thread that knows nothing of Python, waited for: with the GIL
 * held if `hold`, so that a thread that wanted it would hang. */
static PyObject *complete_on_thread(PyObject *arguments, int hold)
{
    PyThreadState *state = NULL;
    pthread_t thread;
    struct job job;
    int error;

    if (parse_job(arguments, &job) < 0)
        return NULL;
    if (!hold)
        state = PyEval_SaveThread();
    error = pthread_create(&thread, NULL, work, &job);
    if (error == 0)
        pthread_join(thread, NULL);
    else
        work(&job);
    if (state)
        PyEval_RestoreThread(state);
    Py_RETURN_NONE;
}

static PyObject *complete_holding(PyObject *module, PyObject *arguments)
{
    (void)module;
    return complete_on_thread(arguments, 1);
}

static PyObject *complete_apart(PyObject *module, PyObject *arguments)
{
    (void)module;
    return complete_on_thread(arguments, 0);
}

/* ---- after Python ---- */

static struct job at_exit[8];
static size_t at_exit_count;

static void complete_late(void)
{
    for (size_t i = 0; i < at_exit_count; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, work, &at_exit[i]) == 0)
            pthread_join(thread, NULL);
    }
    dprintf(STDOUT_FILENO, "after Python: python %d, made %ld, freed %ld\n",
            Py_IsInitialized(), atomic_load(&made), atomic_load(&freed));
}

/* complete_at_exit(handle, number): by a thread, when the process ends and
 * Python is gone. */
static PyObject *complete_at_exit(PyObject *module, PyObject *arguments)
{
    (void)module;
    if (at_exit_count == sizeof(at_exit) / sizeof(at_exit[0])) {
        PyErr_SetString(PyExc_ValueError, "too many");
        return NULL;
    }
    if (parse_job(arguments, &at_exit[at_exit_count]) < 0)
        return NULL;
    if (at_exit_count++ == 0)
        atexit(complete_late);
    Py_RETURN_NONE;
}

PyMethodDef threads_completion_functions[] = {
    {"completion", (PyCFunction)(void (*)(void))new_completion,
     METH_VARARGS | METH_KEYWORDS, NULL},
    {"complete", complete, METH_VARARGS, NULL},
    {"complete_holding", complete_holding, METH_VARARGS, NULL},
    {"complete_apart", complete_apart, METH_VARARGS, NULL},
    {"complete_at_exit", complete_at_exit, METH_VARARGS, NULL},
    {"counts", counts, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
