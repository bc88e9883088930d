/* Allocations of awaitd's own objects: each can fail, and is owned until it is
 * freed. What a library has allocated is not in the account, and harmless. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/inject.h"

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap_free(void *memory);
char *__wrap_realpath(const char *path, char *place);
__attribute__((format(printf, 2, 0))) int
__wrap_vasprintf(char **text, const char *format, va_list values);
__attribute__((format(printf, 2, 3))) int
__wrap_asprintf(char **text, const char *format, ...);

static bool fails(const char *function)
{
    int code = INJECT(function, ENOMEM);

    if (code)
        errno = code;
    return code != 0;
}

static void *own(void *memory, size_t size)
{
    inject_own_memory(memory, size);
    return memory;
}

void *__wrap_malloc(size_t size)
{
    return fails("malloc") ? NULL : own(malloc(size), size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails("calloc") ? NULL : own(calloc(count, size), count * size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    void *made;

    if (fails("realloc"))
        return NULL;
    inject_disown_memory(memory);
    made = realloc(memory, size);
    return own(made, size);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    void *made;

    if (fails("reallocarray"))
        return NULL;
    inject_disown_memory(memory);
    made = reallocarray(memory, count, size);
    return own(made, count * size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails("aligned_alloc") ? NULL
                                  : own(aligned_alloc(alignment, size), size);
}

char *__wrap_strdup(const char *text)
{
    return fails("strdup") ? NULL : own(strdup(text), strlen(text) + 1);
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails("strndup") ? NULL : own(strndup(text, size), size + 1);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list values;
    int length;

    if (fails("asprintf"))
        return -1;
    va_start(values, format);
    length = vasprintf(text, format, values);
    va_end(values);
    if (length >= 0)
        inject_own_memory(*text, (size_t)length + 1);
    return length;
}

int __wrap_vasprintf(char **text, const char *format, va_list values)
{
    int length = fails("vasprintf") ? -1 : vasprintf(text, format, values);

    if (length >= 0)
        inject_own_memory(*text, (size_t)length + 1);
    return length;
}

char *__wrap_realpath(const char *path, char *place)
{
    char *real = fails("realpath") ? NULL : realpath(path, place);

    return real && !place ? own(real, strlen(real) + 1) : real;
}

void __wrap_free(void *memory)
{
    inject_disown_memory(memory);
    free(memory);
}
