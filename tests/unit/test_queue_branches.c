/* What no other test of the queue comes by: mostly a peer that writes what it
 * should not, and the second time something is refused. */
#include <errno.h>

#include "tests/support/queue_support.h"

static struct aw_queue *new_queue_with(uint32_t depth,
                                       enum aw_overflow overflow)
{
    struct aw_queue_config config = test_config(depth);
    struct aw_queue *queue;

    config.overflow = overflow;
    config.owner = "script";
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    return queue;
}

/* ---- the consumer ---- */

static void test_queue_damaged_stays_empty(void **state)
{
    struct aw_queue *queue = new_queue(2);

    (void)state;
    atomic_store(&queue->ring.shared->head, 99);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
    aw_queue_unref(queue);
}

static void test_queue_damage_found_by_a_claim_loses_it(void **state)
{
    struct aw_queue *queue = new_queue(2);
    struct aw_claim claim;

    (void)state;
    atomic_store(&queue->ring.shared->head, 99);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 0);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    aw_queue_unref(queue);
}

static void test_queue_of_bytes_gives_them(void **state)
{
    struct aw_queue *queue = new_queue(2);
    struct test_frame memory;
    struct aw_claim claim;

    (void)state;
    offer(queue, make_frame(&memory, AW_KIND_BYTES, 0, 5));
    publish(queue);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 1);
    assert_int_equal(aw_queue_at(queue, &claim, 0)->length, 5);
    aw_queue_release(queue, &claim);
    aw_queue_unref(queue);
}

/* ---- the reader ---- */

static void test_queue_publish_of_nothing_does_nothing(void **state)
{
    struct aw_queue *queue = new_queue(2);

    (void)state;
    publish(queue);
    assert_int_equal(atomic_load(&queue->ring.shared->producer.version), 0);
    aw_queue_unref(queue);
}

static void test_queue_gap_by_overflow_is_told(void **state)
{
    struct aw_queue *queue = new_queue(2);
    const struct aw_frame *frame;
    struct aw_claim claim;

    (void)state;
    aw_role_assume(&aw_role_reader);
    aw_queue_gap(queue, 3, AW_LOSS_OVERFLOW);
    send_ids(queue, 1, 1);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 1);
    frame = aw_queue_at(queue, &claim, 0);
    assert_int_equal(frame->lost_before, 3);
    assert_int_equal(frame->lost_cause, AW_LOSS_OVERFLOW);
    aw_queue_release(queue, &claim);
    aw_queue_unref(queue);
}

static void test_queue_without_bell_still_tells_of_no_room(void **state)
{
    struct aw_queue *queue = new_queue(1);

    (void)state;
    send_ids(queue, 1, 1);
    assert_int_equal(room_of(queue), 0);
    assert_false(atomic_load(&queue->room_wanted));
    assert_int_equal(stats_of(queue).stalls, 1);
    aw_queue_unref(queue);
}

static void test_queue_of_a_script_names_it_when_it_loses(void **state)
{
    struct aw_queue *queue = new_queue_with(1, AW_OVERFLOW_DROP_NEWEST);

    (void)state;
    send_ids(queue, 1, 2);
    assert_int_equal(stats_of(queue).dropped_overflow, 1);
    aw_queue_unref(queue);
}

/* ---- the store of policy latest ---- */

static void test_latest_slot_out_of_range_stops_the_batch(void **state)
{
    struct aw_queue *queue = new_queue_with(2, AW_OVERFLOW_LATEST);

    (void)state;
    offer_id(queue, 1);
    offer_id(queue, 2);
    /* A peer gives a slot back that there is not. */
    atomic_store(&queue->latest.entries[0].middle, 3);
    publish(queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EPROTO);
    aw_queue_unref(queue);
}

static void test_latest_fifo_overfull_loses_the_queue(void **state)
{
    struct aw_queue *queue = new_queue_with(2, AW_OVERFLOW_LATEST);

    (void)state;
    atomic_store(&queue->latest.shared->head, 3);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_LOST);
    aw_queue_unref(queue);
}

/* Address space for the deepest store there is: little of it is ever touched,
 * but a machine may refuse it. */
static void test_latest_deepest_store_has_no_spare_slots(void **state)
{
    struct aw_queue_config config = test_config(AW_RING_SLOTS_MAX);
    struct aw_queue *queue;
    int result;

    (void)state;
    config.overflow = AW_OVERFLOW_LATEST;
    result = aw_queue_new(&config, &queue);
    if (result == -ENOMEM) {
        print_message("no address space for it\n");
        skip();
    }
    assert_int_equal(result, 0);
    assert_int_equal(queue->ring.depth, AW_RING_SLOTS_MAX);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_damaged_stays_empty),
        cmocka_unit_test(test_queue_damage_found_by_a_claim_loses_it),
        cmocka_unit_test(test_queue_of_bytes_gives_them),
        cmocka_unit_test(test_queue_publish_of_nothing_does_nothing),
        cmocka_unit_test(test_queue_gap_by_overflow_is_told),
        cmocka_unit_test(test_queue_without_bell_still_tells_of_no_room),
        cmocka_unit_test(test_queue_of_a_script_names_it_when_it_loses),
        cmocka_unit_test(test_latest_slot_out_of_range_stops_the_batch),
        cmocka_unit_test(test_latest_fifo_overfull_loses_the_queue),
        cmocka_unit_test(test_latest_deepest_store_has_no_spare_slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
