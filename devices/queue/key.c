#include "devices/queue/key.h"

#include <string.h>

/* Of the first word: the kind, and beside it what sets apart. */
#define ERROR_CLASS UINT64_C(0x100)

struct aw_key aw_key_of_can(uint32_t can_id)
{
    uint64_t class = AW_KIND_CAN;

    if (can_id & AW_CAN_ERROR)
        return (struct aw_key){{class | ERROR_CLASS, can_id & AW_CAN_ID_MASK}};
    return (struct aw_key){
        {class, can_id & (AW_CAN_ID_MASK | AW_CAN_EXTENDED)}};
}

struct aw_key aw_key_of_can_xl(uint32_t id)
{
    return (struct aw_key){{AW_KIND_CAN_XL, id}};
}

struct aw_key aw_key_of_j1939(uint32_t id)
{
    return (struct aw_key){{AW_KIND_J1939, id}};
}

/* What a family does not use does not set two senders apart. */
struct aw_key aw_key_of_address(const struct aw_address *address)
{
    struct aw_key key = {{AW_KIND_DATAGRAM | (uint64_t)address->family << 16 |
                          (uint64_t)address->port << 32}};

    memcpy(&key.words[1], address->ip, address->family == 4 ? 4 : 16);
    if (address->family == 6)
        key.words[3] = address->scope_id;
    return key;
}

static struct aw_key key_of_datagram(const struct aw_frame *frame)
{
    struct aw_address address = {0};

    if (frame->length >= sizeof(address))
        memcpy(&address, frame->payload, sizeof(address));
    return aw_key_of_address(&address);
}

static struct aw_key key_of_event(const struct aw_frame *frame)
{
    bool watched =
        frame->id == AW_EVENT_TIMEOUT || frame->id == AW_EVENT_CHANGED;
    struct aw_event event = {0};

    memcpy(&event, frame->payload, sizeof(event));
    return (struct aw_key){
        {AW_KIND_EVENT, frame->id, watched ? event.detail : 0}};
}

struct aw_key aw_key_of(const struct aw_frame *frame)
{
    switch (frame->kind) {
    case AW_KIND_CAN:
        return aw_key_of_can(frame->id);
    case AW_KIND_CAN_XL:
        return aw_key_of_can_xl(frame->id);
    case AW_KIND_DATAGRAM:
        return key_of_datagram(frame);
    case AW_KIND_J1939:
        return aw_key_of_j1939(frame->id);
    case AW_KIND_EVENT:
        return key_of_event(frame);
    default:
        return (struct aw_key){{AW_KIND_BYTES}};
    }
}
