/* Events among the frames of a queue, and what a device's absence says. */
#include <stdlib.h>

#include "tests/support/queue_support.h"

static struct aw_queue *event_queue(enum aw_overflow overflow, uint32_t depth)
{
    struct aw_queue_config config = test_config(depth);

    config.events = true;
    config.overflow = overflow;
    return make_queue(&config);
}

static void offer_event(struct aw_queue *queue, enum aw_event_kind kind,
                        int32_t value, uint32_t detail)
{
    const struct aw_event event = {value, detail};
    struct test_frame memory;
    struct aw_frame *frame =
        make_frame(&memory, AW_KIND_EVENT, kind, sizeof(event));

    memcpy(frame->payload, &event, sizeof(event));
    offer(queue, frame);
    publish(queue);
}

static struct aw_event event_of(const struct aw_frame *frame)
{
    struct aw_event event;

    assert_int_equal(frame->kind, AW_KIND_EVENT);
    memcpy(&event, frame->payload, sizeof(event));
    return event;
}

static void go_away(struct aw_queue *queue)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_gap(queue, 1, AW_LOSS_AWAY);
}

/* ---- who gets them ---- */

static void test_events_not_asked_for_do_not_exist(void **state)
{
    struct aw_queue *queue = new_queue(4);

    (void)state;
    offer_event(queue, AW_EVENT_LOST, 19, 0);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(stats_of(queue).received, 0);
    aw_queue_unref(queue);
}

static void test_events_asked_for_lie_between_the_frames(void **state)
{
    struct aw_queue *queue = event_queue(AW_OVERFLOW_DROP_NEWEST, 4);
    struct aw_stats stats;

    (void)state;
    send_ids(queue, 1, 1);
    offer_event(queue, AW_EVENT_BUS_STATE, AW_BUS_PASSIVE, 0x800001);
    send_ids(queue, 2, 1);
    take_id(queue, 1);
    assert_int_equal(event_of(look(queue, 0)).value, AW_BUS_PASSIVE);
    assert_int_equal(event_of(look(queue, 0)).detail, 0x800001);
    take_id(queue, AW_EVENT_BUS_STATE);
    take_id(queue, 2);
    stats = stats_of(queue);
    assert_int_equal(stats.received, 3);
    assert_int_equal(stats.delivered, 3);
    assert_true(aw_stats_exact(&stats));
    aw_queue_unref(queue);
}

static void test_events_pass_every_filter(void **state)
{
    const struct aw_filter filter = {.id = 0x100, .mask = 0x7FF};
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue;

    (void)state;
    config.events = true;
    config.filters = &filter;
    config.filter_count = 1;
    queue = make_queue(&config);
    offer_event(queue, AW_EVENT_LINK_DOWN, AW_DOWN_ADMIN, 0);
    send_ids(queue, 1, 1);
    assert_int_equal(aw_queue_pending(queue), 1);
    take_id(queue, AW_EVENT_LINK_DOWN);
    assert_int_equal(stats_of(queue).filtered, 1);
    aw_queue_unref(queue);
}

static void test_events_fit_where_frames_are_short(void **state)
{
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue;

    (void)state;
    config.events = true;
    config.payload_bytes = 1;
    queue = make_queue(&config);
    offer_event(queue, AW_EVENT_OVERRUN, 0, 12);
    assert_int_equal(event_of(look(queue, 0)).detail, 12);
    aw_queue_unref(queue);
}

static void test_events_of_a_full_queue_are_counted_as_dropped(void **state)
{
    struct aw_queue *queue = event_queue(AW_OVERFLOW_DROP_NEWEST, 1);
    struct aw_stats stats;

    (void)state;
    send_ids(queue, 1, 1);
    offer_event(queue, AW_EVENT_LINK_UP, 0, 0);
    stats = stats_of(queue);
    assert_int_equal(stats.dropped_overflow, 1);
    assert_true(aw_stats_exact(&stats));
    aw_queue_unref(queue);
}

static void test_events_replace_their_own_kind_under_latest(void **state)
{
    struct aw_queue *queue = event_queue(AW_OVERFLOW_LATEST, 8);

    (void)state;
    offer_event(queue, AW_EVENT_BUS_STATE, AW_BUS_WARNING, 0);
    offer_event(queue, AW_EVENT_LINK_UP, 0, 0);
    offer_event(queue, AW_EVENT_BUS_STATE, AW_BUS_OFF, 0);
    offer_event(queue, AW_EVENT_TIMEOUT, 0, 0x100);
    offer_event(queue, AW_EVENT_TIMEOUT, 0, 0x200);
    offer_event(queue, AW_EVENT_CHANGED, 0, 0x100);
    assert_int_equal(aw_queue_pending(queue), 5);
    assert_int_equal(event_of(look(queue, 0)).value, AW_BUS_OFF);
    aw_queue_unref(queue);
}

/* ---- joined filters ---- */

static void test_filters_joined_must_all_pass(void **state)
{
    const struct aw_filter filters[] = {
        {.id = 0x100, .mask = 0x700},
        {.id = 0x123, .mask = 0x7FF, .invert = true},
    };
    struct aw_queue_config config = test_config(4);
    struct aw_queue *queue;

    (void)state;
    config.filters = filters;
    config.filter_count = 2;
    config.filters_joined = true;
    queue = make_queue(&config);
    send_ids(queue, 0x122, 2);
    send_ids(queue, 0x200, 1);
    take_id(queue, 0x122);
    assert_int_equal(aw_queue_pending(queue), 0);
    assert_int_equal(stats_of(queue).filtered, 2);
    aw_queue_unref(queue);
}

/* ---- a device that was away ---- */

static void check_away_is_told(enum aw_overflow overflow)
{
    struct aw_queue *queue = new_queue_of(overflow, 4);

    send_ids(queue, 1, 1);
    take_id(queue, 1);
    go_away(queue);
    send_ids(queue, 1, 1);
    assert_int_equal(look(queue, 0)->lost_cause, AW_LOSS_AWAY);
    assert_int_equal(look(queue, 0)->lost_before, 0);
    take_id(queue, 1);
    send_ids(queue, 1, 1);
    assert_int_equal(look(queue, 0)->lost_cause, AW_LOSS_NONE);
    aw_queue_unref(queue);
}

static void test_away_is_told_to_the_next_frame(void **state)
{
    (void)state;
    check_away_is_told(AW_OVERFLOW_DROP_NEWEST);
    check_away_is_told(AW_OVERFLOW_DROP_OLDEST);
    check_away_is_told(AW_OVERFLOW_LATEST);
}

static void test_away_outlives_the_frame_it_was_told_to(void **state)
{
    struct aw_queue *queue = new_queue_of(AW_OVERFLOW_DROP_OLDEST, 2);
    struct aw_claim claim;
    const struct aw_frame *frame;

    (void)state;
    send_ids(queue, 1, 1);
    take_id(queue, 1);
    go_away(queue);
    send_ids(queue, 2, 3);
    claim = claim_frames(queue, 1);
    frame = at(queue, &claim, 0);
    assert_int_equal(frame->id, 3);
    assert_int_equal(frame->lost_cause, AW_LOSS_AWAY | AW_LOSS_OVERFLOW);
    assert_int_equal(frame->lost_before, 1);
    aw_queue_release(queue, &claim);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_not_asked_for_do_not_exist),
        cmocka_unit_test(test_events_asked_for_lie_between_the_frames),
        cmocka_unit_test(test_events_pass_every_filter),
        cmocka_unit_test(test_events_fit_where_frames_are_short),
        cmocka_unit_test(test_events_of_a_full_queue_are_counted_as_dropped),
        cmocka_unit_test(test_events_replace_their_own_kind_under_latest),
        cmocka_unit_test(test_filters_joined_must_all_pass),
        cmocka_unit_test(test_away_is_told_to_the_next_frame),
        cmocka_unit_test(test_away_outlives_the_frame_it_was_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
