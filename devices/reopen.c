/* Losing a device, and opening it again.
 *
 * A device that is waited for is closed at once and opened again by its reader,
 * with ppoll's timeout between the attempts: its queues stay, and so does what
 * may wait to be sent. What came meanwhile nobody has seen: the stream says
 * that the device was away, by events and to the next frame, and counts only
 * what the kernel had counted before. */
#include <errno.h>

#include "devices/queue/clock.h"
#include "devices/queue/log.h"
#include "devices/reader.h"

/* Closed: nothing to poll, nothing to call but open(). */
static void note_away(struct aw_reader *reader, enum aw_link_state state,
                      int failure)
{
    struct aw_link *link = &reader->link;

    link->fd = -1;
    link->aux_fd = -1;
    link->state = NULL;
    link->status = (struct aw_link_status){
        .state = (uint8_t)state,
        .failure = failure,
        .lost = link->status.lost,
        .reopened = link->status.reopened,
    };
    reader->away = true;
    reader->echo_wanted = false;
    reader->away_ns = aw_clock_monotonic_ns();
    reader->reopen_ns = reader->away_ns + AW_REOPEN_FIRST_NS;
    reader->backoff_ns = 2 * AW_REOPEN_FIRST_NS;
}

/* Lost for good: closed at once, since the kernel may hold an interface back
 * from going as long as a socket is bound to it (CAN_J1939). A source that has
 * an account to give stays open until that was taken (device.c). */
static void close_for_good(struct aw_reader *reader)
{
    struct aw_link *link = &reader->link;

    if (reader->driver->account)
        return;
    reader->driver->close(link);
    link->fd = -1;
    link->aux_fd = -1;
    link->state = NULL;
    reader->away = true;
    reader->reopen_ns = UINT64_MAX;
}

void aw_reopen_init(struct aw_reader *reader, int failure)
{
    note_away(reader, AW_LINK_WAITING, failure);
}

void aw_reopen_lost(struct aw_reader *reader, int failure)
{
    if (!reader->reopens) {
        aw_reader_lose(reader, failure);
        close_for_good(reader);
        return;
    }
    aw_log(AW_LOG_WARNING,
           "device %s went away: %s; it is opened again when it is back",
           reader->link.name, strerror(failure));
    aw_reader_settle_losses(reader);
    reader->driver->close(&reader->link);
    note_away(reader, AW_LINK_LOST, failure);
    reader->link.status.lost++;
    aw_status_publish(reader);
    aw_reader_tell(reader, AW_EVENT_LOST, failure, 0);
    for (size_t i = 0; i < reader->queue_count; i++)
        aw_queue_gap(reader->queues[i], 1, AW_LOSS_AWAY);
    aw_confirm_fail(reader, -ENETDOWN);
    aw_sender_pump(reader, NULL);
}

/* Is it what queues were made for? */
static bool fits(const struct aw_link *link, const struct aw_link *first)
{
    return link->kind == first->kind && link->start == first->start &&
           link->paced == first->paced &&
           link->payload_bytes <= first->payload_bytes;
}

/* Returns 0 or a negative errno: then it is closed, as before. */
static int open_again(struct aw_reader *reader)
{
    struct aw_link *link = &reader->link;
    struct aw_link away = *link;
    struct aw_error error;
    int result;

    *link = (struct aw_link){
        .name = away.name,
        .fd = -1,
        .aux_fd = -1,
        .payload_limit = reader->first.payload_bytes,
        .channels = away.channels,
    };
    result = reader->driver->open(link, reader->values, &error);
    if (result == 0 &&
        (!fits(link, &reader->first) ||
         aw_driver_check_link(reader->driver, link, &error) < 0)) {
        reader->driver->close(link);
        result = -EPROTOTYPE;
    }
    if (result < 0) {
        *link = away;
        link->status.failure = -result;
        return result;
    }
    link->status.lost = away.status.lost;
    link->status.reopened = away.status.reopened + 1;
    return 0;
}

static uint32_t away_ms(const struct aw_reader *reader, uint64_t now_ns)
{
    uint64_t ms = (now_ns - reader->away_ns) / AW_NS_PER_MS;

    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void come_back(struct aw_reader *reader, uint64_t now_ns) AW_ON(reader)
{
    uint32_t ms = away_ms(reader, now_ns);

    reader->away = false;
    aw_log(AW_LOG_INFO, "device %s is there, after %u.%03u s",
           reader->link.name, ms / 1000, ms % 1000);
    aw_filters_tell(reader);
    aw_status_publish(reader);
    if (reader->started && reader->driver->start)
        reader->driver->start(&reader->link);
    aw_reader_tell(reader, AW_EVENT_BACK, 0, ms);
    aw_sender_pump(reader, NULL);
}

void aw_reopen_try(struct aw_reader *reader, uint64_t now_ns)
{
    if (!reader->away || now_ns < reader->reopen_ns)
        return;
    if (open_again(reader) == 0) {
        come_back(reader, now_ns);
        return;
    }
    reader->reopen_ns = now_ns + reader->backoff_ns;
    reader->backoff_ns = reader->backoff_ns < AW_REOPEN_LAST_NS / 2
                             ? 2 * reader->backoff_ns
                             : AW_REOPEN_LAST_NS;
}
