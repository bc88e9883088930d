/* Lines of a candump log, parsed for a test. */
#ifndef AW_TEST_CANDUMP_LINES_H
#define AW_TEST_CANDUMP_LINES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/candump.h"

/* A record and its frame, from a line of which the exact bytes are on the heap,
 * so that the address sanitizer sees any read beyond. */
struct parsed {
    struct aw_candump record;
    struct aw_frame *frame;
    struct aw_error error;
    int result;
};

static inline void parse_bytes(struct parsed *parsed, const char *line,
                               size_t length)
{
    char *copy = malloc(length ? length : 1);

    assert_non_null(copy);
    memcpy(copy, line, length);
    memset(parsed, 0xA5, sizeof(*parsed));
    parsed->error.text[0] = '\0';
    parsed->result =
        aw_candump_parse(copy, length, &parsed->record, &parsed->error);
    parsed->frame = aw_candump_frame(&parsed->record);
    free(copy);
}

static inline void parse(struct parsed *parsed, const char *line)
{
    parse_bytes(parsed, line, strlen(line));
}

/* Parses "(1700000000.000001) can0 TEXT", which must be a frame. */
static inline const struct aw_frame *parse_frame(struct parsed *parsed,
                                                 const char *text)
{
    char line[256];

    snprintf(line, sizeof(line), "(1700000000.000001) can0 %s", text);
    parse(parsed, line);
    if (parsed->result != AW_CANDUMP_FRAME)
        fail_msg("%s: %s", line, parsed->error.text);
    return parsed->frame;
}

static inline void check_refused(const char *line, const char *reason)
{
    struct parsed parsed;

    parse(&parsed, line);
    assert_int_equal(parsed.result, -EINVAL);
    if (!strstr(parsed.error.text, reason))
        fail_msg("%s: \"%s\" does not say \"%s\"", line, parsed.error.text,
                 reason);
}

static inline void check_refused_frame(const char *text, const char *reason)
{
    char line[256];

    snprintf(line, sizeof(line), "(1700000000.000001) can0 %s", text);
    check_refused(line, reason);
}

static inline void check_formatted(const struct parsed *parsed,
                                   unsigned options, const char *line)
{
    char text[AW_CANDUMP_LINE_MAX];

    assert_int_equal(aw_candump_format(parsed->frame, parsed->record.channel,
                                       options, text, sizeof(text)),
                     strlen(line));
    assert_string_equal(text, line);
}

#endif
