/* The log format of `candump -L`: one line, one frame.
 *
 *     (1700000000.000001) can0 123#1122334455667788
 *
 * Every form that can-utils has written over the years is read: classic frames
 * with a raw DLC, remote requests, CAN FD, CAN XL, error frames, microseconds
 * or nanoseconds, padded interface names, a direction at the end. What is not
 * in the grammar is refused with a reason; nothing is guessed. Written is the
 * form that every reader takes: upper case, microseconds.
 *
 * No function here allocates, blocks or keeps anything: any thread may call
 * them. Not in here: files and line numbers (replay.c). */
#ifndef AW_CANDUMP_H
#define AW_CANDUMP_H

#include <stddef.h>
#include <stdint.h>

#include "devices/queue/error.h"
#include "devices/queue/frame.h"

/* The longest payload of a log: a CAN XL frame and its head. */
#define AW_CANDUMP_PAYLOAD_MAX (2048u + (uint32_t)sizeof(struct aw_xl_head))

/* Room for any formatted frame, with the NUL at its end. */
#define AW_CANDUMP_LINE_MAX 4224u

/* What a line is. */
enum aw_candump_line {
    AW_CANDUMP_FRAME, /* a frame: all of the record is filled */
    AW_CANDUMP_DROPS, /* a DROPCOUNT: `channel` and `drops` are */
    AW_CANDUMP_OTHER, /* a comment or anything else not starting with "(" */
};

struct aw_candump {
    char channel[16]; /* the interface's name */
    char direction;   /* 'R', 'T', or 0: the log does not say */
    uint32_t drops;   /* frames that the recording lost here; saturates */
    _Alignas(8) unsigned char slot[offsetof(struct aw_frame, payload) +
                                   AW_CANDUMP_PAYLOAD_MAX];
};

/* The record's frame. `timestamp_ns` is the log's; `monotonic_ns`, `seq` and
 * `channel` are 0. A remote frame's `length` is the length it asks for, and its
 * payload zeros, as in the kernel's struct can_frame. */
static inline struct aw_frame *aw_candump_frame(struct aw_candump *record)
{
    void *slot = record->slot;

    return slot;
}

/* Parses the `length` bytes of a line; blanks and line ends behind it do not
 * matter. Returns an enum aw_candump_line, or -EINVAL with the reason (and the
 * record in pieces) for a line that starts with "(" but is no frame. */
int aw_candump_parse(const char *line, size_t length, struct aw_candump *record,
                     struct aw_error *error);

/* How to format, or-ed. */
#define AW_CANDUMP_NANOSECONDS 0x1u /* 9 digits; older readers take 6 only */
#define AW_CANDUMP_DIRECTION   0x2u /* R or T at the end, as with -x */

/* Writes the frame's line, without line end, into `buffer`. Returns its length,
 * -EINVAL for what a log cannot hold (another kind of frame, a payload too
 * long for its kind, no channel name), or -ENOSPC if `size` is too small. */
int aw_candump_format(const struct aw_frame *frame, const char *channel,
                      unsigned options, char *buffer, size_t size);

#endif
