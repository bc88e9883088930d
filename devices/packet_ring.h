/* AF_PACKET's receive ring, TPACKET_V3: memory that the kernel fills with
 * blocks of frames and that we read without a system call.
 *
 * A block is the kernel's until its status says that it is ours, and it is
 * given back as soon as its last frame is read. The kernel hands one over when
 * it is full, or `block_timeout_ms` after its first frame. While all are ours
 * it drops what comes, and counts it.
 *
 * That count (PACKET_STATISTICS) is reset by reading it, and says nothing of
 * where in the stream the drops were. But a block that is closed while it is
 * not zero says so (TP_STATUS_LOSING), and the kernel only drops when every
 * block is ours. So drops are placed before the first block that says so; and
 * those that were counted in between, for statistics, before the block that the
 * kernel can have filled next. Several stretches of drops between two countings
 * are told as one, at the first.
 *
 * Not in here: what a frame means (packet_frame.h), the socket's other settings
 * (packet.c). */
#ifndef AW_PACKET_RING_H
#define AW_PACKET_RING_H

#include <linux/if_packet.h>

#include "devices/device.h"
#include "devices/packet_frame.h"
#include "devices/queue/roles.h"

struct aw_packet_ring {
    int fd; /* the socket, borrowed */
    unsigned char *memory;
    size_t bytes;
    uint32_t block_bytes, block_count;

    uint32_t current;        /* the block that is read, or awaited */
    const void *next_header; /* in it; NULL: none is being read */
    uint32_t left;           /* frames of it, from `next_header` on */
    uint64_t block_number;   /* the kernel's: 1, 2, … */
    bool place;              /* losses belong before its first frame */

    uint64_t accepted; /* frames that the kernel has put there so far */
    uint64_t taken;    /* of these, read by us */
    uint64_t counted;  /* drops so far */
    uint64_t placed;   /* of these, in a frame's lost_before */
    uint64_t
        place_number; /* the block that the rest is before, at the latest */
};

/* Gives the socket `fd` a ring of about `bytes` (two blocks at least, each with
 * room for a frame of `max_payload`) and maps it; all of it is allocated now.
 * Returns 0 or a negative errno; then there is none. open(). */
int aw_packet_ring_init(struct aw_packet_ring *ring, int fd, int64_t bytes,
                        uint32_t max_payload, uint32_t block_timeout_ms);

/* Unmaps it. Accepts one of zeros. */
void aw_packet_ring_deinit(struct aw_packet_ring *ring);

/* Fills the batch from the ring, with losses in their places. Does not block.
 * Returns 0, or -EPROTO for a block that contradicts itself. */
int aw_packet_ring_read(struct aw_packet_ring *ring,
                        struct aw_packet_context *context,
                        struct aw_batch *batch) AW_ON(reader);

/* Has every frame been read that the kernel has put there, those in a block
 * that is not ours yet included? */
bool aw_packet_ring_drained(struct aw_packet_ring *ring) AW_ON(reader);

/* Frames that the kernel has dropped so far. */
uint64_t aw_packet_ring_losses(struct aw_packet_ring *ring) AW_ON(reader);

#endif
