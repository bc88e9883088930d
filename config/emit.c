/* An index as YAML: what libcyaml reads where there are several files. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/merge.h"

static yaml_char_t *yaml_text(const char *text)
{
    return (yaml_char_t *)(uintptr_t)text;
}

/* Each takes what was initialised, also on failure. */
static int emit(yaml_emitter_t *emitter, yaml_event_t *event, int initialised)
{
    return initialised && yaml_emitter_emit(emitter, event) ? 0 : -ENOMEM;
}

/* In quotes, so that it stays the text that it is; but for what is nothing. */
static int emit_scalar(yaml_emitter_t *emitter, const char *text, bool empty)
{
    yaml_event_t event;

    return emit(
        emitter, &event,
        yaml_scalar_event_initialize(
            &event, NULL, NULL, yaml_text(empty ? "~" : text), -1, 1, 1,
            empty ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static int emit_start(yaml_emitter_t *emitter, enum aw_index_kind kind)
{
    yaml_event_t event;

    if (kind == AW_INDEX_LIST)
        return emit(emitter, &event,
                    yaml_sequence_start_event_initialize(
                        &event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
    return emit(emitter, &event,
                yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                    YAML_BLOCK_MAPPING_STYLE));
}

static int emit_end(yaml_emitter_t *emitter, enum aw_index_kind kind)
{
    yaml_event_t event;

    return emit(emitter, &event,
                kind == AW_INDEX_LIST
                    ? yaml_sequence_end_event_initialize(&event)
                    : yaml_mapping_end_event_initialize(&event));
}

/* Emits the entry at `*place` and what is below it, and goes on behind it. */
static int emit_entry(yaml_emitter_t *emitter, const struct aw_index *index,
                      size_t *place)
{
    const struct aw_index_entry *entry = &index->entries[(*place)++];
    size_t length = strlen(entry->path);
    int result;

    if (entry->kind == AW_INDEX_VALUE)
        return emit_scalar(emitter, entry->text, entry->empty);
    result = emit_start(emitter, entry->kind);
    while (result == 0 && *place < index->count &&
           index->entries[*place].depth > entry->depth) {
        if (entry->kind == AW_INDEX_KEYS)
            result = emit_scalar(
                emitter, index->entries[*place].path + length + (length > 0),
                false);
        if (result == 0)
            result = emit_entry(emitter, index, place);
    }
    return result < 0 ? result : emit_end(emitter, entry->kind);
}

static int emit_all(yaml_emitter_t *emitter, const struct aw_index *index)
{
    yaml_event_t event;
    size_t place = 0;
    int result =
        emit(emitter, &event,
             yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));

    if (result == 0)
        result = emit(
            emitter, &event,
            yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    if (result == 0)
        result = emit_entry(emitter, index, &place);
    if (result == 0)
        result = emit(emitter, &event,
                      yaml_document_end_event_initialize(&event, 1));
    if (result == 0)
        result =
            emit(emitter, &event, yaml_stream_end_event_initialize(&event));
    return result;
}

static int write_to(void *stream, unsigned char *bytes, size_t size)
{
    return fwrite(bytes, 1, size, stream) == size;
}

static int emit_to(FILE *stream, const struct aw_index *index)
{
    yaml_emitter_t emitter;
    int result;

    if (!yaml_emitter_initialize(&emitter))
        return -ENOMEM;
    yaml_emitter_set_output(&emitter, write_to, stream);
    yaml_emitter_set_width(&emitter, -1);
    result = emit_all(&emitter, index);
    yaml_emitter_delete(&emitter);
    return result;
}

int aw_index_emit(const struct aw_index *index, char **ret_content,
                  size_t *ret_length)
{
    char *content = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&content, &length);
    int result = stream ? emit_to(stream, index) : -ENOMEM;

    if (stream && fclose(stream) != 0)
        result = -ENOMEM;
    if (result < 0) {
        free(content);
        return result;
    }
    *ret_content = content;
    *ret_length = length;
    return 0;
}
