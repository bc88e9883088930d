/* One queue in the place of another: frames, gaps and the ledger go on. */
#include "tests/support/queue_support.h"

struct pair {
    struct aw_queue *old, *queue;
};

static void succeed(struct pair *pair)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_succeed(pair->queue, pair->old);
}

/* Frame `id` behind a loss. */
static void send_behind(struct aw_queue *queue, uint32_t id, uint64_t kernel,
                        uint64_t overflow)
{
    aw_role_assume(&aw_role_reader);
    if (kernel > 0)
        aw_queue_gap(queue, kernel, AW_LOSS_KERNEL);
    if (overflow > 0)
        aw_queue_gap(queue, overflow, AW_LOSS_OVERFLOW);
    send_ids(queue, id, 1);
}

static void assert_told(const struct aw_frame *frame, uint32_t lost,
                        unsigned cause)
{
    assert_int_equal(frame->lost_before, lost);
    assert_int_equal(frame->lost_cause, cause);
}

static void free_pair(struct pair *pair)
{
    aw_queue_unref(pair->old);
    aw_queue_unref(pair->queue);
}

static void assert_ledger(const struct aw_queue *queue, uint64_t received,
                          uint64_t filtered, uint64_t delivered,
                          uint64_t overflow, uint64_t pending)
{
    struct aw_stats stats = stats_of(queue);

    assert_true(aw_stats_exact(&stats));
    assert_int_equal(stats.received, received);
    assert_int_equal(stats.filtered, filtered);
    assert_int_equal(stats.delivered, delivered);
    assert_int_equal(stats.dropped_overflow, overflow);
    assert_int_equal(stats.pending, pending);
}

static void test_queue_succeed_moves_frames_and_ledger(void **state)
{
    struct pair pair = {new_queue(8), new_queue(16)};

    (void)state;
    send_ids(pair.old, 1, 10); /* two too many */
    take_id(pair.old, 1);
    succeed(&pair);
    assert_ledger(pair.queue, 10, 0, 1, 2, 7);
    for (uint32_t id = 2; id <= 8; id++)
        take_id(pair.queue, id);
    assert_ledger(pair.queue, 10, 0, 8, 2, 0);
    free_pair(&pair);
}

static void test_queue_succeed_counts_what_does_not_fit(void **state)
{
    struct pair pair = {new_queue(8), new_queue(4)};

    (void)state;
    send_ids(pair.old, 1, 8);
    succeed(&pair);
    assert_ledger(pair.queue, 8, 0, 0, 4, 4);
    take_id(pair.queue, 1);
    free_pair(&pair);
}

static void test_queue_succeed_counts_what_does_not_pass(void **state)
{
    struct aw_filter even = {.id = 0, .mask = 1};
    struct aw_queue_config config = test_config(8);
    struct pair pair = {new_queue(8), NULL};

    (void)state;
    config.filters = &even;
    config.filter_count = 1;
    pair.queue = make_queue(&config);
    send_ids(pair.old, 1, 8);
    succeed(&pair);
    assert_ledger(pair.queue, 8, 4, 0, 0, 4);
    take_id(pair.queue, 2);
    free_pair(&pair);
}

static void test_queue_succeed_takes_what_was_claimed_back(void **state)
{
    struct pair pair = {new_queue(8), new_queue(8)};

    (void)state;
    send_ids(pair.old, 1, 3);
    claim_frames(pair.old, 2);
    succeed(&pair);
    take_id(pair.queue, 1);
    assert_ledger(pair.queue, 3, 0, 1, 0, 2);
    free_pair(&pair);
}

static void test_queue_succeed_tells_gaps_again(void **state)
{
    struct pair pair = {new_queue(4), new_queue(8)};
    struct aw_claim claim;

    (void)state;
    send_ids(pair.old, 1, 4);
    send_ids(pair.old, 5, 2); /* lost, and told to nobody yet */
    take_id(pair.old, 1);
    send_ids(pair.old, 7, 1); /* tells of two */
    send_ids(pair.old, 8, 3); /* lost */
    succeed(&pair);
    send_ids(pair.queue, 11, 1);
    claim = claim_frames(pair.queue, 5);
    assert_int_equal(at(pair.queue, &claim, 2)->lost_before, 0);
    assert_int_equal(at(pair.queue, &claim, 3)->id, 7);
    assert_int_equal(at(pair.queue, &claim, 3)->lost_before, 2);
    assert_int_equal(at(pair.queue, &claim, 4)->id, 11);
    assert_int_equal(at(pair.queue, &claim, 4)->lost_before, 3);
    free_pair(&pair);
}

static void test_queue_succeed_keeps_the_causes(void **state)
{
    struct pair pair = {new_queue(8), new_queue(8)};
    struct aw_claim claim;

    (void)state;
    send_behind(pair.old, 1, 5, 0);
    send_behind(pair.old, 2, 0, 5);
    send_behind(pair.old, 3, 3, 2);
    aw_role_assume(&aw_role_reader);
    aw_queue_gap(pair.old, 1, AW_LOSS_AWAY);
    send_ids(pair.old, 4, 1);
    succeed(&pair);
    claim = claim_frames(pair.queue, 4);
    assert_told(at(pair.queue, &claim, 0), 5, AW_LOSS_KERNEL);
    assert_told(at(pair.queue, &claim, 1), 5, AW_LOSS_OVERFLOW);
    assert_told(at(pair.queue, &claim, 2), 5,
                AW_LOSS_KERNEL | AW_LOSS_OVERFLOW);
    assert_told(at(pair.queue, &claim, 3), 0, AW_LOSS_AWAY);
    free_pair(&pair);
}

static void test_queue_succeed_leaves_out_what_was_tampered_with(void **state)
{
    struct pair pair = {new_queue(8), new_queue(8)};
    void *slot = pair.old->ring.slots;
    struct aw_frame *oldest = slot;

    (void)state;
    send_ids(pair.old, 1, 1);
    oldest->length = UINT16_MAX;
    succeed(&pair);
    assert_int_equal(aw_queue_pending(pair.queue), 0);
    free_pair(&pair);
}

static void test_queue_ended_by_its_owner_is_closed(void **state)
{
    struct aw_queue *queue = new_queue(8);

    (void)state;
    aw_queue_end(queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_CLOSED);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_succeed_moves_frames_and_ledger),
        cmocka_unit_test(test_queue_succeed_counts_what_does_not_fit),
        cmocka_unit_test(test_queue_succeed_counts_what_does_not_pass),
        cmocka_unit_test(test_queue_succeed_takes_what_was_claimed_back),
        cmocka_unit_test(test_queue_succeed_tells_gaps_again),
        cmocka_unit_test(test_queue_succeed_keeps_the_causes),
        cmocka_unit_test(test_queue_succeed_leaves_out_what_was_tampered_with),
        cmocka_unit_test(test_queue_ended_by_its_owner_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
