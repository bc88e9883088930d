/* Cyclic transmission, as far as it goes without a bus: what is refused before
 * the kernel is asked. What it then sends is tested in the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants these four before it. */
#include <cmocka.h>

#include <errno.h>

#include "devices/can_periodic.h"

#define NO_INTERFACE 0x7ffffff0

static struct aw_can_periodic request(uint64_t period_ns, uint32_t id,
                                      uint16_t flags)
{
    struct aw_can_periodic made = {.period_ns = period_ns};
    void *slot = made.frame;
    struct aw_frame *frame = slot;

    *frame = (struct aw_frame){
        .kind = AW_KIND_CAN, .id = id, .length = 1, .flags = flags};
    return made;
}

/* What comes of it on a device that has none yet. */
static int asked(uint32_t what, const struct aw_can_periodic *argument, bool fd)
{
    struct aw_can_periodics *periodics = NULL;
    int result;

    aw_role_assume(&aw_role_reader);
    result =
        aw_can_periodic_control(&periodics, NO_INTERFACE, fd, what, argument);
    aw_can_periodics_free(periodics);
    return result;
}

static void test_periodic_period_out_of_range_is_refused(void **state)
{
    struct aw_can_periodic shorter = request(AW_CAN_PERIOD_MIN_NS - 1, 1, 0);
    struct aw_can_periodic longer = request(AW_CAN_PERIOD_MAX_NS + 1, 1, 0);

    (void)state;
    assert_int_equal(asked(AW_CAN_PERIODIC_START, &shorter, true), -EINVAL);
    assert_int_equal(asked(AW_CAN_PERIODIC_START, &longer, true), -EINVAL);
}

static void test_periodic_error_frame_is_refused(void **state)
{
    struct aw_can_periodic error =
        request(AW_CAN_PERIOD_MIN_NS, AW_CAN_ERROR | 1, 0);

    (void)state;
    assert_int_equal(asked(AW_CAN_PERIODIC_START, &error, true), -EINVAL);
}

static void test_periodic_fd_frame_on_a_classic_device_is_refused(void **state)
{
    struct aw_can_periodic fd = request(AW_CAN_PERIOD_MIN_NS, 1, AW_FRAME_FD);

    (void)state;
    assert_int_equal(asked(AW_CAN_PERIODIC_START, &fd, false), -EOPNOTSUPP);
}

static void test_periodic_frame_too_long_for_any_bus_is_refused(void **state)
{
    struct aw_can_periodic large = request(AW_CAN_PERIOD_MIN_NS, 1, 0);
    void *slot = large.frame;

    (void)state;
    ((struct aw_frame *)slot)->length = AW_PAYLOAD_FD + 1;
    assert_int_equal(asked(AW_CAN_PERIODIC_START, &large, true), -EINVAL);
}

static void
test_periodic_that_is_not_there_can_be_neither_changed_nor_stopped(void **state)
{
    struct aw_can_periodic none = request(AW_CAN_PERIOD_MIN_NS, 1, 0);

    (void)state;
    for (int32_t number = -1; number <= 1; number++) {
        none.number = number;
        assert_int_equal(asked(AW_CAN_PERIODIC_MODIFY, &none, true), -ENOENT);
        assert_int_equal(asked(AW_CAN_PERIODIC_STOP, &none, true), -ENOENT);
    }
}

static void test_periodic_failure_of_the_kernel_leaves_nothing(void **state)
{
    struct aw_can_periodic good = request(AW_CAN_PERIOD_MIN_NS, 1, 0);
    int result = asked(AW_CAN_PERIODIC_START, &good, true);

    (void)state;
    /* No CAN at all, no broadcast manager, or no such interface. */
    assert_true(result == -EAFNOSUPPORT || result == -EPROTONOSUPPORT ||
                result == -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periodic_period_out_of_range_is_refused),
        cmocka_unit_test(test_periodic_error_frame_is_refused),
        cmocka_unit_test(test_periodic_fd_frame_on_a_classic_device_is_refused),
        cmocka_unit_test(test_periodic_frame_too_long_for_any_bus_is_refused),
        cmocka_unit_test(
            test_periodic_that_is_not_there_can_be_neither_changed_nor_stopped),
        cmocka_unit_test(test_periodic_failure_of_the_kernel_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
