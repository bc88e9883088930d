/* One queue in the place of another: frames, gaps and the ledger go on. */
#include "tests/support/queue_support.h"

struct pair {
    struct aw_queue *old, *queue;
};

static int succeed(struct pair *pair)
{
    aw_role_assume(&aw_role_reader);
    return aw_queue_succeed(pair->queue, pair->old);
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
    assert_int_equal(succeed(&pair), 0);
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
    assert_int_equal(succeed(&pair), 0);
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
    assert_int_equal(succeed(&pair), 0);
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
    assert_int_equal(succeed(&pair), 0);
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
    assert_int_equal(succeed(&pair), 0);
    send_ids(pair.queue, 11, 1);
    claim = claim_frames(pair.queue, 5);
    assert_int_equal(at(pair.queue, &claim, 2)->lost_before, 0);
    assert_int_equal(at(pair.queue, &claim, 3)->id, 7);
    assert_int_equal(at(pair.queue, &claim, 3)->lost_before, 2);
    assert_int_equal(at(pair.queue, &claim, 4)->id, 11);
    assert_int_equal(at(pair.queue, &claim, 4)->lost_before, 3);
    free_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_succeed_moves_frames_and_ledger),
        cmocka_unit_test(test_queue_succeed_counts_what_does_not_fit),
        cmocka_unit_test(test_queue_succeed_counts_what_does_not_pass),
        cmocka_unit_test(test_queue_succeed_takes_what_was_claimed_back),
        cmocka_unit_test(test_queue_succeed_tells_gaps_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
