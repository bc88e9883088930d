/* Work for a thread that has no Python: it completes what the task awaits. */
#include "example.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct work {
    PyAwaitable_Completion *completion;
    Py_ssize_t size;
    uint32_t sum;
    unsigned char bytes[];
};

/* In the thread: no Python here, and so no GIL. */
static void *compute(void *arg)
{
    struct work *work = arg;
    uint32_t a = 1, b = 0;

    for (Py_ssize_t i = 0; i < work->size; i++) {
        a = (a + work->bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    work->sum = b << 16 | a;
    PyAwaitable_Complete(work->completion, work); // now the task's, or freed
    return NULL;
}

/* With the GIL again, in the thread that awaits. */
static PyObject *to_int(void *value)
{
    return PyLong_FromUnsignedLong(((struct work *)value)->sum);
}

static int give_sum(PyObject *aw, PyObject *sum)
{
    return PyAwaitable_SetResult(aw, sum);
}

static int start(struct work *work)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, compute, work) != 0) {
        PyAwaitable_Abandon(work->completion);
        free(work);
        PyErr_SetString(PyExc_RuntimeError, "no thread can be started");
        return -1;
    }
    pthread_detach(thread);
    return 0;
}

PyObject *example_checksum(PyObject *module, PyObject *data)
{
    char *bytes;
    Py_ssize_t size;
    struct work *work;
    PyObject *aw;

    (void)module;
    if (PyBytes_AsStringAndSize(data, &bytes, &size) < 0)
        return NULL;
    work = malloc(sizeof(*work) + (size_t)size);
    if (!work)
        return PyErr_NoMemory();
    work->size = size;
    memcpy(work->bytes, bytes, (size_t)size);
    aw = PyAwaitable_New();
    if (!aw || PyAwaitable_AddCompletion(aw, to_int, free, &work->completion,
                                         give_sum, NULL) < 0) {
        Py_XDECREF(aw);
        free(work);
        return NULL;
    }
    if (start(work) < 0) {
        PyAwaitable_Cancel(aw);
        Py_CLEAR(aw);
    }
    return aw;
}
