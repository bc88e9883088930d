#include "devices/queue/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "devices/queue/stderr.h"

#define PATIENCE_MS 100 /* of a reader, too, who has frames to fetch */
#define TRIES       3   /* a signal may come between */

/* Read and written with relaxed order: a level alone, nothing depends on it. */
static _Atomic int limit = AW_LOG_INFO;

void aw_log_limit(enum aw_log_level level)
{
    atomic_store_explicit(&limit, (int)level, memory_order_relaxed);
}

static _Atomic(struct aw_log_tap *) current_tap;

void aw_log_set_tap(struct aw_log_tap *tap)
{
    /* Release: the tap is complete. Partner: the load in tell_tap(). */
    atomic_store_explicit(&current_tap, tap, memory_order_release);
}

static void tell_tap(enum aw_log_level level, const char *text, size_t length)
{
    /* Acquire: see aw_log_set_tap(). */
    struct aw_log_tap *tap =
        atomic_load_explicit(&current_tap, memory_order_acquire);

    if (tap)
        tap->line(tap, level, text, length);
}

/* Lines, since stderr was last written to, and whether it is not read at all.
 * Relaxed: a number and a flag alone. */
static _Atomic unsigned lost;
static atomic_bool unread;

/* Whether all of it was taken. */
static bool put(int fd, const char *line, int length, int patience_ms)
{
    ssize_t taken = -1;

    for (int i = 0; i < TRIES && taken < 0; i++)
        taken = aw_stderr_write(fd, line, (size_t)length, patience_ms);
    return taken > 0;
}

static bool tell_lost(int fd, unsigned count, int patience_ms)
{
    char told[AW_LOG_LINE_MAX];
    int length = snprintf(
        told, sizeof(told),
        "awaitd: warning: nobody read here: %u of these lines lost\n", count);

    return put(fd, told, length, patience_ms);
}

static void write_line(const char *line, int length)
{
    unsigned count = atomic_exchange_explicit(&lost, 0, memory_order_relaxed);
    bool patient = !atomic_load_explicit(&unread, memory_order_relaxed);
    int patience_ms = patient ? PATIENCE_MS : 0;
    int fd = aw_stderr_enter();

    if (count > 0 && tell_lost(fd, count, patience_ms))
        count = 0;
    if (count > 0 || !put(fd, line, length, patience_ms))
        count++;
    aw_stderr_leave(fd);
    atomic_store_explicit(&unread, count > 0, memory_order_relaxed);
    if (count > 0)
        atomic_fetch_add_explicit(&lost, count, memory_order_relaxed);
}

void aw_log(enum aw_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error: ", "warning: ", ""};
    char line[AW_LOG_LINE_MAX];
    va_list arguments;
    int head, length;

    if ((int)level > atomic_load_explicit(&limit, memory_order_relaxed))
        return;
    head = snprintf(line, sizeof(line), "awaitd: %s", names[level]);
    va_start(arguments, format);
    length = head + vsnprintf(line + head, sizeof(line) - (size_t)head, format,
                              arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 1)
        length = (int)sizeof(line) - 1;
    tell_tap(level, line + head, (size_t)(length - head));
    line[length++] = '\n';
    write_line(line, length);
}
