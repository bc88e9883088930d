/* An allocator that fails: in this thread, from the nth allocation on. */
#include "probe.h"

static const PyMemAllocatorDomain domains[] = {
    PYMEM_DOMAIN_RAW,
    PYMEM_DOMAIN_MEM,
    PYMEM_DOMAIN_OBJ,
};

enum { DOMAIN_COUNT = sizeof(domains) / sizeof(domains[0]) };

static PyMemAllocatorEx original[DOMAIN_COUNT];
static unsigned long failing_thread;
static Py_ssize_t left;

static int fails(void)
{
    return PyThread_get_thread_ident() == failing_thread && left-- <= 0;
}

static void *failing_malloc(void *context, size_t size)
{
    PyMemAllocatorEx *it = context;

    return fails() ? NULL : it->malloc(it->ctx, size);
}

static void *failing_calloc(void *context, size_t count, size_t size)
{
    PyMemAllocatorEx *it = context;

    return fails() ? NULL : it->calloc(it->ctx, count, size);
}

static void *failing_realloc(void *context, void *memory, size_t size)
{
    PyMemAllocatorEx *it = context;

    return fails() ? NULL : it->realloc(it->ctx, memory, size);
}

static void pass_free(void *context, void *memory)
{
    PyMemAllocatorEx *it = context;

    it->free(it->ctx, memory);
}

static void start_failing(Py_ssize_t after)
{
    failing_thread = PyThread_get_thread_ident();
    left = after;
    for (size_t i = 0; i < DOMAIN_COUNT; i++) {
        PyMemAllocatorEx failing = {&original[i], failing_malloc,
                                    failing_calloc, failing_realloc, pass_free};

        PyMem_GetAllocator(domains[i], &original[i]);
        PyMem_SetAllocator(domains[i], &failing);
    }
}

static void stop_failing(void)
{
    for (size_t i = 0; i < DOMAIN_COUNT; i++)
        PyMem_SetAllocator(domains[i], &original[i]);
}

/* call_without_memory(after, callable): its result, with the memory that
 * `after` allocations leave. */
static PyObject *call_without_memory(PyObject *Py_UNUSED(module),
                                     PyObject *args)
{
    PyObject *callable, *result;
    Py_ssize_t after;

    if (!PyArg_ParseTuple(args, "nO", &after, &callable))
        return NULL;
    start_failing(after);
    result = PyObject_CallNoArgs(callable);
    stop_failing();
    return result;
}

PyMethodDef probe_memory_functions[] = {
    {"call_without_memory", call_without_memory, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
