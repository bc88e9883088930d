#include "devices/queue/clock.h"

#include "tests/support/unit.h"

static void test_clock_realtime_is_that_of_the_system(void **state)
{
    struct timespec before, after;
    uint64_t now_ns;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &before);
    now_ns = aw_clock_realtime_ns();
    clock_gettime(CLOCK_REALTIME, &after);
    /* Unless it was set meanwhile. */
    if (before.tv_sec > after.tv_sec)
        skip();
    assert_in_range(now_ns / AW_NS_PER_S, before.tv_sec, after.tv_sec);
}

static void test_clock_monotonic_never_goes_back(void **state)
{
    uint64_t last_ns = aw_clock_monotonic_ns();

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now_ns = aw_clock_monotonic_ns();

        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_realtime_is_that_of_the_system),
        cmocka_unit_test(test_clock_monotonic_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
