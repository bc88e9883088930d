/* Keys: which frames replace each other in a queue of policy `latest`.
 *
 * A CAN frame's key is its id with the extended flag, whatever its format and
 * whether remote or not; error frames and CAN XL frames are classes of their
 * own. A datagram's key is its sender, a J1939 message's its parameter group and
 * source address. All bytes of a device without ids have
 * one key. An event's is its kind, and with it the id of a frame that was
 * watched. */
#ifndef AW_KEY_H
#define AW_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/frame.h"

struct aw_key {
    uint64_t words[4];
};

/* The key of a frame. Any thread. */
struct aw_key aw_key_of(const struct aw_frame *frame);

/* The key of CAN frames with SocketCAN's `can_id`, flag bits included. */
struct aw_key aw_key_of_can(uint32_t can_id);

/* The key of CAN XL frames with this priority id. */
struct aw_key aw_key_of_can_xl(uint32_t id);

/* The key of J1939 messages with this id: PGN << 8 | the source's address. */
struct aw_key aw_key_of_j1939(uint32_t id);

/* The key of datagrams from `address`. */
struct aw_key aw_key_of_address(const struct aw_address *address);

static inline bool aw_key_equal(const struct aw_key *a, const struct aw_key *b)
{
    return ((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) |
            (a->words[2] ^ b->words[2]) | (a->words[3] ^ b->words[3])) == 0;
}

#endif
