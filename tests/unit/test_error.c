#include "devices/queue/error.h"

#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"

static void test_error_set_returns_negative_code(void **state)
{
    struct aw_error error;

    (void)state;
    assert_int_equal(aw_error_set(&error, ENODEV, "x"), -ENODEV);
}

static void test_error_set_formats_the_sentence(void **state)
{
    struct aw_error error;

    (void)state;
    aw_error_set(&error, EINVAL, "%s: %d is too deep", "depth", 7);
    assert_string_equal(error.text, "depth: 7 is too deep");
}

static void test_error_nowhere_to_write_returns_code_alone(void **state)
{
    (void)state;
    assert_int_equal(aw_error_set(NULL, ENOMEM, "%s", "lost"), -ENOMEM);
}

static void test_error_long_sentence_is_cut(void **state)
{
    struct aw_error error;

    (void)state;
    memset(error.text, 'x', sizeof(error.text));
    aw_error_set(&error, EINVAL, "%600d", 1);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_set_returns_negative_code),
        cmocka_unit_test(test_error_set_formats_the_sentence),
        cmocka_unit_test(test_error_nowhere_to_write_returns_code_alone),
        cmocka_unit_test(test_error_long_sentence_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
