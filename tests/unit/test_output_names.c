#include "daemon/output_names.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/unit.h"

static int make_names(void **state)
{
    struct aw_output_names *names = calloc(1, sizeof(*names));

    if (!names)
        return -1;
    aw_output_names_init(names);
    *state = names;
    return 0;
}

static int free_names(void **state)
{
    aw_output_names_deinit(*state);
    free(*state);
    return 0;
}

static void drop(struct aw_output_names *names, size_t index, uint64_t count)
{
    struct aw_output_script *script = aw_output_names_find(names, index);

    atomic_fetch_add_explicit(&script->dropped, count, memory_order_relaxed);
}

static uint64_t dropped_of(struct aw_output_names *names, size_t index)
{
    struct aw_output_script *script = aw_output_names_find(names, index);

    return atomic_load_explicit(&script->dropped, memory_order_relaxed);
}

static void test_names_of_no_script_are_ours(void **state)
{
    struct aw_output_names *names = *state;

    assert_string_equal(aw_output_names_find(names, 0)->name, "awaitd");
    assert_int_equal(aw_output_names_set(names, 1, "b"), 0);
    assert_string_equal(aw_output_names_find(names, 0)->name, "awaitd");
    assert_string_equal(aw_output_names_find(names, SIZE_MAX)->name, "awaitd");
}

/* Past every size of the table. */
static void test_names_stay_when_the_table_grows(void **state)
{
    struct aw_output_names *names = *state;
    struct aw_output_script *first;
    char name[20];

    assert_int_equal(aw_output_names_set(names, 0, "0"), 0);
    first = aw_output_names_find(names, 0);
    for (unsigned i = 1; i < 100; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(aw_output_names_set(names, i, name), 0);
    }
    assert_ptr_equal(aw_output_names_find(names, 0), first);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_string_equal(aw_output_names_find(names, i)->name, name);
    }
}

static void test_names_of_lines_on_their_way_stay(void **state)
{
    struct aw_output_names *names = *state;
    struct aw_output_script *before;

    assert_int_equal(aw_output_names_set(names, 0, "old"), 0);
    before = aw_output_names_find(names, 0);
    assert_int_equal(aw_output_names_set(names, 0, "new"), 0);
    assert_string_equal(before->name, "old");
    assert_string_equal(aw_output_names_find(names, 0)->name, "new");
}

static void test_names_that_come_again_count_on(void **state)
{
    struct aw_output_names *names = *state;

    assert_int_equal(aw_output_names_set(names, 0, "a"), 0);
    drop(names, 0, 3);
    assert_int_equal(aw_output_names_set(names, 0, "b"), 0);
    assert_int_equal(dropped_of(names, 0), 0);
    assert_int_equal(aw_output_names_set(names, 5, "a"), 0);
    assert_int_equal(dropped_of(names, 5), 3);
}

static void test_names_dropped_is_the_sum_of_all_that_were(void **state)
{
    struct aw_output_names *names = *state;

    assert_int_equal(aw_output_names_set(names, 0, "a"), 0);
    drop(names, 0, 1);
    assert_int_equal(aw_output_names_set(names, 0, "b"), 0);
    drop(names, 0, 10);
    drop(names, 7, 100);
    assert_int_equal(aw_output_names_dropped(names), 111);
}

#define TEST(function)                                                         \
    cmocka_unit_test_setup_teardown(function, make_names, free_names)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_of_no_script_are_ours),
        TEST(test_names_stay_when_the_table_grows),
        TEST(test_names_of_lines_on_their_way_stay),
        TEST(test_names_that_come_again_count_on),
        TEST(test_names_dropped_is_the_sum_of_all_that_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
