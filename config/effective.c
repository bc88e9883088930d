#include "config/effective.h"

#include <stdlib.h>
#include <string.h>

#include "config/document.h"
#include "devices/driver_load.h"

/* Where comments begin, if the value leaves room. */
#define COMMENT_COLUMN 40

#define FROM_DEFAULT "default"
#define FROM_FLAGS   "command line"
#define FROM_SERVICE "--service"

struct printer {
    const struct aw_config *config;
    const struct aw_effective_flags *flags;
    FILE *to;
    char origin[4200]; /* FILE:LINE of the value being printed */
};

/* ---- values ---- */

/* Text that is the same without quotes in any YAML. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"null", "Null", "NULL"};
    static const char good[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0)
            return false;
    }
    return text[0] != '\0' && !strchr("-+", text[0]) &&
           text[strspn(text, good)] == '\0' && strcmp(text, ".") != 0;
}

/* Returns how many columns it took. */
static int print_quoted(const char *text, FILE *to)
{
    int columns = 2;

    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            columns += fprintf(to, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            columns += fprintf(to, "\\x%02x", (unsigned)*text);
        else
            /* The first byte of a character of UTF-8 is its column. */
            columns += fputc(*text, to) != EOF && (*text & 0xc0) != 0x80;
    }
    fputc('"', to);
    return columns;
}

static int print_value(const char *text, FILE *to)
{
    return is_plain(text) ? fprintf(to, "%s", text) : print_quoted(text, to);
}

/* A line: what leads to the value, the value, where it came from. */
static void print_line(const struct printer *printer, const char *lead,
                       const char *text, const char *origin)
{
    int column = fprintf(printer->to, "%s", lead);

    column += print_value(text, printer->to);
    fprintf(printer->to, "%*s  # %s\n",
            column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 0, "", origin);
}

/* The same, of a key; `indent` as it stands before it. */
static void print_key(const struct printer *printer, const char *indent,
                      const char *key, const char *text, const char *origin)
{
    char lead[120];

    snprintf(lead, sizeof(lead), "%s%s: ", indent, key);
    print_line(printer, lead, text, origin);
}

static void print_number(const struct printer *printer, const char *indent,
                         const char *key, double value, const char *origin)
{
    char text[40];

    snprintf(text, sizeof(text), "%.10g", value);
    print_key(printer, indent, key, text, origin);
}

/* ---- origins ---- */

static const struct aw_index_entry *find(const struct printer *printer,
                                         const char *path)
{
    return printer->config->index ? aw_index_find(printer->config->index, path)
                                  : NULL;
}

/* Where the value at `path` stands, or `other`. Good until the next one. */
static const char *origin_of(struct printer *printer, const char *path,
                             const char *other)
{
    const struct aw_index_entry *entry = find(printer, path);

    if (!entry)
        return other;
    snprintf(printer->origin, sizeof(printer->origin), "%s:%u", entry->file,
             entry->line);
    return printer->origin;
}

/* ---- the process ---- */

/* Where one of the two was given alone, the other may have moved with it. */
static const char *origin_of_stop(struct printer *printer, const char *key,
                                  double value, double usual)
{
    return origin_of(printer, key,
                     value < usual   ? "not more than stop_timeout_s"
                     : value > usual ? "not less than stop_grace_s"
                                     : FROM_DEFAULT);
}

static void print_times(struct printer *printer)
{
    const struct aw_config *config = printer->config;

    print_number(printer, "", "stop_grace_s", config->stop_grace_s,
                 origin_of_stop(printer, "stop_grace_s", config->stop_grace_s,
                                AW_STOP_GRACE_S));
    print_number(printer, "", "stop_timeout_s", config->stop_timeout_s,
                 origin_of_stop(printer, "stop_timeout_s",
                                config->stop_timeout_s, AW_STOP_TIMEOUT_S));
    print_number(printer, "", "start_timeout_s", config->start_timeout_s,
                 origin_of(printer, "start_timeout_s", FROM_DEFAULT));
    print_number(printer, "", "reload_settle_s", config->reload_settle_s,
                 origin_of(printer, "reload_settle_s", FROM_DEFAULT));
    print_number(printer, "", "stall_ms", config->stall_ms,
                 origin_of(printer, "stall_ms", FROM_DEFAULT));
    print_number(printer, "", "stall_kill_s", config->stall_kill_s,
                 origin_of(printer, "stall_kill_s", FROM_DEFAULT));
}

/* A text that there may be none of. */
static void print_text(struct printer *printer, const char *indent,
                       const char *path, const char *text)
{
    const char *dot = strrchr(path, '.');
    const char *key = dot ? dot + 1 : path;

    if (text)
        print_key(printer, indent, key, text,
                  origin_of(printer, path, FROM_DEFAULT));
    else
        fprintf(printer->to, "%s# %s: not set\n", indent, key);
}

static void print_control(struct printer *printer)
{
    const struct aw_config *config = printer->config;
    const struct aw_effective_flags *flags = printer->flags;

    fprintf(printer->to, "%s\n",
            config->control_socket || flags->socket ||
                    config->control_read_group || config->control_admin_group
                ? "control:"
                : "# control: not set");
    if (flags->socket)
        print_key(printer, "  ", "socket", flags->socket, flags->socket_origin);
    else if (!config->control_socket && flags->usual_socket)
        /* No key: one that is asked for has to come about. */
        fprintf(printer->to, "  # socket: not set, which is %s\n",
                flags->usual_socket);
    else
        print_text(printer, "  ", "control.socket", config->control_socket);
    print_text(printer, "  ", "control.read_group", config->control_read_group);
    print_text(printer, "  ", "control.admin_group",
               config->control_admin_group);
    fprintf(printer->to, "%s\n",
            config->metrics_listen ? "metrics:" : "# metrics: not set");
    print_text(printer, "  ", "metrics.listen", config->metrics_listen);
}

/* A list of single values, whose elements stand at `path`[N]. */
static void print_list(struct printer *printer, const char *indent,
                       const char *path, char *const *texts,
                       const char *otherwise)
{
    const char *dot = strrchr(path, '.');
    const char *key = dot ? dot + 1 : path;
    bool any = texts && texts[0];
    char lead[80];

    fprintf(printer->to, any ? "%s%s:\n" : "%s# %s: not set\n", indent, key);
    snprintf(lead, sizeof(lead), "%s  - ", indent);
    for (size_t i = 0; any && texts[i]; i++) {
        char element[AW_INDEX_PATH_MAX];

        snprintf(element, sizeof(element), "%s[%zu]", path, i);
        print_line(printer, lead, texts[i],
                   origin_of(printer, element, otherwise));
    }
}

/* ---- devices ---- */

static const char *origin_of_fallback(const struct printer *printer,
                                      const struct aw_option *option)
{
    return printer->flags->service &&
                   option == &aw_common_options[AW_COMMON_REQUIRED]
               ? FROM_SERVICE
               : FROM_DEFAULT;
}

/* Options of one table; those without a value are left for a comment. */
static void print_options(struct printer *printer,
                          const struct aw_device_config *device,
                          const struct aw_option *table, size_t count,
                          const struct aw_value *values, const bool *given)
{
    for (size_t i = 0; i < count; i++) {
        char path[AW_INDEX_PATH_MAX];

        if (!values[i].set)
            continue;
        snprintf(path, sizeof(path), "devices[%d].%s", device->place,
                 table[i].name);
        print_key(printer, "    ", table[i].name, values[i].text,
                  given[i] ? origin_of(printer, path, FROM_FLAGS)
                           : origin_of_fallback(printer, &table[i]));
    }
}

static void list_unset(const struct printer *printer,
                       const struct aw_option *table, size_t count,
                       const struct aw_value *values, const char **separator)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].set)
            continue;
        fprintf(printer->to, "%s%s", *separator, table[i].name);
        *separator = ", ";
    }
}

static void print_device(struct printer *printer,
                         const struct aw_device_config *device)
{
    const struct aw_driver *driver = device->driver;
    const char *path = aw_driver_path(driver);
    const char *first = "    # not set: ";
    const char *separator = first;
    char name_path[AW_INDEX_PATH_MAX], driver_path[AW_INDEX_PATH_MAX];

    snprintf(name_path, sizeof(name_path), "devices[%d].name", device->place);
    snprintf(driver_path, sizeof(driver_path), "devices[%d].driver",
             device->place);
    print_key(printer, "  - ", "name", device->name,
              origin_of(printer, name_path, FROM_FLAGS));
    print_key(printer, "    ", "driver", path ? path : driver->name,
              origin_of(printer, driver_path, FROM_FLAGS));
    print_options(printer, device, driver->options, driver->option_count,
                  device->values, device->given);
    print_options(printer, device, aw_common_options, AW_COMMON_COUNT,
                  device->common, device->common_given);
    list_unset(printer, driver->options, driver->option_count, device->values,
               &separator);
    list_unset(printer, aw_common_options, AW_COMMON_COUNT, device->common,
               &separator);
    if (separator != first)
        fputc('\n', printer->to);
}

/* ---- scripts ---- */

/* What the file says of a key, or what holds without it. */
static void print_script_key(struct printer *printer, size_t place,
                             const struct aw_option *option)
{
    const struct aw_index_entry *entry;
    char path[AW_INDEX_PATH_MAX];

    snprintf(path, sizeof(path), "scripts[%zu].%s", place, option->name);
    entry = find(printer, path);
    if (entry || option->fallback)
        print_key(printer, "    ", option->name,
                  entry ? entry->text : option->fallback,
                  origin_of(printer, path, FROM_DEFAULT));
    else
        fprintf(printer->to, "    # %s: not set\n", option->name);
}

/* What a script does not say of itself the file says for all of them. */
static void print_stall_key(struct printer *printer, size_t place,
                            const char *key, double value)
{
    char path[AW_INDEX_PATH_MAX];

    snprintf(path, sizeof(path), "scripts[%zu].%s", place, key);
    print_number(printer, "    ", key, value,
                 find(printer, path) ? origin_of(printer, path, "")
                                     : origin_of(printer, key, FROM_DEFAULT));
}

/* Those of files come first, in their order. */
static void print_script(struct printer *printer, size_t place)
{
    const struct aw_config_script *script = &printer->config->scripts[place];
    char path[AW_INDEX_PATH_MAX];

    snprintf(path, sizeof(path), "scripts[%zu].name", place);
    print_key(printer, "  - ", "name", script->name,
              origin_of(printer, path, "as its file"));
    snprintf(path, sizeof(path), "scripts[%zu].path", place);
    print_key(printer, "    ", "path", script->path,
              origin_of(printer, path, FROM_FLAGS));
    snprintf(path, sizeof(path), "scripts[%zu].args", place);
    print_list(printer, "    ", path, script->arguments, FROM_FLAGS);
    snprintf(path, sizeof(path), "scripts[%zu].paths", place);
    print_list(printer, "    ", path, script->paths, FROM_FLAGS);
    for (size_t i = 0; i < AW_SCRIPT_KEY_COUNT; i++) {
        if (i != AW_SCRIPT_KEY_STALL && i != AW_SCRIPT_KEY_STALL_KILL)
            print_script_key(printer, place, &aw_script_options[i]);
    }
    print_stall_key(printer, place, "stall_ms", script->supervision.stall_ms);
    print_stall_key(printer, place, "stall_kill_s",
                    script->supervision.stall_kill_s);
}

/* ---- all ---- */

static void print_files(const struct printer *printer)
{
    const struct aw_index *index = printer->config->index;

    if (!index)
        return;
    for (size_t i = 0; i < index->file_count; i++)
        fprintf(printer->to, "# %s\n", index->files[i]);
}

void aw_config_print_effective(const struct aw_config *config,
                               const struct aw_effective_flags *flags, FILE *to)
{
    struct printer printer = {.config = config, .flags = flags, .to = to};

    print_files(&printer);
    print_times(&printer);
    print_text(&printer, "", "cwd", config->cwd);
    print_text(&printer, "", "venv", config->venv);
    print_list(&printer, "", "environment", config->environment, FROM_FLAGS);
    print_control(&printer);
    fprintf(to, config->device_count ? "devices:\n" : "devices: []\n");
    for (size_t i = 0; i < config->device_count; i++)
        print_device(&printer, config->devices[i]);
    fprintf(to, config->script_count ? "scripts:\n" : "scripts: []\n");
    for (size_t i = 0; i < config->script_count; i++)
        print_script(&printer, i);
}
