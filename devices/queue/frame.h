/* One unit received or sent, as it lies in a slot of a ring.
 *
 * The header is 40 bytes and pointer-free, the payload follows it: a classic
 * CAN slot takes 48 bytes. What `id`, `flags` and the payload mean depends on
 * `kind`. */
#ifndef AW_FRAME_H
#define AW_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aw_kind {
    AW_KIND_BYTES,  /* payload: bytes; id: 0 */
    AW_KIND_CAN,    /* payload: 0..64 bytes; id: SocketCAN's can_id */
    AW_KIND_CAN_XL, /* payload: struct aw_xl_head, 1..2048 bytes; id: 11 bit */
    AW_KIND_DATAGRAM, /* payload: struct aw_address, bytes; id: length sent */
};

/* Flag bits of SocketCAN's can_id (linux/can.h), kept in `id`. */
#define AW_CAN_EXTENDED UINT32_C(0x80000000)
#define AW_CAN_REMOTE   UINT32_C(0x40000000)
#define AW_CAN_ERROR    UINT32_C(0x20000000)
#define AW_CAN_ID_MASK  UINT32_C(0x1FFFFFFF)
#define AW_CAN_SFF_MASK UINT32_C(0x7FF)

/* `flags`. Bits 12..15 hold a CAN frame's raw DLC 9..15 (0: as the length). */
#define AW_FRAME_FD            0x0001u /* CAN FD */
#define AW_FRAME_BRS           0x0002u /* CAN FD: bit rate switch */
#define AW_FRAME_ESI           0x0004u /* CAN FD: error state indicator */
#define AW_FRAME_SENT          0x0008u /* from this machine, not from the wire */
#define AW_FRAME_TRUNCATED     0x0010u /* longer than the slot: its end is lost */
#define AW_FRAME_RAW_DLC_SHIFT 12

/* Why frames are missing before a frame; several causes may add up. */
enum aw_loss {
    AW_LOSS_NONE = 0,
    AW_LOSS_KERNEL = 1,   /* the kernel's receive buffer was full */
    AW_LOSS_OVERFLOW = 2, /* this queue was full */
};

struct aw_frame {
    uint64_t timestamp_ns; /* CLOCK_REALTIME: the kernel's, a log's */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC of the same moment */
    uint64_t seq;          /* per device: units read or lost before this one */
    uint32_t id;
    uint32_t lost_before; /* frames lost since the last one; saturates */
    uint16_t length;      /* payload bytes, a leading head included */
    uint16_t flags;       /* AW_FRAME_* */
    uint16_t channel;     /* index into the device's channel names */
    uint8_t kind;         /* enum aw_kind */
    uint8_t lost_cause;   /* enum aw_loss, or-ed */
    uint8_t payload[];
};

_Static_assert(offsetof(struct aw_frame, payload) == 40, "slot header");

/* Head of a CAN XL payload (ISO 11898-1:2024 names). */
struct aw_xl_head {
    uint32_t acceptance_field;
    uint8_t flags; /* as linux/can.h canxl_frame.flags: XLF 0x80, SEC 0x01 */
    uint8_t sdt;   /* SDU type */
    uint8_t vcid;  /* virtual CAN network id */
    uint8_t reserved;
};

/* Head of a datagram's payload: the sender's address on receive, the
 * destination on send. IPv4 addresses are the first four bytes of `ip`. */
struct aw_address {
    uint8_t ip[16];
    uint32_t scope_id;
    uint16_t port;  /* host byte order */
    uint8_t family; /* 4, 6, or 0: none */
    uint8_t reserved;
};

_Static_assert(sizeof(struct aw_xl_head) == 8, "pointer-free, packed");
_Static_assert(sizeof(struct aw_address) == 24, "pointer-free, packed");

/* Tells a frame what was lost before it, by cause. */
static inline void aw_frame_tell(struct aw_frame *frame, uint64_t kernel,
                                 uint64_t overflow)
{
    uint64_t lost = kernel + overflow;

    frame->lost_before = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
    frame->lost_cause =
        (uint8_t)((kernel > 0 ? AW_LOSS_KERNEL : AW_LOSS_NONE) |
                  (overflow > 0 ? AW_LOSS_OVERFLOW : AW_LOSS_NONE));
}

/* Slot classes: the payload bytes a slot has room for. */
#define AW_PAYLOAD_CAN 8u
#define AW_PAYLOAD_FD  64u
#define AW_PAYLOAD_2K  (2048u + (uint32_t)sizeof(struct aw_address))
#define AW_PAYLOAD_9K  (9216u + (uint32_t)sizeof(struct aw_address))
#define AW_PAYLOAD_MAX 65528u

/* Bytes of a slot with room for `payload_bytes`, a multiple of eight. */
static inline size_t aw_slot_bytes(uint32_t payload_bytes)
{
    return offsetof(struct aw_frame, payload) +
           ((size_t)payload_bytes + 7) / 8 * 8;
}

static inline size_t aw_frame_bytes(const struct aw_frame *frame)
{
    return offsetof(struct aw_frame, payload) + frame->length;
}

/* Could one of our readers have written this? For what comes from memory that
 * another process may share: a known kind, and a length within the slot's
 * `payload_bytes` and no shorter than the kind's head. */
static inline bool aw_frame_plausible(const struct aw_frame *frame,
                                      uint32_t payload_bytes)
{
    uint16_t length = frame->length;

    if (length > payload_bytes)
        return false;
    switch (frame->kind) {
    case AW_KIND_BYTES:
        return true;
    case AW_KIND_CAN:
        return length <= AW_PAYLOAD_FD;
    case AW_KIND_CAN_XL:
        return length >= sizeof(struct aw_xl_head);
    case AW_KIND_DATAGRAM:
        return length >= sizeof(struct aw_address);
    default:
        return false;
    }
}

#endif
