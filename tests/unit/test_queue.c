/* What a queue takes, drops and counts. Waiting is in test_queue_wait.c, a
 * tampered ring in test_queue_damage.c. */
#include "devices/queue/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/support/queue_support.h"

static int make(void **state)
{
    struct aw_queue *queue = new_queue(4);

    *state = queue;
    return 0;
}

static int unmake(void **state)
{
    aw_queue_unref(*state);
    return 0;
}

static struct aw_queue *filtered_queue(uint32_t id)
{
    const struct aw_filter filter = {.id = id, .mask = 0x7FF};
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue = NULL;

    config.filters = &filter;
    config.filter_count = 1;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    return queue;
}

/* ---- making one ---- */

static void test_queue_new_without_depth_refused(void **state)
{
    struct aw_queue_config config = test_config(0);
    struct aw_queue *queue = NULL;

    (void)state;
    assert_int_equal(aw_queue_new(&config, &queue), -EINVAL);
    assert_null(queue);
}

static void test_queue_new_with_too_many_filters_refused(void **state)
{
    static const struct aw_filter filters[AW_FILTERS_MAX + 1];
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue = NULL;

    (void)state;
    config.filters = filters;
    config.filter_count = AW_FILTERS_MAX + 1;
    assert_int_equal(aw_queue_new(&config, &queue), -EINVAL);
    assert_null(queue);
}

static void test_queue_new_copies_its_names(void **state)
{
    char name[] = "one", device[] = "CANbus", owner[] = "logger";
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue = NULL;

    (void)state;
    config.name = name;
    config.device = device;
    config.owner = owner;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    name[0] = device[0] = owner[0] = '?';
    assert_string_equal(queue->name, "one");
    assert_string_equal(queue->device, "CANbus");
    assert_string_equal(queue->owner, "logger");
    aw_queue_unref(queue);
}

static void test_queue_new_cuts_a_name_that_is_too_long(void **state)
{
    char name[400];
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue = NULL;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    config.name = name;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(strlen(queue->name), sizeof(queue->name) - 1);
    aw_queue_unref(queue);
}

static void test_queue_new_is_open_and_counts_nothing(void **state)
{
    static const struct aw_stats nothing;
    struct aw_queue *queue = *state;
    struct aw_stats stats = stats_of(queue);

    assert_int_equal(aw_queue_state(queue), AW_QUEUE_OPEN);
    assert_memory_equal(&stats, &nothing, sizeof(stats));
}

static void test_queue_reference_keeps_it(void **state)
{
    struct aw_queue *queue = new_queue(4);

    (void)state;
    assert_ptr_equal(aw_queue_ref(queue), queue);
    aw_queue_unref(queue);
    send_ids(queue, 1, 1);
    take_id(queue, 1);
    aw_queue_unref(queue);
}

static void test_queue_unref_of_nothing_is_harmless(void **state)
{
    (void)state;
    aw_queue_unref(NULL);
}

/* ---- frames ---- */

static void test_queue_frame_is_copied_whole(void **state)
{
    struct aw_queue *queue = *state;
    const struct aw_frame *taken;
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_CAN, 0x123, 5);

    frame->timestamp_ns = 1;
    frame->monotonic_ns = 2;
    frame->seq = 3;
    frame->flags = AW_FRAME_FD | AW_FRAME_BRS;
    frame->channel = 4;
    offer(queue, frame);
    publish(queue);
    taken = look(queue, 0);
    assert_memory_equal(taken, frame, aw_frame_bytes(frame));
}

static void test_queue_frames_come_in_order(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 2);
    send_ids(queue, 3, 2);
    for (uint32_t id = 1; id <= 4; id++)
        take_id(queue, id);
    assert_int_equal(aw_queue_pending(queue), 0);
}

static void test_queue_offered_is_invisible_until_published(void **state)
{
    struct aw_queue *queue = *state;

    offer_id(queue, 1);
    assert_int_equal(aw_queue_pending(queue), 0);
    publish(queue);
    assert_int_equal(aw_queue_pending(queue), 1);
}

static void test_queue_payload_beyond_slot_is_cut_and_flagged(void **state)
{
    struct aw_queue *queue = *state;
    const struct aw_frame *taken;
    struct test_frame memory;

    offer(queue, make_frame(&memory, AW_KIND_CAN, 0x5A, 64));
    publish(queue);
    taken = look(queue, 0);
    assert_int_equal(taken->length, AW_PAYLOAD_CAN);
    assert_int_equal(taken->flags, AW_FRAME_TRUNCATED);
    assert_int_equal(taken->payload[7], 0x5A);
}

static void test_queue_payload_beyond_slot_spares_the_next_slot(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;

    send_ids(queue, 1, 2);
    take_id(queue, 1);
    take_id(queue, 2);
    send_ids(queue, 3, 2);
    /* Slots 0 and 1 come next; 2 and 3 are pending behind and before them. */
    offer(queue, make_frame(&memory, AW_KIND_CAN, 0xFF, 64));
    offer(queue, make_frame(&memory, AW_KIND_CAN, 0xFE, 64));
    publish(queue);
    take_id(queue, 3);
    take_id(queue, 4);
    take_id(queue, 0xFF);
    take_id(queue, 0xFE);
}

static void test_queue_payload_that_just_fits_is_not_flagged(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 1);
    assert_int_equal(look(queue, 0)->flags, 0);
}

static void test_queue_filter_refuses_and_counts(void **state)
{
    struct aw_queue *queue = filtered_queue(2);
    struct aw_stats stats;

    (void)state;
    send_ids(queue, 1, 3);
    stats = stats_of(queue);
    assert_int_equal(stats.received, 3);
    assert_int_equal(stats.filtered, 2);
    assert_int_equal(stats.pending, 1);
    take_id(queue, 2);
    aw_queue_unref(queue);
}

static void test_queue_new_filters_hold_from_the_next_frame(void **state)
{
    struct aw_queue *queue = filtered_queue(2);
    struct aw_filter *filters = calloc(1, sizeof(*filters));

    (void)state;
    send_ids(queue, 1, 3);
    *filters = (struct aw_filter){.id = 3, .mask = 0x7FF};
    aw_role_assume(&aw_role_reader);
    aw_queue_set_filters(queue, filters, 1);
    send_ids(queue, 1, 3);
    take_id(queue, 2);
    take_id(queue, 3);
    assert_int_equal(stats_of(queue).filtered, 4);
    aw_queue_unref(queue);
}

static void test_queue_no_filters_any_more_passes_everything(void **state)
{
    struct aw_queue *queue = filtered_queue(2);

    (void)state;
    aw_role_assume(&aw_role_reader);
    aw_queue_set_filters(queue, NULL, 0);
    send_ids(queue, 7, 1);
    take_id(queue, 7);
    aw_queue_unref(queue);
}

/* ---- losses ---- */

static void test_queue_full_drops_the_newest_and_counts(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 6);
    stats = stats_of(queue);
    assert_int_equal(stats.dropped_overflow, 2);
    assert_int_equal(stats.pending, 4);
    assert_true(aw_stats_exact(&stats));
    take_id(queue, 1);
}

static void test_queue_depth_not_a_power_of_two_is_kept(void **state)
{
    struct aw_queue *queue = new_queue(5);

    (void)state;
    send_ids(queue, 0, 8);
    assert_int_equal(aw_queue_pending(queue), 5);
    assert_int_equal(stats_of(queue).dropped_overflow, 3);
    aw_queue_unref(queue);
}

static void test_queue_overflow_is_told_to_the_next_frame(void **state)
{
    struct aw_queue *queue = *state;
    const struct aw_frame *next;

    send_ids(queue, 1, 6);
    take_id(queue, 1);
    send_ids(queue, 7, 1);
    next = look(queue, 3);
    assert_int_equal(next->id, 7);
    assert_int_equal(next->lost_before, 2);
    assert_int_equal(next->lost_cause, AW_LOSS_OVERFLOW);
}

static void test_queue_gap_is_told_once(void **state)
{
    struct aw_queue *queue = *state;

    charge(queue, 3);
    send_ids(queue, 1, 2);
    assert_int_equal(look(queue, 0)->lost_before, 3);
    assert_int_equal(look(queue, 0)->lost_cause, AW_LOSS_KERNEL);
    assert_int_equal(look(queue, 1)->lost_before, 0);
    assert_int_equal(look(queue, 1)->lost_cause, AW_LOSS_NONE);
}

static void test_queue_gap_of_both_causes_adds_up(void **state)
{
    struct aw_queue *queue = *state;
    const struct aw_frame *next;

    send_ids(queue, 1, 5);
    charge(queue, 10);
    take_id(queue, 1);
    send_ids(queue, 6, 1);
    next = look(queue, 3);
    assert_int_equal(next->lost_before, 11);
    assert_int_equal(next->lost_cause, AW_LOSS_KERNEL | AW_LOSS_OVERFLOW);
}

static void test_queue_gap_waits_behind_filtered_frames(void **state)
{
    struct aw_queue *queue = filtered_queue(2);

    (void)state;
    charge(queue, 3);
    send_ids(queue, 1, 2);
    assert_int_equal(look(queue, 0)->lost_before, 3);
    aw_queue_unref(queue);
}

static void test_queue_gap_too_large_saturates(void **state)
{
    struct aw_queue *queue = *state;

    charge(queue, UINT64_C(1) << 40);
    send_ids(queue, 1, 1);
    assert_int_equal(look(queue, 0)->lost_before, UINT32_MAX);
    assert_int_equal(stats_of(queue).dropped_kernel, UINT64_C(1) << 40);
}

static void test_queue_kernel_loss_counts_as_received(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    charge(queue, 3);
    publish(queue);
    stats = stats_of(queue);
    assert_int_equal(stats.received, 3);
    assert_int_equal(stats.dropped_kernel, 3);
    assert_true(aw_stats_exact(&stats));
}

static void test_queue_frame_s_own_lost_before_is_replaced(void **state)
{
    struct aw_queue *queue = *state;
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_CAN, 1, 8);

    frame->lost_before = 77;
    frame->lost_cause = AW_LOSS_KERNEL;
    offer(queue, frame);
    publish(queue);
    assert_int_equal(look(queue, 0)->lost_before, 0);
    assert_int_equal(look(queue, 0)->lost_cause, AW_LOSS_NONE);
}

/* ---- the ledger ---- */

static void test_queue_delivered_counts_at_release(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_claim claim;

    send_ids(queue, 1, 2);
    claim = claim_frames(queue, 1);
    assert_int_equal(stats_of(queue).delivered, 0);
    assert_int_equal(stats_of(queue).pending, 2);
    aw_queue_release(queue, &claim);
    assert_int_equal(stats_of(queue).delivered, 1);
    assert_int_equal(stats_of(queue).pending, 1);
}

static void test_queue_clear_counts_what_it_throws_away(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 3);
    take_id(queue, 1);
    assert_int_equal(aw_queue_clear(queue), 2);
    stats = stats_of(queue);
    assert_int_equal(stats.dropped_cleared, 2);
    assert_int_equal(stats.pending, 0);
    assert_true(aw_stats_exact(&stats));
}

static void test_queue_clear_of_nothing_counts_nothing(void **state)
{
    assert_int_equal(aw_queue_clear(*state), 0);
}

static void test_queue_abandon_counts_as_closed(void **state)
{
    struct aw_queue *queue = *state;
    struct aw_stats stats;

    send_ids(queue, 1, 3);
    finish(queue, AW_QUEUE_CLOSED, 0);
    assert_int_equal(aw_queue_abandon(queue), 3);
    stats = stats_of(queue);
    assert_int_equal(stats.dropped_closed, 3);
    assert_int_equal(stats.pending, 0);
    assert_true(aw_stats_exact(&stats));
}

static void test_queue_high_water_keeps_the_most(void **state)
{
    struct aw_queue *queue = *state;

    send_ids(queue, 1, 3);
    aw_queue_clear(queue);
    send_ids(queue, 4, 1);
    assert_int_equal(stats_of(queue).high_water, 3);
}

static void test_queue_ledger_of_everything_at_once_is_exact(void **state)
{
    struct aw_queue *queue = filtered_queue(1);
    struct aw_stats stats;

    (void)state;
    charge(queue, 2);
    for (int i = 0; i < 6; i++)
        send_ids(queue, 1, 2);
    take_id(queue, 1);
    stats = stats_of(queue);
    assert_int_equal(stats.received, 14);
    assert_int_equal(stats.filtered, 6);
    assert_int_equal(stats.delivered, 1);
    assert_int_equal(stats.pending, 3);
    assert_int_equal(stats.dropped_kernel, 2);
    assert_int_equal(stats.dropped_overflow, 2);
    assert_true(aw_stats_exact(&stats));
    aw_queue_unref(queue);
}

/* ---- the end ---- */

static void test_queue_finish_sets_each_state(void **state)
{
    (void)state;
    for (int end = AW_QUEUE_END; end <= AW_QUEUE_LOST; end++) {
        struct aw_queue *queue = new_queue(1);
        int failure = end == AW_QUEUE_LOST ? ENODEV : 0;

        finish(queue, (enum aw_queue_state)end, failure);
        assert_int_equal(aw_queue_state(queue), end);
        assert_int_equal(aw_queue_failure(queue), failure);
        aw_queue_unref(queue);
    }
}

static void test_queue_finish_publishes_what_was_offered(void **state)
{
    struct aw_queue *queue = *state;

    offer_id(queue, 1);
    finish(queue, AW_QUEUE_END, 0);
    take_id(queue, 1);
}

static void test_queue_first_finish_decides(void **state)
{
    struct aw_queue *queue = *state;

    finish(queue, AW_QUEUE_END, 0);
    finish(queue, AW_QUEUE_LOST, ENODEV);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_END);
    assert_int_equal(aw_queue_failure(queue), 0);
}

static void test_queue_first_failure_decides(void **state)
{
    struct aw_queue *queue = *state;

    finish(queue, AW_QUEUE_LOST, ENODEV);
    finish(queue, AW_QUEUE_LOST, EIO);
    assert_int_equal(aw_queue_failure(queue), ENODEV);
}

#define QUEUE_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_new_without_depth_refused),
        cmocka_unit_test(test_queue_new_with_too_many_filters_refused),
        cmocka_unit_test(test_queue_new_copies_its_names),
        cmocka_unit_test(test_queue_new_cuts_a_name_that_is_too_long),
        QUEUE_TEST(test_queue_new_is_open_and_counts_nothing),
        cmocka_unit_test(test_queue_reference_keeps_it),
        cmocka_unit_test(test_queue_unref_of_nothing_is_harmless),
        QUEUE_TEST(test_queue_frame_is_copied_whole),
        QUEUE_TEST(test_queue_frames_come_in_order),
        QUEUE_TEST(test_queue_offered_is_invisible_until_published),
        QUEUE_TEST(test_queue_payload_beyond_slot_is_cut_and_flagged),
        QUEUE_TEST(test_queue_payload_beyond_slot_spares_the_next_slot),
        QUEUE_TEST(test_queue_payload_that_just_fits_is_not_flagged),
        cmocka_unit_test(test_queue_filter_refuses_and_counts),
        cmocka_unit_test(test_queue_new_filters_hold_from_the_next_frame),
        cmocka_unit_test(test_queue_no_filters_any_more_passes_everything),
        QUEUE_TEST(test_queue_full_drops_the_newest_and_counts),
        cmocka_unit_test(test_queue_depth_not_a_power_of_two_is_kept),
        QUEUE_TEST(test_queue_overflow_is_told_to_the_next_frame),
        QUEUE_TEST(test_queue_gap_is_told_once),
        QUEUE_TEST(test_queue_gap_of_both_causes_adds_up),
        cmocka_unit_test(test_queue_gap_waits_behind_filtered_frames),
        QUEUE_TEST(test_queue_gap_too_large_saturates),
        QUEUE_TEST(test_queue_kernel_loss_counts_as_received),
        QUEUE_TEST(test_queue_frame_s_own_lost_before_is_replaced),
        QUEUE_TEST(test_queue_delivered_counts_at_release),
        QUEUE_TEST(test_queue_clear_counts_what_it_throws_away),
        QUEUE_TEST(test_queue_clear_of_nothing_counts_nothing),
        QUEUE_TEST(test_queue_abandon_counts_as_closed),
        QUEUE_TEST(test_queue_high_water_keeps_the_most),
        cmocka_unit_test(test_queue_ledger_of_everything_at_once_is_exact),
        cmocka_unit_test(test_queue_finish_sets_each_state),
        QUEUE_TEST(test_queue_finish_publishes_what_was_offered),
        QUEUE_TEST(test_queue_first_finish_decides),
        QUEUE_TEST(test_queue_first_failure_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
