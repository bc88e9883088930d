/* The store of policy `latest`, both sides on one thread. Both at once is in
 * tests/stress. */
#include "devices/queue/latest.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/support/queue_support.h"

#define DEPTH 4u

static int make(void **state)
{
    struct aw_latest *latest =
        aligned_alloc(_Alignof(struct aw_latest), sizeof(*latest));

    *state = latest;
    return aw_latest_init(latest, "test", DEPTH, AW_PAYLOAD_CAN);
}

static int unmake(void **state)
{
    aw_latest_deinit(*state);
    free(*state);
    return 0;
}

/* Commits a frame of `id` that carries `value`; false if it was refused. */
static bool commit(struct aw_latest *latest, uint32_t id, uint64_t value)
{
    const struct aw_sums none = {0};
    struct aw_key key = aw_key_of_can(id);
    uint32_t entry;
    int error = 0;
    struct aw_frame *slot = aw_latest_reserve(latest, &key, &entry, &error);

    assert_int_equal(error, 0);
    if (!slot)
        return false;
    *slot = (struct aw_frame){
        .id = id, .seq = value, .length = 8, .kind = AW_KIND_CAN};
    memcpy(slot->payload, &value, 8);
    aw_latest_commit(latest, entry, &none);
    return true;
}

static void push(struct aw_latest *latest, uint32_t id, uint64_t value)
{
    assert_true(commit(latest, id, value));
    assert_int_equal(aw_latest_publish(latest), 0);
}

static struct aw_frame *take(struct aw_latest *latest, uint64_t value)
{
    static struct test_frame memory;
    struct aw_frame *frame = frame_of(&memory);

    assert_int_equal(aw_latest_take(latest, frame), 1);
    assert_int_equal(frame->seq, value);
    assert_memory_equal(frame->payload, &value, 8);
    return frame;
}

static void assert_peek(struct aw_latest *latest, uint32_t id,
                        enum aw_peek expected, uint64_t value)
{
    struct test_frame memory;
    struct aw_frame *frame = frame_of(&memory);
    struct aw_key key = aw_key_of_can(id);

    assert_int_equal(aw_latest_peek(latest, &key, frame), expected);
    if (expected != AW_PEEK_NONE)
        assert_int_equal(frame->seq, value);
}

static void assert_empty(struct aw_latest *latest)
{
    struct test_frame memory;

    assert_int_equal(aw_latest_pending(latest), 0);
    assert_int_equal(aw_latest_take(latest, frame_of(&memory)), 0);
}

/* ---- making one ---- */

static void test_latest_init_refuses_impossible_sizes(void **state)
{
    struct aw_latest latest;

    (void)state;
    assert_int_equal(aw_latest_init(&latest, "test", 0, 8), -EINVAL);
    assert_int_equal(aw_latest_init(&latest, "test", AW_RING_SLOTS_MAX + 1, 8),
                     -EINVAL);
    assert_int_equal(aw_latest_init(&latest, "test", 1, AW_PAYLOAD_MAX + 1),
                     -EINVAL);
}

static void test_latest_new_is_empty(void **state)
{
    assert_empty(*state);
    assert_peek(*state, 1, AW_PEEK_NONE, 0);
}

static void test_latest_memory_holds_no_pointer_into_the_process(void **state)
{
    struct aw_latest *latest = *state;
    uintptr_t first = (uintptr_t)latest->shared, object = (uintptr_t)latest;

    push(latest, 1, 10);
    take(latest, 10);
    for (size_t i = 0; i + 8 <= latest->mapped_bytes; i += 8) {
        uintptr_t word;

        memcpy(&word, (unsigned char *)latest->shared + i, sizeof(word));
        assert_false(word >= first && word < first + latest->mapped_bytes);
        assert_false(word >= object && word < object + sizeof(*latest));
    }
}

/* ---- taking ---- */

static void test_latest_committed_is_invisible_until_published(void **state)
{
    struct aw_latest *latest = *state;

    assert_true(commit(latest, 1, 10));
    assert_empty(latest);
    assert_peek(latest, 1, AW_PEEK_NONE, 0);
    aw_latest_publish(latest);
    take(latest, 10);
    assert_empty(latest);
}

static void test_latest_newer_frame_replaces(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    push(latest, 1, 11);
    push(latest, 1, 12);
    assert_int_equal(latest->replaced, 2);
    assert_int_equal(aw_latest_pending(latest), 1);
    take(latest, 12);
    assert_empty(latest);
}

static void test_latest_newer_frame_in_one_batch_replaces(void **state)
{
    struct aw_latest *latest = *state;

    assert_true(commit(latest, 1, 10));
    push(latest, 1, 11);
    assert_int_equal(latest->replaced, 1);
    take(latest, 11);
    assert_empty(latest);
}

static void test_latest_keys_come_in_order_of_waiting(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 3, 30);
    push(latest, 1, 10);
    push(latest, 3, 31);
    push(latest, 2, 20);
    take(latest, 31);
    take(latest, 10);
    push(latest, 3, 32);
    take(latest, 20);
    take(latest, 32);
    assert_empty(latest);
}

static void
test_latest_newest_is_taken_though_its_turn_came_before(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    assert_int_equal(aw_latest_pending(latest), 1);
    push(latest, 1, 11);
    take(latest, 11);
    assert_int_equal(latest->superseded, 1);
    assert_empty(latest);
}

static void test_latest_more_keys_than_depth_drop_the_new_one(void **state)
{
    struct aw_latest *latest = *state;

    for (uint32_t id = 0; id < DEPTH; id++)
        push(latest, id, id);
    assert_false(commit(latest, 99, 99));
    push(latest, 0, 100);
    assert_int_equal(aw_latest_pending(latest), DEPTH);
    take(latest, 100);
    assert_false(commit(latest, 99, 99));
    assert_peek(latest, 99, AW_PEEK_NONE, 0);
}

static void test_latest_many_keys_are_all_found(void **state)
{
    struct aw_latest latest;

    (void)state;
    assert_int_equal(aw_latest_init(&latest, "test", 3000, AW_PAYLOAD_CAN), 0);
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t id = 0; id < 3000; id++)
            push(&latest, id * 7, round * 10000 + id);
    assert_int_equal(aw_latest_pending(&latest), 3000);
    for (uint32_t id = 0; id < 3000; id++)
        assert_peek(&latest, id * 7, AW_PEEK_PENDING, 20000 + id);
    for (uint32_t id = 0; id < 3000; id++)
        take(&latest, 20000 + id);
    assert_empty(&latest);
    aw_latest_deinit(&latest);
}

static void test_latest_used_counts_what_waits(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    push(latest, 1, 11);
    push(latest, 2, 20);
    assert_int_equal(aw_latest_used(latest), 2);
    take(latest, 11);
    assert_int_equal(aw_latest_used(latest), 1);
}

/* ---- looking ---- */

static void test_latest_peek_leaves_it_pending(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    assert_peek(latest, 1, AW_PEEK_PENDING, 10);
    assert_peek(latest, 1, AW_PEEK_PENDING, 10);
    assert_int_equal(aw_latest_pending(latest), 1);
    take(latest, 10);
    assert_empty(latest);
}

static void test_latest_peek_shows_what_was_taken(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    take(latest, 10);
    assert_peek(latest, 1, AW_PEEK_TAKEN, 10);
    push(latest, 1, 11);
    assert_peek(latest, 1, AW_PEEK_PENDING, 11);
}

static void test_latest_looked_at_and_replaced_is_counted_once(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    assert_peek(latest, 1, AW_PEEK_PENDING, 10);
    push(latest, 1, 11);
    assert_int_equal(latest->replaced, 0);
    assert_peek(latest, 1, AW_PEEK_PENDING, 11);
    assert_int_equal(latest->superseded, 1);
    push(latest, 1, 12);
    take(latest, 12);
    assert_int_equal(latest->replaced + latest->superseded, 2);
    assert_int_equal(latest->pushed, 3);
    assert_empty(latest);
}

static void test_latest_looked_at_keeps_its_turn(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    push(latest, 2, 20);
    assert_peek(latest, 2, AW_PEEK_PENDING, 20);
    take(latest, 10);
    take(latest, 20);
    assert_empty(latest);
}

static void test_latest_peek_next_shows_each_key_once(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;
    struct aw_frame *frame = frame_of(&memory);
    uint32_t place = 0;

    push(latest, 5, 50);
    push(latest, 6, 60);
    push(latest, 5, 51);
    take(latest, 51);
    assert_int_equal(aw_latest_peek_next(latest, &place, frame), AW_PEEK_TAKEN);
    assert_int_equal(frame->seq, 51);
    assert_int_equal(aw_latest_peek_next(latest, &place, frame),
                     AW_PEEK_PENDING);
    assert_int_equal(frame->seq, 60);
    assert_int_equal(aw_latest_peek_next(latest, &place, frame), AW_PEEK_NONE);
}

static void
test_latest_peek_next_passes_over_what_is_not_published(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;
    uint32_t place = 0;

    assert_true(commit(latest, 5, 50));
    assert_int_equal(aw_latest_peek_next(latest, &place, frame_of(&memory)),
                     AW_PEEK_NONE);
}

/* ---- losses ---- */

static void test_latest_replaced_frames_are_told(void **state)
{
    struct aw_latest *latest = *state;
    const struct aw_frame *frame;

    push(latest, 1, 10);
    push(latest, 1, 11);
    assert_peek(latest, 1, AW_PEEK_PENDING, 11);
    push(latest, 1, 12);
    frame = take(latest, 12);
    assert_int_equal(frame->lost_before, 2);
    assert_int_equal(frame->lost_cause, AW_LOSS_OVERFLOW);
    push(latest, 1, 13);
    assert_int_equal(take(latest, 13)->lost_before, 0);
}

static void test_latest_gap_of_a_replaced_frame_is_told(void **state)
{
    struct aw_latest *latest = *state;
    const struct aw_sums gap = {.kernel = 5};
    struct aw_key key = aw_key_of_can(1);
    const struct aw_frame *frame;
    uint32_t entry;
    int error;

    assert_non_null(aw_latest_reserve(latest, &key, &entry, &error));
    aw_latest_commit(latest, entry, &gap);
    push(latest, 1, 11);
    frame = take(latest, 11);
    assert_int_equal(frame->lost_before, 6);
    assert_int_equal(frame->lost_cause, AW_LOSS_KERNEL | AW_LOSS_OVERFLOW);
}

/* ---- a hostile peer ---- */

static void test_latest_middle_tampered_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;

    push(latest, 1, 10);
    atomic_store(&latest->entries[0].middle, 7);
    assert_int_equal(aw_latest_pending(latest), -EPROTO);
    atomic_store(&latest->entries[0].middle, 7);
    assert_int_equal(
        aw_latest_peek(latest, &latest->entries[0].key, frame_of(&memory)),
        -EPROTO);
    assert_true(commit(latest, 1, 11));
    atomic_store(&latest->entries[0].middle, 3);
    assert_int_equal(aw_latest_publish(latest), -EPROTO);
}

static void test_latest_middle_tampered_at_its_turn_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;

    push(latest, 1, 10);
    assert_int_equal(aw_latest_pending(latest), 1);
    atomic_store(&latest->entries[0].middle, 7);
    assert_int_equal(aw_latest_take(latest, frame_of(&memory)), -EPROTO);
}

static void test_latest_fifo_tampered_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;

    push(latest, 1, 10);
    latest->fifo[0] = DEPTH;
    assert_int_equal(aw_latest_take(latest, frame_of(&memory)), -EPROTO);
}

static void test_latest_head_tampered_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;

    push(latest, 1, 10);
    take(latest, 10);
    atomic_store(&latest->shared->head, 0);
    assert_int_equal(aw_latest_pending(latest), -EPROTO);
    atomic_store(&latest->shared->head, 1000);
    assert_int_equal(aw_latest_pending(latest), -EPROTO);
}

static void test_latest_cells_tampered_give_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct aw_key key = aw_key_of_can(1);
    struct test_frame memory;
    uint32_t entry;
    int error = 0;

    for (uint64_t i = 0; i <= latest->cell_mask; i++)
        atomic_store(&latest->cells[i], DEPTH + 1);
    assert_null(aw_latest_reserve(latest, &key, &entry, &error));
    assert_int_equal(error, -EPROTO);
    assert_int_equal(aw_latest_peek(latest, &key, frame_of(&memory)), -EPROTO);
}

static void test_latest_cells_all_taken_end_the_search(void **state)
{
    struct aw_latest *latest = *state;
    struct aw_key key = aw_key_of_can(2);
    uint32_t entry;
    int error = 0;

    push(latest, 1, 10);
    for (uint64_t i = 0; i <= latest->cell_mask; i++)
        atomic_store(&latest->cells[i], 1);
    assert_null(aw_latest_reserve(latest, &key, &entry, &error));
    assert_int_equal(error, -EPROTO);
}

static void test_latest_entry_never_made_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct aw_key none = {0};
    uint32_t entry;
    int error = 0;

    for (uint64_t i = 0; i <= latest->cell_mask; i++)
        atomic_store(&latest->cells[i], DEPTH);
    assert_null(aw_latest_reserve(latest, &none, &entry, &error));
    assert_int_equal(error, -EPROTO);
}

static void test_latest_entry_count_tampered_gives_eproto(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;
    uint32_t place = 0;

    atomic_store(&latest->shared->entry_count, DEPTH + 1);
    assert_int_equal(aw_latest_peek_next(latest, &place, frame_of(&memory)),
                     -EPROTO);
}

static void test_latest_length_tampered_stays_within_the_slot(void **state)
{
    struct aw_latest *latest = *state;
    struct test_frame memory;
    struct aw_frame *frame = frame_of(&memory);

    push(latest, 1, 10);
    for (uint32_t i = 0; i < 3; i++) {
        struct aw_frame *slot =
            (void *)(latest->slots + i * latest->slot_bytes);

        slot->length = UINT16_MAX;
    }
    memset(&memory, 0x55, sizeof(memory));
    assert_int_equal(aw_latest_take(latest, frame), 1);
    assert_int_equal(memory.bytes[aw_slot_bytes(AW_PAYLOAD_CAN)], 0x55);
}

#define LATEST_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LATEST_TEST(test_latest_init_refuses_impossible_sizes),
        LATEST_TEST(test_latest_new_is_empty),
        LATEST_TEST(test_latest_memory_holds_no_pointer_into_the_process),
        LATEST_TEST(test_latest_committed_is_invisible_until_published),
        LATEST_TEST(test_latest_newer_frame_replaces),
        LATEST_TEST(test_latest_newer_frame_in_one_batch_replaces),
        LATEST_TEST(test_latest_keys_come_in_order_of_waiting),
        LATEST_TEST(test_latest_newest_is_taken_though_its_turn_came_before),
        LATEST_TEST(test_latest_more_keys_than_depth_drop_the_new_one),
        LATEST_TEST(test_latest_many_keys_are_all_found),
        LATEST_TEST(test_latest_used_counts_what_waits),
        LATEST_TEST(test_latest_peek_leaves_it_pending),
        LATEST_TEST(test_latest_peek_shows_what_was_taken),
        LATEST_TEST(test_latest_looked_at_and_replaced_is_counted_once),
        LATEST_TEST(test_latest_looked_at_keeps_its_turn),
        LATEST_TEST(test_latest_peek_next_shows_each_key_once),
        LATEST_TEST(test_latest_peek_next_passes_over_what_is_not_published),
        LATEST_TEST(test_latest_replaced_frames_are_told),
        LATEST_TEST(test_latest_gap_of_a_replaced_frame_is_told),
        LATEST_TEST(test_latest_middle_tampered_gives_eproto),
        LATEST_TEST(test_latest_middle_tampered_at_its_turn_gives_eproto),
        LATEST_TEST(test_latest_fifo_tampered_gives_eproto),
        LATEST_TEST(test_latest_head_tampered_gives_eproto),
        LATEST_TEST(test_latest_cells_tampered_give_eproto),
        LATEST_TEST(test_latest_cells_all_taken_end_the_search),
        LATEST_TEST(test_latest_entry_never_made_gives_eproto),
        LATEST_TEST(test_latest_entry_count_tampered_gives_eproto),
        LATEST_TEST(test_latest_length_tampered_stays_within_the_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
