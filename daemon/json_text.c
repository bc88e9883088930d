#include "daemon/json_text.h"

#include <stdlib.h>
#include <string.h>

static json_t *replace(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    json_t *result;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < length; i++)
        copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    result = json_stringn(copy, length);
    free(copy);
    return result;
}

json_t *aw_json_text_n(const char *text, size_t length)
{
    json_t *result = json_stringn(text, length);

    return result ? result : replace(text, length);
}

json_t *aw_json_text(const char *text)
{
    return aw_json_text_n(text, strlen(text));
}
