#include "config/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry and all below it: entries lie in the order of the file. */
struct span {
    const struct aw_index *index;
    size_t first, end;
};

/* How two elements of a list are told to be the same. */
enum identity { BY_NOTHING, BY_NAME, BY_VARIABLE };

static const struct aw_index_entry *head(const struct span *span)
{
    return &span->index->entries[span->first];
}

static struct span span_at(const struct aw_index *index, size_t first)
{
    size_t end = first + 1;

    while (end < index->count &&
           index->entries[end].depth > index->entries[first].depth)
        end++;
    return (struct span){index, first, end};
}

/* The first child of `span`, or false. */
static bool first_child(const struct span *span, struct span *ret_child)
{
    if (span->first + 1 == span->end)
        return false;
    *ret_child = span_at(span->index, span->first + 1);
    return true;
}

/* What follows `child` in `span`, or false. */
static bool next_child(const struct span *span, struct span *child)
{
    if (child->end == span->end)
        return false;
    *child = span_at(span->index, child->end);
    return true;
}

/* The last part of an entry's path: the key of a mapping's child. */
static const char *key_of(const struct span *parent, const struct span *child)
{
    size_t length = strlen(head(parent)->path);

    return head(child)->path + length + (length > 0);
}

/* ---- identity ---- */

static enum identity identity_in(const char *path)
{
    if (strcmp(path, "devices") == 0 || strcmp(path, "scripts") == 0)
        return BY_NAME;
    return strcmp(path, "environment") == 0 ? BY_VARIABLE : BY_NOTHING;
}

static const char *child_text(const struct span *element, const char *key)
{
    struct span child = {.index = NULL};
    bool found = first_child(element, &child);

    while (found && strcmp(key_of(element, &child), key) != 0)
        found = next_child(element, &child);
    return found ? head(&child)->text : NULL;
}

/* What an element is known by, and how much of that; NULL: it has no name. */
static const char *name_of(const struct span *element, enum identity by,
                           size_t *ret_length)
{
    const char *name = by == BY_NAME ? child_text(element, "name") : NULL;
    const char *slash;

    if (by == BY_VARIABLE && head(element)->text) {
        *ret_length = strcspn(head(element)->text, "=");
        return head(element)->text;
    }
    if (name || by != BY_NAME) {
        *ret_length = name ? strlen(name) : 0;
        return name;
    }
    name = child_text(element, "path"); /* a script's; a device has a name */
    if (!name)
        return NULL;
    slash = strrchr(name, '/');
    name = slash ? slash + 1 : name;
    *ret_length = strlen(name);
    if (*ret_length > 3 && strcmp(name + *ret_length - 3, ".py") == 0)
        *ret_length -= 3;
    return name;
}

static bool same_name(const struct span *one, const struct span *other,
                      enum identity by)
{
    size_t length = 0, other_length = 0;
    const char *name = name_of(one, by, &length);
    const char *other_name = name_of(other, by, &other_length);

    return name && other_name && length == other_length &&
           strncmp(name, other_name, length) == 0;
}

/* The first child of `parent` that stands for the same as `child` of
 * `its_parent`. */
static bool find_same(const struct span *parent, const struct span *its_parent,
                      const struct span *child, struct span *ret_found)
{
    bool keys = head(parent)->kind == AW_INDEX_KEYS;
    enum identity by = identity_in(head(parent)->path);
    bool found = first_child(parent, ret_found);

    while (found && !(keys ? strcmp(key_of(parent, ret_found),
                                    key_of(its_parent, child)) == 0
                           : same_name(ret_found, child, by)))
        found = next_child(parent, ret_found);
    return found;
}

/* ---- merging ---- */

static int copy(struct aw_index *to, const struct span *span, const char *path)
{
    size_t length = strlen(head(span)->path);
    int result = 0;

    for (size_t i = span->first; result == 0 && i < span->end; i++) {
        const struct aw_index_entry *entry = &span->index->entries[i];
        char whole[AW_INDEX_PATH_MAX];

        /* "devices[3]" and what stands behind "devices[0]". */
        snprintf(whole, sizeof(whole), "%s%s", path, entry->path + length);
        result = aw_index_add(to, entry, whole);
    }
    return result;
}

/* The path of the next child in the result: `number` is its place in a list. */
static void child_path(const struct span *parent, const struct span *child,
                       const char *path, size_t number,
                       char ret_path[AW_INDEX_PATH_MAX])
{
    if (head(parent)->kind == AW_INDEX_LIST)
        snprintf(ret_path, AW_INDEX_PATH_MAX, "%s[%zu]", path, number);
    else
        snprintf(ret_path, AW_INDEX_PATH_MAX, "%s%s%s", path,
                 path[0] ? "." : "", key_of(parent, child));
}

static int merge(struct aw_index *to, const struct span *base,
                 const struct span *over, const char *path);

/* Each child of `base`, changed by what stands for the same in `over`. */
static int merge_children(struct aw_index *to, const struct span *base,
                          const struct span *over, const char *path,
                          size_t *number)
{
    struct span child = {.index = NULL}, same;
    int result = 0;

    for (bool more = first_child(base, &child); more && result == 0;
         more = next_child(base, &child)) {
        char whole[AW_INDEX_PATH_MAX];

        child_path(base, &child, path, (*number)++, whole);
        result = find_same(over, base, &child, &same)
                     ? merge(to, &child, &same, whole)
                     : copy(to, &child, whole);
    }
    return result;
}

/* What of `over` has changed nothing in `base`: the first of its name there
 * has, where `base` has that name. A second one stays, to be refused as such.
 */
static int append_children(struct aw_index *to, const struct span *base,
                           const struct span *over, const char *path,
                           size_t number)
{
    struct span child = {.index = NULL}, same;
    int result = 0;

    for (bool more = first_child(over, &child); more && result == 0;
         more = next_child(over, &child)) {
        bool merged = find_same(over, over, &child, &same) &&
                      same.first == child.first &&
                      find_same(base, over, &child, &same);
        char whole[AW_INDEX_PATH_MAX];

        if (merged)
            continue;
        child_path(over, &child, path, number++, whole);
        result = copy(to, &child, whole);
    }
    return result;
}

/* Appends what comes of `base` and `over`, which stand at the same path. */
static int merge(struct aw_index *to, const struct span *base,
                 const struct span *over, const char *path)
{
    enum aw_index_kind kind = head(base)->kind;
    size_t number = 0;
    int result;

    if (kind != head(over)->kind || kind == AW_INDEX_VALUE ||
        (kind == AW_INDEX_LIST && identity_in(path) == BY_NOTHING))
        return copy(to, over, path);
    result = aw_index_add(to, head(base), path);
    if (result == 0)
        result = merge_children(to, base, over, path, &number);
    return result < 0 ? result : append_children(to, base, over, path, number);
}

static int merge_all(struct aw_index *to, const struct aw_index *base,
                     const struct aw_index *over)
{
    struct span under = span_at(base, 0), upper = span_at(over, 0);

    if (base->count > 0 && over->count > 0)
        return merge(to, &under, &upper, "");
    if (base->count > 0)
        return copy(to, &under, "");
    return over->count > 0 ? copy(to, &upper, "") : 0;
}

/* The names of files pass on, as the entries point to them. */
static int take_files(struct aw_index *to, struct aw_index *from)
{
    char **files = reallocarray(to->files, to->file_count + from->file_count,
                                sizeof(*files));

    if (!files)
        return -ENOMEM;
    memcpy(files + to->file_count, from->files,
           from->file_count * sizeof(*files));
    to->files = files;
    to->file_count += from->file_count;
    from->file_count = 0;
    return 0;
}

int aw_index_merge(struct aw_index *base, struct aw_index *over,
                   struct aw_index **ret_merged)
{
    struct aw_index *merged = NULL;
    int result = aw_index_new_empty(&merged);

    if (result == 0)
        result = merge_all(merged, base, over);
    if (result == 0)
        result = take_files(merged, base);
    if (result == 0)
        result = take_files(merged, over);
    aw_index_free(base);
    aw_index_free(over);
    if (result < 0)
        aw_index_free(merged);
    else
        *ret_merged = merged;
    return result;
}
