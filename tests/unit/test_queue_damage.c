/* A ring that another process tampered with: its queue is lost with EPROTO,
 * nobody reads outside of it, and nobody waits for it. */
#include "devices/queue/queue.h"

#include <errno.h>
#include <unistd.h>

#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

static int make(void **state)
{
    *state = new_queue(3);
    return 0;
}

static int unmake(void **state)
{
    aw_queue_unref(*state);
    return 0;
}

static void assert_lost(struct aw_queue *queue)
{
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
}

/* The slot of the oldest frame, writable. */
static struct aw_frame *oldest(struct aw_queue *queue)
{
    void *slot = queue->ring.slots;

    return slot;
}

static void test_queue_head_tampered_counts_as_empty_and_lost(void **state)
{
    struct aw_queue *queue = *state;

    atomic_store(&queue->ring.shared->head, 1000);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_lost(queue);
}

static void test_queue_head_tampered_cannot_be_waited_for(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    atomic_store(&queue->ring.shared->head, 1000);
    assert_false(aw_queue_arm(queue, &waker));
    assert_lost(queue);
    aw_waker_deinit(&waker);
}

static void test_queue_damaged_stays_empty(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    atomic_store(&queue->ring.shared->head, 1000);
    assert_int_equal(aw_queue_pending(queue), 0);
    atomic_store(&queue->ring.shared->head, 1);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 0);
    assert_int_equal(aw_queue_clear(queue), 0);
}

static void test_queue_length_beyond_slot_is_not_shown(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    oldest(queue)->length = AW_PAYLOAD_CAN + 1;
    assert_null(look(queue, 0));
    assert_lost(queue);
    assert_int_equal(aw_queue_pending(queue), 0);
}

static void test_queue_unknown_kind_is_not_shown(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    oldest(queue)->kind = 200;
    assert_null(look(queue, 0));
    assert_lost(queue);
}

static void test_queue_datagram_without_its_head_is_not_shown(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    oldest(queue)->kind = AW_KIND_DATAGRAM;
    assert_null(look(queue, 0));
    assert_lost(queue);
}

static void test_queue_can_xl_without_its_head_is_not_shown(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    oldest(queue)->kind = AW_KIND_CAN_XL;
    oldest(queue)->length = sizeof(struct aw_xl_head) - 1;
    assert_null(look(queue, 0));
    assert_lost(queue);
}

static void test_queue_can_frame_beyond_64_bytes_is_not_shown(void **state)
{
    struct aw_queue_config config = test_config(1);
    struct aw_queue *queue = NULL;

    (void)state;
    config.payload_bytes = AW_PAYLOAD_2K;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    send_ids(queue, 1, 1);
    oldest(queue)->length = AW_PAYLOAD_FD + 1;
    assert_null(look(queue, 0));
    assert_lost(queue);
    aw_queue_unref(queue);
}

static void test_queue_tail_tampered_wakes_the_waiter_and_is_lost(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    assert_true(aw_queue_arm(queue, &waker));
    atomic_store(&queue->ring.shared->tail, 1000);
    for (uint32_t id = 0; id < 4; id++)
        offer_id(queue, id);
    publish(queue);
    assert_true(aw_eventfd_clear(waker.fd));
    assert_lost(queue);
    aw_waker_deinit(&waker);
}

static void test_queue_tail_tampered_is_lost_though_nothing_passed(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    send_ids(queue, 1, 3);
    assert_int_equal(aw_queue_clear(queue), 3);
    assert_true(aw_queue_arm(queue, &waker));
    atomic_store(&queue->ring.shared->tail, 1000);
    send_ids(queue, 4, 1);
    assert_true(aw_eventfd_clear(waker.fd));
    assert_lost(queue);
    aw_waker_deinit(&waker);
}

static void test_queue_tail_tampered_drops_are_counted(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 3);
    atomic_store(&queue->ring.shared->tail, 1000);
    send_ids(queue, 4, 2);
    stats = stats_of(queue);
    assert_int_equal(stats.dropped_overflow, 2);
    assert_int_equal(stats.high_water, 3);
    assert_true(aw_stats_exact(&stats));
}

static void test_queue_tail_tampered_does_not_stall_the_device(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 3);
    atomic_store(&queue->ring.shared->tail, 1000);
    assert_int_equal(room_of(queue), 3);
    assert_lost(queue);
}

static void test_queue_found_damaged_rings_for_a_stalled_reader(void **state)
{
    struct aw_queue *queue = *state;
    int bell = aw_eventfd_new();

    assert_int_equal(set_bell(queue, bell), 0);
    send_ids(queue, 1, 3);
    assert_int_equal(room_of(queue), 0);
    oldest(queue)->length = UINT16_MAX;
    assert_null(look(queue, 0));
    assert_true(aw_eventfd_clear(bell));
    assert_int_equal(room_of(queue), 3);
    aw_eventfd_close(bell);
}

static void test_queue_ledger_tampered_still_answers(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 1);
    atomic_store(&queue->ring.shared->producer.version, UINT64_MAX);
    atomic_store(&queue->ring.shared->consumer.version, UINT64_MAX);
    assert_int_equal(aw_queue_stats(queue, &stats), 0);
}

static void test_queue_damaged_after_its_end_keeps_its_end(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    finish(queue, AW_QUEUE_END, 0);
    oldest(queue)->length = UINT16_MAX;
    assert_null(look(queue, 0));
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_END);
    assert_int_equal(aw_queue_failure(queue), 0);
}

#define DAMAGE_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAMAGE_TEST(test_queue_head_tampered_counts_as_empty_and_lost),
        DAMAGE_TEST(test_queue_head_tampered_cannot_be_waited_for),
        DAMAGE_TEST(test_queue_damaged_stays_empty),
        DAMAGE_TEST(test_queue_length_beyond_slot_is_not_shown),
        DAMAGE_TEST(test_queue_unknown_kind_is_not_shown),
        DAMAGE_TEST(test_queue_datagram_without_its_head_is_not_shown),
        DAMAGE_TEST(test_queue_can_xl_without_its_head_is_not_shown),
        cmocka_unit_test(test_queue_can_frame_beyond_64_bytes_is_not_shown),
        DAMAGE_TEST(test_queue_tail_tampered_wakes_the_waiter_and_is_lost),
        DAMAGE_TEST(test_queue_tail_tampered_is_lost_though_nothing_passed),
        DAMAGE_TEST(test_queue_tail_tampered_drops_are_counted),
        DAMAGE_TEST(test_queue_tail_tampered_does_not_stall_the_device),
        DAMAGE_TEST(test_queue_found_damaged_rings_for_a_stalled_reader),
        DAMAGE_TEST(test_queue_ledger_tampered_still_answers),
        DAMAGE_TEST(test_queue_damaged_after_its_end_keeps_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
