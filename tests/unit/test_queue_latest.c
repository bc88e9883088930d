/* A queue of policy `latest`. Its store is in test_latest.c. */
#include <errno.h>

#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

static int make(void **state)
{
    *state = new_queue_of(AW_OVERFLOW_LATEST, 4);
    return 0;
}

static int unmake(void **state)
{
    aw_queue_unref(*state);
    return 0;
}

/* Publishes a frame of `id` whose payload is all `value`. */
static void send(struct aw_queue *queue, uint32_t id, int value)
{
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_CAN, id, 8);

    memset(frame->payload, value, 8);
    offer(queue, frame);
    publish(queue);
}

static int peek(struct aw_queue *queue, uint32_t id, struct aw_frame *frame)
{
    struct aw_key key = aw_key_of_can(id);

    return aw_queue_peek(queue, &key, frame);
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

static void test_queue_latest_depth_is_what_was_asked_for(void **state)
{
    struct aw_queue *queue = new_queue_of(AW_OVERFLOW_DROP_OLDEST, 4);

    assert_int_equal(aw_queue_depth(*state), 4);
    assert_int_equal(aw_queue_depth(queue), 4);
    aw_queue_unref(queue);
}

static void test_queue_latest_gives_the_newest_of_each_id(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    send(queue, 1, 10);
    send(queue, 2, 20);
    send(queue, 1, 11);
    assert_int_equal(aw_queue_pending(queue), 2);
    assert_exact(queue, 0, 1, 2);
    claim = claim_frames(queue, 2);
    assert_int_equal(at(queue, &claim, 0)->payload[0], 11);
    assert_int_equal(at(queue, &claim, 1)->payload[0], 20);
    aw_queue_release(queue, &claim);
    assert_exact(queue, 2, 1, 0);
}

static void test_queue_latest_more_ids_than_depth_drop_the_new_id(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 6);
    assert_exact(queue, 0, 2, 4);
    take_id(queue, 1);
    /* The next frame, whatever its id, is told. */
    send_ids(queue, 2, 1);
    assert_int_equal(look(queue, 0)->lost_before, 3);
}

static void test_queue_latest_claimed_frame_is_not_replaced(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;

    send(queue, 1, 10);
    held = claim_frames(queue, 1);
    send(queue, 1, 11);
    send(queue, 1, 12);
    assert_int_equal(at(queue, &held, 0)->payload[0], 10);
    assert_exact(queue, 0, 1, 2);
    take_id(queue, 1);
    aw_queue_release(queue, &held);
    assert_exact(queue, 2, 1, 0);
}

static void test_queue_latest_returned_frame_comes_before_newer(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    send(queue, 1, 10);
    claim = claim_frames(queue, 1);
    send(queue, 1, 11);
    aw_queue_return(queue, &claim);
    assert_int_equal(aw_queue_pending(queue), 2);
    claim = claim_frames(queue, 1);
    assert_int_equal(at(queue, &claim, 0)->payload[0], 10);
    aw_queue_release(queue, &claim);
    assert_int_equal(look(queue, 0)->payload[0], 11);
}

static void test_queue_latest_claims_are_bounded_by_their_ring(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claims[17], more;

    for (int i = 0; i < 17; i++) {
        send_ids(queue, 1, 4);
        claims[i] = claim_frames(queue, 4);
    }
    send_ids(queue, 1, 4);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_claim(queue, 1, &more), 0);
    assert_exact(queue, 0, 0, 72);
    aw_queue_release(queue, &claims[0]);
    assert_int_equal(aw_queue_pending(queue), 4);
    assert_int_equal(aw_queue_abandon(queue), 68);
    assert_exact(queue, 4, 0, 0);
}

static void test_queue_latest_peek_takes_nothing(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;
    struct aw_frame *frame = frame_of(&memory);

    assert_int_equal(peek(queue, 1, frame), AW_PEEK_NONE);
    send(queue, 1, 10);
    assert_int_equal(peek(queue, 1, frame), AW_PEEK_PENDING);
    assert_int_equal(frame->payload[0], 10);
    assert_exact(queue, 0, 0, 1);
    take_id(queue, 1);
    assert_int_equal(peek(queue, 1, frame), AW_PEEK_TAKEN);
}

static void test_queue_latest_peeked_and_replaced_is_exact(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;

    send(queue, 1, 10);
    assert_int_equal(peek(queue, 1, frame_of(&memory)), AW_PEEK_PENDING);
    send(queue, 1, 11);
    /* Counted when the consumer looks again. */
    assert_exact(queue, 0, 0, 2);
    assert_int_equal(peek(queue, 1, frame_of(&memory)), AW_PEEK_PENDING);
    assert_exact(queue, 0, 1, 1);
}

static void test_queue_latest_snapshot_shows_every_id(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;
    uint32_t place = 0, ids = 0;

    send_ids(queue, 1, 3);
    take_id(queue, 1);
    while (aw_queue_peek_next(queue, &place, frame_of(&memory)) > 0)
        ids += frame_of(&memory)->id;
    assert_int_equal(ids, 1 + 2 + 3);
    assert_exact(queue, 1, 0, 2);
}

static void test_queue_latest_clear_and_abandon_are_exact(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim held;
    struct aw_stats stats;

    send_ids(queue, 1, 4);
    assert_int_equal(aw_queue_clear(queue), 4);
    send_ids(queue, 1, 4);
    held = claim_frames(queue, 2);
    send_ids(queue, 1, 4);
    (void)held;
    assert_int_equal(aw_queue_abandon(queue), 6);
    stats = stats_of(queue);
    assert_true(aw_stats_exact(&stats));
    assert_int_equal(stats.dropped_cleared, 4);
    assert_int_equal(stats.dropped_closed, 6);
    assert_int_equal(stats.dropped_overflow, 2);
}

static void test_queue_latest_holds_nobody_up(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 6);
    assert_int_equal(room_of(queue), 4);
    assert_int_equal(stats_of(queue).stalls, 0);
}

static void test_queue_latest_new_frame_wakes_once(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    assert_true(aw_queue_arm(queue, &waker));
    send_ids(queue, 1, 4);
    assert_true(aw_eventfd_clear(waker.fd));
    assert_false(aw_queue_arm(queue, &waker));
    assert_int_equal(aw_queue_clear(queue), 4);
    assert_true(aw_queue_arm(queue, &waker));
    send(queue, 2, 0);
    assert_true(aw_eventfd_clear(waker.fd));
    assert_int_equal(stats_of(queue).wakes, 2);
    aw_waker_deinit(&waker);
}

static void test_queue_latest_high_water_counts_ids(void **state)
{
    struct aw_queue *queue = *state;

    for (int i = 0; i < 5; i++)
        send_ids(queue, 1, 3);
    assert_int_equal(stats_of(queue).high_water, 3);
}

static void test_queue_latest_datagrams_are_kept_by_sender(void **state)
{
    struct aw_queue_config config = test_config(4);
    struct aw_address sender = {.family = 4, .port = 1};
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_DATAGRAM, 0, 40);
    struct aw_queue *queue;

    (void)state;
    config.payload_bytes = AW_PAYLOAD_2K;
    config.overflow = AW_OVERFLOW_LATEST;
    queue = make_queue(&config);
    for (int i = 0; i < 4; i++) {
        sender.port = (uint16_t)(1 + i % 2);
        memcpy(frame->payload, &sender, sizeof(sender));
        frame->payload[39] = (uint8_t)i;
        offer(queue, frame);
    }
    publish(queue);
    assert_int_equal(aw_queue_pending(queue), 2);
    assert_int_equal(look(queue, 1)->payload[39], 3);
    aw_queue_unref(queue);
}

static void test_queue_latest_tampered_is_lost(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;
    uint32_t place = 0;

    send_ids(queue, 1, 1);
    atomic_store(&queue->latest.entries[0].middle, 7);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(peek(queue, 1, frame_of(&memory)), -EPROTO);
    assert_int_equal(aw_queue_peek_next(queue, &place, frame_of(&memory)),
                     -EPROTO);
}

/* The ring of what is claimed is full, so a claim looks for room. */
static void test_queue_latest_tampered_ring_is_lost(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim more;

    for (int i = 0; i < 17; i++) {
        send_ids(queue, 1, 4);
        claim_frames(queue, 4);
    }
    send_ids(queue, 1, 4);
    atomic_store(&queue->ring.shared->tail, 1000);
    assert_int_equal(aw_queue_claim(queue, 1, &more), 0);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
}

static void test_queue_latest_tampered_for_the_reader_is_lost(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    atomic_store(&queue->latest.entries[0].middle, 7);
    send_ids(queue, 1, 1);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
}

static void test_queue_latest_implausible_frame_is_not_shown(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;

    send_ids(queue, 1, 1);
    for (uint32_t i = 0; i < 3; i++) {
        void *slot = queue->latest.slots + i * queue->latest.slot_bytes;
        struct aw_frame *frame = slot;

        frame->kind = 200;
    }
    assert_int_equal(peek(queue, 1, frame_of(&memory)), -EPROTO);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
}

static void test_queue_of_another_policy_has_no_peek(void **state)
{
    struct aw_queue *queue = new_queue(4);
    struct test_frame memory;
    uint32_t place = 0;

    (void)state;
    send_ids(queue, 1, 1);
    assert_int_equal(peek(queue, 1, frame_of(&memory)), -EINVAL);
    assert_int_equal(aw_queue_peek_next(queue, &place, frame_of(&memory)),
                     -EINVAL);
    aw_queue_unref(queue);
}

static void test_queue_latest_without_depth_refused(void **state)
{
    struct aw_queue_config config = test_config(0);
    struct aw_queue *queue = NULL;

    (void)state;
    config.overflow = AW_OVERFLOW_LATEST;
    assert_int_equal(aw_queue_new(&config, &queue), -EINVAL);
    assert_null(queue);
}

#define LATEST_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LATEST_TEST(test_queue_latest_depth_is_what_was_asked_for),
        LATEST_TEST(test_queue_latest_gives_the_newest_of_each_id),
        LATEST_TEST(test_queue_latest_more_ids_than_depth_drop_the_new_id),
        LATEST_TEST(test_queue_latest_claimed_frame_is_not_replaced),
        LATEST_TEST(test_queue_latest_returned_frame_comes_before_newer),
        LATEST_TEST(test_queue_latest_claims_are_bounded_by_their_ring),
        LATEST_TEST(test_queue_latest_peek_takes_nothing),
        LATEST_TEST(test_queue_latest_peeked_and_replaced_is_exact),
        LATEST_TEST(test_queue_latest_snapshot_shows_every_id),
        LATEST_TEST(test_queue_latest_clear_and_abandon_are_exact),
        LATEST_TEST(test_queue_latest_holds_nobody_up),
        LATEST_TEST(test_queue_latest_new_frame_wakes_once),
        LATEST_TEST(test_queue_latest_high_water_counts_ids),
        LATEST_TEST(test_queue_latest_datagrams_are_kept_by_sender),
        LATEST_TEST(test_queue_latest_tampered_is_lost),
        LATEST_TEST(test_queue_latest_tampered_ring_is_lost),
        LATEST_TEST(test_queue_latest_tampered_for_the_reader_is_lost),
        LATEST_TEST(test_queue_latest_implausible_frame_is_not_shown),
        LATEST_TEST(test_queue_of_another_policy_has_no_peek),
        LATEST_TEST(test_queue_latest_without_depth_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
