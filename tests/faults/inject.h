/* Fails what awaitd's own objects ask of the kernel, of the C library and of
 * others, one call in a run or a few.
 *
 * awaitd is linked once more with --wrap for the functions of calls.c,
 * memory.c, streams.c and libraries.c; libpython and the other shared libraries
 * do not notice. A *site* is a function and where it was called from, the four
 * callers of awaitd's own included; so a helper has a site for each of its
 * uses. $AWAITD_FAULT_LOG gets a line for each site that is met, and at the end
 * one for the number of its calls, and one for each allocation and descriptor
 * that awaitd's own objects have not given back.
 * $AWAITD_FAULT=SITE:NTH:ERRNO[,…] fails the NTH call of a site.
 * $AWAITD_FAULT_PYTHON=N fails the Nth allocation of Python's own. */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <stddef.h>

/* A call of `function` that could fail with one of `errors`. Returns the errno
 * that it is to fail with, or 0. Any thread. */
int inject_fault(const char *function, const int *errors, size_t count);

#define INJECT(function, ...)                                                  \
    inject_fault(function, (const int[]){__VA_ARGS__},                         \
                 sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* What is owned from here on, and given back. NULL and -1 are nothing. */
void inject_own_memory(const void *memory, size_t size);
void inject_disown_memory(const void *memory);
void inject_own_fd(int fd);
void inject_disown_fd(int fd);

/* All that follows is for the program: the wrappers. */
#pragma GCC visibility push(default)

#endif
