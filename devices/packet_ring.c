#include "devices/packet_ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/queue/clock.h"

/* Of a block: large ones mean few hand-overs in a flood. */
#define BLOCK_BYTES_MAX (UINT32_C(1) << 18)

/* Headers of a block and of a frame, and the kernel's alignment of both: more
 * than they need. */
#define OVERHEAD_BYTES 512u

/* Of no meaning for TPACKET_V3, but checked: it must divide a block. */
#define FRAME_BYTES 2048u

/* ---- memory ---- */

/* A power of two, with room for the longest frame. */
static uint32_t choose_block(int64_t bytes, uint32_t max_payload)
{
    uint32_t block = (uint32_t)sysconf(_SC_PAGESIZE);

    while (block < max_payload + OVERHEAD_BYTES)
        block *= 2;
    while (block < BLOCK_BYTES_MAX && 8 * (int64_t)block <= bytes)
        block *= 2;
    return block;
}

static int make_ring(struct aw_packet_ring *ring, uint32_t block_timeout_ms)
{
    int version = TPACKET_V3;
    struct tpacket_req3 request = {
        .tp_block_size = ring->block_bytes,
        .tp_block_nr = ring->block_count,
        .tp_frame_size = FRAME_BYTES,
        .tp_frame_nr = ring->block_bytes / FRAME_BYTES * ring->block_count,
        .tp_retire_blk_tov = block_timeout_ms,
    };

    if (setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version,
                   sizeof(version)) < 0 ||
        setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &request,
                   sizeof(request)) < 0)
        return -errno;
    ring->memory = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                        ring->fd, 0);
    if (ring->memory == MAP_FAILED) {
        ring->memory = NULL;
        return -errno;
    }
    return 0;
}

int aw_packet_ring_init(struct aw_packet_ring *ring, int fd, int64_t bytes,
                        uint32_t max_payload, uint32_t block_timeout_ms)
{
    uint32_t block = choose_block(bytes, max_payload);
    uint32_t count = (uint32_t)(bytes / block);

    *ring = (struct aw_packet_ring){
        .fd = fd,
        .block_bytes = block,
        .block_count = count < 2 ? 2 : count,
    };
    ring->bytes = (size_t)ring->block_count * block;
    return make_ring(ring, block_timeout_ms);
}

void aw_packet_ring_deinit(struct aw_packet_ring *ring)
{
    if (ring->memory)
        munmap(ring->memory, ring->bytes);
    ring->memory = NULL;
}

/* ---- losses ---- */

/* Takes the kernel's counters over, which start from 0 again. */
static void count(struct aw_packet_ring *ring)
{
    struct tpacket_stats_v3 stats;
    socklen_t length = sizeof(stats);

    if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) <
        0)
        return;
    ring->accepted += stats.tp_packets - stats.tp_drops;
    if (stats.tp_drops == 0)
        return;
    /* The blocks that are ours now, the one being read the first of them, were
     * there before. */
    if (ring->counted == ring->placed)
        ring->place_number =
            ring->block_number + ring->block_count + !ring->next_header;
    ring->counted += stats.tp_drops;
}

uint64_t aw_packet_ring_losses(struct aw_packet_ring *ring)
{
    AW_ASSERT_ROLE(READER);
    count(ring);
    return ring->counted;
}

bool aw_packet_ring_drained(struct aw_packet_ring *ring)
{
    AW_ASSERT_ROLE(READER);
    count(ring);
    return ring->taken == ring->accepted;
}

/* Do losses belong before the block that has just been opened? */
static bool losses_end_here(struct aw_packet_ring *ring, uint32_t status)
{
    if (status & TP_STATUS_LOSING)
        count(ring);
    else if (ring->block_number < ring->place_number)
        return false;
    return ring->counted > ring->placed;
}

static void place_losses(struct aw_packet_ring *ring, struct aw_frame *frame)
{
    uint64_t lost = ring->place ? ring->counted - ring->placed : 0;

    frame->lost_before = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
    frame->lost_cause = AW_LOSS_NONE;
    ring->placed += frame->lost_before;
    ring->place = false;
}

/* ---- blocks ---- */

static struct tpacket_block_desc *block_at(const struct aw_packet_ring *ring)
{
    void *block = ring->memory + (size_t)ring->current * ring->block_bytes;

    return block;
}

/* Can a header lie there, in so many bytes? */
static bool is_place(size_t offset, size_t room)
{
    return offset < room && offset % _Alignof(struct tpacket3_hdr) == 0;
}

/* Begins with the current block if it is ours. Returns 1, 0, or -EPROTO. */
static int open_block(struct aw_packet_ring *ring)
{
    struct tpacket_block_desc *block = block_at(ring);
    const struct tpacket_hdr_v1 *head = &block->hdr.bh1;
    uint32_t status;

    /* Acquire: the frames are complete before the block is ours. Partner: the
     * kernel's prb_close_block(). */
    status = __atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER))
        return 0;
    if (!is_place(head->offset_to_first_pkt, ring->block_bytes))
        return -EPROTO;
    ring->next_header =
        (const unsigned char *)block + head->offset_to_first_pkt;
    ring->left = head->num_pkts;
    ring->block_number = head->seq_num;
    ring->place = losses_end_here(ring, status);
    return 1;
}

static void release_block(struct aw_packet_ring *ring)
{
    struct tpacket_block_desc *block = block_at(ring);

    /* Release: we have read it before the kernel fills it again. Partner: its
     * prb_dispatch_next_block(). */
    __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL,
                     __ATOMIC_RELEASE);
    ring->next_header = NULL;
    ring->current = (ring->current + 1) % ring->block_count;
}

/* Bytes from the next header to the block's end. */
static size_t room_left(const struct aw_packet_ring *ring)
{
    const unsigned char *end =
        ring->memory + (size_t)(ring->current + 1) * ring->block_bytes;

    return (size_t)(end - (const unsigned char *)ring->next_header);
}

/* The next frame of the open block. Returns 0 or -EPROTO. */
static int read_frame(struct aw_packet_ring *ring,
                      const struct aw_packet_context *context,
                      struct aw_frame *frame)
{
    const struct tpacket3_hdr *header = ring->next_header;
    size_t room = room_left(ring);
    int result = aw_packet_import(header, room, context, frame);

    if (result < 0)
        return result;
    place_losses(ring, frame);
    ring->left--;
    ring->taken++;
    if (ring->left == 0)
        return 0;
    if (header->tp_next_offset == 0 || !is_place(header->tp_next_offset, room))
        return -EPROTO;
    ring->next_header = (const unsigned char *)header + header->tp_next_offset;
    return 0;
}

/* The middle of two readings of one clock is the moment of the other's. */
static void read_clocks(struct aw_packet_context *context)
{
    uint64_t before_ns = aw_clock_monotonic_ns();

    context->realtime_ns = aw_clock_realtime_ns();
    context->monotonic_ns =
        before_ns + (aw_clock_monotonic_ns() - before_ns) / 2;
}

int aw_packet_ring_read(struct aw_packet_ring *ring,
                        struct aw_packet_context *context,
                        struct aw_batch *batch)
{
    int result = 0;

    AW_ASSERT_ROLE(READER);
    read_clocks(context);
    while (batch->count < batch->limit) {
        if (!ring->next_header) {
            result = open_block(ring);
            if (result <= 0)
                break;
        }
        if (ring->left > 0) {
            result =
                read_frame(ring, context, aw_batch_at(batch, batch->count));
            if (result < 0)
                break;
            batch->count++;
        }
        if (ring->left == 0)
            release_block(ring);
    }
    return result < 0 ? result : 0;
}
