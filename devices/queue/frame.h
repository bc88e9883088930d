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
#include <string.h>

enum aw_kind {
    AW_KIND_BYTES,  /* payload: bytes; id: 0 */
    AW_KIND_CAN,    /* payload: 0..64 bytes; id: SocketCAN's can_id */
    AW_KIND_CAN_XL, /* payload: struct aw_xl_head, 1..2048 bytes; id: 11 bit */
    AW_KIND_DATAGRAM, /* payload: struct aw_address, bytes; id: length sent */
    AW_KIND_EVENT,    /* payload: struct aw_event; id: enum aw_event_kind */
    AW_KIND_J1939, /* payload: struct aw_j1939_head, bytes; id: PGN << 8 | the
                      source's address */
    AW_KIND_ETHERNET, /* payload: the frame as on the wire, from the destination
                         address on, VLAN tags included, without FCS; id: its
                         length on the wire */
};

#define AW_KIND_LAST AW_KIND_ETHERNET

/* What happened to a device, told in its stream between the frames it happened
 * between. Only queues that asked for events get them, past every filter, and
 * count them as they count frames; for the others they do not exist. An event
 * is no unit of the device: its `seq` is that of the next unit. The numbers
 * stay: they lie in memory that other processes may read. */
enum aw_event_kind {
    AW_EVENT_LINK_UP = 1,   /* can carry frames */
    AW_EVENT_LINK_DOWN = 2, /* value: enum aw_down */
    AW_EVENT_BUS_STATE = 3, /* value: enum aw_bus_state; detail: transmit
                               errors << 16 | receive errors */
    AW_EVENT_RESTARTED = 4, /* the controller, after a bus-off */
    AW_EVENT_BITRATE = 5,   /* value: of the arbitration phase, bit/s; detail:
                               of the data phase, or 0 */
    AW_EVENT_LOST = 6,      /* the device; value: why, a positive errno */
    AW_EVENT_BACK = 7,      /* value: 0; detail: ms it was away, saturated */
    AW_EVENT_TIMEOUT = 8,   /* a watched frame stayed away; detail: its id */
    AW_EVENT_CHANGED = 9,   /* a watched frame changed; detail: its id */
    AW_EVENT_OVERRUN = 10,  /* detail: samples that a period had no time for */
    AW_EVENT_MISSED = 11,   /* detail: edges that were not seen */
};

/* Why a link is down. */
enum aw_down {
    AW_DOWN_ADMIN = 1,   /* it was taken down, or never up */
    AW_DOWN_CARRIER = 2, /* nothing at the other end */
};

/* Of a CAN controller; the numbers are those of linux/can/netlink.h, plus one.
 */
enum aw_bus_state {
    AW_BUS_UNKNOWN = 0, /* no controller that would know, as vcan */
    AW_BUS_ERROR_ACTIVE = 1,
    AW_BUS_WARNING = 2,
    AW_BUS_PASSIVE = 3,
    AW_BUS_OFF = 4,
    AW_BUS_STOPPED = 5,
    AW_BUS_SLEEPING = 6,
};

/* Flag bits of SocketCAN's can_id (linux/can.h), kept in `id`. */
#define AW_CAN_EXTENDED UINT32_C(0x80000000)
#define AW_CAN_REMOTE   UINT32_C(0x40000000)
#define AW_CAN_ERROR    UINT32_C(0x20000000)
#define AW_CAN_ID_MASK  UINT32_C(0x1FFFFFFF)
#define AW_CAN_SFF_MASK UINT32_C(0x7FF)

/* `flags`. Bits 12..15 hold a CAN frame's raw DLC 9..15 (0: as the length),
 * bits 6..7 where `timestamp_ns` is from: enum aw_stamp. */
#define AW_FRAME_FD            0x0001u /* CAN FD */
#define AW_FRAME_BRS           0x0002u /* CAN FD: bit rate switch */
#define AW_FRAME_ESI           0x0004u /* CAN FD: error state indicator */
#define AW_FRAME_SENT          0x0008u /* from this machine, not from the wire */
#define AW_FRAME_TRUNCATED     0x0010u /* longer than the slot: its end is lost */
#define AW_FRAME_HW_STAMP      0x0020u /* 8 bytes behind the payload: below */
#define AW_FRAME_STAMP_MASK    0x00c0u
#define AW_FRAME_STAMP_SHIFT   6
#define AW_FRAME_RAW_DLC_SHIFT 12

/* What the machine has noted of an arrival: no part of what is sent. */
#define AW_FRAME_ARRIVAL                                                       \
    (AW_FRAME_SENT | AW_FRAME_TRUNCATED | AW_FRAME_HW_STAMP |                  \
     AW_FRAME_STAMP_MASK)

/* The source of a frame's `timestamp_ns`. */
enum aw_stamp {
    AW_STAMP_UNKNOWN = 0,  /* not said: a log's, a script's */
    AW_STAMP_KERNEL = 1,   /* the kernel's, when the driver handed it over */
    AW_STAMP_HARDWARE = 2, /* the device's own clock */
    AW_STAMP_OWN = 3,      /* awaitd's, when it was read or made */
};

/* Why frames are missing before a frame; several causes may add up. */
enum aw_loss {
    AW_LOSS_NONE = 0,
    AW_LOSS_KERNEL = 1,   /* the kernel's receive buffer was full */
    AW_LOSS_OVERFLOW = 2, /* this queue was full */
    AW_LOSS_AWAY = 4,     /* the device was away: how many, nobody knows */
};

struct aw_frame {
    uint64_t timestamp_ns; /* CLOCK_REALTIME: the kernel's, a log's */
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC of the same moment */
    uint64_t seq;          /* per device: units read or lost before this one;
                              what was sent while it was away is not in it */
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

/* Head of a J1939 message's payload (SAE J1939-21 and -81; linux/can/j1939.h).
 */
struct aw_j1939_head {
    uint64_t name;             /* the source's NAME; 0: none, or unknown */
    uint64_t destination_name; /* to which NAME; 0: none */
    uint32_t pgn;
    uint8_t source_address;      /* 0xFF: none, or unknown */
    uint8_t destination_address; /* 0xFF: all */
    uint8_t priority; /* 0 (first) to 7; AW_J1939_DEFAULT on send: the device's
                       */
    uint8_t defaults; /* on send: 1, the device's destination */
};

#define AW_J1939_DEFAULT 0xffu

/* Payload of an event; what the two mean depends on the frame's `id`. */
struct aw_event {
    int32_t value;
    uint32_t detail;
};

_Static_assert(sizeof(struct aw_event) == 8, "fits every slot class");
_Static_assert(sizeof(struct aw_xl_head) == 8, "pointer-free, packed");
_Static_assert(sizeof(struct aw_address) == 24, "pointer-free, packed");
_Static_assert(sizeof(struct aw_j1939_head) == 24, "pointer-free, packed");

/* Tells a frame what was lost before it, by cause; `away`: how often the device
 * was away, and so what nobody could count. */
static inline void aw_frame_tell(struct aw_frame *frame, uint64_t kernel,
                                 uint64_t overflow, uint64_t away)
{
    uint64_t lost = kernel + overflow;

    frame->lost_before = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
    frame->lost_cause =
        (uint8_t)((kernel > 0 ? AW_LOSS_KERNEL : AW_LOSS_NONE) |
                  (overflow > 0 ? AW_LOSS_OVERFLOW : AW_LOSS_NONE) |
                  (away > 0 ? AW_LOSS_AWAY : AW_LOSS_NONE));
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

/* Where the hardware's timestamp lies in a frame that has one: behind the
 * payload, at the next multiple of eight, and not counted in `length`. So a
 * device that delivers them asks for AW_HW_STAMP_BYTES more payload. */
#define AW_HW_STAMP_BYTES 8u

static inline size_t aw_frame_hw_offset(const struct aw_frame *frame)
{
    return offsetof(struct aw_frame, payload) +
           ((size_t)frame->length + 7) / 8 * 8;
}

static inline bool aw_frame_has_hw_timestamp(const struct aw_frame *frame)
{
    return (frame->flags & AW_FRAME_HW_STAMP) != 0;
}

/* The hardware's timestamp in ns, of a clock that is the device's own unless
 * it is disciplined; 0 if the frame has none. */
static inline uint64_t aw_frame_hw_timestamp(const struct aw_frame *frame)
{
    uint64_t stamp_ns = 0;

    if (aw_frame_has_hw_timestamp(frame))
        memcpy(&stamp_ns,
               (const unsigned char *)frame + aw_frame_hw_offset(frame),
               sizeof(stamp_ns));
    return stamp_ns;
}

/* Puts it there. After `length` and `flags`; the slot has room for it. */
static inline void aw_frame_set_hw_timestamp(struct aw_frame *frame,
                                             uint64_t stamp_ns)
{
    frame->flags |= AW_FRAME_HW_STAMP;
    memcpy((unsigned char *)frame + aw_frame_hw_offset(frame), &stamp_ns,
           sizeof(stamp_ns));
}

static inline enum aw_stamp aw_frame_stamp(const struct aw_frame *frame)
{
    return (enum aw_stamp)((frame->flags & AW_FRAME_STAMP_MASK) >>
                           AW_FRAME_STAMP_SHIFT);
}

/* Says where `timestamp_ns` is from. After `flags`. */
static inline void aw_frame_set_stamp(struct aw_frame *frame,
                                      enum aw_stamp stamp)
{
    frame->flags = (uint16_t)((frame->flags & ~AW_FRAME_STAMP_MASK) |
                              (unsigned)stamp << AW_FRAME_STAMP_SHIFT);
}

/* What has to be copied of a frame: the hardware's timestamp included. */
static inline size_t aw_frame_bytes(const struct aw_frame *frame)
{
    if (aw_frame_has_hw_timestamp(frame))
        return aw_frame_hw_offset(frame) + AW_HW_STAMP_BYTES;
    return offsetof(struct aw_frame, payload) + frame->length;
}

/* Is there room in `payload_bytes` for what the frame says it has? */
static inline bool aw_frame_fits(const struct aw_frame *frame,
                                 uint32_t payload_bytes)
{
    return frame->length <= payload_bytes &&
           (!aw_frame_has_hw_timestamp(frame) ||
            aw_frame_bytes(frame) <= aw_slot_bytes(payload_bytes));
}

/* Could one of our readers have written this? For what comes from memory that
 * another process may share: a known kind, and a length within the slot's
 * `payload_bytes`, the hardware's timestamp included, and no shorter than the
 * kind's head. */
static inline bool aw_frame_plausible(const struct aw_frame *frame,
                                      uint32_t payload_bytes)
{
    uint16_t length = frame->length;

    if (!aw_frame_fits(frame, payload_bytes))
        return false;
    switch (frame->kind) {
    case AW_KIND_BYTES:
    case AW_KIND_ETHERNET:
        return true;
    case AW_KIND_CAN:
        return length <= AW_PAYLOAD_FD;
    case AW_KIND_CAN_XL:
        return length >= sizeof(struct aw_xl_head);
    case AW_KIND_DATAGRAM:
        return length >= sizeof(struct aw_address);
    case AW_KIND_J1939:
        return length >= sizeof(struct aw_j1939_head);
    case AW_KIND_EVENT:
        return length == sizeof(struct aw_event);
    default:
        return false;
    }
}

#endif
