/* The sending half of the reader: frames wait here, oldest first, until the
 * kernel has them or their time is up.
 *
 * They leave in the order they came. What stands before them holds all up: a
 * full buffer; or, where the oldest waits for its link to come up, that link,
 * which fails at once those behind it that do not want to wait. Each frame has
 * a deadline of its own, and is settled when it passes, wherever it stands. */
#include <errno.h>
#include <stddef.h>

#include "devices/queue/clock.h"
#include "devices/reader.h"

/* A full transmit queue (ENOBUFS) gives no event when it drains: ask again
 * after this time, which is that of a few CAN frames at 1 Mbit/s. */
#define RETRY_NS (AW_NS_PER_MS / 2)

/* A link that comes up need not give one either. */
#define RETRY_DOWN_NS (20 * AW_NS_PER_MS)

void aw_sender_init(struct aw_reader *reader)
{
    reader->sends_end = &reader->sends;
    reader->confirms_end = &reader->confirms;
    reader->sends_due_ns = UINT64_MAX;
}

static void publish(struct aw_reader *reader)
{
    const struct aw_send_stats *stats = &reader->send_stats;
    const uint64_t fields[] = {
        stats->submitted, stats->sent,   stats->expired,
        stats->timed_out, stats->failed, stats->pending,
    };

    aw_ledger_publish(&reader->send_ledger, fields, 6);
}

/* ---- time ---- */

static uint64_t later(uint64_t now_ns, uint64_t wait_ns)
{
    return wait_ns < UINT64_MAX - now_ns ? now_ns + wait_ns : UINT64_MAX;
}

/* Relaxed: nothing but the flag itself is read. Partner: the sender, before
 * aw_device_withdrawn(). */
static bool withdrawn(const struct aw_send *send)
{
    return atomic_load_explicit(&send->withdrawn, memory_order_relaxed);
}

/* Not to be sent any more. */
static bool expired(const struct aw_send *send, uint64_t now_ns)
{
    return (send->expires_ns != 0 && send->expires_ns <= now_ns) ||
           withdrawn(send);
}

/* Most frames never expire: they need no clock. */
static bool expired_by_now(const struct aw_send *send)
{
    return withdrawn(send) ||
           (send->expires_ns != 0 && expired(send, aw_clock_monotonic_ns()));
}

static void note_due(struct aw_reader *reader, const struct aw_send *send,
                     bool unsent)
{
    if (send->deadline_ns < reader->sends_due_ns)
        reader->sends_due_ns = send->deadline_ns;
    if (unsent && send->expires_ns != 0 &&
        send->expires_ns < reader->sends_due_ns)
        reader->sends_due_ns = send->expires_ns;
}

/* ---- in ---- */

static void append(struct aw_reader *reader, struct aw_send *send) AW_ON(reader)
{
    uint64_t now_ns = aw_clock_monotonic_ns();

    while (send) {
        struct aw_send *next = send->next;

        send->next = NULL;
        send->deadline_ns =
            later(now_ns, send->timeout_ns ? send->timeout_ns
                                           : reader->send_timeout_ns);
        *reader->sends_end = send;
        reader->sends_end = &send->next;
        reader->send_stats.submitted++;
        reader->send_stats.pending++;
        note_due(reader, send, true);
        /* Its withdrawal may have been looked for before it came. */
        if (withdrawn(send))
            reader->sends_due_ns = 0;
        send = next;
    }
    if (reader->stop)
        aw_sender_limit(reader);
}

static void limit_list(struct aw_reader *reader, struct aw_send *send,
                       uint64_t last_ns)
{
    for (; send; send = send->next) {
        if (send->deadline_ns > last_ns)
            send->deadline_ns = last_ns;
        note_due(reader, send, false);
    }
}

void aw_sender_limit(struct aw_reader *reader)
{
    uint64_t last_ns = later(aw_clock_monotonic_ns(), reader->send_timeout_ns);

    limit_list(reader, reader->sends, last_ns);
    limit_list(reader, reader->confirms, last_ns);
}

/* ---- out ---- */

static void count_result(struct aw_send_stats *stats, int result)
{
    stats->pending--;
    if (result == 0)
        stats->sent++;
    else if (result == -ETIMEDOUT)
        stats->timed_out++;
    else if (result == -ECANCELED)
        stats->expired++;
    else
        stats->failed++;
}

static void tell(struct aw_reader *reader, struct aw_send *send, int result)
{
    /* Relaxed: the count guards no memory. Partner: admit() in device.c. */
    atomic_fetch_sub_explicit(&reader->sends_under_way, 1,
                              memory_order_relaxed);
    send->done(send, result);
}

static struct aw_send *unlink_send(struct aw_reader *reader,
                                   struct aw_send **place)
{
    struct aw_send *send = *place;

    if (reader->sends_end == &send->next)
        reader->sends_end = place;
    if (reader->confirms_end == &send->next)
        reader->confirms_end = place;
    *place = send->next;
    return send;
}

/* The ledger comes first, so that a sender who has been told finds its frame
 * counted. */
void aw_sender_settle(struct aw_reader *reader, struct aw_send **place,
                      int result)
{
    struct aw_send *send = unlink_send(reader, place);

    count_result(&reader->send_stats, result);
    publish(reader);
    tell(reader, send, result);
}

/* The kernel has the `count` oldest. One publication for all of them. */
static void hand_over(struct aw_reader *reader, int count) AW_ON(reader)
{
    struct aw_send *done = NULL, **done_end = &done;

    while (count-- > 0) {
        struct aw_send *send = unlink_send(reader, &reader->sends);

        if (send->confirm) {
            aw_confirm_expect(reader, send);
            continue;
        }
        count_result(&reader->send_stats, 0);
        *done_end = send;
        done_end = &send->next;
    }
    *done_end = NULL;
    publish(reader);
    while (done) {
        struct aw_send *next = done->next;

        tell(reader, done, 0);
        done = next;
    }
}

/* ---- what waits ---- */

/* Settles what is overdue in one of the lists, and notes when the rest is due.
 * What the kernel has cannot expire any more. */
static void sweep_list(struct aw_reader *reader, struct aw_send **place,
                       uint64_t now_ns, bool unsent) AW_ON(reader)
{
    while (*place) {
        if (unsent && expired(*place, now_ns)) {
            aw_sender_settle(reader, place, -ECANCELED);
        } else if ((*place)->deadline_ns <= now_ns) {
            aw_sender_settle(reader, place, -ETIMEDOUT);
        } else {
            note_due(reader, *place, unsent);
            place = &(*place)->next;
        }
    }
}

/* True if the oldest that waited has been settled: the next one has its turn.
 */
static bool sweep(struct aw_reader *reader) AW_ON(reader)
{
    const struct aw_send *oldest = reader->sends;
    uint64_t now_ns = aw_clock_monotonic_ns();

    if (now_ns < reader->sends_due_ns)
        return false;
    reader->sends_due_ns = UINT64_MAX;
    sweep_list(reader, &reader->sends, now_ns, true);
    sweep_list(reader, &reader->confirms, now_ns, false);
    return reader->sends && reader->sends != oldest;
}

/* Frames that were given up are looked for at the next sweep. Acquire: the
 * marks in them. Partner: aw_device_withdrawn(). */
static void note_withdrawals(struct aw_reader *reader)
{
    if (atomic_exchange_explicit(&reader->withdrawals, false,
                                 memory_order_acquire))
        reader->sends_due_ns = 0;
}

/* The link is down, and the oldest frame waits for it: those behind it that do
 * not want to fail. */
static void fail_unwilling(struct aw_reader *reader) AW_ON(reader)
{
    struct aw_send **place = &reader->sends;

    while (*place) {
        if ((*place)->wait)
            place = &(*place)->next;
        else
            aw_sender_settle(reader, place, -ENETDOWN);
    }
}

/* Is the oldest frame to wait? What a lost device says is final, whatever the
 * reason of the loss was. */
static bool must_wait(const struct aw_reader *reader, int result)
{
    if (reader->state == AW_QUEUE_LOST)
        return false;
    return result == -EAGAIN || result == -ENOBUFS ||
           (result == -ENETDOWN && reader->sends->wait);
}

/* ---- the kernel ---- */

/* The oldest frames that can go out together. */
static uint32_t gather(const struct aw_reader *reader,
                       struct aw_send *sends[AW_SEND_BATCH])
{
    struct aw_send *send = reader->sends;
    uint32_t count = 0;

    while (send && count < AW_SEND_BATCH &&
           (!send->confirm || reader->echo_wanted) && !expired_by_now(send)) {
        sends[count++] = send;
        send = send->next;
    }
    return count;
}

static int offer_oldest(struct aw_reader *reader) AW_ON(reader)
{
    struct aw_send *sends[AW_SEND_BATCH];
    uint32_t count = 1;
    int result;

    if (reader->driver->send_many) {
        count = gather(reader, sends);
        /* It expired between two looks at the clock. */
        if (count == 0)
            return -ECANCELED;
        return reader->driver->send_many(&reader->link, sends, count);
    }
    result = reader->driver->send(&reader->link, reader->sends);
    return result < 0 ? result : 1;
}

/* Returns how many of the oldest frames the kernel has taken, or what it says
 * to the first. */
static int attempt(struct aw_reader *reader) AW_ON(reader)
{
    int result = 0;

    if (reader->state == AW_QUEUE_LOST)
        return -reader->failure;
    if (reader->away)
        return -ENETDOWN;
    if (expired_by_now(reader->sends))
        return -ECANCELED;
    if (reader->sends->confirm)
        result = aw_confirm_prepare(reader);
    if (result == 0)
        result = offer_oldest(reader);
    /* It is about to be lost, and waited for. */
    if (reader->reopens && (result == -ENODEV || result == -ENXIO))
        return -ENETDOWN;
    return result;
}

/* The oldest waits. True if it does not any more. */
static bool hold_up(struct aw_reader *reader, int result) AW_ON(reader)
{
    if (result == -ENETDOWN)
        fail_unwilling(reader);
    reader->send_blocked = result;
    return sweep(reader);
}

void aw_sender_pump(struct aw_reader *reader, struct aw_send *posted)
{
    if (posted) {
        append(reader, posted);
        publish(reader);
    }
    note_withdrawals(reader);
    reader->send_blocked = 0;
    while (reader->sends) {
        int result = attempt(reader);

        if (must_wait(reader, result)) {
            if (!hold_up(reader, result))
                break;
            continue;
        }
        if (result < 0)
            aw_sender_settle(reader, &reader->sends, result);
        else
            hand_over(reader, result);
        /* The device wants to be read between two transfers. */
        if (reader->link.blocking_send)
            break;
    }
    if (reader->state == AW_QUEUE_LOST)
        aw_confirm_fail(reader, -reader->failure);
    if (reader->confirms)
        sweep(reader);
}

uint64_t aw_sender_due_ns(const struct aw_reader *reader)
{
    uint64_t retry_ns;

    if (!aw_sender_busy(reader))
        return UINT64_MAX;
    if (!reader->sends || reader->send_blocked == -EAGAIN || reader->away)
        return reader->sends_due_ns;
    if (reader->send_blocked == 0)
        return 0;
    retry_ns = aw_clock_monotonic_ns() +
               (reader->send_blocked == -ENETDOWN ? RETRY_DOWN_NS : RETRY_NS);
    return retry_ns < reader->sends_due_ns ? retry_ns : reader->sends_due_ns;
}
