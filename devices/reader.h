/* The reader: the one thread that touches an open device.
 *
 * It sleeps in ppoll on the device and its mailbox, reads a batch, offers it to
 * every attached queue, and publishes each queue once. It never takes the GIL,
 * never calls Python, never allocates per frame, and never waits for a
 * consumer: a queue that is full loses the frame, or, on a paced device, the
 * reader does not read on until there is room.
 *
 * While every queue of a device puts its wake off (budget_us) the reader rests:
 * it does not look at the device until the first of them is due, for as long as
 * what the kernel keeps for it cannot overflow. Whatever ends the rest, the
 * frames that came meanwhile are read first.
 *
 * Private to devices/: device.h is what others use. */
#ifndef AW_READER_H
#define AW_READER_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "devices/device_config.h"
#include "devices/mailbox.h"
#include "devices/queue/ledger.h"
#include "devices/stamps.h"

struct aw_reader {
    /* Set before the thread starts. */
    const struct aw_driver *driver;
    struct aw_link link;
    struct aw_channels channels;
    struct aw_mailbox mailbox;
    uint64_t send_timeout_ns;
    uint32_t send_depth;
    pthread_t thread;

    /* Frames accepted for sending and not done: raised by the sender, lowered
     * by the reader. */
    _Atomic(uint32_t) sends_under_way;
    atomic_bool withdrawals; /* some of them may have been given up */
    /* Turns of its loop: the reader's own, read by whoever asks if it lives. */
    _Atomic(uint32_t) turns;

    /* The reader's own from here on. */
    struct aw_queue **queues;
    size_t queue_count, queue_capacity;
    struct aw_batch batch;
    uint64_t seq;     /* units read or lost so far */
    uint64_t charged; /* kernel losses charged to queues */
    uint64_t placed;  /* of these, placed in the stream by lost_before */
    enum aw_queue_state state; /* OPEN, or why no frame will come */
    int failure;               /* positive errno where state is LOST */
    bool started;
    struct aw_stamp_watch stamps;

    /* Losing the device and opening it again (reopen.c). */
    const struct aw_value *values; /* the device's copy, for open() */
    struct aw_link first;          /* what queues were made for */
    bool reopens;                  /* on_loss: wait */
    bool away;            /* closed, and nothing to poll: it is waited for, or
                             lost for good */
    uint64_t away_ns;     /* CLOCK_MONOTONIC: since when, */
    uint64_t reopen_ns;   /* when to open it next, UINT64_MAX: never, */
    uint64_t backoff_ns;  /* and how long to wait if that fails */
    uint64_t losses_base; /* kernel losses of earlier openings */

    struct aw_link_status published;   /* what status_side has */
    struct aw_ledger_side status_side; /* of link.status */
    struct aw_mail *stop; /* the request to stop, answered at the very end */

    /* Frames waiting for the kernel, oldest first (sender.c). */
    struct aw_send *sends, **sends_end;
    int send_blocked; /* 0, -EAGAIN, -ENOBUFS or -ENETDOWN: why the oldest waits
                       */
    uint64_t sends_due_ns; /* no deadline and no expiry is before it */
    /* Frames that the kernel has and whose echo has not come (confirm.c). */
    struct aw_send *confirms, **confirms_end;
    bool echo_wanted; /* want_echo() has been called */
    struct aw_send_stats send_stats;
    struct aw_ledger_side send_ledger; /* the published copy of these */
};

/* Starts the thread of an opened link. All signals are blocked in it. Returns 0
 * or a negative errno. */
int aw_reader_start(struct aw_reader *reader,
                    const struct aw_device_config *config);

/* The reader has taken a turn. Relaxed, both: nobody else writes it, and it
 * guards nothing. Partner: aw_device_turns(). */
static inline void aw_reader_count_turn(struct aw_reader *reader) AW_ON(reader);
static inline void aw_reader_count_turn(struct aw_reader *reader)
{
    uint32_t turns = atomic_load_explicit(&reader->turns, memory_order_relaxed);

    atomic_store_explicit(&reader->turns, turns + 1, memory_order_relaxed);
}

/* ---- reader.c ---- */

/* Empties the batch for at most `limit` frames. */
static inline void aw_batch_begin(struct aw_batch *batch, uint32_t limit)
{
    batch->limit = limit;
    batch->count = 0;
    batch->ended = false;
    memset(batch->exclude, 0, sizeof(batch->exclude));
    memset(batch->marks, 0, sizeof(batch->marks));
}

/* Has the kernel's losses up to now charged to the queues, and told to them:
 * no frame of this opening will come that could tell. */
void aw_reader_settle_losses(struct aw_reader *reader) AW_ON(reader);

/* Gives the queues what is in the batch. */
void aw_reader_distribute(struct aw_reader *reader) AW_ON(reader);

/* Ends every queue: the device is lost for good. */
void aw_reader_lose(struct aw_reader *reader, int failure) AW_ON(reader);

/* ---- link_status.c ---- */

/* Publishes link.status if it has changed. The reader, or who opens it. */
void aw_status_publish(struct aw_reader *reader);

/* ---- aux_fd.c: the second descriptor ---- */

/* Reads the second descriptor. */
void aw_aux_read(struct aw_reader *reader) AW_ON(reader);

/* Can events be taken now? False only while a queue that blocks and wants them
 * is full. */
bool aw_aux_wanted(const struct aw_reader *reader) AW_ON(reader);

/* ---- reopen.c ---- */

#define AW_REOPEN_FIRST_NS (AW_NS_PER_S / 10)
#define AW_REOPEN_LAST_NS  (5 * AW_NS_PER_S)

/* Before the thread starts: the device is missing and waited for. */
void aw_reopen_init(struct aw_reader *reader, int failure);

/* The device has failed: it is lost for good, or waited for. */
void aw_reopen_lost(struct aw_reader *reader, int failure) AW_ON(reader);

/* When the device is to be opened again (CLOCK_MONOTONIC), or UINT64_MAX. */
static inline uint64_t aw_reopen_due_ns(const struct aw_reader *reader)
{
    return reader->away ? reader->reopen_ns : UINT64_MAX;
}

/* Opens it if it is time to. */
void aw_reopen_try(struct aw_reader *reader, uint64_t now_ns) AW_ON(reader);

/* ---- filters.c ---- */

/* Tells the driver what all queues want together: they have changed, or the
 * device was opened. */
void aw_filters_tell(struct aw_reader *reader) AW_ON(reader);

/* ---- events.c ---- */

/* Gives an event of the reader's own to each queue that asked for events. */
void aw_reader_tell(struct aw_reader *reader, enum aw_event_kind kind,
                    int32_t value, uint32_t detail) AW_ON(reader);

/* ---- sender.c: the sending half, on the reader's thread ---- */

/* Before the thread starts: nothing to send. */
void aw_sender_init(struct aw_reader *reader);

/* Takes newly posted frames over, hands the kernel what it accepts, and settles
 * those whose time is up. */
void aw_sender_pump(struct aw_reader *reader, struct aw_send *posted)
    AW_ON(reader);

/* Is any frame under way? */
static inline bool aw_sender_busy(const struct aw_reader *reader)
{
    return reader->sends || reader->confirms;
}

/* When a frame under way wants attention (CLOCK_MONOTONIC), or UINT64_MAX. */
uint64_t aw_sender_due_ns(const struct aw_reader *reader) AW_ON(reader);

/* Nothing waits for longer than send_timeout_s from now on. */
void aw_sender_limit(struct aw_reader *reader) AW_ON(reader);

/* Takes `*place` out of `sends` or `confirms`, counts what became of it and
 * tells its sender: it is gone after this. */
void aw_sender_settle(struct aw_reader *reader, struct aw_send **place,
                      int result) AW_ON(reader);

/* ---- confirm.c ---- */

/* A frame is to be confirmed: has the driver mark echoes. Returns 0 or why that
 * cannot be. */
int aw_confirm_prepare(struct aw_reader *reader) AW_ON(reader);

/* The kernel has this frame: it is done when its echo comes. */
void aw_confirm_expect(struct aw_reader *reader, struct aw_send *send)
    AW_ON(reader);

/* No echo will come any more: settles them all. */
void aw_confirm_fail(struct aw_reader *reader, int result) AW_ON(reader);

/* Settles the sends whose echoes are in the batch. */
void aw_confirm_batch(struct aw_reader *reader, struct aw_batch *batch)
    AW_ON(reader);

#endif
