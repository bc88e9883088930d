#include "devices/options.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Longest name that suggestions are made for. */
#define NAME_MAX_LENGTH 32

/* Of the user's text, a message quotes this much. */
#define QUOTED "\"%.60s\""

int aw_options_find(const struct aw_option *table, size_t count,
                    const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return (int)i;
    }
    return -ENOENT;
}

int aw_value_copy(const struct aw_value *value, struct aw_value *ret_copy)
{
    char *text = value->text ? strdup(value->text) : NULL;

    if (value->text && !text)
        return -ENOMEM;
    *ret_copy = *value;
    ret_copy->text = text;
    return 0;
}

void aw_value_deinit(struct aw_value *value)
{
    free(value->text);
    *value = (struct aw_value){.set = false};
}

/* ---- parsing: each type's function fills its part of `value` ---- */

static int parse_bool(const char *text, struct aw_value *value)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int flag = 0; flag < 2; flag++) {
            if (strcasecmp(text, words[i][flag]) == 0) {
                value->flag = flag == 1;
                return 0;
            }
        }
    }
    return -EINVAL;
}

/* The factor that a suffix stands for, 0 if it is none. */
static int64_t suffix_factor(const char *suffix)
{
    if (suffix[0] == '\0')
        return 1;
    if (suffix[1] != '\0')
        return 0;
    switch (suffix[0]) {
    case 'k':
    case 'K':
        return 1024;
    case 'M':
        return 1024 * 1024;
    default:
        return 0;
    }
}

static int parse_int(const char *text, struct aw_value *value)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    int64_t factor;
    char *end;
    long long number;

    /* strtoll() would also take blanks and a second sign. */
    if (digits[0] < '0' || digits[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoll(text, &end, hex ? 16 : 10);
    factor = suffix_factor(end);
    if (errno == ERANGE || factor == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(number, factor, &value->integer))
        return -EINVAL;
    value->number = (double)value->integer;
    return 0;
}

static int parse_number(const char *text, struct aw_value *value)
{
    locale_t locale;
    char *end;

    /* No blanks, no `inf`, `nan` or hexadecimal, which strtod() also takes. */
    if (text[0] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
        return -EINVAL;
    /* The decimal point is a point, whatever locale a script has set. */
    locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!locale)
        return -ENOMEM;
    value->number = strtod_l(text, &end, locale);
    freelocale(locale);
    return *end == '\0' && isfinite(value->number) ? 0 : -EINVAL;
}

static int parse_choice(const struct aw_option *option, const char *text,
                        struct aw_value *value)
{
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            value->integer = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_typed(const struct aw_option *option, const char *text,
                       struct aw_value *value)
{
    switch (option->type) {
    case AW_OPTION_BOOL:
        return parse_bool(text, value);
    case AW_OPTION_INT:
        return parse_int(text, value);
    case AW_OPTION_NUMBER:
        return parse_number(text, value);
    case AW_OPTION_CHOICE:
        return parse_choice(option, text, value);
    case AW_OPTION_TEXT:
    case AW_OPTION_PATH:
        break;
    }
    return 0;
}

static bool is_bounded(const struct aw_option *option)
{
    return option->minimum < 0 || option->minimum > 0 || option->maximum < 0 ||
           option->maximum > 0;
}

static bool in_bounds(const struct aw_option *option,
                      const struct aw_value *value)
{
    if (option->type != AW_OPTION_INT && option->type != AW_OPTION_NUMBER)
        return true;
    return !is_bounded(option) || (value->number >= option->minimum &&
                                   value->number <= option->maximum);
}

/* ---- refusing: what the option takes, in words ---- */

static int refuse_number(const struct aw_option *option, const char *text,
                         struct aw_error *error)
{
    const char *kind =
        option->type == AW_OPTION_INT ? "a whole number" : "a number";

    if (!is_bounded(option))
        return aw_error_set(error, EINVAL, "%s takes %s, not " QUOTED,
                            option->name, kind, text);
    return aw_error_set(
        error, EINVAL, "%s takes %s from %.15g to %.15g, not " QUOTED,
        option->name, kind, option->minimum, option->maximum, text);
}

static int refuse_choice(const struct aw_option *option, const char *text,
                         struct aw_error *error)
{
    char names[256] = "";
    size_t length = 0;

    for (int i = 0; option->choices[i]; i++) {
        size_t room = sizeof(names) - length;
        size_t need = strlen(option->choices[i]) + 2;

        if (need >= room)
            break;
        length = (size_t)(stpcpy(stpcpy(names + length, i ? ", " : ""),
                                 option->choices[i]) -
                          names);
    }
    return aw_error_set(error, EINVAL, "%s takes one of %s, not " QUOTED,
                        option->name, names, text);
}

static int refuse(const struct aw_option *option, const char *text,
                  struct aw_error *error)
{
    switch (option->type) {
    case AW_OPTION_BOOL:
        return aw_error_set(error, EINVAL, "%s takes yes or no, not " QUOTED,
                            option->name, text);
    case AW_OPTION_CHOICE:
        return refuse_choice(option, text, error);
    case AW_OPTION_INT:
    case AW_OPTION_NUMBER:
    case AW_OPTION_TEXT: /* takes any text: cannot be refused */
    case AW_OPTION_PATH:
        break;
    }
    return refuse_number(option, text, error);
}

int aw_option_parse(const struct aw_option *option, const char *text,
                    struct aw_value *value, struct aw_error *error)
{
    struct aw_value parsed = {.set = true};
    int result = parse_typed(option, text, &parsed);

    if (result == -EINVAL || (result == 0 && !in_bounds(option, &parsed)))
        return refuse(option, text, error);
    if (result == 0) {
        parsed.text = strdup(text);
        result = parsed.text ? 0 : -ENOMEM;
    }
    if (result < 0)
        return aw_error_set(error, -result, "%s: %s", option->name,
                            "not enough memory");
    aw_value_deinit(value);
    *value = parsed;
    return 0;
}

/* ---- suggestions ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many characters must be added, taken away, exchanged or swapped with
 * their neighbour to make `a` of `b` (optimal string alignment). Both are at
 * most NAME_MAX_LENGTH long. */
static size_t distance(const char *a, const char *b)
{
    size_t cost[NAME_MAX_LENGTH + 1][NAME_MAX_LENGTH + 1];
    size_t a_length = strlen(a), b_length = strlen(b);

    for (size_t i = 0; i <= a_length; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            size_t changed = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            size_t moved = smaller(cost[i - 1][j], cost[i][j - 1]) + 1;

            cost[i][j] = smaller(changed, moved);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = smaller(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a_length][b_length];
}

const char *aw_options_suggest(const struct aw_option *table, size_t count,
                               const char *name)
{
    const char *best = NULL;
    size_t length = strlen(name);
    /* One slip, and another for every five letters: more is another word. */
    size_t best_distance = length / 5 + 2;

    if (length == 0 || length > NAME_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t found;

        if (strlen(table[i].name) > NAME_MAX_LENGTH)
            continue;
        found = distance(name, table[i].name);
        /* A word of which no letter is left says nothing. */
        if (found < best_distance && found < length) {
            best = table[i].name;
            best_distance = found;
        }
    }
    return best;
}
