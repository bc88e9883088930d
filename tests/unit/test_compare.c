/* What of two configurations is the same. */
#include "config/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* The configuration of this text. */
static struct aw_config *load(const char *text)
{
    char path[] = "/tmp/test_compare_XXXXXX";
    struct aw_config *config = NULL;
    struct aw_error error = {.text = ""};
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    if (aw_config_load(path, &config, &error) < 0)
        fail_msg("%s", error.text);
    unlink(path);
    return config;
}

static bool same(const char *one, const char *other)
{
    char text[300];
    struct aw_config *first, *second;
    bool result;

    snprintf(text, sizeof(text), "devices: [{name: a, %s}]", one);
    first = load(text);
    snprintf(text, sizeof(text), "devices: [{name: b, %s}]", other);
    second = load(text);
    result = aw_compare_devices(first->devices[0], second->devices[0]);
    assert_int_equal(aw_compare_devices(second->devices[0], first->devices[0]),
                     result);
    aw_config_free(first);
    aw_config_free(second);
    return result;
}

static void test_compare_devices_same_options_are_the_same(void **state)
{
    (void)state;
    assert_true(same("driver: virtual", "driver: virtual"));
    assert_true(same("driver: udp, bind: \"127.0.0.1:1\"",
                     "driver: udp, bind: \"127.0.0.1:1\""));
}

static void test_compare_devices_other_words_are_the_same(void **state)
{
    (void)state;
    assert_true(same("driver: virtual, receive_own: yes",
                     "driver: virtual, receive_own: true"));
    assert_true(same("driver: virtual, max_payload: 0x20",
                     "driver: virtual, max_payload: 32"));
    assert_true(same("driver: virtual, send_timeout_s: 2",
                     "driver: virtual, send_timeout_s: 2.0"));
    /* What is the fallback may be said. */
    assert_true(same("driver: virtual, kind: can", "driver: virtual"));
}

static void test_compare_devices_one_option_differs_are_others(void **state)
{
    static const char plain[] = "driver: virtual";

    (void)state;
    assert_false(same(plain, "driver: virtual, receive_own: yes"));
    assert_false(same(plain, "driver: virtual, max_payload: 32"));
    assert_false(same(plain, "driver: virtual, kind: bytes"));
    assert_false(same(plain, "driver: virtual, send_timeout_s: 2"));
    assert_false(same(plain, "driver: virtual, cpus: \"0\""));
    assert_false(same("driver: replay, path: a", "driver: replay, path: b"));
    assert_false(same(plain, "driver: udp, bind: \"127.0.0.1:1\""));
}

/* The keys that differ. */
static void check_process(const char *running, const char *wanted,
                          const char *keys)
{
    struct aw_config *first = load(running), *second = load(wanted);
    char found[300];
    size_t count = aw_compare_process(first, second, found, sizeof(found));

    assert_string_equal(found, keys);
    assert_int_equal(count > 0, keys[0] != '\0');
    aw_config_free(first);
    aw_config_free(second);
}

static void test_compare_process_lists_what_differs(void **state)
{
    (void)state;
    check_process("stop_grace_s: 1", "stop_grace_s: 2", "");
    check_process("cwd: /", "cwd: /", "");
    check_process("cwd: /", "cwd: /usr", "cwd");
    check_process("{}", "cwd: /", "cwd");
    check_process("environment: [A=1, B=2]", "environment: [A=1, B=2]", "");
    check_process("environment: [A=1]", "environment: [A=1, B=2]",
                  "environment");
    check_process("environment: [A=1]", "{}", "environment");
    check_process("control: {socket: /a, read_group: x}",
                  "control: {socket: /b, admin_group: x}",
                  "control.socket, control.read_group, control.admin_group");
    check_process("metrics: {listen: \"127.0.0.1:1\"}", "{}", "metrics.listen");
}

static void test_compare_process_kept_is_what_is_in_force(void **state)
{
    struct aw_config *running = load("{cwd: /, environment: [A=1]}");
    struct aw_config *wanted = load("{cwd: /usr, stop_grace_s: 3}");

    (void)state;
    aw_compare_keep_process(wanted, running);
    assert_string_equal(wanted->cwd, "/");
    assert_string_equal(wanted->environment[0], "A=1");
    assert_true(wanted->stop_grace_s > 2.9);
    aw_config_free(running);
    aw_config_free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_devices_same_options_are_the_same),
        cmocka_unit_test(test_compare_devices_other_words_are_the_same),
        cmocka_unit_test(test_compare_devices_one_option_differs_are_others),
        cmocka_unit_test(test_compare_process_lists_what_differs),
        cmocka_unit_test(test_compare_process_kept_is_what_is_in_force),
    };

    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
