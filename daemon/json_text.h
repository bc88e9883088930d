/* JSON texts of what may be no UTF-8: a file's name, a line of the log. */
#ifndef AW_JSON_TEXT_H
#define AW_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* A JSON string, the caller's; bytes that are no ASCII become `?` if the whole
 * is no UTF-8. NULL: no memory. Any thread. */
json_t *aw_json_text_n(const char *text, size_t length);
json_t *aw_json_text(const char *text);

#endif
