/* awaitd's own lines: what a reader or the daemon has to tell the operator.
 *
 * They go to stderr as `awaitd: LEVEL: TEXT` in one write each, so that lines
 * of several threads do not mix. What scripts print does not pass here. */
#ifndef AW_LOG_H
#define AW_LOG_H

#include <stddef.h>

#include "devices/queue/export.h"

/* Bytes of the longest line, its end included. */
#define AW_LOG_LINE_MAX 1024

enum aw_log_level { AW_LOG_ERROR, AW_LOG_WARNING, AW_LOG_INFO };

/* Any thread. Truncates at 1 KiB. Never fails. Waits for a pipe or a socket
 * that is full, but for 0.1 s, and once until somebody reads again: then the
 * line is lost to stderr, not to the tap, and a line says later how many were.
 * A socket, or a pipe that /proc does not let in to, may be filled by somebody
 * else at that very moment: then the line waits. */
AW_EXPORT __attribute__((format(printf, 2, 3))) void
aw_log(enum aw_log_level level, const char *format, ...);

/* Lines less important than `level` are left out from now on (default:
 * AW_LOG_INFO, everything). Any thread. */
void aw_log_limit(enum aw_log_level level);

/* Sees every line that is written, without `awaitd: LEVEL: ` and the line end:
 * on the thread that logs it, which may be a reader. So `line` must be short,
 * and must not log. */
struct aw_log_tap {
    void (*line)(struct aw_log_tap *tap, enum aw_log_level level,
                 const char *text, size_t length);
};

/* From here on; NULL: none. A tap stays until no thread can still be in
 * aw_log(). Any thread. */
void aw_log_set_tap(struct aw_log_tap *tap);

#endif
