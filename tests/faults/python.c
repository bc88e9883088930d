/* Allocations of Python's own, of all of its three domains, counted from the
 * start of the process. They are malloc()'s, so that a sanitizer sees them; not
 * by $PYTHONMALLOC, which would replace what is set here. */
#include <Python.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/faults/inject.h"

static struct {
    PyMemAllocatorEx real; /* malloc() and its kin */
    long wanted;           /* the allocation that fails; 0: none */
    atomic_long count;
} state;

static bool fails(void)
{
    /* Relaxed: a count, and no order hangs on it. */
    return atomic_fetch_add_explicit(&state.count, 1, memory_order_relaxed) +
               1 ==
           state.wanted;
}

static void *allocate(void *context, size_t size)
{
    const PyMemAllocatorEx *real = context;

    return fails() ? NULL : real->malloc(real->ctx, size);
}

static void *allocate_zeros(void *context, size_t count, size_t size)
{
    const PyMemAllocatorEx *real = context;

    return fails() ? NULL : real->calloc(real->ctx, count, size);
}

static void *resize(void *context, void *memory, size_t size)
{
    const PyMemAllocatorEx *real = context;

    return fails() ? NULL : real->realloc(real->ctx, memory, size);
}

static void give_back(void *context, void *memory)
{
    const PyMemAllocatorEx *real = context;

    real->free(real->ctx, memory);
}

__attribute__((constructor)) static void begin(void)
{
    static const PyMemAllocatorDomain domains[] = {
        PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    const char *wanted = getenv("AWAITD_FAULT_PYTHON");

    if (!wanted)
        return;
    state.wanted = atol(wanted);
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &state.real);
    for (size_t i = 0; i < 3; i++) {
        PyMemAllocatorEx ours = {&state.real, allocate, allocate_zeros, resize,
                                 give_back};

        PyMem_SetAllocator(domains[i], &ours);
    }
}

__attribute__((destructor)) static void end(void)
{
    if (getenv("AWAITD_FAULT_PYTHON") && state.wanted == 0)
        fprintf(stderr, "python allocations: %ld\n",
                atomic_load_explicit(&state.count, memory_order_relaxed));
}
