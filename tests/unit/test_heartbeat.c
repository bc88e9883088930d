#include "pymod/heartbeat.h"

#include <string.h>

#include "devices/queue/clock.h"
#include "tests/support/unit.h"

static void test_heartbeat_that_sleeps_has_no_turn(void **state)
{
    struct aw_heartbeat heartbeat = {0};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    assert_false(aw_heartbeat_asleep(&heartbeat));
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.began_ns, 0);
    assert_int_equal(turns.turns, 0);
}

static void test_heartbeat_awake_tells_when_the_turn_began(void **state)
{
    struct aw_heartbeat heartbeat = {0};
    uint64_t before_ns = aw_clock_monotonic_ns();
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    aw_heartbeat_awake(&heartbeat);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_in_range(turns.began_ns, before_ns, aw_clock_monotonic_ns());
    assert_int_equal(turns.generation, 7);
    assert_int_equal(turns.turns, 0);
}

/* Has a turn of that length end. */
static void turn(struct aw_heartbeat *heartbeat, uint64_t length_ns)
{
    aw_heartbeat_awake(heartbeat);
    atomic_fetch_sub(&heartbeat->began_ns, length_ns);
    assert_true(aw_heartbeat_asleep(heartbeat));
}

static void test_heartbeat_turn_as_long_as_a_stall_is_counted(void **state)
{
    struct aw_heartbeat heartbeat = {.stall_ns = 3600 * AW_NS_PER_S};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    turn(&heartbeat, 10 * AW_NS_PER_S);
    turn(&heartbeat, 3600 * AW_NS_PER_S);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.turns, 2);
    assert_int_equal(turns.stalls, 1);
    assert_true(turns.longest_ns >= 3600 * AW_NS_PER_S);
    assert_int_equal(turns.began_ns, 0);
}

static void test_heartbeat_turn_is_in_the_bucket_of_its_length(void **state)
{
    struct aw_heartbeat heartbeat = {0};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    turn(&heartbeat, (UINT64_C(3) << 29) * AW_NS_PER_US);
    turn(&heartbeat, (UINT64_C(1) << 40) * AW_NS_PER_US);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.buckets[30], 1);
    assert_int_equal(turns.buckets[AW_TURN_BUCKETS - 1], 1);
}

static void test_heartbeat_awake_again_ends_the_turn_before(void **state)
{
    struct aw_heartbeat heartbeat = {0};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    aw_heartbeat_awake(&heartbeat);
    aw_heartbeat_awake(&heartbeat);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.turns, 1);
    assert_true(turns.began_ns > 0);
}

static void *wake(void *heartbeat)
{
    aw_heartbeat_awake(heartbeat);
    return NULL;
}

static void test_heartbeat_of_another_thread_is_left_alone(void **state)
{
    struct aw_heartbeat heartbeat = {0};
    struct aw_turns turns = {0};
    pthread_t thread;

    (void)state;
    aw_heartbeat_own(&heartbeat);
    assert_int_equal(pthread_create(&thread, NULL, wake, &heartbeat), 0);
    pthread_join(thread, NULL);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.began_ns, 0);
}

static void
test_heartbeats_add_up_and_the_older_turn_is_the_present(void **state)
{
    struct aw_heartbeat first = {0}, second = {0};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&first);
    aw_heartbeat_own(&second);
    turn(&first, AW_NS_PER_S);
    turn(&second, 2 * AW_NS_PER_S);
    aw_heartbeat_awake(&first);
    atomic_fetch_sub(&first.began_ns, AW_NS_PER_S);
    aw_heartbeat_awake(&second);
    aw_heartbeat_add(&second, 2, &turns);
    aw_heartbeat_add(&first, 1, &turns);
    assert_int_equal(turns.turns, 2);
    assert_int_equal(turns.generation, 1);
    assert_true(turns.longest_ns >= 2 * AW_NS_PER_S);
}

static void test_heartbeat_probe_waits_until_it_is_due(void **state)
{
    struct aw_heartbeat heartbeat = {.stall_ns = 4000 * AW_NS_PER_S};
    uint64_t before_ns = aw_clock_monotonic_ns();
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    assert_true(aw_heartbeat_probe(&heartbeat) == 1000);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_true(turns.began_ns >= before_ns + 1000 * AW_NS_PER_S);
    /* Not due: no turn has ended. */
    assert_true(aw_heartbeat_asleep(&heartbeat));
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.turns, 0);
}

static void test_heartbeat_probe_that_is_late_was_a_turn(void **state)
{
    struct aw_heartbeat heartbeat = {.stall_ns = AW_NS_PER_S};
    struct aw_turns turns = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    aw_heartbeat_probe(&heartbeat);
    atomic_fetch_sub(&heartbeat.began_ns, 2 * AW_NS_PER_S);
    aw_heartbeat_probe(&heartbeat);
    aw_heartbeat_add(&heartbeat, 7, &turns);
    assert_int_equal(turns.turns, 1);
    assert_int_equal(turns.stalls, 1);
    assert_in_range(turns.longest_ns, 1750 * AW_NS_PER_MS, UINT64_MAX);
}

static void test_heartbeat_without_stalls_is_not_probed(void **state)
{
    struct aw_heartbeat heartbeat = {0};

    (void)state;
    aw_heartbeat_own(&heartbeat);
    assert_true(aw_heartbeat_probe(&heartbeat) == 0);
    assert_false(aw_heartbeat_asleep(&heartbeat));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat_that_sleeps_has_no_turn),
        cmocka_unit_test(test_heartbeat_awake_tells_when_the_turn_began),
        cmocka_unit_test(test_heartbeat_turn_as_long_as_a_stall_is_counted),
        cmocka_unit_test(test_heartbeat_turn_is_in_the_bucket_of_its_length),
        cmocka_unit_test(test_heartbeat_awake_again_ends_the_turn_before),
        cmocka_unit_test(test_heartbeat_of_another_thread_is_left_alone),
        cmocka_unit_test(
            test_heartbeats_add_up_and_the_older_turn_is_the_present),
        cmocka_unit_test(test_heartbeat_probe_waits_until_it_is_due),
        cmocka_unit_test(test_heartbeat_probe_that_is_late_was_a_turn),
        cmocka_unit_test(test_heartbeat_without_stalls_is_not_probed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
