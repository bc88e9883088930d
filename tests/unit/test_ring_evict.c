/* The ring that evicts: what each side sees when they take from the same end.
 * Both at once, by threads, is in tests/stress. */
#include "devices/queue/ring.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/support/unit.h"

#define DEPTH 3u
#define SLOTS 128u /* the power of two from DEPTH + AW_RING_SPARE on */

static int make(void **state)
{
    struct aw_ring *ring =
        aligned_alloc(_Alignof(struct aw_ring), sizeof(*ring));

    *state = ring;
    return aw_ring_init(ring, "test", DEPTH, AW_PAYLOAD_CAN, true);
}

static int unmake(void **state)
{
    struct aw_ring *ring = *state;

    aw_ring_deinit(ring);
    free(ring);
    return 0;
}

/* Commits a frame with this id; false if it was refused. */
static bool commit(struct aw_ring *ring, uint32_t id)
{
    int error = 0;
    struct aw_frame *frame = aw_ring_reserve(ring, &error);

    assert_int_equal(error, 0);
    if (!frame)
        return false;
    frame->id = id;
    frame->length = 0;
    aw_ring_commit(ring);
    return true;
}

/* Pushes the ids from `first` on; returns how many were taken. */
static uint32_t push(struct aw_ring *ring, uint32_t first, uint32_t count)
{
    uint32_t pushed = 0;

    for (uint32_t id = first; id < first + count; id++)
        pushed += commit(ring, id);
    aw_ring_publish(ring);
    return pushed;
}

static uint64_t claim(struct aw_ring *ring, uint64_t count)
{
    uint64_t index = AW_RING_NONE;

    assert_int_equal(aw_ring_claim(ring, count, &index), count);
    return index;
}

static uint32_t id_at(const struct aw_ring *ring, uint64_t index)
{
    return aw_ring_slot(ring, index)->id;
}

static void test_ring_evict_has_spare_slots(void **state)
{
    struct aw_ring *ring = *state;

    assert_int_equal(ring->mask + 1, SLOTS);
    assert_int_equal(ring->shared->slot_count, SLOTS);
    assert_int_equal(aw_ring_room(ring), DEPTH);
}

static void test_ring_evict_slots_carry_sums(void **state)
{
    struct aw_ring *ring = *state;

    assert_int_equal(ring->slot_bytes, 48 + sizeof(struct aw_sums));
    *aw_ring_sums(ring, 0) = (struct aw_sums){1, 2, 0};
    *aw_ring_sums(ring, SLOTS - 1) = (struct aw_sums){3, 4, 0};
    assert_int_equal(aw_ring_sums(ring, SLOTS)->overflow, 2);
    assert_int_equal(aw_ring_sums(ring, 2 * SLOTS - 1)->kernel, 3);
}

static void test_ring_evict_full_keeps_the_newest(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    assert_int_equal(push(ring, 0, 10), 10);
    assert_int_equal(ring->evicted, 7);
    assert_int_equal(aw_ring_pending(ring), DEPTH);
    index = claim(ring, DEPTH);
    for (uint32_t i = 0; i < DEPTH; i++)
        assert_int_equal(id_at(ring, index + i), 7 + i);
}

static void test_ring_evict_not_full_evicts_nothing(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0, DEPTH);
    assert_int_equal(ring->evicted, 0);
}

static void test_ring_evict_claimed_makes_room(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0, DEPTH);
    claim(ring, 2);
    assert_int_equal(push(ring, 10, 2), 2);
    assert_int_equal(ring->evicted, 0);
    assert_int_equal(aw_ring_pending(ring), DEPTH);
}

static void test_ring_evict_unpublished_frames_go_too(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    push(ring, 0, DEPTH);
    for (uint32_t id = 10; id < 20; id++)
        assert_true(commit(ring, id));
    /* All that was published has been evicted. */
    assert_int_equal(aw_ring_pending(ring), 0);
    assert_int_equal(aw_ring_claim(ring, 1, &index), 0);
    assert_int_equal(atomic_load(&ring->shared->tail), AW_RING_NONE);
    aw_ring_publish(ring);
    assert_int_equal(id_at(ring, claim(ring, DEPTH)), 17);
}

static void test_ring_evict_claim_survives_until_the_ring_wraps(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    push(ring, 0, DEPTH);
    index = claim(ring, 1);
    /* Frame 0 lies in slot 0: the slots behind it can all be filled. */
    assert_int_equal(push(ring, 1000, 1000), SLOTS - DEPTH);
    assert_int_equal(id_at(ring, index), 0);
}

static void test_ring_evict_refused_frame_evicts_nothing(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t evicted;

    push(ring, 0, DEPTH);
    claim(ring, 1);
    push(ring, 1000, SLOTS);
    evicted = ring->evicted;
    assert_int_equal(push(ring, 5000, 10), 0);
    assert_int_equal(ring->evicted, evicted);
    assert_int_equal(aw_ring_pending(ring), DEPTH);
}

static void test_ring_evict_goes_on_after_the_release(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    push(ring, 0, DEPTH);
    index = claim(ring, 1);
    push(ring, 1000, 1000);
    aw_ring_release(ring, index + 1, 1);
    assert_int_equal(push(ring, 5000, 1000), 1000);
    index = claim(ring, DEPTH);
    assert_int_equal(id_at(ring, index), 5000 + 1000 - DEPTH);
}

static void
test_ring_evict_second_claim_is_kept_when_the_first_goes(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t first, second;

    push(ring, 0, DEPTH);
    first = claim(ring, 1);
    push(ring, 10, 10);
    second = claim(ring, 1);
    assert_true(second > first + 1);
    aw_ring_release(ring, second, 1);
    assert_int_equal(push(ring, 1000, 1000), SLOTS - (DEPTH + 10 - second));
    assert_int_equal(id_at(ring, second), 10 + 10 - DEPTH);
}

static void test_ring_evict_many_laps_keep_the_newest(void **state)
{
    struct aw_ring *ring = *state;

    for (uint32_t lap = 0; lap < 5000; lap++) {
        uint64_t index;

        push(ring, lap * 10, 1 + lap % 7);
        index = claim(ring, 1);
        assert_true(id_at(ring, index) / 10 + DEPTH > lap);
        aw_ring_release(ring, index + 1, 1);
    }
    assert_true(ring->evicted > 5000);
}

static void test_ring_evict_cursor_beyond_head_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;
    int error = 0;

    push(ring, 0, DEPTH);
    atomic_store(&ring->shared->cursor, DEPTH + 1);
    assert_null(aw_ring_reserve(ring, &error));
    assert_int_equal(error, -EPROTO);
}

static void test_ring_evict_cursor_going_backwards_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;
    int error = 0;

    push(ring, 0, 10);
    index = claim(ring, 1);
    aw_ring_release(ring, index + 1, 1);
    assert_int_equal(aw_ring_room(ring), 1);
    atomic_store(&ring->shared->cursor, 1);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
    assert_int_equal(aw_ring_claim(ring, 1, &index), -EPROTO);
    assert_int_equal(aw_ring_room(ring), -EPROTO);
    assert_true(commit(ring, 99));
    assert_null(aw_ring_reserve(ring, &error));
    assert_int_equal(error, -EPROTO);
}

static void test_ring_evict_head_beyond_depth_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0, 10);
    atomic_store(&ring->shared->head, 11);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
}

static void test_ring_evict_head_going_backwards_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0, 10);
    assert_int_equal(aw_ring_pending(ring), DEPTH);
    atomic_store(&ring->shared->head, 5);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
}

static void test_ring_evict_tail_stuck_refuses_the_newest(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0, DEPTH);
    atomic_store(&ring->shared->tail, 0);
    assert_int_equal(push(ring, 0, 1000), SLOTS - DEPTH);
}

static void test_ring_evict_any_indices_never_lead_outside(void **state)
{
    struct aw_ring *ring = *state;
    const unsigned char *end = ring->slots + SLOTS * ring->slot_bytes;
    uint64_t value = 0x9E3779B97F4A7C15;
    int error = 0;

    push(ring, 0, 10);
    for (int i = 0; i < 1000; i++) {
        const unsigned char *slot;

        value = value * 6364136223846793005u + 1442695040888963407u;
        atomic_store(&ring->shared->head, value >> (i % 64));
        atomic_store(&ring->shared->tail, value >> (63 - i % 64));
        atomic_store(&ring->shared->cursor, value >> (i * 7 % 64));
        slot = (const unsigned char *)aw_ring_reserve(ring, &error);
        assert_true(!slot || (slot >= ring->slots && slot < end));
        assert_true(aw_ring_pending(ring) <= (int64_t)DEPTH);
    }
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(test_ring_evict_has_spare_slots),
        RING_TEST(test_ring_evict_slots_carry_sums),
        RING_TEST(test_ring_evict_full_keeps_the_newest),
        RING_TEST(test_ring_evict_not_full_evicts_nothing),
        RING_TEST(test_ring_evict_claimed_makes_room),
        RING_TEST(test_ring_evict_unpublished_frames_go_too),
        RING_TEST(test_ring_evict_claim_survives_until_the_ring_wraps),
        RING_TEST(test_ring_evict_refused_frame_evicts_nothing),
        RING_TEST(test_ring_evict_goes_on_after_the_release),
        RING_TEST(test_ring_evict_second_claim_is_kept_when_the_first_goes),
        RING_TEST(test_ring_evict_many_laps_keep_the_newest),
        RING_TEST(test_ring_evict_cursor_beyond_head_gives_eproto),
        RING_TEST(test_ring_evict_cursor_going_backwards_gives_eproto),
        RING_TEST(test_ring_evict_head_beyond_depth_gives_eproto),
        RING_TEST(test_ring_evict_head_going_backwards_gives_eproto),
        RING_TEST(test_ring_evict_tail_stuck_refuses_the_newest),
        RING_TEST(test_ring_evict_any_indices_never_lead_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
