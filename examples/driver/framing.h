/* Where a frame ends on a line that carries only bytes: at a newline, or as
 * SLIP (RFC 1055) marks it. Bytes in, frames out; no system call. */
#ifndef FRAMING_H
#define FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framing { FRAMING_LINE, FRAMING_SLIP };

/* What one more byte has brought. */
enum decoded {
    DECODED_NOTHING,
    DECODED_FRAME,  /* `length` bytes are in `bytes` */
    DECODED_BROKEN, /* a frame ended that cannot be understood */
};

/* A frame on its way in. All zero but for the first three at the beginning; the
 * next decode() after a frame starts the next one. */
struct decoder {
    enum framing framing;
    uint8_t *bytes;
    size_t capacity;

    size_t length;
    bool truncated; /* it was longer than `capacity` */
    bool escaped;   /* SLIP: the next byte stands for another one */
    bool broken;
    bool complete; /* it has been told: start afresh */
};

enum decoded decode(struct decoder *decoder, uint8_t byte);

/* Room that encode() wants for `length` bytes. */
#define ENCODED_BYTES(length) (2 * (length) + 2)

/* Returns the bytes written to `to`, or 0: a newline cannot be in a line. */
size_t encode(enum framing framing, const uint8_t *bytes, size_t length,
              uint8_t *to);

#endif
