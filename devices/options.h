/* Options: what a device can be told, stated once by each driver in a table.
 *
 * The same table serves the configuration file, the short form on the command
 * line and `awaitd.open`, all of which hand over text; so a key means the same,
 * and is refused in the same words, wherever it stands. */
#ifndef AW_OPTIONS_H
#define AW_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/error.h"

enum aw_option_type {
    AW_OPTION_TEXT,
    AW_OPTION_BOOL, /* yes/no, true/false, on/off */
    AW_OPTION_INT, /* decimal or 0x…; with k or M behind it × 1024, 1024² */
    AW_OPTION_NUMBER, /* a decimal fraction, with a point in every locale */
    AW_OPTION_CHOICE, /* one of `choices` */
    AW_OPTION_PATH,   /* of a file; relative to the configuration file if it
                         stands in one */
};

struct aw_option {
    const char *name;
    enum aw_option_type type;
    bool required;
    const char *fallback;       /* as the user would write it; NULL: not set */
    double minimum, maximum;    /* INT and NUMBER; both 0: unbounded */
    const char *const *choices; /* CHOICE: names, NULL at the end */
    const char *help;           /* one line, no full stop */
};

/* What was given for an option, or its fallback. */
struct aw_value {
    bool set;        /* given, or there is a fallback */
    char *text;      /* as written, owned; NULL if not set */
    bool flag;       /* BOOL */
    int64_t integer; /* INT; CHOICE: the index */
    double number;   /* NUMBER, and INT */
};

/* Index of the option `name`, or -ENOENT. */
int aw_options_find(const struct aw_option *table, size_t count,
                    const char *name);

/* Parses `text` for `option` into `value`, replacing what was there. Returns 0,
 * -EINVAL with a sentence that names the option and what it takes, or -ENOMEM.
 */
int aw_option_parse(const struct aw_option *option, const char *text,
                    struct aw_value *value, struct aw_error *error);

/* The option of `table` that `name` probably meant, or NULL. For messages. */
const char *aw_options_suggest(const struct aw_option *table, size_t count,
                               const char *name);

/* Makes `*ret_copy` a value of its own. Returns 0 or -ENOMEM. */
int aw_value_copy(const struct aw_value *value, struct aw_value *ret_copy);

void aw_value_deinit(struct aw_value *value);

#endif
