/* What all files of the loader need of the place where something stands: saying
 * what is wrong with it, and what a path there is relative to. It calls none of
 * them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "devices/driver_load.h"

int aw_loader_refuse_memory(const struct loader *loader)
{
    return aw_error_set(loader->error, ENOMEM, "%s: not enough memory",
                        loader->file);
}

/* A reason stays one line, whatever the values that it quotes. */
static void flatten(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
    }
}

const char *aw_loader_file(const struct loader *loader, const char *path)
{
    const struct aw_index_entry *entry = aw_index_nearest(loader->index, path);

    return entry ? entry->file : loader->file;
}

int aw_loader_refuse(const struct loader *loader, const char *path,
                     const char *format, ...)
{
    char reason[sizeof(loader->error->text)];
    va_list values;

    va_start(values, format);
    vsnprintf(reason, sizeof(reason), format, values);
    va_end(values);
    flatten(reason);
    return aw_error_set(
        loader->error, EINVAL, "%s:%u: %s%s%s", aw_loader_file(loader, path),
        aw_index_line(loader->index, path), path, path[0] ? ": " : "", reason);
}

int aw_loader_pass_on(const struct loader *loader, const char *path, int result,
                      const struct aw_error *reason)
{
    if (result == -ENOMEM)
        return aw_loader_refuse_memory(loader);
    return aw_loader_refuse(loader, path, "%s", reason->text);
}

/* ---- paths ---- */

char *aw_loader_resolve(const struct loader *loader, const char *path,
                        const char *text)
{
    const char *file = aw_loader_file(loader, path);
    const char *slash = strrchr(file, '/');
    char *resolved;

    if (text[0] == '/' || text[0] == '\0' || !slash)
        return strdup(text);
    if (asprintf(&resolved, "%.*s/%s", (int)(slash - file), file, text) < 0)
        return NULL;
    return resolved;
}

char *aw_loader_resolve_driver(const struct loader *loader, const char *path,
                               const char *text)
{
    return aw_driver_is_path(text) ? aw_loader_resolve(loader, path, text)
                                   : strdup(text);
}
