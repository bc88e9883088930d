/* Confirmation: a send that is done only when its echo says that the frame was
 * on the wire.
 *
 * The kernel gives an echo no name, so it is matched by what it carries: the
 * oldest unconfirmed send of the same content. Frames of one content leave in
 * the order they were sent in, so that is its own. */
#include <errno.h>
#include <string.h>

#include "devices/reader.h"

int aw_confirm_prepare(struct aw_reader *reader)
{
    int result = 0;

    if (!reader->echo_wanted && reader->driver->want_echo)
        result = reader->driver->want_echo(&reader->link);
    /* What makes other frames wait must not make this one. */
    if (result == -EAGAIN || result == -ENOBUFS)
        result = -EIO;
    reader->echo_wanted = result == 0;
    return result;
}

void aw_confirm_expect(struct aw_reader *reader, struct aw_send *send)
{
    send->next = NULL;
    *reader->confirms_end = send;
    reader->confirms_end = &send->next;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Is this the echo of what was sent? An FD frame comes back padded with zeros;
 * its other flags are the controller's to change. */
static bool is_echo(const struct aw_frame *echo, const struct aw_frame *sent)
{
    return echo->kind == sent->kind && echo->id == sent->id &&
           ((echo->flags ^ sent->flags) & AW_FRAME_FD) == 0 &&
           echo->length >= sent->length &&
           memcmp(echo->payload, sent->payload, sent->length) == 0 &&
           all_zero(echo->payload + sent->length,
                    (size_t)(echo->length - sent->length));
}

static void note_stamps(struct aw_send *send, const struct aw_frame *echo)
{
    send->timestamp_ns = echo->timestamp_ns;
    send->monotonic_ns = echo->monotonic_ns;
    send->hw_timestamp_ns = aw_frame_hw_timestamp(echo);
    send->stamp = (uint8_t)aw_frame_stamp(echo);
}

static void confirm(struct aw_reader *reader, const struct aw_frame *echo)
    AW_ON(reader)
{
    struct aw_send **place = &reader->confirms;

    while (*place) {
        const void *sent = (*place)->frame;

        if (is_echo(echo, sent)) {
            note_stamps(*place, echo);
            aw_sender_settle(reader, place, 0);
            return;
        }
        place = &(*place)->next;
    }
}

void aw_confirm_fail(struct aw_reader *reader, int result)
{
    while (reader->confirms)
        aw_sender_settle(reader, &reader->confirms, result);
}

void aw_confirm_batch(struct aw_reader *reader, struct aw_batch *batch)
{
    for (uint32_t i = 0; reader->confirms && i < batch->count; i++) {
        if (batch->marks[i] & AW_MARK_ECHO)
            confirm(reader, aw_batch_at(batch, i));
    }
}
