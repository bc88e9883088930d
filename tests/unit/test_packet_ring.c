/* The packet ring, in memory that no kernel fills: blocks that contradict
 * themselves. What the kernel does fill test_packet.c reads. */
#include "tests/support/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/packet_ring.h"

#define BLOCK_BYTES  1024u
#define FIRST_OFFSET 48u
#define NEXT_OFFSET  256u
#define PAYLOAD      64u
#define FRAMES       2u

struct bench {
    struct aw_packet_ring ring;
    struct aw_packet_context context;
    struct aw_batch batch;
    _Alignas(16) unsigned char memory[BLOCK_BYTES];
    _Alignas(8) unsigned char slots[FRAMES * 128];
};

static struct tpacket_hdr_v1 *block_of(struct bench *bench)
{
    struct tpacket_block_desc *block = (void *)bench->memory;

    return &block->hdr.bh1;
}

static struct tpacket3_hdr *frame_of(struct bench *bench, size_t offset)
{
    return (void *)(bench->memory + offset);
}

/* A block of two frames without data, which is ours. */
static void lay_out(struct bench *bench)
{
    *bench = (struct bench){
        .ring = {.fd = -1,
                 .bytes = BLOCK_BYTES,
                 .block_bytes = BLOCK_BYTES,
                 .block_count = 1},
        .context = {.max_payload = PAYLOAD},
        .batch = {.limit = FRAMES, .slot_bytes = 128},
    };
    bench->ring.memory = bench->memory;
    bench->batch.slots = bench->slots;
    block_of(bench)->block_status = TP_STATUS_USER;
    block_of(bench)->num_pkts = FRAMES;
    block_of(bench)->offset_to_first_pkt = FIRST_OFFSET;
    frame_of(bench, FIRST_OFFSET)->tp_next_offset = NEXT_OFFSET;
}

static int read_ring(struct bench *bench)
{
    aw_role_assume(&aw_role_reader);
    return aw_packet_ring_read(&bench->ring, &bench->context, &bench->batch);
}

static void test_packet_ring_block_is_read_and_given_back(void **state)
{
    struct bench bench;

    (void)state;
    lay_out(&bench);
    assert_int_equal(read_ring(&bench), 0);
    assert_int_equal(bench.batch.count, FRAMES);
    assert_int_equal(block_of(&bench)->block_status, TP_STATUS_KERNEL);
}

static void test_packet_ring_first_frame_outside_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    lay_out(&bench);
    block_of(&bench)->offset_to_first_pkt = BLOCK_BYTES;
    assert_int_equal(read_ring(&bench), -EPROTO);
}

static void test_packet_ring_first_frame_askew_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    lay_out(&bench);
    block_of(&bench)->offset_to_first_pkt = FIRST_OFFSET + 1;
    assert_int_equal(read_ring(&bench), -EPROTO);
}

static void test_packet_ring_next_frame_askew_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    lay_out(&bench);
    frame_of(&bench, FIRST_OFFSET)->tp_next_offset = NEXT_OFFSET + 2;
    assert_int_equal(read_ring(&bench), -EPROTO);
}

static void test_packet_ring_next_frame_nowhere_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    lay_out(&bench);
    frame_of(&bench, FIRST_OFFSET)->tp_next_offset = 0;
    assert_int_equal(read_ring(&bench), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_ring_block_is_read_and_given_back),
        cmocka_unit_test(test_packet_ring_first_frame_outside_is_refused),
        cmocka_unit_test(test_packet_ring_first_frame_askew_is_refused),
        cmocka_unit_test(test_packet_ring_next_frame_askew_is_refused),
        cmocka_unit_test(test_packet_ring_next_frame_nowhere_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
