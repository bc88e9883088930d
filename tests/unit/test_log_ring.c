#include "daemon/log_ring.h"

#include <stdio.h>
#include <string.h>

#include "devices/queue/eventfd.h"
#include "tests/support/unit.h"

static int set_up(void **state)
{
    struct aw_log_ring *ring;

    if (aw_log_ring_new(&ring) < 0)
        return -1;
    *state = ring;
    return 0;
}

static int tear_down(void **state)
{
    aw_log_ring_free(*state);
    return 0;
}

static void check_span(struct aw_log_ring *ring, uint64_t oldest, uint64_t next)
{
    uint64_t found_oldest, found_next;

    aw_log_ring_span(ring, &found_oldest, &found_next);
    assert_int_equal(found_oldest, oldest);
    assert_int_equal(found_next, next);
}

static void test_log_ring_new_has_no_line(void **state)
{
    struct aw_log_line line;

    check_span(*state, 0, 0);
    assert_false(aw_log_ring_get(*state, 0, &line));
    assert_false(aw_eventfd_clear(aw_log_ring_fd(*state)));
}

static void test_log_ring_keeps_a_line_with_level_and_rings(void **state)
{
    struct aw_log_line line;

    aw_log(AW_LOG_WARNING, "queue %d", 7);
    check_span(*state, 0, 1);
    assert_true(aw_log_ring_get(*state, 0, &line));
    assert_string_equal(line.text, "queue 7");
    assert_int_equal(line.level, AW_LOG_WARNING);
    assert_true(line.time_ns > 0);
    assert_true(aw_eventfd_clear(aw_log_ring_fd(*state)));
}

static void test_log_ring_full_forgets_the_oldest(void **state)
{
    struct aw_log_line line;
    char last[16];

    for (unsigned i = 0; i < AW_LOG_RING_LINES + 3; i++)
        aw_log(AW_LOG_INFO, "line %u", i);
    check_span(*state, 3, AW_LOG_RING_LINES + 3);
    assert_false(aw_log_ring_get(*state, 2, &line));
    assert_true(aw_log_ring_get(*state, 3, &line));
    assert_string_equal(line.text, "line 3");
    assert_true(aw_log_ring_get(*state, AW_LOG_RING_LINES + 2, &line));
    snprintf(last, sizeof(last), "line %u", AW_LOG_RING_LINES + 2);
    assert_string_equal(line.text, last);
}

static void test_log_ring_freed_takes_no_more(void **state)
{
    aw_log_ring_free(*state);
    *state = NULL;
    aw_log(AW_LOG_INFO, "after it");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_log_ring_new_has_no_line),
        TEST(test_log_ring_keeps_a_line_with_level_and_rings),
        TEST(test_log_ring_full_forgets_the_oldest),
        TEST(test_log_ring_freed_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
