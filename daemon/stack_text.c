#include "daemon/stack_text.h"

#include <stdio.h>
#include <string.h>

#define HEAD "  File \""

const char *aw_stack_text_find(const char *stack, const char *path)
{
    const char *base = strrchr(path, '/');
    const char *first = strstr(stack, HEAD);
    char own[300];
    const char *found;

    snprintf(own, sizeof(own), "%s\", line ", base ? base : path);
    found = strstr(stack, own);
    while (found && found > stack && found[-1] != '\n')
        found--;
    return found ? found : first;
}

void aw_stack_text_place(const char *stack, const char *path, char *ret_place,
                         size_t size)
{
    const char *line = aw_stack_text_find(stack, path);
    char file[300];
    unsigned number;
    int length;

    ret_place[0] = '\0';
    if (!line || sscanf(line, HEAD "%299[^\"]\", line %u", file, &number) != 2)
        return;
    length = snprintf(ret_place, size, "%s:%u: ", file, number);
    if (length < 0 || (size_t)length >= size)
        ret_place[0] = '\0';
}
