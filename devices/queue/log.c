#include "devices/queue/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* Read and written with relaxed order: a level alone, nothing depends on it. */
static _Atomic int limit = AW_LOG_INFO;

void aw_log_limit(enum aw_log_level level)
{
    atomic_store_explicit(&limit, (int)level, memory_order_relaxed);
}

void aw_log(enum aw_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error: ", "warning: ", ""};
    char line[1024];
    va_list arguments;
    int length;

    if ((int)level > atomic_load_explicit(&limit, memory_order_relaxed))
        return;
    length = snprintf(line, sizeof(line), "awaitd: %s", names[level]);
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof(line) - (size_t)length, format,
                        arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 1)
        length = (int)sizeof(line) - 1;
    line[length++] = '\n';
    /* A lost line is not worth failing for. */
    if (write(STDERR_FILENO, line, (size_t)length) < 0)
        return;
}
