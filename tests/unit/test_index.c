/* The index: which line a key path stands on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/index.h"

static const char sample[] = "# a comment\n"
                             "devices:\n"
                             "  - {name: a, driver: can}\n"
                             "  - name: b\n"
                             "    driver: 'null'\n"
                             "    fd: null\n"
                             "  # another\n"
                             "\n"
                             "scripts:\n"
                             "  - path: x.py\n"
                             "    args:\n"
                             "      - one\n"
                             "      - [two]\n";

static struct aw_index *indexed(const char *content)
{
    struct aw_index *index = NULL;
    struct aw_error error = {""};

    if (aw_index_new("f", content, strlen(content), &index, &error) < 0)
        fail_msg("%s", error.text);
    return index;
}

static void assert_refused(const char *content, size_t length,
                           const char *sentence)
{
    struct aw_index *index = NULL;
    struct aw_error error = {""};

    assert_int_equal(aw_index_new("f", content, length, &index, &error),
                     -EINVAL);
    assert_null(index);
    assert_string_equal(error.text, sentence);
}

static void test_index_line_of_a_key_is_the_keys(void **state)
{
    struct aw_index *index = indexed(sample);

    (void)state;
    assert_int_equal(aw_index_line(index, "devices"), 2);
    assert_int_equal(aw_index_line(index, "devices[0].driver"), 3);
    assert_int_equal(aw_index_line(index, "devices[1]"), 4);
    assert_int_equal(aw_index_line(index, "devices[1].driver"), 5);
    assert_int_equal(aw_index_line(index, "scripts[0].args[1]"), 13);
    assert_int_equal(aw_index_line(index, "scripts[0].args[1][0]"), 13);
    aw_index_free(index);
}

static void test_index_line_of_a_missing_path_is_what_is_around_it(void **state)
{
    struct aw_index *index = indexed(sample);

    (void)state;
    assert_int_equal(aw_index_line(index, "devices[1].interface"), 4);
    assert_int_equal(aw_index_line(index, "scripts[0].args[7]"), 11);
    assert_int_equal(aw_index_line(index, "scripts[3].args[7]"), 9);
    assert_int_equal(aw_index_line(index, "nothing"), 2);
    aw_index_free(index);
}

static void test_index_find_gives_text_and_emptiness(void **state)
{
    struct aw_index *index = indexed(sample);

    (void)state;
    assert_string_equal(aw_index_find(index, "devices[0].driver")->text, "can");
    assert_false(aw_index_find(index, "devices[1].driver")->empty);
    assert_true(aw_index_find(index, "devices[1].fd")->empty);
    assert_null(aw_index_find(index, "devices")->text);
    assert_null(aw_index_find(index, "devices[2]"));
    aw_index_free(index);
}

static void test_index_find_of_a_key_given_twice_gives_the_second(void **state)
{
    struct aw_index *index = indexed("a: 1\na: 2\n");

    (void)state;
    assert_int_equal(aw_index_find(index, "a")->line, 2);
    aw_index_free(index);
}

static void test_index_deep_nesting_is_refused(void **state)
{
    struct aw_index *index = indexed("[[[[[[[[1]]]]]]]]");

    (void)state;
    aw_index_free(index);
    assert_refused("[[[[[[[[[1]]]]]]]]]", 19,
                   "f:1: [0][0][0][0][0][0][0][0][0]: nested too deeply");
}

static void test_index_long_key_is_refused(void **state)
{
    char content[AW_INDEX_KEY_MAX + 8];

    (void)state;
    memset(content, 'k', sizeof(content));
    memcpy(content + AW_INDEX_KEY_MAX + 1, ": 1", 3);
    assert_refused(content, AW_INDEX_KEY_MAX + 4,
                   "f:1: a key here is no single word");
}

static void test_index_longest_path_is_held(void **state)
{
    char content[AW_INDEX_PATH_MAX * 2], path[AW_INDEX_PATH_MAX];
    struct aw_index *index;

    (void)state;
    content[0] = path[0] = '\0';
    for (int i = 0; i < AW_INDEX_DEPTH_MAX; i++) {
        char key[AW_INDEX_KEY_MAX + 1];

        memset(key, 'a' + i, AW_INDEX_KEY_MAX);
        key[AW_INDEX_KEY_MAX] = '\0';
        snprintf(content + strlen(content), sizeof(content) - strlen(content),
                 "{%s: ", key);
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%s",
                 i ? "." : "", key);
    }
    strcat(content, "1}}}}}}}}");
    index = indexed(content);
    assert_string_equal(aw_index_find(index, path)->text, "1");
    aw_index_free(index);
}

static void test_index_broken_bytes_name_their_line(void **state)
{
    (void)state;
    assert_refused("a: 1\nb: \xff\n", 10,
                   "f:2: not YAML: invalid leading UTF-8 octet");
}

static void test_index_error_behind_the_first_document_is_told(void **state)
{
    (void)state;
    assert_refused("a: 1\n---\nb: ]\n", 14,
                   "f:3: not YAML: did not find expected node content");
}

static void test_index_free_accepts_null(void **state)
{
    (void)state;
    aw_index_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_line_of_a_key_is_the_keys),
        cmocka_unit_test(
            test_index_line_of_a_missing_path_is_what_is_around_it),
        cmocka_unit_test(test_index_find_gives_text_and_emptiness),
        cmocka_unit_test(test_index_find_of_a_key_given_twice_gives_the_second),
        cmocka_unit_test(test_index_deep_nesting_is_refused),
        cmocka_unit_test(test_index_long_key_is_refused),
        cmocka_unit_test(test_index_longest_path_is_held),
        cmocka_unit_test(test_index_broken_bytes_name_their_line),
        cmocka_unit_test(test_index_error_behind_the_first_document_is_told),
        cmocka_unit_test(test_index_free_accepts_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
