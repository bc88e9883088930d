/* Claims: held, released and returned, in any order. */
#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

static int make(void **state)
{
    *state = new_queue(8);
    return 0;
}

static int unmake(void **state)
{
    aw_queue_unref(*state);
    return 0;
}

static void assert_exact(const struct aw_queue *queue, uint64_t delivered,
                         uint64_t pending)
{
    struct aw_stats stats = stats_of(queue);

    assert_true(aw_stats_exact(&stats));
    assert_int_equal(stats.delivered, delivered);
    assert_int_equal(stats.pending, pending);
}

static void test_queue_claim_of_nothing_gives_nothing(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    assert_int_equal(aw_queue_claim(queue, 1, &claim), 0);
    send_ids(queue, 1, 1);
    assert_int_equal(aw_queue_claim(queue, 0, &claim), 0);
    assert_int_equal(aw_queue_claims(queue), 0);
}

static void test_queue_claim_takes_the_oldest_in_order(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    send_ids(queue, 1, 5);
    claim = claim_frames(queue, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(at(queue, &claim, i)->id, 1 + i);
    assert_int_equal(aw_queue_pending(queue), 2);
    assert_int_equal(aw_queue_claims(queue), 1);
    assert_exact(queue, 0, 5);
}

static void test_queue_claim_while_one_is_held_goes_on_behind_it(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 4);
    held = claim_frames(queue, 2);
    take_id(queue, 3);
    /* Delivered when it leaves the ring, in order. */
    assert_exact(queue, 0, 4);
    aw_queue_release(queue, &held);
    assert_exact(queue, 3, 1);
}

static void test_queue_claim_returned_is_next_and_in_order(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 4);
    held = claim_frames(queue, 2);
    take_id(queue, 3);
    aw_queue_return(queue, &held);
    assert_int_equal(aw_queue_pending(queue), 3);
    take_id(queue, 1);
    take_id(queue, 2);
    take_id(queue, 4);
    assert_exact(queue, 4, 0);
}

static void test_queue_claim_stops_before_what_was_not_returned(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim first, claim;

    send_ids(queue, 1, 4);
    first = claim_frames(queue, 1);
    claim_frames(queue, 1);
    aw_queue_return(queue, &first);
    assert_int_equal(aw_queue_pending(queue), 3);
    assert_int_equal(aw_queue_claim(queue, 3, &claim), 1);
    assert_int_equal(at(queue, &claim, 0)->id, 1);
    assert_int_equal(aw_queue_claim(queue, 3, &claim), 2);
    assert_int_equal(at(queue, &claim, 0)->id, 3);
}

static void test_queue_claim_held_keeps_its_slots(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 8);
    held = claim_frames(queue, 1);
    for (uint32_t id = 2; id <= 8; id++)
        take_id(queue, id);
    send_ids(queue, 100, 1);
    assert_int_equal(stats_of(queue).dropped_overflow, 1);
    assert_int_equal(at(queue, &held, 0)->id, 1);
    aw_queue_release(queue, &held);
    send_ids(queue, 101, 8);
    assert_int_equal(stats_of(queue).dropped_overflow, 1);
}

static void test_queue_claim_held_32_times_is_the_most(void **state)
{
    struct aw_queue *queue = new_queue(64);
    struct aw_claim claims[AW_RUNS_HELD_MAX], more;

    (void)state;
    send_ids(queue, 0, 64);
    for (unsigned i = 0; i < AW_RUNS_HELD_MAX; i++)
        claims[i] = claim_frames(queue, 1);
    assert_int_equal(aw_queue_claims(queue), AW_RUNS_HELD_MAX);
    assert_int_equal(aw_queue_claim(queue, 1, &more), 0);
    assert_int_equal(aw_queue_clear(queue), 0);
    aw_queue_return(queue, &claims[7]);
    take_id(queue, 7);
    for (unsigned i = 0; i < AW_RUNS_HELD_MAX; i++)
        if (i != 7)
            aw_queue_release(queue, &claims[i]);
    assert_exact(queue, AW_RUNS_HELD_MAX, 32);
    aw_queue_unref(queue);
}

static void test_queue_clear_spares_what_is_claimed(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 5);
    held = claim_frames(queue, 2);
    assert_int_equal(aw_queue_clear(queue), 3);
    aw_queue_return(queue, &held);
    take_id(queue, 1);
    take_id(queue, 2);
    assert_exact(queue, 2, 0);
    assert_int_equal(stats_of(queue).dropped_cleared, 3);
}

static void test_queue_clear_throws_returned_frames_away(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim first, second;

    send_ids(queue, 1, 5);
    first = claim_frames(queue, 1);
    second = claim_frames(queue, 1);
    aw_queue_return(queue, &first);
    assert_int_equal(aw_queue_clear(queue), 4);
    aw_queue_release(queue, &second);
    assert_exact(queue, 1, 0);
}

/* A lease that is held while frames are taken and cleared in turn. */
static void test_queue_clear_beside_a_long_claim_goes_on(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send_ids(queue, 1, 1);
    held = claim_frames(queue, 1);
    for (uint32_t i = 0; i < 3; i++) {
        send_ids(queue, 10, 2);
        take_id(queue, 10);
        assert_int_equal(aw_queue_clear(queue), 1);
    }
    aw_queue_release(queue, &held);
    assert_exact(queue, 4, 0);
    assert_int_equal(stats_of(queue).dropped_cleared, 3);
}

static void test_queue_abandon_counts_held_claims_as_closed(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 6);
    claim_frames(queue, 2);
    take_id(queue, 3);
    claim_frames(queue, 1);
    finish(queue, AW_QUEUE_CLOSED, 0);
    assert_int_equal(aw_queue_abandon(queue), 5);
    assert_exact(queue, 1, 0);
    assert_int_equal(stats_of(queue).dropped_closed, 5);
    assert_int_equal(aw_queue_claims(queue), 0);
}

static void test_queue_claim_returned_can_be_waited_for_no_more(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_waker waker;
    struct aw_claim claim;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    send_ids(queue, 1, 1);
    claim = claim_frames(queue, 1);
    assert_true(aw_queue_arm(queue, &waker));
    aw_queue_return(queue, &claim);
    assert_false(aw_queue_arm(queue, &waker));
    aw_waker_deinit(&waker);
}

static void test_queue_release_behind_a_claim_makes_no_room_yet(void **state)
{
    struct aw_queue *queue = new_queue_of(AW_OVERFLOW_BLOCK, 2);
    struct aw_claim held;
    int bell = aw_eventfd_new();

    (void)state;
    assert_int_equal(set_bell(queue, bell), 0);
    send_ids(queue, 1, 2);
    held = claim_frames(queue, 1);
    assert_int_equal(room_of(queue), 0);
    take_id(queue, 2);
    assert_false(aw_eventfd_clear(bell));
    aw_queue_release(queue, &held);
    assert_true(aw_eventfd_clear(bell));
    assert_int_equal(room_of(queue), 2);
    aw_eventfd_close(bell);
    aw_queue_unref(queue);
}

static void test_queue_damaged_gives_no_claim_and_counts_the_held(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held, claim;
    struct aw_frame *slot = aw_ring_slot(&queue->ring, 1);

    send_ids(queue, 1, 3);
    held = claim_frames(queue, 2);
    slot->kind = 200;
    assert_null(aw_queue_at(queue, &held, 1));
    assert_null(aw_queue_at(queue, &held, 0));
    aw_queue_return(queue, &held);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 0);
    assert_int_equal(aw_queue_abandon(queue), 2);
    assert_exact(queue, 0, 1);
}

#define CLAIM_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM_TEST(test_queue_claim_of_nothing_gives_nothing),
        CLAIM_TEST(test_queue_claim_takes_the_oldest_in_order),
        CLAIM_TEST(test_queue_claim_while_one_is_held_goes_on_behind_it),
        CLAIM_TEST(test_queue_claim_returned_is_next_and_in_order),
        CLAIM_TEST(test_queue_claim_stops_before_what_was_not_returned),
        CLAIM_TEST(test_queue_claim_held_keeps_its_slots),
        CLAIM_TEST(test_queue_claim_held_32_times_is_the_most),
        CLAIM_TEST(test_queue_clear_spares_what_is_claimed),
        CLAIM_TEST(test_queue_clear_throws_returned_frames_away),
        CLAIM_TEST(test_queue_clear_beside_a_long_claim_goes_on),
        CLAIM_TEST(test_queue_abandon_counts_held_claims_as_closed),
        CLAIM_TEST(test_queue_claim_returned_can_be_waited_for_no_more),
        CLAIM_TEST(test_queue_release_behind_a_claim_makes_no_room_yet),
        CLAIM_TEST(test_queue_damaged_gives_no_claim_and_counts_the_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
