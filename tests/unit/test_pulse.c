/* The pulse, of a reader that the test can make hang: it reads under the fake's
 * lock. */
#include "tests/support/fake_device.h"

#include "daemon/pulse.h"

#define LOOKS 20u

static struct aw_device_table table;

/* Waits until the reader has taken so many turns. */
static void wait_for_turns(const struct aw_device *device, uint32_t turns)
{
    struct timespec now, deadline = fake_deadline();

    while (aw_device_turns(device) < turns) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec < deadline.tv_sec);
        sched_yield();
    }
}

/* Of a reader that sleeps, and has taken one turn. */
static struct aw_pulse *pulse_of(struct fake *fake) AW_ON(main)
{
    struct aw_pulse *pulse;

    aw_device_ping(fake->device);
    wait_for_turns(fake->device, 1);
    table = (struct aw_device_table){.devices = &fake->device, .count = 1};
    assert_int_equal(aw_pulse_new(&table, &pulse), 0);
    return pulse;
}

static void test_pulse_idle_reader_is_rung_at_every_second_look(void **state)
{
    struct fake *fake = *state;
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    pulse = pulse_of(fake);
    for (uint32_t i = 0; i < LOOKS; i += 2) {
        assert_true(aw_pulse_look(pulse));
        wait_for_turns(fake->device, 2 + i / 2);
        assert_true(aw_pulse_look(pulse));
    }
    assert_int_equal(aw_device_turns(fake->device), 1 + LOOKS / 2);
    aw_pulse_free(pulse);
}

static void test_pulse_busy_reader_is_not_rung(void **state)
{
    struct fake *fake = *state;
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    pulse = pulse_of(fake);
    for (uint32_t i = 0; i < LOOKS; i++) {
        aw_device_ping(fake->device); /* in place of frames */
        wait_for_turns(fake->device, 2 + i);
        assert_true(aw_pulse_look(pulse));
    }
    assert_int_equal(aw_device_turns(fake->device), 1 + LOOKS);
    aw_pulse_free(pulse);
}

static void test_pulse_hanging_reader_is_found_and_named(void **state)
{
    struct fake *fake = *state;
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    pulse = pulse_of(fake);
    pthread_mutex_lock(&fake->lock);
    fake_ring(fake);
    assert_true(aw_pulse_look(pulse));
    assert_false(aw_pulse_look(pulse));
    assert_string_equal(aw_pulse_stuck(pulse), "bench");
    assert_false(aw_pulse_look(pulse));
    pthread_mutex_unlock(&fake->lock);

    wait_for_turns(fake->device, 2);
    assert_true(aw_pulse_look(pulse));
    assert_null(aw_pulse_stuck(pulse));
    aw_pulse_free(pulse);
}

static void test_pulse_closed_device_counts_as_alive(void **state)
{
    struct fake *fake = *state;
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    pulse = pulse_of(fake);
    aw_device_close(fake->device);
    for (uint32_t i = 0; i < LOOKS; i++)
        assert_true(aw_pulse_look(pulse));
    aw_pulse_free(pulse);
}

static void test_pulse_added_device_is_looked_at_from_then_on(void **state)
{
    struct fake *fake = *state;
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    table = (struct aw_device_table){.devices = &fake->device, .count = 0};
    assert_int_equal(aw_pulse_new(&table, &pulse), 0);
    pthread_mutex_lock(&fake->lock);
    fake_ring(fake);
    assert_true(aw_pulse_look(pulse));
    assert_true(aw_pulse_look(pulse));
    table.count = 1;
    assert_true(aw_pulse_look(pulse));
    assert_false(aw_pulse_look(pulse));
    assert_string_equal(aw_pulse_stuck(pulse), "bench");
    pthread_mutex_unlock(&fake->lock);
    aw_pulse_free(pulse);
}

/* One that leaves has scripts that use it. */
static void test_pulse_removed_device_counts_until_it_has_left(void **state)
{
    struct fake *fake = *state;
    struct aw_leaving_device leaving = {.device = fake->device};
    struct aw_pulse *pulse;

    aw_role_assume(&aw_role_main);
    pulse = pulse_of(fake);
    table.count = 0;
    table.leaving = &leaving;
    table.leaving_count = 1;
    pthread_mutex_lock(&fake->lock);
    fake_ring(fake);
    assert_true(aw_pulse_look(pulse));
    assert_false(aw_pulse_look(pulse));
    table.leaving_count = 0;
    assert_true(aw_pulse_look(pulse));
    assert_null(aw_pulse_stuck(pulse));
    pthread_mutex_unlock(&fake->lock);
    aw_pulse_free(pulse);
}

static void test_pulse_without_devices_is_always_there(void **state)
{
    const struct aw_device_table none = {.count = 0};
    struct aw_pulse *pulse;

    (void)state;
    aw_role_assume(&aw_role_main);
    assert_int_equal(aw_pulse_new(&none, &pulse), 0);
    assert_true(aw_pulse_look(pulse));
    assert_null(aw_pulse_stuck(pulse));
    aw_pulse_free(pulse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OPEN(test_pulse_idle_reader_is_rung_at_every_second_look),
        TEST_OPEN(test_pulse_busy_reader_is_not_rung),
        TEST_OPEN(test_pulse_hanging_reader_is_found_and_named),
        TEST_OPEN(test_pulse_closed_device_counts_as_alive),
        TEST_OPEN(test_pulse_added_device_is_looked_at_from_then_on),
        TEST_OPEN(test_pulse_removed_device_counts_until_it_has_left),
        cmocka_unit_test(test_pulse_without_devices_is_always_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
