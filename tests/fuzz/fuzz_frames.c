/* Frames as the kernel hands them over without a message around them: those of
 * a raw CAN socket, what error frames say, and AF_PACKET's ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "devices/can_error.h"
#include "devices/can_frame.h"
#include "devices/packet_ring.h"
#include "tests/fuzz/fuzz.h"

#define BLOCK_BYTES 1024u
#define BLOCKS_MAX  4u
#define HW_ROOM     AW_HW_STAMP_BYTES

struct slot {
    _Alignas(8) unsigned char bytes[offsetof(struct aw_frame, payload) +
                                    AW_PAYLOAD_FD];
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_begin(false);
    return 0;
}

/* ---- CAN ---- */

static void check_error(const struct aw_frame *frame)
{
    struct aw_can_error error = aw_can_error_decode(frame);

    FUZZ_REQUIRE(error.bus_state >= AW_BUS_UNKNOWN &&
                 error.bus_state <= AW_BUS_OFF);
    FUZZ_REQUIRE(!error.bus_off || error.bus_state == AW_BUS_OFF);
    FUZZ_REQUIRE(error.counted ||
                 (error.tx_errors == 0 && error.rx_errors == 0));
}

/* What comes in goes out the same: its bytes in the order of the wire. */
static void check_can(struct fuzz_input *input)
{
    size_t bytes = fuzz_take(input, 1) & 1 ? CANFD_MTU : CAN_MTU;
    struct slot slot = {{0}}, second = {{0}};
    struct aw_frame *frame = (void *)slot.bytes;
    struct aw_frame *again = (void *)second.bytes;
    union aw_can_wire wire = {.fd = {.can_id = 0}}, back;
    int result;

    fuzz_take_bytes(input, &wire, bytes);
    aw_can_frame_import(&wire, bytes, frame);
    FUZZ_REQUIRE(aw_frame_plausible(frame, AW_PAYLOAD_FD));
    FUZZ_REQUIRE(frame->length <= (bytes == CAN_MTU ? 8 : 64));
    check_error(frame);
    result = aw_can_frame_export(frame, &back);
    if (result < 0) {
        FUZZ_REQUIRE(bytes == CANFD_MTU && (frame->id & AW_CAN_REMOTE));
        return;
    }
    FUZZ_REQUIRE((size_t)result == bytes);
    aw_can_frame_import(&back, (size_t)result, again);
    /* An FD payload is filled up to a length that there is. */
    FUZZ_REQUIRE(again->length >= frame->length && again->id == frame->id &&
                 again->flags == frame->flags);
    FUZZ_REQUIRE(memcmp(again->payload, frame->payload, frame->length) == 0);
}

/* ---- the packet ring ---- */

/* The kernel's memory: a mapping, as it is there, so that bytes beyond it are
 * another's. */
static unsigned char *ring_memory(size_t bytes)
{
    static unsigned char *memory;

    if (!memory) {
        memory = aligned_alloc(4096, BLOCKS_MAX * BLOCK_BYTES);
        FUZZ_REQUIRE(memory);
    }
    memset(memory, 0, BLOCKS_MAX * BLOCK_BYTES);
    FUZZ_REQUIRE(bytes <= BLOCKS_MAX * BLOCK_BYTES);
    return memory + BLOCKS_MAX * BLOCK_BYTES - bytes;
}

/* Reads until nothing comes. Each block is read once: its frames, or -EPROTO.
 */
static void drain(struct aw_packet_ring *ring,
                  struct aw_packet_context *context, struct aw_batch *batch)
    AW_ON(reader)
{
    uint64_t before;

    do {
        before = ring->taken;
        batch->count = 0;
        if (aw_packet_ring_read(ring, context, batch) < 0)
            return;
        FUZZ_REQUIRE(batch->count <= batch->limit);
        FUZZ_REQUIRE(ring->taken == before + batch->count);
        for (uint32_t i = 0; i < batch->count; i++)
            FUZZ_REQUIRE(aw_frame_fits(aw_batch_at(batch, i),
                                       context->max_payload + HW_ROOM));
    } while (ring->taken > before);
}

static void check_ring(struct fuzz_input *input)
{
    struct aw_packet_context context = {0};
    struct aw_packet_ring ring = {.fd = -1, .block_bytes = BLOCK_BYTES};
    struct aw_batch batch = {0};

    aw_role_assume(&aw_role_reader);
    ring.block_count = 1 + fuzz_take(input, 1) % BLOCKS_MAX;
    context.max_payload = 1 + (uint32_t)fuzz_take(input, 1) * 8;
    context.hw_timestamps = fuzz_take(input, 1) & 1;
    batch.limit = 1 + fuzz_take(input, 1) % AW_BATCH_FRAMES;
    ring.bytes = (size_t)ring.block_count * BLOCK_BYTES;
    ring.memory = ring_memory(ring.bytes);
    fuzz_take_bytes(input, ring.memory, ring.bytes);
    batch.slot_bytes = aw_slot_bytes(context.max_payload + HW_ROOM);
    batch.slots = calloc(batch.limit, batch.slot_bytes);
    FUZZ_REQUIRE(batch.slots);
    drain(&ring, &context, &batch);
    free(batch.slots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    if (fuzz_take(&input, 1) & 1)
        check_ring(&input);
    else
        check_can(&input);
    return 0;
}
