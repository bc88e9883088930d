#include "devices/queue/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/support/unit.h"

#define DEPTH 3u /* not a power of two: four slots in memory, three in use */

static int make(void **state)
{
    struct aw_ring *ring =
        aligned_alloc(_Alignof(struct aw_ring), sizeof(*ring));

    *state = ring;
    return aw_ring_init(ring, "test", DEPTH, AW_PAYLOAD_CAN, false);
}

static int unmake(void **state)
{
    struct aw_ring *ring = *state;

    aw_ring_deinit(ring);
    free(ring);
    return 0;
}

/* Commits a frame with this id; false if the ring is full. */
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

static void push(struct aw_ring *ring, uint32_t id)
{
    assert_true(commit(ring, id));
    aw_ring_publish(ring);
}

static void fill(struct aw_ring *ring)
{
    for (uint32_t id = 0; id < DEPTH; id++)
        push(ring, id);
}

static uint64_t claim(struct aw_ring *ring, uint64_t count)
{
    uint64_t index = AW_RING_NONE;

    assert_int_equal(aw_ring_claim(ring, count, &index), count);
    return index;
}

static void pop(struct aw_ring *ring, uint32_t id)
{
    uint64_t index = claim(ring, 1);

    assert_int_equal(aw_ring_slot(ring, index)->id, id);
    aw_ring_release(ring, index + 1, 1);
}

static void assert_empty(struct aw_ring *ring)
{
    uint64_t index;

    assert_int_equal(aw_ring_claim(ring, 1, &index), 0);
}

/* ---- making one ---- */

static void test_ring_init_without_slots_refused(void **state)
{
    struct aw_ring ring;

    (void)state;
    assert_int_equal(aw_ring_init(&ring, "test", 0, 8, false), -EINVAL);
}

static void test_ring_init_too_deep_refused(void **state)
{
    struct aw_ring ring;

    (void)state;
    assert_int_equal(
        aw_ring_init(&ring, "test", AW_RING_SLOTS_MAX + 1, 8, false), -EINVAL);
    assert_int_equal(aw_ring_init(&ring, "test", UINT32_MAX, UINT32_MAX, false),
                     -EINVAL);
}

static void test_ring_init_payload_too_large_refused(void **state)
{
    struct aw_ring ring;

    (void)state;
    assert_int_equal(aw_ring_init(&ring, "test", 1, AW_PAYLOAD_MAX + 1, false),
                     -EINVAL);
}

static void test_ring_new_is_empty(void **state)
{
    struct aw_ring *ring = *state;

    assert_int_equal(aw_ring_pending(ring), 0);
    assert_empty(ring);
    assert_int_equal(aw_ring_room(ring), DEPTH);
}

static void test_ring_classic_can_slot_takes_48_bytes(void **state)
{
    struct aw_ring *ring = *state;

    assert_int_equal(ring->slot_bytes, 48);
}

static void test_ring_odd_payload_keeps_slots_aligned(void **state)
{
    struct aw_ring ring;
    int error = 0;

    (void)state;
    assert_int_equal(aw_ring_init(&ring, "test", 2, 13, false), 0);
    for (uint32_t id = 0; id < 2; id++) {
        assert_int_equal((uintptr_t)aw_ring_reserve(&ring, &error) % 8, 0);
        push(&ring, id);
    }
    aw_ring_deinit(&ring);
}

static void test_ring_deinit_twice_is_harmless(void **state)
{
    struct aw_ring *ring = *state;

    aw_ring_deinit(ring);
}

/* ---- both sides ---- */

static void test_ring_committed_is_invisible_until_published(void **state)
{
    struct aw_ring *ring = *state;

    assert_true(commit(ring, 1));
    assert_int_equal(aw_ring_pending(ring), 0);
    aw_ring_publish(ring);
    assert_int_equal(aw_ring_pending(ring), 1);
}

static void test_ring_reserved_but_not_committed_is_offered_again(void **state)
{
    struct aw_ring *ring = *state;
    int error = 0;
    const struct aw_frame *first = aw_ring_reserve(ring, &error);

    assert_ptr_equal(aw_ring_reserve(ring, &error), first);
}

static void test_ring_frames_come_in_order(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    for (uint32_t id = 0; id < DEPTH; id++)
        pop(ring, id);
    assert_empty(ring);
}

static void test_ring_claimed_is_not_claimed_again(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    assert_int_equal(claim(ring, 2), 0);
    assert_int_equal(aw_ring_pending(ring), 1);
    assert_int_equal(claim(ring, 1), 2);
    assert_empty(ring);
}

static void test_ring_claim_gives_what_there_is(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    fill(ring);
    assert_int_equal(aw_ring_claim(ring, UINT64_MAX, &index), DEPTH);
    assert_int_equal(index, 0);
}

static void test_ring_claim_finds_what_came_after_the_last_look(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 1);
    assert_int_equal(aw_ring_pending(ring), 1);
    push(ring, 2);
    assert_int_equal(claim(ring, 2), 0);
}

static void test_ring_claimed_slots_are_no_room(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    claim(ring, DEPTH);
    assert_int_equal(aw_ring_room(ring), 0);
    assert_false(commit(ring, 99));
}

static void test_ring_release_keeps_what_was_claimed_later(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    claim(ring, 1);
    claim(ring, 1);
    aw_ring_release(ring, 1, 1);
    assert_int_equal(aw_ring_room(ring), 1);
}

static void test_ring_full_at_depth_not_at_slots_in_memory(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    assert_false(commit(ring, 99));
    assert_int_equal(aw_ring_room(ring), 0);
}

static void test_ring_committed_frames_count_as_used(void **state)
{
    struct aw_ring *ring = *state;

    for (uint32_t id = 0; id < DEPTH; id++)
        assert_true(commit(ring, id));
    assert_false(commit(ring, 99));
}

static void test_ring_released_slot_is_used_again(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    pop(ring, 0);
    push(ring, DEPTH);
    assert_false(commit(ring, 99));
    pop(ring, 1);
}

static void test_ring_batch_release_frees_all_at_once(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    claim(ring, DEPTH);
    aw_ring_release(ring, DEPTH, DEPTH);
    assert_int_equal(aw_ring_room(ring), DEPTH);
}

static void test_ring_many_laps_keep_order(void **state)
{
    struct aw_ring *ring = *state;
    uint32_t taken = 0;

    for (uint32_t id = 0; id < 1000; id++) {
        push(ring, id);
        if (id % 3 == 2)
            while (aw_ring_pending(ring) > 0)
                pop(ring, taken++);
    }
    assert_int_equal(taken, 999);
}

static void test_ring_of_one_slot_alternates(void **state)
{
    struct aw_ring ring;

    (void)state;
    assert_int_equal(aw_ring_init(&ring, "test", 1, AW_PAYLOAD_CAN, false), 0);
    for (uint32_t id = 0; id < 5; id++) {
        push(&ring, id);
        assert_false(commit(&ring, 99));
        pop(&ring, id);
    }
    aw_ring_deinit(&ring);
}

/* ---- a hostile peer ---- */

static void test_ring_head_beyond_depth_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;
    uint64_t index;

    atomic_store(&ring->shared->head, DEPTH + 1);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
    assert_int_equal(aw_ring_claim(ring, 1, &index), -EPROTO);
}

static void test_ring_head_behind_tail_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0);
    pop(ring, 0);
    atomic_store(&ring->shared->head, 0);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
}

static void test_ring_head_going_backwards_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    assert_int_equal(aw_ring_pending(ring), DEPTH);
    atomic_store(&ring->shared->head, 1);
    assert_int_equal(aw_ring_pending(ring), -EPROTO);
    /* What was seen before can still be claimed and released. */
    claim(ring, DEPTH);
    aw_ring_release(ring, DEPTH, DEPTH);
}

static void test_ring_tail_beyond_head_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;
    int error = 0;

    fill(ring);
    atomic_store(&ring->shared->tail, DEPTH + 1);
    assert_null(aw_ring_reserve(ring, &error));
    assert_int_equal(error, -EPROTO);
    assert_int_equal(aw_ring_room(ring), -EPROTO);
}

static void test_ring_tail_going_backwards_gives_eproto(void **state)
{
    struct aw_ring *ring = *state;

    push(ring, 0);
    pop(ring, 0);
    assert_int_equal(aw_ring_room(ring), DEPTH);
    atomic_store(&ring->shared->tail, 0);
    assert_int_equal(aw_ring_room(ring), -EPROTO);
}

static void tamper_and_use(struct aw_ring *ring)
{
    uint64_t value = 0x9E3779B97F4A7C15;

    for (int i = 0; i < 1000; i++) {
        const unsigned char *end =
            ring->slots + (ring->mask + 1) * ring->slot_bytes;
        const unsigned char *slot;
        uint64_t index = 0;
        int error = 0;

        value = value * 6364136223846793005u + 1442695040888963407u;
        atomic_store(&ring->shared->head, value >> (i % 64));
        atomic_store(&ring->shared->tail, value >> (63 - i % 64));
        atomic_store(&ring->shared->cursor, value >> (i * 7 % 64));
        if (aw_ring_claim(ring, value % 5, &index) > 0) {
            slot = (const unsigned char *)aw_ring_slot(ring, index);
            assert_true(slot >= ring->slots && slot < end);
        }
        slot = (const unsigned char *)aw_ring_reserve(ring, &error);
        assert_true(!slot || (slot >= ring->slots && slot < end));
    }
}

static void test_ring_any_indices_never_lead_outside(void **state)
{
    struct aw_ring *ring = *state;

    fill(ring);
    tamper_and_use(ring);
}

static void test_ring_counts_in_shared_memory_are_not_trusted(void **state)
{
    struct aw_ring *ring = *state;

    ring->shared->slot_count = UINT32_MAX;
    ring->shared->payload_bytes = UINT32_MAX;
    fill(ring);
    assert_false(commit(ring, 99));
    pop(ring, 0);
}

/* ---- free of pointers ---- */

/* The consumer's half of a ring as another process would build it. */
static void attach(struct aw_ring *peer, const struct aw_ring *ring)
{
    void *memory = mmap(NULL, ring->mapped_bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED, ring->fd, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_ptr_not_equal(memory, ring->shared);
    *peer = (struct aw_ring){
        .shared = memory,
        .slots = (unsigned char *)memory + sizeof(struct aw_ring_shared),
        .slot_bytes = aw_slot_bytes(AW_PAYLOAD_CAN),
        .mapped_bytes = ring->mapped_bytes,
        .mask = ring->mask,
        .depth = ring->depth,
        .payload_bytes = AW_PAYLOAD_CAN,
        .fd = -1,
    };
}

static void test_ring_mapped_elsewhere_is_consumed_there(void **state)
{
    struct aw_ring *ring = *state, peer;

    attach(&peer, ring);
    fill(ring);
    for (uint32_t id = 0; id < DEPTH; id++)
        pop(&peer, id);
    /* What the peer released is room here. */
    assert_int_equal(aw_ring_room(ring), DEPTH);
    push(ring, 7);
    pop(&peer, 7);
    aw_ring_deinit(&peer);
}

static void test_ring_header_says_what_a_peer_needs(void **state)
{
    struct aw_ring *ring = *state, peer;

    attach(&peer, ring);
    assert_string_equal(peer.shared->magic, "awring1");
    assert_int_equal(peer.shared->slot_count, 4);
    assert_int_equal(peer.shared->payload_bytes, AW_PAYLOAD_CAN);
    aw_ring_deinit(&peer);
}

static void test_ring_memory_holds_no_pointer_into_the_process(void **state)
{
    struct aw_ring *ring = *state;
    uintptr_t first = (uintptr_t)ring->shared, object = (uintptr_t)ring;

    fill(ring);
    for (size_t at = 0; at + 8 <= ring->mapped_bytes; at += 8) {
        uintptr_t word;

        memcpy(&word, (unsigned char *)ring->shared + at, sizeof(word));
        assert_false(word >= first && word < first + ring->mapped_bytes);
        assert_false(word >= object && word < object + sizeof(*ring));
    }
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_init_without_slots_refused),
        cmocka_unit_test(test_ring_init_too_deep_refused),
        cmocka_unit_test(test_ring_init_payload_too_large_refused),
        RING_TEST(test_ring_new_is_empty),
        RING_TEST(test_ring_classic_can_slot_takes_48_bytes),
        cmocka_unit_test(test_ring_odd_payload_keeps_slots_aligned),
        RING_TEST(test_ring_deinit_twice_is_harmless),
        RING_TEST(test_ring_committed_is_invisible_until_published),
        RING_TEST(test_ring_reserved_but_not_committed_is_offered_again),
        RING_TEST(test_ring_frames_come_in_order),
        RING_TEST(test_ring_claimed_is_not_claimed_again),
        RING_TEST(test_ring_claim_gives_what_there_is),
        RING_TEST(test_ring_claim_finds_what_came_after_the_last_look),
        RING_TEST(test_ring_claimed_slots_are_no_room),
        RING_TEST(test_ring_release_keeps_what_was_claimed_later),
        RING_TEST(test_ring_full_at_depth_not_at_slots_in_memory),
        RING_TEST(test_ring_committed_frames_count_as_used),
        RING_TEST(test_ring_released_slot_is_used_again),
        RING_TEST(test_ring_batch_release_frees_all_at_once),
        RING_TEST(test_ring_many_laps_keep_order),
        cmocka_unit_test(test_ring_of_one_slot_alternates),
        RING_TEST(test_ring_head_beyond_depth_gives_eproto),
        RING_TEST(test_ring_head_behind_tail_gives_eproto),
        RING_TEST(test_ring_head_going_backwards_gives_eproto),
        RING_TEST(test_ring_tail_beyond_head_gives_eproto),
        RING_TEST(test_ring_tail_going_backwards_gives_eproto),
        RING_TEST(test_ring_any_indices_never_lead_outside),
        RING_TEST(test_ring_counts_in_shared_memory_are_not_trusted),
        RING_TEST(test_ring_mapped_elsewhere_is_consumed_there),
        RING_TEST(test_ring_header_says_what_a_peer_needs),
        RING_TEST(test_ring_memory_holds_no_pointer_into_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
