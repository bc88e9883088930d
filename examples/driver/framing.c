#include "framing.h"

#include <string.h>

/* RFC 1055 */
#define END     0xc0
#define ESC     0xdb
#define ESC_END 0xdc
#define ESC_ESC 0xdd

static void put(struct decoder *decoder, uint8_t byte)
{
    if (decoder->length < decoder->capacity)
        decoder->bytes[decoder->length++] = byte;
    else
        decoder->truncated = true;
}

static enum decoded finish(struct decoder *decoder)
{
    decoder->complete = true;
    return decoder->broken ? DECODED_BROKEN : DECODED_FRAME;
}

static enum decoded decode_line(struct decoder *decoder, uint8_t byte)
{
    if (byte != '\n') {
        put(decoder, byte);
        return DECODED_NOTHING;
    }
    if (decoder->length > 0 && decoder->bytes[decoder->length - 1] == '\r' &&
        !decoder->truncated)
        decoder->length--;
    return finish(decoder);
}

static enum decoded decode_slip(struct decoder *decoder, uint8_t byte)
{
    if (byte == END) {
        decoder->broken |= decoder->escaped;
        /* Between two ENDs is nothing: senders begin with one, too. */
        if (decoder->length == 0 && !decoder->broken)
            return DECODED_NOTHING;
        return finish(decoder);
    }
    if (decoder->escaped) {
        decoder->escaped = false;
        if (byte == ESC_END)
            put(decoder, END);
        else if (byte == ESC_ESC)
            put(decoder, ESC);
        else
            decoder->broken = true;
    } else if (byte == ESC) {
        decoder->escaped = true;
    } else {
        put(decoder, byte);
    }
    return DECODED_NOTHING;
}

enum decoded decode(struct decoder *decoder, uint8_t byte)
{
    if (decoder->complete) {
        decoder->length = 0;
        decoder->truncated = decoder->escaped = decoder->broken = false;
        decoder->complete = false;
    }
    return decoder->framing == FRAMING_LINE ? decode_line(decoder, byte)
                                            : decode_slip(decoder, byte);
}

static size_t encode_line(const uint8_t *bytes, size_t length, uint8_t *to)
{
    if (length > 0 && memchr(bytes, '\n', length))
        return 0;
    memcpy(to, bytes, length);
    to[length] = '\n';
    return length + 1;
}

static size_t encode_slip(const uint8_t *bytes, size_t length, uint8_t *to)
{
    size_t at = 0;

    to[at++] = END;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == END || bytes[i] == ESC) {
            to[at++] = ESC;
            to[at++] = bytes[i] == END ? ESC_END : ESC_ESC;
        } else {
            to[at++] = bytes[i];
        }
    }
    to[at++] = END;
    return at;
}

size_t encode(enum framing framing, const uint8_t *bytes, size_t length,
              uint8_t *to)
{
    return framing == FRAMING_LINE ? encode_line(bytes, length, to)
                                   : encode_slip(bytes, length, to);
}
