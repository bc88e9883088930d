/* The index of a YAML file: where each key path stands.
 *
 * libcyaml keeps no positions once a file is loaded, and what is wrong with a
 * value often shows only later: a name given twice, an option of another
 * driver. The index is built beside it by libyaml, and knows the line of each
 * path, such as `devices[1].interface`. It also refuses what neither the
 * schema nor a message could cope with: text that is not YAML, a second
 * document, keys that are no words, too deep or too many entries. */
#ifndef AW_INDEX_H
#define AW_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "devices/queue/error.h"

#define AW_INDEX_DEPTH_MAX   8
#define AW_INDEX_KEY_MAX     64
#define AW_INDEX_ENTRIES_MAX 20000
#define AW_INDEX_PATH_MAX    (AW_INDEX_DEPTH_MAX * (AW_INDEX_KEY_MAX + 1) + 1)

enum aw_index_kind { AW_INDEX_VALUE, AW_INDEX_LIST, AW_INDEX_KEYS };

/* A key, or an element of a list, and what stands there. */
struct aw_index_entry {
    char *path;       /* `scripts[0].args[2]`; "" is the whole document */
    char *text;       /* a single value as written; else NULL */
    const char *file; /* the index's */
    unsigned line;    /* of the key, from 1 */
    unsigned depth;   /* of the whole document: 0 */
    enum aw_index_kind kind;
    bool empty; /* nothing, ~ or null, without quotes */
};

struct aw_index {
    struct aw_index_entry *entries; /* in the order of the file */
    size_t count;                   /* 0: a file without content */
    size_t room;                    /* entries allocated */
    char **files;                   /* that entries are from */
    size_t file_count;
};

/* Indexes `content`, `length` bytes of the file called `file`. An alias stands
 * for what it names, with the lines of that. Returns 0, -EINVAL (FILE:LINE:
 * reason) or -ENOMEM. */
int aw_index_new(const char *file, const char *content, size_t length,
                 struct aw_index **ret_index, struct aw_error *error);

/* Accepts NULL. */
void aw_index_free(struct aw_index *index);

/* The last entry with this path, or NULL: of a key given twice, the second. */
const struct aw_index_entry *aw_index_find(const struct aw_index *index,
                                           const char *path);

/* The entry of `path`, or if it is not there of the nearest part around it;
 * NULL only for a file without content. */
const struct aw_index_entry *aw_index_nearest(const struct aw_index *index,
                                              const char *path);

/* The line of that, or 1. */
unsigned aw_index_line(const struct aw_index *index, const char *path);

/* ---- several files: merge.c ---- */

/* An index of no files and no entries. Returns 0 or -ENOMEM. */
int aw_index_new_empty(struct aw_index **ret_index);

/* Appends a copy of `entry` under another path. Returns 0 or -ENOMEM. */
int aw_index_add(struct aw_index *index, const struct aw_index_entry *entry,
                 const char *path);

#endif
