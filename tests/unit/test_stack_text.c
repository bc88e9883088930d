#include "daemon/stack_text.h"

#include "tests/support/unit.h"

static const char stack[] =
    "Stack (most recent call first):\n"
    "  File \"/usr/lib/python3.11/threading.py\", line 327 in wait\n"
    "  File \"/srv/it.py\", line 12 in main\n"
    "  File \"/srv/it.py\", line 20 in <module>\n";

static void test_find_prefers_the_innermost_line_of_the_script(void **state)
{
    (void)state;
    assert_memory_equal(aw_stack_text_find(stack, "some/it.py"),
                        "  File \"/srv/it.py\", line 12 in main", 36);
}

static void test_find_of_another_script_is_the_innermost_line(void **state)
{
    (void)state;
    assert_memory_equal(aw_stack_text_find(stack, "other.py"),
                        "  File \"/usr/lib", 16);
    assert_null(aw_stack_text_find("Stack:\n  <no Python frame>\n", "it.py"));
}

static void test_place_is_file_and_line(void **state)
{
    char place[40];

    (void)state;
    aw_stack_text_place(stack, "it.py", place, sizeof(place));
    assert_string_equal(place, "/srv/it.py:12: ");
}

static void test_place_that_is_unknown_or_too_long_is_empty(void **state)
{
    char place[10] = "before";

    (void)state;
    aw_stack_text_place(stack, "it.py", place, sizeof(place));
    assert_string_equal(place, "");
    aw_stack_text_place("", "it.py", place, sizeof(place));
    assert_string_equal(place, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_prefers_the_innermost_line_of_the_script),
        cmocka_unit_test(test_find_of_another_script_is_the_innermost_line),
        cmocka_unit_test(test_place_is_file_and_line),
        cmocka_unit_test(test_place_that_is_unknown_or_too_long_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
