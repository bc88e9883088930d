/* A queue of policy `drop-oldest`. Its ring is in test_ring_evict.c. */
#include <errno.h>

#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

static int make(void **state)
{
    *state = new_queue_of(AW_OVERFLOW_DROP_OLDEST, 4);
    return 0;
}

static int unmake(void **state)
{
    aw_queue_unref(*state);
    return 0;
}

static void assert_exact(const struct aw_queue *queue, uint64_t delivered,
                         uint64_t overflow, uint64_t pending)
{
    struct aw_stats stats = stats_of(queue);

    assert_true(aw_stats_exact(&stats));
    assert_int_equal(stats.delivered, delivered);
    assert_int_equal(stats.dropped_overflow, overflow);
    assert_int_equal(stats.pending, pending);
}

static void assert_told(const struct aw_frame *frame, uint32_t lost, int cause)
{
    assert_non_null(frame);
    assert_int_equal(frame->lost_before, lost);
    assert_int_equal(frame->lost_cause, cause);
}

static void test_queue_evict_keeps_the_newest(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 10);
    assert_exact(queue, 0, 6, 4);
    for (uint32_t id = 7; id <= 10; id++)
        take_id(queue, id);
    assert_exact(queue, 4, 6, 0);
}

static void test_queue_evict_one_by_one_keeps_the_newest(void **state)
{
    struct aw_queue *queue = *state;

    for (uint32_t id = 1; id <= 1000; id++)
        send_ids(queue, id, 1);
    assert_exact(queue, 0, 996, 4);
    take_id(queue, 997);
}

static void test_queue_evict_is_told_to_the_next_frame_taken(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 10);
    assert_told(look(queue, 0), 6, AW_LOSS_OVERFLOW);
    assert_told(look(queue, 1), 0, AW_LOSS_NONE);
    take_id(queue, 7);
    send_ids(queue, 11, 1);
    take_id(queue, 8);
    take_id(queue, 9);
    take_id(queue, 10);
    assert_told(look(queue, 0), 0, AW_LOSS_NONE);
}

static void test_queue_evict_passes_on_what_the_evicted_were_told(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 2);
    charge(queue, 100);
    send_ids(queue, 3, 8);
    assert_told(look(queue, 0), 106, AW_LOSS_KERNEL | AW_LOSS_OVERFLOW);
}

static void test_queue_evict_tells_later_losses_to_later_frames(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 6);
    charge(queue, 100);
    send_ids(queue, 7, 1);
    assert_told(look(queue, 0), 3, AW_LOSS_OVERFLOW);
    assert_told(look(queue, 3), 100, AW_LOSS_KERNEL);
}

static void test_queue_evict_between_claims_is_told(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 4);
    take_id(queue, 1);
    take_id(queue, 2);
    send_ids(queue, 5, 4);
    assert_told(look(queue, 0), 2, AW_LOSS_OVERFLOW);
    take_id(queue, 5);
}

static void test_queue_evict_leaves_a_claim_alone(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 4);
    held = claim_frames(queue, 2);
    send_ids(queue, 5, 10);
    assert_int_equal(at(queue, &held, 0)->id, 1);
    assert_int_equal(at(queue, &held, 1)->id, 2);
    assert_exact(queue, 0, 8, 6);
    aw_queue_release(queue, &held);
    take_id(queue, 11);
    assert_exact(queue, 3, 8, 3);
}

static void test_queue_evict_beside_a_long_claim_drops_the_newest(void **state)
{
    struct aw_queue *queue = *state;
    const struct aw_frame *next;
    struct aw_claim held;

    send_ids(queue, 0, 4);
    held = claim_frames(queue, 1);
    send_ids(queue, 1000, 500);
    assert_int_equal(at(queue, &held, 0)->id, 0);
    /* 128 slots: frame 128 would have taken the claim's. */
    next = look(queue, 0);
    assert_int_equal(next->id, 1000 + 128 - 4 - 4);
    assert_told(next, 3 + 120, AW_LOSS_OVERFLOW);
    assert_exact(queue, 0, 500 - 1, 5);
    aw_queue_release(queue, &held);
    aw_queue_clear(queue);
    send_ids(queue, 1, 1);
    assert_told(look(queue, 0), 500 - 124, AW_LOSS_OVERFLOW);
}

static void test_queue_evict_returned_frames_are_kept(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 4);
    held = claim_frames(queue, 2);
    send_ids(queue, 5, 10);
    aw_queue_return(queue, &held);
    assert_int_equal(aw_queue_pending(queue), 6);
    take_id(queue, 1);
    take_id(queue, 2);
    take_id(queue, 11);
    assert_exact(queue, 3, 8, 3);
}

static void test_queue_evict_claims_with_a_hole_leave_in_order(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim first, second;

    send_ids(queue, 1, 4);
    first = claim_frames(queue, 1);
    send_ids(queue, 5, 10);
    second = claim_frames(queue, 2);
    assert_told(at(queue, &second, 0), 9, AW_LOSS_OVERFLOW);
    aw_queue_release(queue, &second);
    assert_exact(queue, 0, 9, 5);
    aw_queue_release(queue, &first);
    assert_exact(queue, 3, 9, 2);
}

static void test_queue_evict_batch_beyond_depth_is_exact(void **state)
{
    struct aw_queue *queue = *state;

    for (uint32_t id = 0; id < 1000; id++)
        offer_id(queue, id);
    assert_int_equal(aw_queue_pending(queue), 0);
    publish(queue);
    assert_exact(queue, 0, 996, 4);
    take_id(queue, 996);
}

static void test_queue_evict_clear_and_abandon_are_exact(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 10);
    assert_int_equal(aw_queue_clear(queue), 4);
    send_ids(queue, 1, 10);
    claim_frames(queue, 1);
    send_ids(queue, 1, 10);
    assert_int_equal(aw_queue_abandon(queue), 5);
    stats = stats_of(queue);
    assert_true(aw_stats_exact(&stats));
    assert_int_equal(stats.dropped_cleared, 4);
    assert_int_equal(stats.dropped_closed, 5);
    assert_int_equal(stats.pending, 0);
}

static void test_queue_evict_holds_nobody_up(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 10);
    assert_int_equal(room_of(queue), 4);
    assert_int_equal(stats_of(queue).stalls, 0);
}

static void test_queue_evict_of_one_is_the_newest(void **state)
{
    struct aw_queue *queue = new_queue_of(AW_OVERFLOW_DROP_OLDEST, 1);

    (void)state;
    for (uint32_t id = 0; id < 300; id++)
        send_ids(queue, id, 1);
    take_id(queue, 299);
    assert_exact(queue, 1, 299, 0);
    aw_queue_unref(queue);
}

static void test_queue_evict_high_water_is_at_most_the_depth(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 10);
    claim_frames(queue, 3);
    send_ids(queue, 1, 10);
    assert_int_equal(stats_of(queue).high_water, 4);
}

static void test_queue_evict_cursor_tampered_is_lost(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 4);
    atomic_store(&queue->ring.shared->cursor, 1000);
    send_ids(queue, 5, 1);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
}

#define EVICT_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVICT_TEST(test_queue_evict_keeps_the_newest),
        EVICT_TEST(test_queue_evict_one_by_one_keeps_the_newest),
        EVICT_TEST(test_queue_evict_is_told_to_the_next_frame_taken),
        EVICT_TEST(test_queue_evict_passes_on_what_the_evicted_were_told),
        EVICT_TEST(test_queue_evict_tells_later_losses_to_later_frames),
        EVICT_TEST(test_queue_evict_between_claims_is_told),
        EVICT_TEST(test_queue_evict_leaves_a_claim_alone),
        EVICT_TEST(test_queue_evict_beside_a_long_claim_drops_the_newest),
        EVICT_TEST(test_queue_evict_returned_frames_are_kept),
        EVICT_TEST(test_queue_evict_claims_with_a_hole_leave_in_order),
        EVICT_TEST(test_queue_evict_batch_beyond_depth_is_exact),
        EVICT_TEST(test_queue_evict_clear_and_abandon_are_exact),
        EVICT_TEST(test_queue_evict_holds_nobody_up),
        EVICT_TEST(test_queue_evict_of_one_is_the_newest),
        EVICT_TEST(test_queue_evict_high_water_is_at_most_the_depth),
        EVICT_TEST(test_queue_evict_cursor_tampered_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
