/* config/awaitd.yaml, with the real drivers: it loads, also with every line
 * that is commented out, and leaves out no option. AW_SAMPLE is its path. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/document.h"
#include "devices/device.h"
#include "tests/support/config_fixture.h"

#define LINE_BYTES 256

/* The key that `line` gives, if it is commented out: a word behind `# `, right
 * before a colon. NULL for prose. */
static char *commented_key(char *line)
{
    char *key = line + strspn(line, " ");
    size_t length;

    if (strncmp(key, "# ", 2) != 0)
        return NULL;
    length = strspn(key + 2, "abcdefghijklmnopqrstuvwxyz_");
    return length > 0 && strncmp(key + 2 + length, ": ", 2) == 0 ? key : NULL;
}

/* Copies the sample into bench.yaml with every option given. */
static void uncomment(const struct fixture *fixture)
{
    FILE *from = fopen(AW_SAMPLE, "re");
    FILE *to = fopen(fixture->path, "we");
    char line[LINE_BYTES];

    assert_non_null(from);
    assert_non_null(to);
    while (fgets(line, sizeof(line), from)) {
        char *key = commented_key(line);

        if (key)
            memmove(key, key + 2, strlen(key + 2) + 1);
        fputs(line, to);
    }
    fclose(from);
    assert_int_equal(fclose(to), 0);
}

static struct aw_config *load(struct fixture *fixture, const char *path)
{
    if (aw_config_load(path, &fixture->config, &fixture->error) < 0)
        fail_msg("%s", fixture->error.text);
    return fixture->config;
}

static const struct aw_device_config *device_of(const struct aw_config *config,
                                                const struct aw_driver *driver)
{
    for (size_t i = 0; i < config->device_count; i++) {
        if (config->devices[i]->driver == driver)
            return config->devices[i];
    }
    fail_msg("no device of driver %s", driver->name);
    return NULL;
}

/* Is the option given, to any of the driver's devices? */
static bool is_given(const struct aw_config *config,
                     const struct aw_driver *driver, size_t option)
{
    for (size_t i = 0; i < config->device_count; i++) {
        const struct aw_device_config *device = config->devices[i];

        if (device->driver == driver && device->values[option].set)
            return true;
    }
    return false;
}

static void test_sample_loads(void **state)
{
    const struct aw_config *config = load(*state, AW_SAMPLE);

    assert_true(config->device_count > 0);
    assert_true(config->script_count > 0);
}

static void test_sample_uncommented_gives_every_option(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    uncomment(fixture);
    config = load(fixture, fixture->path);
    for (size_t i = 0; aw_drivers[i]; i++) {
        for (size_t j = 0; j < aw_drivers[i]->option_count; j++) {
            const struct aw_option *option = &aw_drivers[i]->options[j];

            if (!option->fallback && !is_given(config, aw_drivers[i], j))
                fail_msg("%s: %s is not in the sample", aw_drivers[i]->name,
                         option->name);
        }
    }
}

static bool is_stated(const char *text, const struct aw_option *option)
{
    char line[LINE_BYTES];

    snprintf(line, sizeof(line), " %s: ", option->name);
    return strstr(text, line) != NULL;
}

/* All keys of a table; those of `control` and `metrics` stand in one line. */
static void assert_stated(const char *text, const struct aw_option *table,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char inside[LINE_BYTES];

        snprintf(inside, sizeof(inside), "{%s: ", table[i].name);
        if (!is_stated(text, &table[i]) && !strstr(text, inside))
            fail_msg("%s is not in the sample", table[i].name);
    }
}

static void test_sample_states_every_key(void **state)
{
    static const struct aw_option lists[] = {
        {.name = "control"}, {.name = "metrics"}, {.name = "environment"},
        {.name = "name"},    {.name = "path"},    {.name = "args"},
        {.name = "paths"}};
    static char text[65536];
    FILE *stream = fopen(AW_SAMPLE, "re");

    (void)state;
    assert_non_null(stream);
    text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
    fclose(stream);
    assert_stated(text, aw_common_options, AW_COMMON_COUNT);
    for (size_t i = 0; aw_drivers[i]; i++)
        assert_stated(text, aw_drivers[i]->options,
                      aw_drivers[i]->option_count);
    assert_stated(text, aw_settings, AW_SETTING_COUNT);
    assert_stated(text, aw_script_options, AW_SCRIPT_KEY_COUNT);
    assert_stated(text, aw_control_keys, AW_CONTROL_KEY_COUNT);
    assert_stated(text, aw_metrics_keys, AW_METRICS_KEY_COUNT);
    assert_stated(text, lists, sizeof(lists) / sizeof(lists[0]));
    assert_non_null(strstr(text, "\n# stop_grace_s: 5\n"));
    assert_non_null(strstr(text, "\n# stop_timeout_s: 10\n"));
    assert_non_null(strstr(text, "\n# stall_ms: 1000\n"));
    assert_non_null(strstr(text, "\n# stall_kill_s: 0\n"));
}

static void test_sample_uncommented_changes_no_fallback(void **state)
{
    struct fixture *fixture = *state;
    const struct aw_config *config;

    uncomment(fixture);
    config = load(fixture, fixture->path);
    for (size_t i = 0; aw_drivers[i]; i++) {
        const struct aw_device_config *device =
            device_of(config, aw_drivers[i]);

        for (size_t j = 0; j < aw_drivers[i]->option_count; j++) {
            const struct aw_option *option = &aw_drivers[i]->options[j];
            struct aw_value fallback = {.set = false};

            if (!option->fallback)
                continue;
            assert_int_equal(
                aw_option_parse(option, option->fallback, &fallback, NULL), 0);
            assert_int_equal(device->values[j].flag, fallback.flag);
            assert_int_equal(device->values[j].integer, fallback.integer);
            aw_value_deinit(&fallback);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_sample_loads),
        IN_FOLDER(test_sample_uncommented_gives_every_option),
        IN_FOLDER(test_sample_states_every_key),
        IN_FOLDER(test_sample_uncommented_changes_no_fallback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
