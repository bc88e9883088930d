/* Arming, waking, and the room bell of a paced device. */
#include "devices/queue/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

struct fixture {
    struct aw_queue *queue;
    struct aw_waker waker;
    int bell; /* the reader's, of a paced device */
};

static int make(void **state)
{
    static struct fixture fixture;

    fixture.queue = new_queue(3);
    fixture.bell = aw_eventfd_new();
    *state = &fixture;
    return aw_waker_init(&fixture.waker, false);
}

static int unmake(void **state)
{
    struct fixture *fixture = *state;

    aw_waker_deinit(&fixture->waker);
    aw_eventfd_close(fixture->bell);
    aw_queue_unref(fixture->queue);
    return 0;
}

static bool arm(struct fixture *fixture)
{
    return aw_queue_arm(fixture->queue, &fixture->waker);
}

/* How often the bell rang since the last look. */
static uint64_t rings(int bell)
{
    uint64_t count = 0;

    return read(bell, &count, sizeof(count)) < 0 ? 0 : count;
}

/* ---- arming ---- */

static void test_queue_armed_batch_wakes_exactly_once(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(rings(fixture->waker.fd), 1);
}

static void test_queue_armed_once_is_woken_for_one_batch_only(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 1);
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(rings(fixture->waker.fd), 1);
}

static void test_queue_not_armed_wakes_nobody(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 3);
    assert_int_equal(rings(fixture->waker.fd), 0);
    assert_int_equal(stats_of(fixture->queue).wakes, 0);
}

static void test_queue_offered_wakes_only_when_published(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    offer_id(fixture->queue, 1);
    assert_int_equal(rings(fixture->waker.fd), 0);
    publish(fixture->queue);
    assert_int_equal(rings(fixture->waker.fd), 1);
}

static void test_queue_armed_again_is_woken_again(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t id = 1; id <= 3; id++) {
        assert_true(arm(fixture));
        send_ids(fixture->queue, id, 1);
        assert_int_equal(rings(fixture->waker.fd), 1);
        take_id(fixture->queue, id);
    }
    assert_int_equal(stats_of(fixture->queue).wakes, 3);
}

static void test_queue_wake_is_in_the_ledger_when_the_bell_rings(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 1);
    assert_int_equal(stats_of(fixture->queue).wakes, 1);
}

static void test_queue_arm_sees_a_frame(void **state)
{
    struct fixture *fixture = *state;

    send_ids(fixture->queue, 1, 1);
    assert_false(arm(fixture));
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(rings(fixture->waker.fd), 0);
}

static void test_queue_arm_sees_the_end(void **state)
{
    struct fixture *fixture = *state;

    finish(fixture->queue, AW_QUEUE_END, 0);
    assert_false(arm(fixture));
}

static void test_queue_end_wakes_a_waiter(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    finish(fixture->queue, AW_QUEUE_STOPPED, 0);
    assert_int_equal(rings(fixture->waker.fd), 1);
}

static void test_queue_frames_and_end_at_once_wake_once(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    offer_id(fixture->queue, 1);
    finish(fixture->queue, AW_QUEUE_END, 0);
    assert_int_equal(rings(fixture->waker.fd), 1);
    take_id(fixture->queue, 1);
    assert_false(arm(fixture));
}

static void test_queue_disarmed_is_not_woken(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    aw_queue_disarm(fixture->queue);
    send_ids(fixture->queue, 1, 1);
    assert_int_equal(rings(fixture->waker.fd), 0);
}

static void test_queue_filtered_batch_leaves_the_waiter_asleep(void **state)
{
    struct fixture *fixture = *state;
    struct aw_filter *filter = calloc(1, sizeof(*filter));

    *filter = (struct aw_filter){.id = 2, .mask = 0x7FF};
    aw_role_assume(&aw_role_reader);
    aw_queue_set_filters(fixture->queue, filter, 1);
    assert_true(arm(fixture));
    send_ids(fixture->queue, 1, 1);
    assert_int_equal(rings(fixture->waker.fd), 0);
    assert_int_equal(stats_of(fixture->queue).filtered, 1);
    send_ids(fixture->queue, 2, 1);
    assert_int_equal(rings(fixture->waker.fd), 1);
}

static void test_queue_kernel_loss_leaves_the_waiter_asleep(void **state)
{
    struct fixture *fixture = *state;

    assert_true(arm(fixture));
    charge(fixture->queue, 5);
    publish(fixture->queue);
    assert_int_equal(rings(fixture->waker.fd), 0);
    assert_int_equal(stats_of(fixture->queue).dropped_kernel, 5);
}

static void test_queue_armed_with_a_list_is_listed(void **state)
{
    struct fixture *fixture = *state;
    struct aw_waker bridge;

    assert_int_equal(aw_waker_init(&bridge, true), 0);
    assert_true(aw_queue_arm(fixture->queue, &bridge));
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(rings(bridge.fd), 1);
    assert_ptr_equal(aw_waker_take(&bridge), fixture->queue);
    assert_null(aw_waker_next(fixture->queue));
    aw_queue_unref(fixture->queue);
    aw_waker_deinit(&bridge);
}

/* ---- the room bell ---- */

static void test_queue_room_counts_free_slots(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(room_of(fixture->queue), 3);
    send_ids(fixture->queue, 1, 2);
    assert_int_equal(room_of(fixture->queue), 1);
}

static void test_queue_full_and_paced_rings_at_release(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(room_of(fixture->queue), 0);
    take_id(fixture->queue, 1);
    assert_int_equal(rings(fixture->bell), 1);
    assert_int_equal(room_of(fixture->queue), 1);
}

static void test_queue_room_bell_rings_once_per_wish(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(room_of(fixture->queue), 0);
    take_id(fixture->queue, 1);
    take_id(fixture->queue, 2);
    assert_int_equal(rings(fixture->bell), 1);
}

static void test_queue_room_unasked_for_rings_nothing(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    take_id(fixture->queue, 1);
    assert_int_equal(rings(fixture->bell), 0);
}

static void test_queue_clear_rings_for_room(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(room_of(fixture->queue), 0);
    aw_queue_clear(fixture->queue);
    assert_int_equal(rings(fixture->bell), 1);
}

/* The reader's fd may be gone, and its number another file's, when the last
 * frames are taken. */
static void test_queue_outliving_its_reader_rings_no_foreign_fd(void **state)
{
    struct fixture *fixture = *state;
    int other;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(room_of(fixture->queue), 0);
    finish(fixture->queue, AW_QUEUE_STOPPED, 0);
    aw_eventfd_close(fixture->bell);
    other = aw_eventfd_new();
    assert_int_equal(other, fixture->bell);
    take_id(fixture->queue, 1);
    assert_int_equal(rings(other), 0);
}

static void test_queue_bell_that_is_no_fd_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, -1), -EBADF);
}

static void test_queue_no_longer_open_holds_nobody_up(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    finish(fixture->queue, AW_QUEUE_CLOSED, 0);
    assert_int_equal(room_of(fixture->queue), 3);
}

/* ---- stalls ---- */

static void test_queue_stall_is_in_the_ledger_while_it_lasts(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(stats_of(fixture->queue).stalls, 0);
    assert_int_equal(room_of(fixture->queue), 0);
    assert_int_equal(room_of(fixture->queue), 0);
    assert_int_equal(stats_of(fixture->queue).stalls, 1);
    assert_int_equal(stats_of(fixture->queue).stalled_ns, 0);
}

static void test_queue_stall_ends_when_there_is_room(void **state)
{
    struct fixture *fixture = *state;
    uint64_t began_ns;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    began_ns = aw_clock_monotonic_ns();
    assert_int_equal(room_of(fixture->queue), 0);
    take_id(fixture->queue, 1);
    assert_int_equal(room_of(fixture->queue), 1);
    assert_true(stats_of(fixture->queue).stalled_ns > 0);
    assert_true(stats_of(fixture->queue).stalled_ns <=
                aw_clock_monotonic_ns() - began_ns);
    assert_int_equal(room_of(fixture->queue), 1);
    assert_int_equal(stats_of(fixture->queue).stalls, 1);
}

static void test_queue_stall_again_counts_again(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    for (uint32_t i = 0; i < 3; i++) {
        send_ids(fixture->queue, 1, 3);
        assert_int_equal(room_of(fixture->queue), 0);
        aw_queue_clear(fixture->queue);
        assert_int_equal(room_of(fixture->queue), 3);
    }
    assert_int_equal(stats_of(fixture->queue).stalls, 3);
}

static void test_queue_stall_ends_with_the_queue(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(set_bell(fixture->queue, fixture->bell), 0);
    send_ids(fixture->queue, 1, 3);
    assert_int_equal(room_of(fixture->queue), 0);
    finish(fixture->queue, AW_QUEUE_CLOSED, 0);
    assert_true(stats_of(fixture->queue).stalled_ns > 0);
}

#define WAIT_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAIT_TEST(test_queue_armed_batch_wakes_exactly_once),
        WAIT_TEST(test_queue_armed_once_is_woken_for_one_batch_only),
        WAIT_TEST(test_queue_not_armed_wakes_nobody),
        WAIT_TEST(test_queue_offered_wakes_only_when_published),
        WAIT_TEST(test_queue_armed_again_is_woken_again),
        WAIT_TEST(test_queue_wake_is_in_the_ledger_when_the_bell_rings),
        WAIT_TEST(test_queue_arm_sees_a_frame),
        WAIT_TEST(test_queue_arm_sees_the_end),
        WAIT_TEST(test_queue_end_wakes_a_waiter),
        WAIT_TEST(test_queue_frames_and_end_at_once_wake_once),
        WAIT_TEST(test_queue_disarmed_is_not_woken),
        WAIT_TEST(test_queue_filtered_batch_leaves_the_waiter_asleep),
        WAIT_TEST(test_queue_kernel_loss_leaves_the_waiter_asleep),
        WAIT_TEST(test_queue_armed_with_a_list_is_listed),
        WAIT_TEST(test_queue_room_counts_free_slots),
        WAIT_TEST(test_queue_full_and_paced_rings_at_release),
        WAIT_TEST(test_queue_room_bell_rings_once_per_wish),
        WAIT_TEST(test_queue_room_unasked_for_rings_nothing),
        WAIT_TEST(test_queue_clear_rings_for_room),
        WAIT_TEST(test_queue_outliving_its_reader_rings_no_foreign_fd),
        WAIT_TEST(test_queue_bell_that_is_no_fd_is_refused),
        WAIT_TEST(test_queue_no_longer_open_holds_nobody_up),
        WAIT_TEST(test_queue_stall_is_in_the_ledger_while_it_lasts),
        WAIT_TEST(test_queue_stall_ends_when_there_is_room),
        WAIT_TEST(test_queue_stall_again_counts_again),
        WAIT_TEST(test_queue_stall_ends_with_the_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
