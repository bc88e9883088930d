#include "devices/device_config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/driver_load.h"
#include "devices/schedule.h"

/* Pieces behind the colon of a short form. */
#define PIECES_MAX 64

/* Drivers that a suggestion looks at. */
#define DRIVERS_MAX 32

/* ---- names ---- */

static bool is_keyword(const char *name)
{
    static const char *const keywords[] = {
        "False",  "None",     "True",  "and",    "as",       "assert",
        "async",  "await",    "break", "class",  "continue", "def",
        "del",    "elif",     "else",  "except", "finally",  "for",
        "from",   "global",   "if",    "import", "in",       "is",
        "lambda", "nonlocal", "not",   "or",     "pass",     "raise",
        "return", "try",      "while", "with",   "yield",
    };

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (strcmp(name, keywords[i]) == 0)
            return true;
    }
    return false;
}

static bool is_dunder(const char *name, size_t length)
{
    return length > 4 && strncmp(name, "__", 2) == 0 &&
           strcmp(name + length - 2, "__") == 0;
}

bool aw_device_name_valid(const char *name)
{
    static const char letters[] =
        "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t length = strspn(name, letters);

    if (length == 0 || name[length] != '\0' || (*name >= '0' && *name <= '9'))
        return false;
    return length < sizeof((struct aw_device_config){0}.name) &&
           !is_keyword(name) && !is_dunder(name, length);
}

/* ---- what the sentences list ---- */

/* Appends `name` to the list in `text`, which has `size` bytes; leaves it out
 * when there is no room. */
static void list_name(char *text, size_t size, const char *name)
{
    size_t length = strlen(text);

    if (length + strlen(name) + 3 > size)
        return;
    snprintf(text + length, size - length, "%s%s", length ? ", " : "", name);
}

static void list_options(char *text, size_t size, const struct aw_option *table,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        list_name(text, size, table[i].name);
}

static int refuse_name(const char *name, struct aw_error *error)
{
    return aw_error_set(error, EINVAL,
                        "\"%.80s\" cannot be the name of a device: scripts "
                        "import it, so it must be a Python identifier of at "
                        "most 63 letters (a-z), digits and _, no keyword",
                        name);
}

static int refuse_driver(const char *driver, struct aw_error *error)
{
    struct aw_option names[DRIVERS_MAX] = {0};
    size_t count = 0;
    char list[256] = "";
    const char *meant;

    for (; aw_drivers[count] && count < DRIVERS_MAX; count++)
        names[count].name = aw_drivers[count]->name;
    list_options(list, sizeof(list), names, count);
    meant = aw_options_suggest(names, count, driver);
    if (meant)
        return aw_error_set(error, ENOENT,
                            "there is no driver \"%.60s\"; did you mean "
                            "\"%s\"? There are: %s",
                            driver, meant, list);
    return aw_error_set(error, ENOENT,
                        "there is no driver \"%.60s\"; there are: %s", driver,
                        list);
}

static int refuse_key(const struct aw_driver *driver, const char *key,
                      struct aw_error *error)
{
    const char *meant =
        aw_options_suggest(driver->options, driver->option_count, key);
    char list[300] = "";

    if (!meant)
        meant = aw_options_suggest(aw_common_options, AW_COMMON_COUNT, key);
    if (meant)
        return aw_error_set(error, ENOENT,
                            "driver %s has no option \"%.60s\"; did you mean "
                            "\"%s\"?",
                            driver->name, key, meant);
    list_options(list, sizeof(list), driver->options, driver->option_count);
    list_options(list, sizeof(list), aw_common_options, AW_COMMON_COUNT);
    return aw_error_set(error, ENOENT,
                        "driver %s has no option \"%.60s\"; it has: %s",
                        driver->name, key, list);
}

/* ---- the configuration of one device ---- */

/* Fallbacks are the tables' own: one that does not parse is our bug. */
static int set_fallbacks(const struct aw_option *table, size_t count,
                         struct aw_value *values, struct aw_error *error)
{
    for (size_t i = 0; i < count; i++) {
        int result;

        if (!table[i].fallback)
            continue;
        result =
            aw_option_parse(&table[i], table[i].fallback, &values[i], error);
        assert(result != -EINVAL);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Gives an empty configuration its fallbacks. */
static int fill(struct aw_device_config *config, struct aw_error *error)
{
    const struct aw_driver *driver = config->driver;
    int result;

    /* One more than needed: a driver may have no options at all. */
    config->values = calloc(driver->option_count + 1, sizeof(*config->values));
    config->given = calloc(driver->option_count + 1, sizeof(*config->given));
    if (!config->values || !config->given)
        return aw_error_set(error, ENOMEM, "not enough memory");
    result = set_fallbacks(aw_common_options, AW_COMMON_COUNT, config->common,
                           error);
    if (result < 0)
        return result;
    return set_fallbacks(driver->options, driver->option_count, config->values,
                         error);
}

/* The driver of this name or path. Whatever is wrong with a path, the driver is
 * what there is not. */
static int find_driver(const char *text, const struct aw_driver **ret_driver,
                       struct aw_error *error)
{
    int result = 0;

    if (aw_driver_is_path(text))
        result = aw_driver_load(text, ret_driver, error);
    else
        *ret_driver = aw_driver_find(text);
    if (result < 0)
        return result == -ENOMEM ? result : -ENOENT;
    return *ret_driver ? 0 : refuse_driver(text, error);
}

int aw_device_config_new(const char *name, const char *driver,
                         struct aw_device_config **ret_config,
                         struct aw_error *error)
{
    const struct aw_driver *found = NULL;
    struct aw_device_config *config;
    int result;

    if (!aw_device_name_valid(name))
        return refuse_name(name, error);
    result = find_driver(driver, &found, error);
    if (result < 0)
        return result;
    config = calloc(1, sizeof(*config));
    if (!config)
        return aw_error_set(error, ENOMEM, "not enough memory");
    snprintf(config->name, sizeof(config->name), "%s", name);
    config->driver = found;
    config->place = -1;
    result = fill(config, error);
    if (result < 0) {
        aw_device_config_free(config);
        return result;
    }
    *ret_config = config;
    return 0;
}

void aw_device_config_free(struct aw_device_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < AW_COMMON_COUNT; i++)
        aw_value_deinit(&config->common[i]);
    for (size_t i = 0; config->values && i < config->driver->option_count; i++)
        aw_value_deinit(&config->values[i]);
    free(config->values);
    free(config->given);
    free(config);
}

/* Takes a value for an option that there is, and notes that it was given. */
static int take(const struct aw_option *option, const char *text,
                struct aw_value *value, bool *given, struct aw_error *error)
{
    int result = aw_option_parse(option, text, value, error);

    *given = *given || result == 0;
    return result;
}

int aw_device_config_set(struct aw_device_config *config, const char *key,
                         const char *text, struct aw_error *error)
{
    const struct aw_driver *driver = config->driver;
    int index = aw_options_find(driver->options, driver->option_count, key);

    if (index >= 0)
        return take(&driver->options[index], text, &config->values[index],
                    &config->given[index], error);
    index = aw_options_find(aw_common_options, AW_COMMON_COUNT, key);
    if (index >= 0)
        return take(&aw_common_options[index], text, &config->common[index],
                    &config->common_given[index], error);
    return refuse_key(driver, key, error);
}

static int check_cpus(const struct aw_value *value, struct aw_error *error)
{
    cpu_set_t cpus;

    if (!value->set || aw_schedule_parse_cpus(value->text, &cpus) == 0)
        return 0;
    return aw_error_set(error, EINVAL,
                        "cpus takes a list of processors such as 0,2-3, not "
                        "\"%.60s\"",
                        value->text);
}

int aw_device_config_check(const struct aw_device_config *config,
                           struct aw_error *error)
{
    const struct aw_driver *driver = config->driver;

    for (size_t i = 0; i < driver->option_count; i++) {
        const struct aw_value *value = &config->values[i];

        if (driver->options[i].required &&
            (!value->set || value->text[0] == '\0'))
            return aw_error_set(
                error, EINVAL, "driver %s needs the option \"%s\": %s",
                driver->name, driver->options[i].name, driver->options[i].help);
    }
    if (check_cpus(&config->common[AW_COMMON_CPUS], error) < 0)
        return -EINVAL;
    return driver->check ? driver->check(config->values, error) : 0;
}

/* ---- the short form ---- */

/* A short form taken apart, in place. */
struct pieces {
    char *name;
    char *driver;
    char *main; /* NULL: nothing behind the driver */
    size_t count;
    char *keys[PIECES_MAX];
    char *values[PIECES_MAX];
};

/* Ends the value before a comma at the comma, and returns where the next piece
 * starts, or NULL. A piece that starts with a digit is still the value: the
 * lists of numbers that options take have commas too. */
static char *next_piece(char *value)
{
    char *comma = value;

    while ((comma = strchr(comma, ',')) != NULL) {
        if (comma[1] < '0' || comma[1] > '9') {
            *comma = '\0';
            return comma + 1;
        }
        comma++;
    }
    return NULL;
}

static int add_piece(struct pieces *pieces, char *key, struct aw_error *error)
{
    size_t length = strcspn(key, "=,");

    if (length == 0 || key[length] != '=')
        return aw_error_set(error, EINVAL,
                            "\"%.*s\" is no option: write key=value",
                            (int)(length > 60 ? 60 : length), key);
    key[length] = '\0';
    for (size_t i = 0; i < pieces->count; i++) {
        if (strcmp(pieces->keys[i], key) == 0)
            return aw_error_set(error, EINVAL, "%.60s is given twice", key);
    }
    if (pieces->count == PIECES_MAX)
        return aw_error_set(error, EINVAL, "more than %d options", PIECES_MAX);
    pieces->keys[pieces->count] = key;
    pieces->values[pieces->count++] = key + length + 1;
    return 0;
}

/* Takes apart what stands behind `NAME=`. */
static int split(struct pieces *pieces, char *text, struct aw_error *error)
{
    char *rest = next_piece(text);
    char *colon = strchr(text, ':');

    pieces->driver = text;
    if (colon) {
        *colon = '\0';
        pieces->main = colon + 1;
    }
    while (rest) {
        char *piece = rest;
        int result;

        rest = next_piece(piece + strcspn(piece, "=,"));
        result = add_piece(pieces, piece, error);
        if (result < 0)
            return result;
    }
    return 0;
}

static int set_main(struct aw_device_config *config,
                    const struct pieces *pieces, struct aw_error *error)
{
    const struct aw_driver *driver = config->driver;

    if (!pieces->main || pieces->main[0] == '\0')
        return 0;
    if (!driver->main_option)
        return aw_error_set(error, EINVAL,
                            "driver %s takes nothing behind a colon: write "
                            "%s,key=value",
                            driver->name, driver->name);
    for (size_t i = 0; i < pieces->count; i++) {
        if (strcmp(pieces->keys[i], driver->main_option) == 0)
            return aw_error_set(error, EINVAL,
                                "%s is given twice: it is what stands behind "
                                "the colon",
                                driver->main_option);
    }
    return aw_device_config_set(config, driver->main_option, pieces->main,
                                error);
}

static int set_pieces(struct aw_device_config *config,
                      const struct pieces *pieces, struct aw_error *error)
{
    int result = set_main(config, pieces, error);

    for (size_t i = 0; result == 0 && i < pieces->count; i++)
        result = aw_device_config_set(config, pieces->keys[i],
                                      pieces->values[i], error);
    return result < 0 ? result : aw_device_config_check(config, error);
}

/* Makes a configuration of `text`, which it takes apart. */
static int parse(char *text, struct aw_device_config **ret_config,
                 struct aw_error *error)
{
    struct pieces pieces = {.name = text};
    struct aw_device_config *config = NULL;
    char *equals = strchr(text, '=');
    int result;

    *equals = '\0';
    result = split(&pieces, equals + 1, error);
    if (result == 0)
        result =
            aw_device_config_new(pieces.name, pieces.driver, &config, error);
    if (result == 0)
        result = set_pieces(config, &pieces, error);
    if (result < 0) {
        aw_device_config_free(config);
        return result;
    }
    *ret_config = config;
    return 0;
}

int aw_device_config_parse(const char *text,
                           struct aw_device_config **ret_config,
                           struct aw_error *error)
{
    size_t name_length = strcspn(text, "=:,");
    struct aw_error reason = {""};
    char *copy;
    int result;

    if (text[name_length] != '=')
        return aw_error_set(error, EINVAL,
                            "\"%.80s\" is no device: write "
                            "NAME=DRIVER:MAIN[,key=value...]",
                            text);
    copy = strdup(text);
    if (!copy)
        return aw_error_set(error, ENOMEM, "not enough memory");
    result = parse(copy, ret_config, &reason);
    free(copy);
    if (result < 0)
        aw_error_set(error, -result, "device %.*s: %.420s",
                     (int)(name_length > 63 ? 63 : name_length), text,
                     reason.text);
    return result;
}
