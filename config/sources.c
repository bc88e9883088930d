/* The files of a configuration: the one that was named, and the drop-ins in the
 * folder conf.d beside it. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/loader.h"
#include "config/merge.h"

#define DROP_INS_MAX 256

/* ---- one file ---- */

static int refuse_file(const struct loader *loader, const char *file, int code)
{
    return aw_error_set(loader->error, code, "%s: %s", file, strerror(code));
}

/* Reads to the end, from a pipe as well, into AW_CONFIG_BYTES_MAX + 1 bytes. */
static int read_to_end(const struct loader *loader, const char *file,
                       FILE *stream, char *content, size_t *ret_length)
{
    errno = 0;
    *ret_length = fread(content, 1, AW_CONFIG_BYTES_MAX + 1, stream);
    if (ferror(stream))
        return refuse_file(loader, file, errno ? errno : EIO);
    if (*ret_length > AW_CONFIG_BYTES_MAX)
        return aw_error_set(loader->error, EINVAL,
                            "%s: larger than %u KiB, which is no "
                            "configuration",
                            file, AW_CONFIG_BYTES_MAX / 1024);
    return 0;
}

/* The content is the caller's to free. */
static int read_file(const struct loader *loader, const char *file,
                     char **ret_content, size_t *ret_length)
{
    FILE *stream = fopen(file, "re");
    char *content;
    int result;

    if (!stream)
        return refuse_file(loader, file, errno);
    content = malloc(AW_CONFIG_BYTES_MAX + 1);
    result = content ? read_to_end(loader, file, stream, content, ret_length)
                     : aw_loader_refuse_memory(loader);
    fclose(stream);
    if (result < 0)
        free(content);
    else
        *ret_content = content;
    return result;
}

/* ---- drop-ins ---- */

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

/* By bytes: the order is the same in every locale. */
static int by_name(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static int lay_over(struct loader *loader, const char *file)
{
    struct aw_index *index = NULL;
    char *content = NULL;
    size_t length;
    int result = read_file(loader, file, &content, &length);

    if (result == 0)
        result = aw_index_new(file, content, length, &index, loader->error);
    free(content);
    if (result < 0)
        return result;
    result = aw_index_merge(loader->index, index, &loader->index);
    if (result == 0)
        return 0;
    loader->index = NULL;
    return aw_loader_refuse_memory(loader);
}

static int lay_all(struct loader *loader, const char *folder,
                   struct dirent **entries, int count)
{
    int result = 0;

    for (int i = 0; result == 0 && i < count; i++) {
        char *file;

        if (asprintf(&file, "%s/%s", folder, entries[i]->d_name) < 0)
            return aw_loader_refuse_memory(loader);
        result = lay_over(loader, file);
        free(file);
    }
    return result;
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

/* Returns how many there were, or a negative errno. */
static int read_folder(struct loader *loader, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_drop_in, by_name);
    int result;

    if (count < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : refuse_file(loader, folder, errno);
    if (count > DROP_INS_MAX)
        result = aw_error_set(loader->error, EINVAL, "%s: more than %d files",
                              folder, DROP_INS_MAX);
    else
        result = lay_all(loader, folder, entries, count);
    free_entries(entries, count);
    return result < 0 ? result : count;
}

static int read_drop_ins(struct loader *loader)
{
    const char *slash = strrchr(loader->file, '/');
    int length = slash ? (int)(slash - loader->file) + 1 : 0;
    char *folder;
    int result;

    if (asprintf(&folder, "%.*sconf.d", length, loader->file) < 0)
        return aw_loader_refuse_memory(loader);
    result = read_folder(loader, folder);
    free(folder);
    return result;
}

/* ---- all of them ---- */

/* What libcyaml is to read instead of the main file's own bytes. */
static int write_merged(struct loader *loader)
{
    free(loader->content);
    loader->content = NULL;
    if (aw_index_emit(loader->index, &loader->content, &loader->length) < 0)
        return aw_loader_refuse_memory(loader);
    return 0;
}

int aw_loader_read(struct loader *loader)
{
    int result =
        read_file(loader, loader->file, &loader->content, &loader->length);

    if (result == 0)
        result = aw_index_new(loader->file, loader->content, loader->length,
                              &loader->index, loader->error);
    if (result == 0)
        result = read_drop_ins(loader);
    if (result < 0)
        return result;
    if (loader->index->count == 0)
        return aw_error_set(loader->error, EINVAL,
                            "%s:1: the file is empty: it needs the keys "
                            "devices and scripts",
                            loader->file);
    return result > 0 ? write_merged(loader) : 0;
}
