/* The sending half of the reader: frames wait here, oldest first, until the
 * kernel has them or their time is up. */
#include <errno.h>
#include <stddef.h>

#include "devices/queue/clock.h"
#include "devices/reader.h"

/* A full transmit queue (ENOBUFS) gives no event when it drains: ask again
 * after this time, which is that of a few CAN frames at 1 Mbit/s. */
#define RETRY_NS (AW_NS_PER_MS / 2)

static void publish(struct aw_reader *reader)
{
    const struct aw_send_stats *stats = &reader->send_stats;
    const uint64_t fields[] = {
        stats->submitted, stats->sent,   stats->expired,
        stats->timed_out, stats->failed, stats->pending,
    };

    aw_ledger_publish(&reader->send_ledger, fields, 6);
}

static void append(struct aw_reader *reader, struct aw_send *send)
{
    uint64_t deadline_ns = aw_clock_monotonic_ns() + reader->send_timeout_ns;

    while (send) {
        struct aw_send *next = send->next;

        send->next = NULL;
        send->deadline_ns = deadline_ns;
        *reader->sends_end = send;
        reader->sends_end = &send->next;
        reader->send_stats.submitted++;
        reader->send_stats.pending++;
        send = next;
    }
}

/* Takes the oldest off and tells its sender. The ledger comes first, so that a
 * sender who has been told finds its frame counted. */
static void settle(struct aw_reader *reader, int result)
{
    struct aw_send *send = reader->sends;

    reader->sends = send->next;
    if (!reader->sends)
        reader->sends_end = &reader->sends;
    reader->send_stats.pending--;
    if (result == 0)
        reader->send_stats.sent++;
    else if (result == -ETIMEDOUT)
        reader->send_stats.timed_out++;
    else
        reader->send_stats.failed++;
    publish(reader);
    send->done(send, result);
}

/* Is the oldest frame to wait? What a lost device says is final, whatever the
 * reason of the loss was. */
static bool must_wait(const struct aw_reader *reader, int result)
{
    return reader->state != AW_QUEUE_LOST &&
           (result == -EAGAIN || result == -ENOBUFS);
}

void aw_sender_pump(struct aw_reader *reader, struct aw_send *posted)
{
    if (posted) {
        append(reader, posted);
        publish(reader);
    }
    reader->send_blocked = 0;
    while (reader->sends) {
        int result = reader->state == AW_QUEUE_LOST
                         ? -reader->failure
                         : reader->driver->send(&reader->link, reader->sends);

        if (must_wait(reader, result)) {
            if (aw_clock_monotonic_ns() < reader->sends->deadline_ns) {
                reader->send_blocked = result;
                return;
            }
            result = -ETIMEDOUT;
        }
        settle(reader, result);
    }
}

uint64_t aw_sender_due_ns(const struct aw_reader *reader)
{
    uint64_t retry_ns;

    if (!reader->sends)
        return UINT64_MAX;
    if (reader->send_blocked == -EAGAIN)
        return reader->sends->deadline_ns;
    retry_ns = aw_clock_monotonic_ns() + RETRY_NS;
    return retry_ns < reader->sends->deadline_ns ? retry_ns
                                                 : reader->sends->deadline_ns;
}
