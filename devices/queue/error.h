/* What went wrong, in words for the user: object, action, reason, remedy.
 *
 * A function that can fail returns a negative errno; where the reason is worth
 * a sentence it also fills a `struct aw_error`, which its caller owns. The
 * layer that gives up prints or raises the text, once. */
#ifndef AW_ERROR_H
#define AW_ERROR_H

#include "devices/queue/export.h"

struct aw_error {
    char text[512];
};

/* Formats the reason into `error` (NULL: nowhere) and returns `-code`.
 * `code` is a positive errno. Any thread; does not block. */
AW_EXPORT __attribute__((format(printf, 3, 4), cold)) int
aw_error_set(struct aw_error *error, int code, const char *format, ...);

#endif
