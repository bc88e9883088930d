#include "tests/fuzz/yaml.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

/* ---- texts ---- */

/* The character at `*text`, which is UTF-8, as YAML says of its files. */
static uint32_t next_character(const unsigned char **text)
{
    uint32_t first = *(*text)++;
    unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint32_t character = more ? first & (0x3fu >> more) : first;

    for (; more > 0 && **text; more--)
        character = character << 6 | (*(*text)++ & 0x3fu);
    return character;
}

/* In double quotes; all that could be read as anything else is escaped. */
static void put_text(FILE *to, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    fputc('"', to);
    while (*at) {
        uint32_t character = next_character(&at);

        if (character >= ' ' && character < 0x7f && character != '"' &&
            character != '\\')
            fputc((int)character, to);
        else
            fprintf(to, "\\U%08X", (unsigned)character);
    }
    fputc('"', to);
}

static void put_pair(FILE *to, const char *indent, const char *key,
                     const char *text)
{
    if (!text)
        return;
    fprintf(to, "%s%s: ", indent, key);
    put_text(to, text);
    fputc('\n', to);
}

static void put_seconds(FILE *to, const char *key, double seconds)
{
    fprintf(to, "%s: %.17g\n", key, seconds);
}

static void put_list(FILE *to, const char *indent, const char *key,
                     char *const *texts)
{
    if (!texts)
        return;
    fprintf(to, "%s%s: [", indent, key);
    for (size_t i = 0; texts[i]; i++) {
        if (i > 0)
            fputs(", ", to);
        put_text(to, texts[i]);
    }
    fputs("]\n", to);
}

/* ---- the configuration ---- */

static void put_values(FILE *to, const struct aw_option *options, size_t count,
                       const struct aw_value *values)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].set)
            put_pair(to, "    ", options[i].name, values[i].text);
}

static void put_device(FILE *to, const struct aw_device_config *device)
{
    fputs("  -\n", to);
    put_pair(to, "    ", "name", device->name);
    put_pair(to, "    ", "driver", device->driver->name);
    put_values(to, device->driver->options, device->driver->option_count,
               device->values);
    put_values(to, aw_common_options, AW_COMMON_COUNT, device->common);
}

static void put_script(FILE *to, const struct aw_config_script *script)
{
    static const char *const restarts[] = {"no", "on-failure", "always"};
    const struct aw_config_supervision *how = &script->supervision;

    fputs("  -\n", to);
    put_pair(to, "    ", "name", script->name);
    put_pair(to, "    ", "path", script->path);
    put_list(to, "    ", "args", script->arguments);
    put_list(to, "    ", "paths", script->paths);
    put_pair(to, "    ", "restart", restarts[how->restart]);
    put_pair(to, "    ", "on_restart", how->flush ? "flush" : "keep");
    put_pair(to, "    ", "state", how->persist ? "persist" : "keep");
    fprintf(to, "    restart_delay_s: %.17g\n", how->delay_s);
    fprintf(to, "    restart_limit: %u\n", how->limit);
    fprintf(to, "    restart_interval_s: %.17g\n", how->interval_s);
}

static void put_process(FILE *to, const struct aw_config *config)
{
    put_seconds(to, "stop_grace_s", config->stop_grace_s);
    put_seconds(to, "stop_timeout_s", config->stop_timeout_s);
    put_seconds(to, "start_timeout_s", config->start_timeout_s);
    put_seconds(to, "reload_settle_s", config->reload_settle_s);
    put_pair(to, "", "cwd", config->cwd);
    put_pair(to, "", "venv", config->venv);
    put_list(to, "", "environment", config->environment);
    if (config->control_socket || config->control_read_group ||
        config->control_admin_group)
        fputs("control:\n", to);
    put_pair(to, "  ", "socket", config->control_socket);
    put_pair(to, "  ", "read_group", config->control_read_group);
    put_pair(to, "  ", "admin_group", config->control_admin_group);
    if (config->metrics_listen)
        fputs("metrics:\n", to);
    put_pair(to, "  ", "listen", config->metrics_listen);
}

char *fuzz_yaml(const struct aw_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    FUZZ_REQUIRE(to);
    put_process(to, config);
    if (config->device_count > 0)
        fputs("devices:\n", to);
    for (size_t i = 0; i < config->device_count; i++)
        put_device(to, config->devices[i]);
    if (config->script_count > 0)
        fputs("scripts:\n", to);
    for (size_t i = 0; i < config->script_count; i++)
        put_script(to, &config->scripts[i]);
    FUZZ_REQUIRE(fclose(to) == 0 && text);
    return text;
}
