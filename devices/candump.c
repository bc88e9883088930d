/* One recursive-descent step a function. Each takes a cursor and leaves it
 * behind what it has read; a reason for the user is made only on failure. */
#include "devices/candump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "devices/queue/clock.h"

/* The flags of a log are those of linux/can.h: in CAN FD 1 is BRS, 2 is ESI,
 * and 4, FDF, is written by some versions only and says nothing more than "##"
 * does. A CAN XL frame always has XLF. */
#define FD_BRS 0x1u
#define FD_ESI 0x2u
#define XL_XLF 0x80u

#define CLASSIC_MAX 8u
#define FD_MAX      64u
#define XL_MAX      2048u
#define RAW_DLC_MIN 9u
#define RAW_DLC_MAX 15u

/* Beyond it nanoseconds since 1970 no longer fit a signed 64 bits. */
#define SECONDS_MAX (UINT64_C(9223372035))

struct cursor {
    const char *at;
    const char *end;
};

/* ---- reading ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What a name may consist of: it goes into messages and to Python. */
static bool is_graphic(char c)
{
    return c > ' ' && c <= '~';
}

static int nibble(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* The next character, or NUL at the end. */
static char peek(const struct cursor *in)
{
    return in->at < in->end ? *in->at : '\0';
}

static bool take(struct cursor *in, char expected)
{
    if (in->at == in->end || *in->at != expected)
        return false;
    in->at++;
    return true;
}

static bool take_word(struct cursor *in, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(in->end - in->at) < length ||
        memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* Blanks between two fields; false if there are none. */
static bool take_blanks(struct cursor *in)
{
    const char *start = in->at;

    while (is_blank(peek(in)))
        in->at++;
    return in->at > start;
}

/* Exactly `digits` hexadecimal digits, at most eight. */
static bool take_hex(struct cursor *in, unsigned digits, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < digits; i++) {
        int digit = nibble(peek(in));

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
        in->at++;
    }
    *ret_value = value;
    return true;
}

/* All decimal digits there are, at least one; saturates at `limit` + 1. */
static bool take_decimal(struct cursor *in, uint64_t limit, uint64_t *ret_value)
{
    const char *start = in->at;
    uint64_t value = 0;

    for (; is_digit(peek(in)); in->at++) {
        if (value <= limit)
            value = value * 10 + (uint64_t)(*in->at - '0');
    }
    *ret_value = value <= limit ? value : limit + 1;
    return in->at > start;
}

/* "(" SECONDS "." 6 or 9 digits ")" */
static int parse_time(struct cursor *in, uint64_t *ret_ns,
                      struct aw_error *error)
{
    uint64_t seconds, fraction;
    const char *digits;
    bool read = take(in, '(') && take_decimal(in, SECONDS_MAX, &seconds) &&
                take(in, '.');

    digits = in->at;
    read = read && take_decimal(in, AW_NS_PER_S, &fraction);
    if (!read || (in->at - digits != 6 && in->at - digits != 9) ||
        !take(in, ')'))
        return aw_error_set(error, EINVAL,
                            "the time is not (SECONDS.FRACTION) with 6 or 9 "
                            "digits in the fraction");
    if (seconds > SECONDS_MAX)
        return aw_error_set(error, EINVAL, "the time is beyond the year 2262");
    if (in->at - digits == 7)
        fraction *= AW_NS_PER_US;
    *ret_ns = seconds * AW_NS_PER_S + fraction;
    return 0;
}

/* Blanks, then a name as the kernel allows for an interface. */
static int parse_channel(struct cursor *in, char name[static 16],
                         struct aw_error *error)
{
    size_t length;
    const char *start;

    if (!take_blanks(in))
        return aw_error_set(error, EINVAL,
                            "no blank between time and interface");
    for (start = in->at; in->at < in->end && !is_blank(*in->at); in->at++) {
        if (!is_graphic(*in->at))
            return aw_error_set(error, EINVAL,
                                "the interface's name is not plain ASCII");
    }
    length = (size_t)(in->at - start);
    if (length == 0 || length > 15)
        return aw_error_set(error, EINVAL,
                            "the interface's name has %zu characters, not 1 "
                            "to 15",
                            length);
    memcpy(name, start, length);
    name[length] = '\0';
    return 0;
}

/* Pairs of digits, a dot allowed behind each. Returns the count of bytes. */
static int parse_data(struct cursor *in, uint8_t *payload, size_t room,
                      struct aw_error *error)
{
    size_t count = 0;

    while (nibble(peek(in)) >= 0) {
        uint32_t byte;

        if (count == room)
            return aw_error_set(error, EINVAL,
                                "more than the %zu bytes such a frame holds",
                                room);
        if (!take_hex(in, 2, &byte))
            return aw_error_set(error, EINVAL,
                                "half a byte: an odd number of digits");
        payload[count++] = (uint8_t)byte;
        take(in, '.');
    }
    return (int)count;
}

/* [ "_" RAW ], which only a classic frame of eight bytes can have. */
static int parse_raw_dlc(struct cursor *in, struct aw_frame *frame,
                         struct aw_error *error)
{
    uint32_t raw;

    if (!take(in, '_'))
        return 0;
    if (frame->length != CLASSIC_MAX)
        return aw_error_set(error, EINVAL,
                            "a raw DLC behind %u bytes; it needs 8",
                            (unsigned)frame->length);
    if (!take_hex(in, 1, &raw) || raw < RAW_DLC_MIN)
        return aw_error_set(error, EINVAL, "the raw DLC is not 9 to F");
    frame->flags |= (uint16_t)(raw << AW_FRAME_RAW_DLC_SHIFT);
    return 0;
}

/* "R" [ LENGTH [ "_" RAW ] ] */
static int parse_remote(struct cursor *in, struct aw_frame *frame,
                        struct aw_error *error)
{
    in->at++;
    frame->id |= AW_CAN_REMOTE;
    if (is_digit(peek(in)))
        frame->length = (uint16_t)(*in->at++ - '0');
    if (frame->length > CLASSIC_MAX)
        return aw_error_set(error, EINVAL,
                            "a remote frame asks for 0 to 8 bytes, not %u",
                            (unsigned)frame->length);
    memset(frame->payload, 0, frame->length);
    return parse_raw_dlc(in, frame, error);
}

static int parse_classic(struct cursor *in, struct aw_frame *frame,
                         struct aw_error *error)
{
    int length;

    if (!(frame->id & AW_CAN_ERROR) && (peek(in) == 'R' || peek(in) == 'r'))
        return parse_remote(in, frame, error);
    length = parse_data(in, frame->payload, CLASSIC_MAX, error);
    if (length < 0)
        return length;
    if ((frame->id & AW_CAN_ERROR) && length != CLASSIC_MAX)
        return aw_error_set(error, EINVAL, "an error frame has 8 bytes, not %d",
                            length);
    frame->length = (uint16_t)length;
    return parse_raw_dlc(in, frame, error);
}

/* "#" FLAGS DATA, behind the first "#". */
static int parse_fd(struct cursor *in, struct aw_frame *frame,
                    struct aw_error *error)
{
    uint32_t flags;
    int length;

    in->at++;
    if (frame->id & AW_CAN_ERROR)
        return aw_error_set(error, EINVAL, "an error frame cannot be CAN FD");
    if (!take_hex(in, 1, &flags))
        return aw_error_set(error, EINVAL,
                            "CAN FD's flags, one digit behind ##, are missing");
    frame->flags |= AW_FRAME_FD;
    if (flags & FD_BRS)
        frame->flags |= AW_FRAME_BRS;
    if (flags & FD_ESI)
        frame->flags |= AW_FRAME_ESI;
    length = parse_data(in, frame->payload, FD_MAX, error);
    if (length < 0)
        return length;
    frame->length = (uint16_t)length;
    return 0;
}

/* VCID PRIO "#" FLAGS ":" SDT ":" AF "#" DATA */
static int parse_xl(struct cursor *in, struct aw_frame *frame,
                    struct aw_error *error)
{
    uint32_t vcid, flags, type, acceptance;
    struct aw_xl_head head;
    int length;

    frame->kind = AW_KIND_CAN_XL;
    if (!take_hex(in, 2, &vcid) || !take_hex(in, 3, &frame->id) ||
        !take(in, '#') || !take_hex(in, 2, &flags) || !take(in, ':') ||
        !take_hex(in, 2, &type) || !take(in, ':') ||
        !take_hex(in, 8, &acceptance) || !take(in, '#'))
        return aw_error_set(error, EINVAL,
                            "five digits of id, but not CAN XL's form "
                            "VVPPP#FF:TT:AAAAAAAA#DATA");
    if (frame->id > AW_CAN_SFF_MASK || !(flags & XL_XLF))
        return aw_error_set(error, EINVAL, "CAN XL with %s",
                            frame->id > AW_CAN_SFF_MASK
                                ? "a priority above 7FF"
                                : "flags that lack XLF (80)");
    head = (struct aw_xl_head){acceptance, (uint8_t)flags, (uint8_t)type,
                               (uint8_t)vcid, 0};
    memcpy(frame->payload, &head, sizeof(head));
    length = parse_data(in, frame->payload + sizeof(head), XL_MAX, error);
    if (length <= 0)
        return length < 0 ? length
                          : aw_error_set(error, EINVAL,
                                         "CAN XL without a byte of data");
    frame->length = (uint16_t)(sizeof(head) + (size_t)length);
    return 0;
}

/* ID "#": three digits for 11 bits; eight for 29 bits or an error's class. */
static int parse_id(struct cursor *in, unsigned digits, struct aw_frame *frame,
                    struct aw_error *error)
{
    uint32_t id;

    if ((digits != 3 && digits != 8) || !take_hex(in, digits, &id) ||
        !take(in, '#'))
        return aw_error_set(error, EINVAL,
                            "the id is not 3, 5 or 8 hexadecimal digits and "
                            "a #");
    if (digits == 3 ? id > AW_CAN_SFF_MASK
                    : id > (AW_CAN_ERROR | AW_CAN_ID_MASK))
        return aw_error_set(error, EINVAL, "%0*X is no id of %s", (int)digits,
                            (unsigned)id, digits == 3 ? "11 bits" : "29 bits");
    frame->id = id;
    if (digits == 8 && !(id & AW_CAN_ERROR))
        frame->id |= AW_CAN_EXTENDED;
    return 0;
}

static int parse_frame(struct cursor *in, struct aw_frame *frame,
                       struct aw_error *error)
{
    const char *delimiter = memchr(in->at, '#', (size_t)(in->end - in->at));
    size_t digits = delimiter ? (size_t)(delimiter - in->at) : 0;
    int result;

    if (digits == 5)
        return parse_xl(in, frame, error);
    result = parse_id(in, digits <= 8 ? (unsigned)digits : 0, frame, error);
    if (result < 0)
        return result;
    if (peek(in) == '#')
        return parse_fd(in, frame, error);
    return parse_classic(in, frame, error);
}

/* [ blanks ( "R" / "T" ) ], then nothing. */
static int parse_end(struct cursor *in, struct aw_candump *record,
                     struct aw_error *error)
{
    bool blanks = take_blanks(in);

    if (in->at == in->end)
        return 0;
    if (blanks && (*in->at == 'R' || *in->at == 'T'))
        record->direction = *in->at++;
    if (in->at < in->end)
        return aw_error_set(error, EINVAL,
                            "the frame is followed by neither R nor T");
    if (record->direction == 'T')
        aw_candump_frame(record)->flags |= AW_FRAME_SENT;
    return 0;
}

static int parse_record(struct cursor *in, struct aw_candump *record,
                        struct aw_error *error)
{
    struct aw_frame *frame = aw_candump_frame(record);
    int result;

    *frame = (struct aw_frame){.kind = AW_KIND_CAN};
    record->direction = 0;
    record->drops = 0;
    result = parse_time(in, &frame->timestamp_ns, error);
    if (result == 0)
        result = parse_channel(in, record->channel, error);
    if (result == 0 && !take_blanks(in))
        result = aw_error_set(error, EINVAL, "no frame behind the interface");
    if (result == 0)
        result = parse_frame(in, frame, error);
    if (result == 0)
        result = parse_end(in, record, error);
    return result < 0 ? result : AW_CANDUMP_FRAME;
}

/* "DROPCOUNT: dropped 5 CAN frames on 'can0' socket (total drops 5)" */
static int parse_drops(struct cursor *in, struct aw_candump *record)
{
    uint64_t drops, total;
    const char *name;
    size_t length;

    if (!take_word(in, "DROPCOUNT: dropped ") ||
        !take_decimal(in, UINT32_MAX, &drops) || !take_word(in, " CAN frame"))
        return AW_CANDUMP_OTHER;
    take(in, 's');
    if (!take_word(in, " on '"))
        return AW_CANDUMP_OTHER;
    name = in->at;
    while (is_graphic(peek(in)) && *in->at != '\'')
        in->at++;
    length = (size_t)(in->at - name);
    if (length == 0 || length >= sizeof(record->channel) ||
        !take_word(in, "' socket (total drops ") ||
        !take_decimal(in, UINT32_MAX, &total) || !take(in, ')') ||
        in->at < in->end)
        return AW_CANDUMP_OTHER;
    memcpy(record->channel, name, length);
    record->channel[length] = '\0';
    record->drops = drops <= UINT32_MAX ? (uint32_t)drops : UINT32_MAX;
    return AW_CANDUMP_DROPS;
}

int aw_candump_parse(const char *line, size_t length, struct aw_candump *record,
                     struct aw_error *error)
{
    struct cursor in = {line, line + length};

    while (in.end > in.at &&
           (is_blank(in.end[-1]) || in.end[-1] == '\r' || in.end[-1] == '\n'))
        in.end--;
    if (peek(&in) != '(')
        return parse_drops(&in, record);
    return parse_record(&in, record, error);
}

/* ---- writing ---- */

struct writer {
    char *at;
    char *end;
};

/* Appends; once something did not fit, `at` stays at `end`. */
__attribute__((format(printf, 2, 3))) static void put(struct writer *out,
                                                      const char *format, ...)
{
    size_t room = (size_t)(out->end - out->at);
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(out->at, room, format, arguments);
    va_end(arguments);
    out->at =
        length >= 0 && (size_t)length < room ? out->at + length : out->end;
}

static void put_data(struct writer *out, const uint8_t *payload, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";

    if ((size_t)(out->end - out->at) <= 2 * length) {
        out->at = out->end;
        return;
    }
    for (size_t i = 0; i < length; i++) {
        *out->at++ = digits[payload[i] >> 4];
        *out->at++ = digits[payload[i] & 0xF];
    }
    *out->at = '\0';
}

static void put_xl(struct writer *out, const struct aw_frame *frame)
{
    struct aw_xl_head head;

    memcpy(&head, frame->payload, sizeof(head));
    put(out, "%02X%03X#%02X:%02X:%08X#", head.vcid,
        (unsigned)(frame->id & AW_CAN_SFF_MASK), head.flags, head.sdt,
        (unsigned)head.acceptance_field);
    put_data(out, frame->payload + sizeof(head), frame->length - sizeof(head));
}

static void put_id(struct writer *out, uint32_t id)
{
    if (id & AW_CAN_ERROR)
        put(out, "%08X#", (unsigned)(id & (AW_CAN_ERROR | AW_CAN_ID_MASK)));
    else if (id & AW_CAN_EXTENDED)
        put(out, "%08X#", (unsigned)(id & AW_CAN_ID_MASK));
    else
        put(out, "%03X#", (unsigned)(id & AW_CAN_SFF_MASK));
}

static void put_fd(struct writer *out, const struct aw_frame *frame)
{
    put(out, "#%X",
        (frame->flags & AW_FRAME_BRS ? FD_BRS : 0u) |
            (frame->flags & AW_FRAME_ESI ? FD_ESI : 0u));
    put_data(out, frame->payload, frame->length);
}

static void put_classic(struct writer *out, const struct aw_frame *frame)
{
    unsigned raw = (unsigned)frame->flags >> AW_FRAME_RAW_DLC_SHIFT;

    if ((frame->id & AW_CAN_REMOTE) && frame->length == 0)
        put(out, "R");
    else if (frame->id & AW_CAN_REMOTE)
        put(out, "R%u", (unsigned)frame->length);
    else
        put_data(out, frame->payload, frame->length);
    if (frame->length == CLASSIC_MAX && raw >= RAW_DLC_MIN)
        put(out, "_%X", raw);
}

/* Is it a frame that a log can hold, and the parser would take? */
static bool can_format(const struct aw_frame *frame)
{
    size_t head = sizeof(struct aw_xl_head);

    if (frame->kind == AW_KIND_CAN_XL)
        return frame->length > head && frame->length <= head + XL_MAX;
    if (frame->kind != AW_KIND_CAN)
        return false;
    if (frame->flags & AW_FRAME_FD)
        return frame->length <= FD_MAX &&
               !(frame->id & (AW_CAN_ERROR | AW_CAN_REMOTE));
    if (frame->id & AW_CAN_ERROR)
        return frame->length == CLASSIC_MAX;
    return frame->length <= CLASSIC_MAX;
}

static void put_frame(struct writer *out, const struct aw_frame *frame)
{
    if (frame->kind == AW_KIND_CAN_XL) {
        put_xl(out, frame);
        return;
    }
    put_id(out, frame->id);
    if (frame->flags & AW_FRAME_FD)
        put_fd(out, frame);
    else
        put_classic(out, frame);
}

int aw_candump_format(const struct aw_frame *frame, const char *channel,
                      unsigned options, char *buffer, size_t size)
{
    struct writer out = {buffer, buffer + size};
    uint64_t seconds = frame->timestamp_ns / AW_NS_PER_S;
    uint64_t fraction = frame->timestamp_ns % AW_NS_PER_S;
    bool nanoseconds = options & AW_CANDUMP_NANOSECONDS;

    if (!can_format(frame) || channel[0] == '\0')
        return -EINVAL;
    put(&out, "(%010" PRIu64 ".%0*" PRIu64 ") %s ", seconds,
        nanoseconds ? 9 : 6, nanoseconds ? fraction : fraction / AW_NS_PER_US,
        channel);
    put_frame(&out, frame);
    if (options & AW_CANDUMP_DIRECTION)
        put(&out, frame->flags & AW_FRAME_SENT ? " T" : " R");
    return out.at < out.end ? (int)(out.at - buffer) : -ENOSPC;
}
