/* Words of SAE J1939 that the driver and Python's type share. */
#ifndef AW_J1939_H
#define AW_J1939_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/frame.h"

#define AW_J1939_PGN_MAX    0x3ffffu
#define AW_J1939_NO_ADDRESS 0xffu /* none, or all */

/* Has the group a destination? Then its number's last byte is that on the wire,
 * and 0 in a PGN. */
static inline bool aw_j1939_is_pdu1(uint32_t pgn)
{
    return (pgn >> 8 & 0xffu) < 240;
}

/* aw_frame.id of a message with this head. */
static inline uint32_t aw_j1939_id(const struct aw_j1939_head *head)
{
    return head->pgn << 8 | head->source_address;
}

#endif
