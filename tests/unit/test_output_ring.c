#include "daemon/output_names.h"
#include "daemon/output_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"

static struct aw_output_script owner;

static int make_ring(void **state)
{
    *state = calloc(1, sizeof(struct aw_output_ring));
    return *state ? 0 : -1;
}

static int free_ring(void **state)
{
    free(*state);
    return 0;
}

static bool put(struct aw_output_ring *ring, const char *file, const char *text)
{
    struct aw_output_head head = {
        .script = &owner,
        .stream = 2,
        .file_length = (uint16_t)strlen(file),
        .text_length = (uint16_t)strlen(text),
    };

    return aw_output_ring_put(ring, &head, file, text);
}

static void test_ring_gives_back_what_was_put(void **state)
{
    struct aw_output_ring *ring = *state;
    static struct aw_output_line line;

    assert_true(put(ring, "a.py", "text"));
    assert_true(put(ring, "", ""));
    assert_true(aw_output_ring_take(ring, &line));
    assert_string_equal(line.file, "a.py");
    assert_string_equal(line.text, "text");
    assert_ptr_equal(line.head.script, &owner);
    assert_int_equal(line.head.stream, 2);
    assert_true(aw_output_ring_take(ring, &line));
    assert_string_equal(line.text, "");
    assert_false(aw_output_ring_take(ring, &line));
    assert_true(aw_output_ring_empty(ring));
}

/* Several times around, at every alignment of the end. */
static void test_ring_keeps_lines_whole_around_its_end(void **state)
{
    struct aw_output_ring *ring = *state;
    static struct aw_output_line line;
    char text[200];

    for (unsigned i = 0; i < 20000; i++) {
        snprintf(text, sizeof(text), "%0*u", (int)(i % 180) + 1, i);
        assert_true(put(ring, "f", text));
        assert_true(aw_output_ring_take(ring, &line));
        assert_string_equal(line.text, text);
    }
}

static void test_ring_full_drops_the_newest(void **state)
{
    struct aw_output_ring *ring = *state;
    static struct aw_output_line line;
    char text[20];
    unsigned kept = 0;

    for (unsigned i = 0; i < 40000; i++) {
        snprintf(text, sizeof(text), "%u", i);
        kept += put(ring, "some/file.py", text);
    }
    assert_in_range(kept, 1000, 39999);
    for (unsigned i = 0; i < kept; i++) {
        assert_true(aw_output_ring_take(ring, &line));
        assert_int_equal(atoi(line.text), i);
    }
    assert_true(aw_output_ring_empty(ring));
    assert_true(put(ring, "", "again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ring_gives_back_what_was_put,
                                        make_ring, free_ring),
        cmocka_unit_test_setup_teardown(
            test_ring_keeps_lines_whole_around_its_end, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(test_ring_full_drops_the_newest,
                                        make_ring, free_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
