#include "devices/packet_frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>

#include "devices/queue/clock.h"

/* The two addresses, before which no tag is. */
#define ADDRESSES_BYTES (2u * ETH_ALEN)

/* The sender's address follows the header (packet(7)). */
#define ALIGNMENT ((size_t)TPACKET_ALIGNMENT)
#define SENDER_OFFSET                                                          \
    ((sizeof(struct tpacket3_hdr) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)

static const struct sockaddr_ll *sender_of(const struct tpacket3_hdr *header)
{
    return (const void *)((const unsigned char *)header + SENDER_OFFSET);
}

static bool is_tagged(const struct tpacket3_hdr *header)
{
    return (header->tp_status & TP_STATUS_VLAN_VALID) != 0;
}

static void put_tag(const struct tpacket3_hdr *header, unsigned char *place)
{
    uint16_t tpid = header->tp_status & TP_STATUS_VLAN_TPID_VALID
                        ? header->hv1.tp_vlan_tpid
                        : ETH_P_8021Q;
    uint16_t tag[2] = {htons(tpid), htons((uint16_t)header->hv1.tp_vlan_tci)};

    memcpy(place, tag, sizeof(tag));
}

static uint32_t at_most(uint32_t bytes, uint32_t limit)
{
    return bytes < limit ? bytes : limit;
}

/* Copies what was captured, at most `limit` bytes, its tag in its place.
 * Returns the bytes copied. */
static uint32_t copy_data(const struct tpacket3_hdr *header, uint32_t captured,
                          uint32_t limit, unsigned char *data)
{
    const unsigned char *from = (const unsigned char *)header + header->tp_mac;
    uint32_t head = at_most(ADDRESSES_BYTES, limit), rest;

    if (!is_tagged(header) || captured < ADDRESSES_BYTES ||
        limit < ADDRESSES_BYTES + AW_PACKET_TAG_BYTES) {
        captured = at_most(captured, limit);
        memcpy(data, from, captured);
        return captured;
    }
    memcpy(data, from, head);
    put_tag(header, data + head);
    rest = at_most(captured - head, limit - head - AW_PACKET_TAG_BYTES);
    memcpy(data + head + AW_PACKET_TAG_BYTES, from + head, rest);
    return head + AW_PACKET_TAG_BYTES + rest;
}

/* A stamp ahead of the clock, or older than the machine is up, is of another
 * clock, or from before ours was set: the age is unknown, and the time of the
 * reading stays. */
static void stamp(const struct tpacket3_hdr *header,
                  const struct aw_packet_context *context,
                  struct aw_frame *frame)
{
    uint64_t stamp_ns = header->tp_sec * AW_NS_PER_S + header->tp_nsec;
    uint64_t age_ns = context->realtime_ns - stamp_ns;
    bool hardware = (header->tp_status & TP_STATUS_TS_RAW_HARDWARE) != 0;

    frame->timestamp_ns = stamp_ns;
    frame->monotonic_ns = context->monotonic_ns;
    if (stamp_ns < context->realtime_ns && age_ns < context->monotonic_ns)
        frame->monotonic_ns -= age_ns;
    aw_frame_set_stamp(frame, hardware ? AW_STAMP_HARDWARE : AW_STAMP_KERNEL);
    if (hardware && context->hw_timestamps)
        aw_frame_set_hw_timestamp(frame, stamp_ns);
}

/* Bytes of the frame that lie in the block. */
static uint32_t captured_bytes(const struct tpacket3_hdr *header, size_t room)
{
    if (header->tp_mac < SENDER_OFFSET || header->tp_mac > room)
        return 0;
    return header->tp_snaplen <= room - header->tp_mac
               ? header->tp_snaplen
               : (uint32_t)(room - header->tp_mac);
}

int aw_packet_import(const struct tpacket3_hdr *header, size_t room,
                     const struct aw_packet_context *context,
                     struct aw_frame *frame)
{
    uint32_t wire;

    if (room < SENDER_OFFSET + sizeof(struct sockaddr_ll))
        return -EPROTO;
    wire = header->tp_len + (is_tagged(header) ? AW_PACKET_TAG_BYTES : 0);
    frame->kind = AW_KIND_ETHERNET;
    frame->id = wire;
    frame->channel = context->channel;
    frame->length = (uint16_t)copy_data(header, captured_bytes(header, room),
                                        context->max_payload, frame->payload);
    frame->flags = frame->length < wire ? AW_FRAME_TRUNCATED : 0;
    if (sender_of(header)->sll_pkttype == PACKET_OUTGOING)
        frame->flags |= AW_FRAME_SENT;
    stamp(header, context, frame);
    return 0;
}
