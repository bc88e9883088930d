/* Allocations of Python's own, of all of its three domains, counted from the
 * start of the process. They are malloc()'s, so that a sanitizer sees them; not
 * by $PYTHONMALLOC, which would replace what is set here. */
#include <Python.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- whose crash it is ---- */

/* Python's, if nothing of awaitd's was called by the Python code that runs. */
static bool is_pythons(void *const *frames, int count)
{
    for (int i = 0; i < count; i++) {
        Dl_info found;

        if (!dladdr(frames[i], &found) || !found.dli_fname)
            return false;
        if (strstr(found.dli_fname, "libpython")) {
            if (found.dli_sname &&
                strcmp(found.dli_sname, "_PyEval_EvalFrameDefault") == 0)
                return true;
        } else if (!strstr(found.dli_fname, "libinject") &&
                   !strstr(found.dli_fname, "libc.so") &&
                   !strstr(found.dli_fname, "libasan")) {
            return false;
        }
    }
    return false;
}

static void on_crash(int number)
{
    void *frames[64];
    const char *told = is_pythons(frames, backtrace(frames, 64))
                           ? "inject: Python crashed by itself\n"
                           : "inject: awaitd crashed\n";
    ssize_t done = write(STDERR_FILENO, told, strlen(told));

    (void)done;
    signal(number, SIG_DFL);
    raise(number);
}

__attribute__((constructor)) static void begin(void)
{
    static const PyMemAllocatorDomain domains[] = {
        PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    const char *wanted = getenv("AWAITD_FAULT_PYTHON");

    if (!wanted)
        return;
    state.wanted = atol(wanted);
    /* The first call loads what later ones need. */
    (void)backtrace((void *[1]){NULL}, 1);
    signal(SIGSEGV, on_crash);
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
