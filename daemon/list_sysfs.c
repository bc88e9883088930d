/* Reading sysfs, below whatever root. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/list.h"

/* "ROOT/…"; false if it is too long. */
__attribute__((format(printf, 3, 0))) static bool
make_path(const struct aw_list_root *root, char path[PATH_MAX],
          const char *format, va_list values)
{
    int length = snprintf(path, PATH_MAX, "%s", root->path);

    if (length < 0 || length >= PATH_MAX)
        return false;
    return vsnprintf(path + length, (size_t)(PATH_MAX - length), format,
                     values) < PATH_MAX - length;
}

void aw_list_read(const struct aw_list_root *root, char *text, size_t size,
                  const char *format, ...)
{
    char path[PATH_MAX];
    FILE *file = NULL;
    va_list values;

    *text = '\0';
    va_start(values, format);
    if (make_path(root, path, format, values))
        file = fopen(path, "re");
    va_end(values);
    if (!file)
        return;
    /* Such files can be there and yet not be readable, as the carrier of an
     * interface that is down. */
    if (!fgets(text, (int)size, file))
        *text = '\0';
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
}

void aw_list_link(const struct aw_list_root *root, char *text, size_t size,
                  const char *format, ...)
{
    char path[PATH_MAX], target[PATH_MAX];
    ssize_t length = -1;
    va_list values;

    *text = '\0';
    va_start(values, format);
    if (make_path(root, path, format, values))
        length = readlink(path, target, sizeof(target) - 1);
    va_end(values);
    if (length < 0)
        return;
    target[length] = '\0';
    snprintf(text, size, "%s", basename(target));
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int aw_list_each(const struct aw_list_root *root, const char *folder,
                 int (*visit)(const struct aw_list_root *root, const char *name,
                              json_t *list),
                 json_t *list)
{
    char path[PATH_MAX];
    struct dirent **entries;
    int count, result = 0;

    snprintf(path, sizeof(path), "%s%s", root->path, folder);
    count = scandir(path, &entries, is_visible, by_number);
    if (count < 0)
        return errno == ENOMEM ? -ENOMEM : 0;
    for (int i = 0; i < count; i++) {
        if (result == 0)
            result = visit(root, entries[i]->d_name, list);
        free(entries[i]);
    }
    free(entries);
    return result;
}

void aw_list_say(char *summary, size_t size, const char *format, ...)
{
    size_t length = strlen(summary);
    va_list values;

    if (length > 0 && length + 2 < size)
        length += (size_t)sprintf(summary + length, ", ");
    va_start(values, format);
    vsnprintf(summary + length, size - length, format, values);
    va_end(values);
}
