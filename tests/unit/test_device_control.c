/* What a driver does beside frames, asked for by any thread. */
#include <errno.h>

#include "tests/support/device_support.h"

/* Adds `request` to the number that the argument is, on the reader's thread. */
static int add(struct aw_link *link, uint32_t request, void *argument)
{
    (void)link;
    assert_int_equal(aw_role_current(), AW_ROLE_READER);
    *(uint32_t *)argument += request;
    return request == 13 ? -EINVAL : (int)request;
}

static struct fake *open_with_control(void **state)
{
    struct fake *fake = *state;

    fake->driver.control = add;
    fake->config.common[AW_COMMON_ON_LOSS].integer = AW_ON_LOSS_WAIT;
    fake_open(fake);
    return fake;
}

static void test_control_is_done_by_the_reader(void **state)
{
    struct fake *fake = open_with_control(state);
    uint32_t sum = 1;

    assert_int_equal(aw_device_control(fake->device, 4, &sum), 4);
    assert_int_equal(aw_device_control(fake->device, 13, &sum), -EINVAL);
    assert_int_equal(sum, 18);
}

static void test_control_of_a_driver_without_is_refused(void **state)
{
    struct fake *fake = *state;

    assert_int_equal(aw_device_control(fake->device, 1, NULL), -EOPNOTSUPP);
}

static void test_control_of_a_device_that_is_away_is_refused(void **state)
{
    struct fake *fake = open_with_control(state);
    uint32_t sum = 0;

    fake_missing(fake, -ENODEV);
    fake_end(fake, ENODEV);
    fake_wait(fake, &fake->closes, 1);
    go_round(fake);
    assert_int_equal(aw_device_control(fake->device, 1, &sum), -ENETDOWN);
    assert_int_equal(sum, 0);
}

static void test_control_of_a_lost_device_is_refused(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;
    uint32_t sum = 0;

    fake->driver.control = add;
    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_end(fake, EIO);
    wait_state(fake, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_device_control(fake->device, 1, &sum), -ENODEV);
    retire_queue(fake, queue);
}

static void test_control_of_a_closed_device_is_refused(void **state)
{
    struct fake *fake = open_with_control(state);
    uint32_t sum = 0;

    aw_device_close(fake->device);
    assert_int_equal(aw_device_control(fake->device, 1, &sum), -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_control_is_done_by_the_reader),
        TEST_OPEN(test_control_of_a_driver_without_is_refused),
        TEST_UNOPENED(test_control_of_a_device_that_is_away_is_refused),
        TEST_UNOPENED(test_control_of_a_lost_device_is_refused),
        TEST_UNOPENED(test_control_of_a_closed_device_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
