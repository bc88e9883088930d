#include "config/index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* What the walk through a document carries along. */
struct walk {
    const char *file;
    yaml_document_t *document;
    struct aw_index *index;
    struct aw_error *error;
    char path[AW_INDEX_PATH_MAX]; /* of the node being visited */
};

static unsigned line_of(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

static int refuse(const struct walk *walk, yaml_mark_t mark, const char *reason)
{
    return aw_error_set(walk->error, EINVAL, "%s:%u: %s%s%s", walk->file,
                        line_of(mark), walk->path, walk->path[0] ? ": " : "",
                        reason);
}

static int refuse_memory(const struct walk *walk)
{
    return aw_error_set(walk->error, ENOMEM, "%s: not enough memory",
                        walk->file);
}

/* ---- entries ---- */

static bool is_empty(const yaml_node_t *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (node->type != YAML_SCALAR_NODE ||
        node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp((const char *)node->data.scalar.value, words[i]) == 0)
            return true;
    }
    return false;
}

static int grow(struct aw_index *index)
{
    size_t room = index->room ? index->room * 2 : 64;
    struct aw_index_entry *entries;

    if (index->count < index->room)
        return 0;
    entries = reallocarray(index->entries, room, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    index->entries = entries;
    index->room = room;
    return 0;
}

int aw_index_add(struct aw_index *index, const struct aw_index_entry *entry,
                 const char *path)
{
    struct aw_index_entry copy = *entry;

    if (grow(index) < 0)
        return -ENOMEM;
    copy.path = strdup(path);
    copy.text = entry->text ? strdup(entry->text) : NULL;
    if (!copy.path || (entry->text && !copy.text)) {
        free(copy.path);
        free(copy.text);
        return -ENOMEM;
    }
    index->entries[index->count++] = copy;
    return 0;
}

static enum aw_index_kind kind_of(const yaml_node_t *node)
{
    if (node->type == YAML_MAPPING_NODE)
        return AW_INDEX_KEYS;
    return node->type == YAML_SEQUENCE_NODE ? AW_INDEX_LIST : AW_INDEX_VALUE;
}

/* Appends the node that walk->path leads to; `mark` is where its key is. */
static int add_entry(struct walk *walk, const yaml_node_t *node,
                     yaml_mark_t mark, unsigned depth)
{
    bool scalar = node->type == YAML_SCALAR_NODE;
    const struct aw_index_entry entry = {
        .text = scalar ? (char *)node->data.scalar.value : NULL,
        .file = walk->index->files[0],
        .line = line_of(mark),
        .depth = depth,
        .kind = kind_of(node),
        .empty = is_empty(node),
    };

    if (walk->index->count == AW_INDEX_ENTRIES_MAX)
        return refuse(walk, mark, "too many entries for a configuration");
    if (scalar && strlen(entry.text) != node->data.scalar.length)
        return refuse(walk, mark, "a value must not contain a NUL");
    return aw_index_add(walk->index, &entry, walk->path) < 0
               ? refuse_memory(walk)
               : 0;
}

/* ---- the walk ---- */

static int visit(struct walk *walk, int id, yaml_mark_t mark, unsigned depth);

/* True for a key that can be told in one line of a message. */
static bool is_word(const yaml_node_t *key)
{
    const unsigned char *text = key->data.scalar.value;
    size_t length = key->data.scalar.length;

    if (key->type != YAML_SCALAR_NODE || length == 0 ||
        length > AW_INDEX_KEY_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    return true;
}

static int visit_pair(struct walk *walk, const yaml_node_pair_t *pair,
                      unsigned depth)
{
    const yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
    size_t length = strlen(walk->path);

    if (!is_word(key))
        return refuse(walk, key->start_mark, "a key here is no single word");
    snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s",
             length ? "." : "", (const char *)key->data.scalar.value);
    return visit(walk, pair->value, key->start_mark, depth + 1);
}

static int visit_keys(struct walk *walk, const yaml_node_t *node,
                      unsigned depth)
{
    size_t length = strlen(walk->path);
    int result = 0;

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         result == 0 && pair < node->data.mapping.pairs.top; pair++) {
        result = visit_pair(walk, pair, depth);
        walk->path[length] = '\0';
    }
    return result;
}

static int visit_items(struct walk *walk, const yaml_node_t *node,
                       unsigned depth)
{
    const yaml_node_item_t *start = node->data.sequence.items.start;
    size_t length = strlen(walk->path);
    int result = 0;

    for (const yaml_node_item_t *item = start;
         result == 0 && item < node->data.sequence.items.top; item++) {
        const yaml_node_t *found =
            yaml_document_get_node(walk->document, *item);

        snprintf(walk->path + length, sizeof(walk->path) - length, "[%td]",
                 item - start);
        result = visit(walk, *item, found->start_mark, depth + 1);
        walk->path[length] = '\0';
    }
    return result;
}

/* An anchor inside of which an alias names it has no end: the bound on depth
 * ends it here. */
static int visit(struct walk *walk, int id, yaml_mark_t mark, unsigned depth)
{
    const yaml_node_t *node = yaml_document_get_node(walk->document, id);
    int result;

    if (depth > AW_INDEX_DEPTH_MAX)
        return refuse(walk, mark, "nested too deeply");
    result = add_entry(walk, node, mark, depth);
    if (result < 0)
        return result;
    switch (node->type) {
    case YAML_MAPPING_NODE:
        return visit_keys(walk, node, depth);
    case YAML_SEQUENCE_NODE:
        return visit_items(walk, node, depth);
    case YAML_SCALAR_NODE:
    case YAML_NO_NODE:
        break;
    }
    return 0;
}

/* ---- the file ---- */

/* The line of a byte, for errors below the parser's notion of lines. */
static unsigned line_at(const char *content, size_t length, size_t offset)
{
    unsigned line = 1;

    for (size_t i = 0; i < length && i < offset; i++)
        line += content[i] == '\n';
    return line;
}

/* Says what libyaml did not like. */
static int refuse_syntax(const struct walk *walk, const yaml_parser_t *parser,
                         const char *content, size_t length)
{
    unsigned line = line_of(parser->problem_mark);

    if (parser->error == YAML_MEMORY_ERROR)
        return refuse_memory(walk);
    if (parser->error == YAML_READER_ERROR)
        line = line_at(content, length, parser->problem_offset);
    return aw_error_set(walk->error, EINVAL, "%s:%u: not YAML: %s", walk->file,
                        line, parser->problem ? parser->problem : "no reason");
}

static int walk_document(struct walk *walk)
{
    const yaml_node_t *root = yaml_document_get_root_node(walk->document);

    /* Whether a file may be empty is not for the index to say. */
    if (!root)
        return 0;
    return visit(walk, 1, root->start_mark, 0);
}

/* libcyaml would leave out what stands behind the first document. */
static int refuse_second(struct walk *walk, yaml_parser_t *parser,
                         const char *content, size_t length)
{
    yaml_document_t second;
    const yaml_node_t *root;
    int result = 0;

    if (!yaml_parser_load(parser, &second))
        return refuse_syntax(walk, parser, content, length);
    root = yaml_document_get_root_node(&second);
    if (root)
        result = refuse(walk, root->start_mark,
                        "a second document: only one is read");
    yaml_document_delete(&second);
    return result;
}

static int build(struct walk *walk, yaml_parser_t *parser, const char *content,
                 size_t length)
{
    yaml_document_t document;
    int result;

    if (!yaml_parser_load(parser, &document))
        return refuse_syntax(walk, parser, content, length);
    walk->document = &document;
    result = walk_document(walk);
    yaml_document_delete(&document);
    walk->document = NULL;
    return result < 0 ? result : refuse_second(walk, parser, content, length);
}

int aw_index_new_empty(struct aw_index **ret_index)
{
    *ret_index = calloc(1, sizeof(**ret_index));
    return *ret_index ? 0 : -ENOMEM;
}

/* An index of one file, without entries so far. */
static int new_of_file(const char *file, struct aw_index **ret_index)
{
    struct aw_index *index;

    if (aw_index_new_empty(&index) < 0)
        return -ENOMEM;
    index->files = calloc(1, sizeof(*index->files));
    if (index->files)
        index->files[0] = strdup(file);
    if (!index->files || !index->files[0]) {
        aw_index_free(index);
        return -ENOMEM;
    }
    index->file_count = 1;
    *ret_index = index;
    return 0;
}

int aw_index_new(const char *file, const char *content, size_t length,
                 struct aw_index **ret_index, struct aw_error *error)
{
    struct walk walk = {.file = file, .error = error};
    yaml_parser_t parser;
    int result;

    if (new_of_file(file, &walk.index) < 0)
        return refuse_memory(&walk);
    if (!yaml_parser_initialize(&parser)) {
        aw_index_free(walk.index);
        return refuse_memory(&walk);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)content,
                                 length);
    result = build(&walk, &parser, content, length);
    yaml_parser_delete(&parser);
    if (result < 0)
        aw_index_free(walk.index);
    else
        *ret_index = walk.index;
    return result;
}

void aw_index_free(struct aw_index *index)
{
    if (!index)
        return;
    for (size_t i = 0; i < index->count; i++) {
        free(index->entries[i].path);
        free(index->entries[i].text);
    }
    for (size_t i = 0; i < index->file_count; i++)
        free(index->files[i]);
    free(index->files);
    free(index->entries);
    free(index);
}

const struct aw_index_entry *aw_index_find(const struct aw_index *index,
                                           const char *path)
{
    for (size_t i = index->count; i > 0; i--) {
        if (strcmp(index->entries[i - 1].path, path) == 0)
            return &index->entries[i - 1];
    }
    return NULL;
}

/* How much of `path` leads to what is around it: all but its last part. */
static size_t around(const char *path)
{
    size_t length = strlen(path);

    while (length > 0) {
        length--;
        if (path[length] == '.' || path[length] == '[')
            break;
    }
    return length;
}

const struct aw_index_entry *aw_index_nearest(const struct aw_index *index,
                                              const char *path)
{
    const struct aw_index_entry *entry = aw_index_find(index, path);
    char part[AW_INDEX_PATH_MAX];

    snprintf(part, sizeof(part), "%s", path);
    while (!entry && part[0] != '\0') {
        part[around(part)] = '\0';
        entry = aw_index_find(index, part);
    }
    return entry;
}

unsigned aw_index_line(const struct aw_index *index, const char *path)
{
    const struct aw_index_entry *entry = aw_index_nearest(index, path);

    return entry ? entry->line : 1;
}
