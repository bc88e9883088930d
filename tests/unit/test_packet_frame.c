/* Frames of AF_PACKET's ring, laid out by hand: what the kernel of this machine
 * never does, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "devices/packet_frame.h"
#include "devices/queue/clock.h"

#define HEADER_BYTES 48u
#define MAC_OFFSET   96u
#define REALTIME_NS  (UINT64_C(1700000000) * AW_NS_PER_S)
#define UPTIME_NS    (UINT64_C(1000) * AW_NS_PER_S)

/* As it lies in a block: header, sender, data. */
struct place {
    _Alignas(16) unsigned char bytes[512];
};

struct slot {
    _Alignas(8) unsigned char bytes[512];
};

static struct tpacket3_hdr *lay_out(struct place *place, uint32_t length)
{
    struct tpacket3_hdr *header = (void *)place->bytes;

    memset(place, 0, sizeof(*place));
    *header = (struct tpacket3_hdr){
        .tp_sec = 1700000000,
        .tp_nsec = 0,
        .tp_snaplen = length,
        .tp_len = length,
        .tp_mac = MAC_OFFSET,
    };
    for (uint32_t i = 0; i < length; i++)
        place->bytes[MAC_OFFSET + i] = (unsigned char)(i + 1);
    return header;
}

static struct aw_packet_context context_of(uint32_t max_payload)
{
    return (struct aw_packet_context){
        .realtime_ns = REALTIME_NS + AW_NS_PER_S,
        .monotonic_ns = UPTIME_NS,
        .max_payload = max_payload,
        .channel = 3,
    };
}

static struct aw_frame *import(const struct place *place, struct slot *slot,
                               const struct aw_packet_context *context)
{
    const void *header = place->bytes;
    void *frame = slot->bytes;

    memset(slot, 0xee, sizeof(*slot));
    assert_int_equal(aw_packet_import(header, sizeof(*place), context, frame),
                     0);
    return frame;
}

static void test_packet_frame_is_copied_whole(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    lay_out(&place, 60);
    frame = import(&place, &slot, &context);
    assert_int_equal(frame->kind, AW_KIND_ETHERNET);
    assert_int_equal(frame->length, 60);
    assert_int_equal(frame->id, 60);
    assert_int_equal(frame->channel, 3);
    assert_memory_equal(frame->payload, place.bytes + MAC_OFFSET, 60);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, 0);
}

static void test_packet_frame_writes_nothing_behind_max_payload(void **state)
{
    struct aw_packet_context context = context_of(40);
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    lay_out(&place, 60)->tp_status = TP_STATUS_VLAN_VALID;
    frame = import(&place, &slot, &context);
    assert_int_equal(frame->length, 40);
    assert_int_equal(frame->id, 64);
    assert_true(frame->flags & AW_FRAME_TRUNCATED);
    assert_int_equal(frame->payload[40], 0xee);
}

static void test_packet_frame_tag_without_tpid_is_8021q(void **state)
{
    static const unsigned char tag[] = {0x81, 0x00, 0x60, 0x2a};
    struct aw_packet_context context = context_of(128);
    struct tpacket3_hdr *header;
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    header = lay_out(&place, 60);
    header->tp_status = TP_STATUS_VLAN_VALID;
    header->hv1.tp_vlan_tci = 0x602a;
    frame = import(&place, &slot, &context);
    assert_int_equal(frame->length, 64);
    assert_memory_equal(frame->payload, place.bytes + MAC_OFFSET, 12);
    assert_memory_equal(frame->payload + 12, tag, 4);
    assert_memory_equal(frame->payload + 16, place.bytes + MAC_OFFSET + 12, 48);
}

static void test_packet_frame_tag_has_its_own_tpid(void **state)
{
    static const unsigned char tag[] = {0x88, 0xa8, 0x00, 0x07};
    struct aw_packet_context context = context_of(128);
    struct tpacket3_hdr *header;
    struct place place;
    struct slot slot;

    (void)state;
    header = lay_out(&place, 60);
    header->tp_status = TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
    header->hv1.tp_vlan_tci = 7;
    header->hv1.tp_vlan_tpid = 0x88a8;
    assert_memory_equal(import(&place, &slot, &context)->payload + 12, tag, 4);
}

static void test_packet_frame_too_short_for_a_tag_has_none(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    lay_out(&place, 11)->tp_status = TP_STATUS_VLAN_VALID;
    frame = import(&place, &slot, &context);
    assert_int_equal(frame->length, 11);
    assert_true(frame->flags & AW_FRAME_TRUNCATED);
}

static void test_packet_frame_outgoing_is_sent(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct sockaddr_ll sender = {.sll_pkttype = PACKET_OUTGOING};
    struct place place;
    struct slot slot;

    (void)state;
    lay_out(&place, 60);
    memcpy(place.bytes + HEADER_BYTES, &sender, sizeof(sender));
    assert_true(import(&place, &slot, &context)->flags & AW_FRAME_SENT);
}

static void test_packet_frame_age_makes_its_monotonic_time(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    lay_out(&place, 60);
    frame = import(&place, &slot, &context);
    assert_int_equal(frame->timestamp_ns, REALTIME_NS);
    assert_int_equal(frame->monotonic_ns, UPTIME_NS - AW_NS_PER_S);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_KERNEL);
}

static void
test_packet_frame_of_another_clock_has_the_reading_time(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;

    (void)state;
    lay_out(&place, 60)->tp_sec = 17;
    assert_int_equal(import(&place, &slot, &context)->monotonic_ns, UPTIME_NS);
    lay_out(&place, 60)->tp_sec = 1800000000;
    assert_int_equal(import(&place, &slot, &context)->monotonic_ns, UPTIME_NS);
}

static void test_packet_frame_hardware_stamp_is_kept(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;
    struct aw_frame *frame;

    (void)state;
    context.hw_timestamps = true;
    lay_out(&place, 60)->tp_status = TP_STATUS_TS_RAW_HARDWARE;
    frame = import(&place, &slot, &context);
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_HARDWARE);
    assert_int_equal(aw_frame_hw_timestamp(frame), REALTIME_NS);
}

static void test_packet_frame_beyond_its_block_is_cut(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct tpacket3_hdr *header;
    struct place place;
    struct slot slot;
    void *frame = slot.bytes;

    (void)state;
    header = lay_out(&place, 60);
    assert_int_equal(aw_packet_import(header, MAC_OFFSET + 20, &context, frame),
                     0);
    assert_int_equal(((struct aw_frame *)frame)->length, 20);
    assert_true(((struct aw_frame *)frame)->flags & AW_FRAME_TRUNCATED);
}

static void test_packet_frame_with_a_wild_offset_has_no_data(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;

    (void)state;
    lay_out(&place, 60)->tp_mac = sizeof(place) + 1;
    assert_int_equal(import(&place, &slot, &context)->length, 0);
    lay_out(&place, 60)->tp_mac = 10;
    assert_int_equal(import(&place, &slot, &context)->length, 0);
}

static void test_packet_frame_header_beyond_its_block_is_refused(void **state)
{
    struct aw_packet_context context = context_of(128);
    struct place place;
    struct slot slot;
    void *frame = slot.bytes;

    (void)state;
    assert_int_equal(aw_packet_import(lay_out(&place, 60), 40, &context, frame),
                     -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_frame_is_copied_whole),
        cmocka_unit_test(test_packet_frame_writes_nothing_behind_max_payload),
        cmocka_unit_test(test_packet_frame_tag_without_tpid_is_8021q),
        cmocka_unit_test(test_packet_frame_tag_has_its_own_tpid),
        cmocka_unit_test(test_packet_frame_too_short_for_a_tag_has_none),
        cmocka_unit_test(test_packet_frame_outgoing_is_sent),
        cmocka_unit_test(test_packet_frame_age_makes_its_monotonic_time),
        cmocka_unit_test(
            test_packet_frame_of_another_clock_has_the_reading_time),
        cmocka_unit_test(test_packet_frame_hardware_stamp_is_kept),
        cmocka_unit_test(test_packet_frame_beyond_its_block_is_cut),
        cmocka_unit_test(test_packet_frame_with_a_wild_offset_has_no_data),
        cmocka_unit_test(test_packet_frame_header_beyond_its_block_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
