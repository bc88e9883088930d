#include "daemon/frame_text.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/address.h"
#include "devices/candump.h"
#include "devices/queue/clock.h"

/* ---- out ---- */

static const char *channel_of(const struct aw_frame *frame,
                              const struct aw_device *device)
{
    const char *channel = aw_device_channel(device, frame->channel);

    return channel[0] ? channel : aw_device_name(device);
}

static size_t put_sender(const struct aw_frame *frame, char *text, size_t size)
{
    struct aw_address address;
    struct sockaddr_storage storage;
    char words[AW_ADDRESS_TEXT];

    memcpy(&address, frame->payload, sizeof(address));
    if (aw_address_export(&address, address.family == 6 ? AF_INET6 : AF_INET,
                          &storage) < 0)
        return 0;
    aw_address_format((const struct sockaddr *)&storage, words);
    return (size_t)snprintf(text, size, "%s ", words);
}

static void put_hex(const uint8_t *bytes, size_t count, char *text, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    bool cut = count > (size - 4) / 2;

    if (cut)
        count = (size - 4) / 2;
    for (size_t i = 0; i < count; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    strcpy(text, cut ? "..." : "");
}

void aw_frame_text(const struct aw_frame *frame, const struct aw_device *device,
                   char ret_text[AW_FRAME_TEXT_MAX])
{
    const char *channel = channel_of(frame, device);
    size_t head = 0, length;

    if (aw_candump_format(frame, channel, 0, ret_text, AW_FRAME_TEXT_MAX) >= 0)
        return;
    length = (size_t)snprintf(
        ret_text, AW_FRAME_TEXT_MAX, "(%010" PRIu64 ".%06" PRIu64 ") %s ",
        frame->timestamp_ns / AW_NS_PER_S,
        frame->timestamp_ns % AW_NS_PER_S / AW_NS_PER_US, channel);
    if (frame->kind == AW_KIND_DATAGRAM) {
        head = sizeof(struct aw_address);
        length +=
            put_sender(frame, ret_text + length, AW_FRAME_TEXT_MAX - length);
    }
    put_hex(frame->payload + head, frame->length - head, ret_text + length,
            AW_FRAME_TEXT_MAX - length);
}

/* ---- in ---- */

static struct aw_frame *frame_of(struct aw_send *send)
{
    void *frame = send->frame;

    return frame;
}

/* NULL: no memory. */
static struct aw_send *new_send(enum aw_kind kind, size_t payload_bytes)
{
    struct aw_send *send =
        calloc(1, offsetof(struct aw_send, frame) +
                      offsetof(struct aw_frame, payload) + payload_bytes);

    if (!send)
        return NULL;
    frame_of(send)->kind = (uint8_t)kind;
    frame_of(send)->length = (uint16_t)payload_bytes;
    return send;
}

static int refuse_memory(struct aw_error *error)
{
    return aw_error_set(error, ENOMEM, "not enough memory");
}

static int parse_can(const char *text, struct aw_candump *record,
                     struct aw_error *error)
{
    char line[AW_CANDUMP_LINE_MAX];
    int length = snprintf(line, sizeof(line), "(0.000000) x %s", text);
    int found;

    if (strpbrk(text, " \t\r\n") || length >= (int)sizeof(line))
        return aw_error_set(error, EINVAL,
                            "a CAN frame is one word, as 123#0102");
    found = aw_candump_parse(line, (size_t)length, record, error);
    if (found < 0)
        return found;
    if (found != AW_CANDUMP_FRAME ||
        aw_candump_frame(record)->kind != AW_KIND_CAN)
        return aw_error_set(error, EINVAL, "this frame cannot be sent");
    return 0;
}

static int from_can(const struct aw_device *device, const char *text,
                    struct aw_send **ret_send, struct aw_error *error)
{
    struct aw_candump record;
    const struct aw_frame *frame;
    struct aw_send *send;
    int result = parse_can(text, &record, error);

    if (result < 0)
        return result;
    frame = aw_candump_frame(&record);
    if (frame->length > aw_device_payload_bytes(device))
        return aw_error_set(error, EINVAL,
                            "%u bytes are more than the device carries",
                            frame->length);
    send = new_send(AW_KIND_CAN, frame->length);
    if (!send)
        return refuse_memory(error);
    frame_of(send)->id = frame->id;
    frame_of(send)->flags = (uint16_t)(frame->flags & ~AW_FRAME_ARRIVAL);
    memcpy(frame_of(send)->payload, frame->payload, frame->length);
    *ret_send = send;
    return 0;
}

static int digit_of(char letter)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = letter ? strchr(digits, letter | 0x20) : NULL;

    return found ? (int)(found - digits) : -1;
}

static int parse_hex(const char *text, uint8_t *bytes, struct aw_error *error)
{
    for (size_t i = 0; text[2 * i]; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return aw_error_set(error, EINVAL,
                                "the bytes are to be pairs of hexadecimal "
                                "digits");
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int parse_to(const char *to, struct aw_address *ret_address,
                    struct aw_error *error)
{
    struct aw_endpoint endpoint;
    struct sockaddr_storage storage;
    int result;

    if (!to)
        return aw_error_set(error, EINVAL,
                            "a datagram needs a destination: HOST:PORT");
    result = aw_endpoint_parse(to, &endpoint, error);
    if (result < 0)
        return result;
    /* Numeric ones alone: nothing here reads a file. */
    if (aw_address_parse(endpoint.host, &storage) < 0)
        return aw_error_set(error, EINVAL, "\"%s\" is no numeric address",
                            endpoint.host);
    aw_address_import((const struct sockaddr *)&storage, ret_address);
    ret_address->port = endpoint.port;
    return 0;
}

static int from_hex(enum aw_kind kind, const char *text, const char *to,
                    struct aw_send **ret_send, struct aw_error *error)
{
    size_t head = kind == AW_KIND_DATAGRAM ? sizeof(struct aw_address) : 0;
    size_t count = (strlen(text) + 1) / 2;
    struct aw_send *send;
    struct aw_address address = {.family = 0};
    int result = 0;

    if (count > AW_PAYLOAD_MAX - head)
        return aw_error_set(error, EINVAL, "%zu bytes are too many", count);
    if (head > 0)
        result = parse_to(to, &address, error);
    if (result < 0)
        return result;
    send = new_send(kind, head + count);
    if (!send)
        return refuse_memory(error);
    memcpy(frame_of(send)->payload, &address, head);
    if (head > 0)
        frame_of(send)->id = (uint32_t)count;
    result = parse_hex(text, frame_of(send)->payload + head, error);
    if (result < 0)
        free(send);
    else
        *ret_send = send;
    return result;
}

int aw_frame_from_text(const struct aw_device *device, const char *text,
                       const char *to, struct aw_send **ret_send,
                       struct aw_error *error)
{
    enum aw_kind kind = aw_device_kind(device);

    if (to && kind != AW_KIND_DATAGRAM)
        return aw_error_set(error, EINVAL, "only datagrams have a destination");
    if (kind == AW_KIND_CAN)
        return from_can(device, text, ret_send, error);
    return from_hex(kind, text, to, ret_send, error);
}
