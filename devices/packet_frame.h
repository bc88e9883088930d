/* A frame of AF_PACKET's ring (TPACKET_V3), made into ours.
 *
 * The kernel takes the outer VLAN tag out of a frame that comes in and keeps it
 * beside it; here it is put back, so that the data is what was on the wire.
 * What the header says of its own lengths is not relied on: a part that would
 * lie outside of the block is left out. Allocates nothing, calls nothing. */
#ifndef AW_PACKET_FRAME_H
#define AW_PACKET_FRAME_H

#include <linux/if_packet.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/queue/frame.h"

#define AW_PACKET_TAG_BYTES 4u

/* What a frame is made with, besides itself. */
struct aw_packet_context {
    uint64_t realtime_ns; /* both clocks, of one moment after it came */
    uint64_t monotonic_ns;
    uint32_t max_payload; /* bytes that are taken of it; longer ones are cut */
    bool hw_timestamps;   /* the slot has room for AW_HW_STAMP_BYTES more */
    uint16_t channel;
};

/* Fills `frame`, but for its losses. `room`: bytes of the block from `header`
 * on. Returns 0, or -EPROTO if not even the header lies in the block. Any
 * thread. */
int aw_packet_import(const struct tpacket3_hdr *header, size_t room,
                     const struct aw_packet_context *context,
                     struct aw_frame *frame);

#endif
