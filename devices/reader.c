#include "devices/reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/queue_latency.h"
#include "devices/queue/thread.h"
#include "devices/schedule.h"

/* Batches read before the mailbox is looked at again. */
#define BATCHES_PER_TURN 8

/* The reader rests for no longer than frames at this pace could fill what they
 * are kept in: no socket of a driver here is filled as fast. */
#define FASTEST_FRAME_NS UINT64_C(500)
/* A rest that ends before anything is due lasts for this long at least. */
#define SHORTEST_REST_NS AW_NS_PER_MS

/* ---- frames: from the driver to the queues ---- */

static void charge_losses(struct aw_reader *reader, uint64_t total)
    AW_ON(reader)
{
    if (total <= reader->charged)
        return;
    for (size_t i = 0; i < reader->queue_count; i++)
        aw_queue_charge(reader->queues[i], total - reader->charged);
    reader->charged = total;
}

/* Losses `from`..`to` of the device belong before the queue's next frame, as
 * far as they came after it was attached. */
static void place_losses(struct aw_queue *queue, uint64_t from, uint64_t to)
    AW_ON(reader)
{
    if (from < queue->loss_base)
        from = queue->loss_base;
    if (to > from)
        aw_queue_gap(queue, to - from, AW_LOSS_KERNEL);
}

/* Is it of the device's stream, so that it has a number of its own? */
static bool is_unit(struct aw_batch *batch, uint32_t index)
{
    return !(batch->marks[index] & AW_MARK_HIDDEN) &&
           aw_batch_at(batch, index)->kind != AW_KIND_EVENT;
}

/* Gives every frame its sequence number, and charges the losses between. */
static void number_batch(struct aw_reader *reader, struct aw_batch *batch)
    AW_ON(reader)
{
    uint64_t lost = reader->placed;

    for (uint32_t i = 0; i < batch->count; i++) {
        struct aw_frame *frame = aw_batch_at(batch, i);

        lost += frame->lost_before;
        reader->seq += frame->lost_before;
        frame->seq = reader->seq;
        if (is_unit(batch, i))
            reader->seq++;
    }
    charge_losses(reader, lost);
}

static void offer_batch(const struct aw_reader *reader, struct aw_queue *queue,
                        struct aw_batch *batch, uint64_t now_ns) AW_ON(reader)
{
    uint64_t lost = reader->placed;

    for (uint32_t i = 0; i < batch->count; i++) {
        const struct aw_frame *frame = aw_batch_at(batch, i);
        const char *exclude = batch->exclude[i];

        if (frame->lost_before)
            place_losses(queue, lost, lost + frame->lost_before);
        lost += frame->lost_before;
        if (batch->marks[i] & AW_MARK_HIDDEN)
            continue;
        if (!exclude || !exclude[0] || strcmp(exclude, queue->owner) != 0)
            aw_queue_offer_at(queue, frame, now_ns);
    }
    aw_queue_publish(queue);
}

void aw_reader_distribute(struct aw_reader *reader)
{
    struct aw_batch *batch = &reader->batch;
    uint64_t now_ns = aw_clock_monotonic_ns();

    if (aw_stamps_check(&reader->stamps, batch, now_ns))
        now_ns = 0;
    /* Who is told of a change by an event finds it in the status. */
    aw_status_publish(reader);
    number_batch(reader, batch);
    if (reader->confirms)
        aw_confirm_batch(reader, batch);
    for (size_t i = 0; i < reader->queue_count; i++)
        offer_batch(reader, reader->queues[i], batch, now_ns);
    for (uint32_t i = 0; i < batch->count; i++)
        reader->placed += aw_batch_at(batch, i)->lost_before;
}

static void finish_queues(struct aw_reader *reader, enum aw_queue_state state,
                          int failure) AW_ON(reader)
{
    reader->state = state;
    reader->failure = failure;
    for (size_t i = 0; i < reader->queue_count; i++)
        aw_queue_finish(reader->queues[i], state, failure);
}

void aw_reader_lose(struct aw_reader *reader, int failure)
{
    aw_log(AW_LOG_ERROR, "device %s is lost: %s", reader->link.name,
           strerror(failure));
    aw_reader_settle_losses(reader);
    reader->link.status.state = AW_LINK_LOST;
    reader->link.status.failure = failure;
    reader->link.status.lost++;
    aw_status_publish(reader);
    aw_reader_tell(reader, AW_EVENT_LOST, failure, 0);
    finish_queues(reader, AW_QUEUE_LOST, failure);
    /* What waits to be sent fails now. */
    aw_sender_pump(reader, NULL);
}

/* Must the device wait for this queue? A paced one waits for all, another for
 * those that chose to block. */
static bool holds_up(const struct aw_reader *reader,
                     const struct aw_queue *queue)
{
    return reader->link.paced || queue->overflow == AW_OVERFLOW_BLOCK;
}

/* How many frames to ask the driver for: all a batch holds, but only what the
 * fullest queue that it waits for has room for; and none of a paced device
 * while nobody listens. */
static uint32_t frames_wanted(struct aw_reader *reader) AW_ON(reader)
{
    uint64_t wanted = AW_BATCH_FRAMES;

    if (!reader->started || reader->state != AW_QUEUE_OPEN || reader->away ||
        (reader->link.paced && reader->queue_count == 0))
        return 0;
    for (size_t i = 0; i < reader->queue_count; i++) {
        uint64_t room = AW_BATCH_FRAMES;

        if (holds_up(reader, reader->queues[i]))
            room = aw_queue_room(reader->queues[i]);
        if (room < wanted)
            wanted = room;
    }
    return (uint32_t)wanted;
}

static void read_device(struct aw_reader *reader) AW_ON(reader)
{
    struct aw_batch *batch = &reader->batch;

    for (int i = 0; i < BATCHES_PER_TURN; i++) {
        uint32_t wanted = frames_wanted(reader);
        int result;

        if (wanted == 0)
            return;
        aw_batch_begin(batch, wanted);
        result = reader->driver->read(&reader->link, batch);
        aw_reader_distribute(reader);
        if (result < 0)
            aw_reopen_lost(reader, -result);
        else if (batch->ended)
            finish_queues(reader, AW_QUEUE_END, 0);
        if (batch->count < batch->limit)
            return;
    }
}

static void sync_losses(struct aw_reader *reader) AW_ON(reader)
{
    if (!reader->driver->losses || reader->state == AW_QUEUE_LOST ||
        reader->away)
        return;
    charge_losses(reader,
                  reader->losses_base + reader->driver->losses(&reader->link));
    for (size_t i = 0; i < reader->queue_count; i++)
        aw_queue_publish(reader->queues[i]);
}

void aw_reader_settle_losses(struct aw_reader *reader)
{
    sync_losses(reader);
    for (size_t i = 0; i < reader->queue_count; i++)
        place_losses(reader->queues[i], reader->placed, reader->charged);
    reader->seq += reader->charged - reader->placed;
    reader->placed = reader->charged;
    reader->losses_base = reader->charged;
}

static void start(struct aw_reader *reader) AW_ON(reader)
{
    if (reader->started)
        return;
    reader->started = true;
    if (reader->driver->start && !reader->away)
        reader->driver->start(&reader->link);
}

/* ---- requests ---- */

static int reserve_place(struct aw_reader *reader)
{
    size_t capacity = reader->queue_capacity ? reader->queue_capacity * 2 : 8;
    struct aw_queue **queues;

    if (reader->queue_count < reader->queue_capacity)
        return 0;
    queues = realloc(reader->queues, capacity * sizeof(struct aw_queue *));
    if (!queues)
        return -ENOMEM;
    reader->queues = queues;
    reader->queue_capacity = capacity;
    return 0;
}

static int attach(struct aw_reader *reader, struct aw_queue *queue)
    AW_ON(reader)
{
    if (reader->state != AW_QUEUE_OPEN) {
        aw_queue_finish(queue, reader->state, reader->failure);
        return reader->state == AW_QUEUE_END ? 0 : -ENODEV;
    }
    if (reserve_place(reader) < 0)
        return -ENOMEM;
    /* Losses up to now are not this queue's. */
    sync_losses(reader);
    queue->loss_base = reader->charged;
    if (holds_up(reader, queue)) {
        int result = aw_queue_set_bell(queue, reader->mailbox.fd);

        if (result < 0)
            return result;
    }
    reader->queues[reader->queue_count++] = aw_queue_ref(queue);
    aw_filters_tell(reader);
    if (reader->link.start == AW_START_ATTACHED)
        start(reader);
    return 0;
}

static size_t find(const struct aw_reader *reader, const struct aw_queue *queue)
{
    size_t i = 0;

    while (i < reader->queue_count && reader->queues[i] != queue)
        i++;
    return i;
}

static int detach(struct aw_reader *reader, struct aw_queue *queue)
    AW_ON(reader)
{
    size_t place = find(reader, queue);

    if (place == reader->queue_count)
        return -ENODEV;
    sync_losses(reader);
    reader->queue_count--;
    memmove(&reader->queues[place], &reader->queues[place + 1],
            (reader->queue_count - place) * sizeof(struct aw_queue *));
    aw_filters_tell(reader);
    aw_queue_finish(queue, AW_QUEUE_CLOSED, 0);
    aw_queue_unref(queue);
    return 0;
}

static int set_filters(struct aw_reader *reader, struct aw_mail *mail)
    AW_ON(reader)
{
    if (find(reader, mail->queue) == reader->queue_count)
        return -ENODEV;
    aw_queue_set_filters(mail->queue, mail->filters, mail->filter_count);
    aw_filters_tell(reader);
    return 0;
}

/* Between two frames, so that none is missed and none comes twice. */
static int replace(struct aw_reader *reader, struct aw_queue *old,
                   struct aw_queue *queue) AW_ON(reader)
{
    size_t place = find(reader, old);

    if (place == reader->queue_count)
        return -ENODEV;
    if (holds_up(reader, queue)) {
        int result = aw_queue_set_bell(queue, reader->mailbox.fd);

        if (result < 0)
            return result;
    }
    queue->loss_base = old->loss_base;
    aw_queue_succeed(queue, old);
    reader->queues[place] = aw_queue_ref(queue);
    aw_filters_tell(reader);
    if (reader->state != AW_QUEUE_OPEN)
        aw_queue_finish(queue, reader->state, reader->failure);
    aw_queue_finish(old, AW_QUEUE_CLOSED, 0);
    aw_queue_unref(old);
    return 0;
}

static int control(struct aw_reader *reader, const struct aw_mail *mail)
    AW_ON(reader)
{
    if (!reader->driver->control)
        return -EOPNOTSUPP;
    if (reader->state == AW_QUEUE_LOST)
        return -ENODEV;
    if (reader->away)
        return -ENETDOWN;
    return reader->driver->control(&reader->link, mail->request,
                                   mail->argument);
}

/* From here on nothing more is accepted for sending. Each frame that was has a
 * deadline, so that flushing them ends. */
static void begin_stop(struct aw_reader *reader, struct aw_mail *mail)
    AW_ON(reader)
{
    reader->stop = mail;
    aw_sender_limit(reader);
    aw_sender_pump(reader, aw_mailbox_close_sends(&reader->mailbox));
}

/* Answers a request; the one to stop is answered when all is flushed. */
static void serve(struct aw_reader *reader, struct aw_mail *mail) AW_ON(reader)
{
    int result = 0;

    switch (mail->kind) {
    case AW_MAIL_ATTACH:
        result = attach(reader, mail->queue);
        break;
    case AW_MAIL_DETACH:
        result = detach(reader, mail->queue);
        break;
    case AW_MAIL_SET_FILTERS:
        result = set_filters(reader, mail);
        break;
    case AW_MAIL_REPLACE:
        result = replace(reader, mail->queue, mail->successor);
        break;
    case AW_MAIL_SYNC:
        sync_losses(reader);
        break;
    case AW_MAIL_CONTROL:
        result = control(reader, mail);
        break;
    case AW_MAIL_RELEASE:
        if (reader->link.start == AW_START_RELEASED)
            start(reader);
        break;
    case AW_MAIL_STOP:
        begin_stop(reader, mail);
        return;
    }
    /* Who has an answer finds what came of it, as the kernel's filter. */
    aw_status_publish(reader);
    aw_mail_answer(mail, result);
}

static void serve_mailbox(struct aw_reader *reader) AW_ON(reader)
{
    struct aw_mail *mail;
    struct aw_send *sends;

    aw_eventfd_clear(reader->mailbox.fd);
    mail = aw_mailbox_take_mails(&reader->mailbox);
    sends = aw_mailbox_take_sends(&reader->mailbox);
    if (sends || aw_sender_busy(reader))
        aw_sender_pump(reader, sends);
    while (mail) {
        struct aw_mail *next = mail->next;

        serve(reader, mail);
        mail = next;
    }
}

/* ---- the thread ---- */

static int timeout_until(uint64_t due_ns, struct timespec *ret_timeout)
{
    uint64_t now_ns = aw_clock_monotonic_ns();
    uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;

    if (due_ns == UINT64_MAX)
        return 0;
    ret_timeout->tv_sec = (time_t)(wait_ns / AW_NS_PER_S);
    ret_timeout->tv_nsec = (long)(wait_ns % AW_NS_PER_S);
    return 1;
}

/* When a frame to be sent, a wake that was put off, or a device that is away
 * wants attention. */
static uint64_t next_due_ns(const struct aw_reader *reader) AW_ON(reader)
{
    uint64_t due_ns = aw_sender_due_ns(reader);

    if (aw_reopen_due_ns(reader) < due_ns)
        due_ns = aw_reopen_due_ns(reader);
    for (size_t i = 0; i < reader->queue_count; i++) {
        uint64_t wake_ns = aw_queue_due_ns(reader->queues[i]);

        if (wake_ns < due_ns)
            due_ns = wake_ns;
    }
    return due_ns;
}

static void wake_due(struct aw_reader *reader) AW_ON(reader)
{
    for (size_t i = 0; i < reader->queue_count; i++) {
        if (aw_queue_due_ns(reader->queues[i]) != UINT64_MAX)
            aw_queue_wake_due(reader->queues[i], aw_clock_monotonic_ns());
    }
}

/* How long frames may stay where they are, in the kernel: every queue puts its
 * wake off, and neither the kernel's buffer nor a ring can fill up by then. 0
 * if they may not. What is sent wants the device's attention meanwhile. */
static uint64_t patience_ns(const struct aw_reader *reader) AW_ON(reader)
{
    uint64_t frames = reader->link.kept_frames;

    if (reader->queue_count == 0 || aw_sender_busy(reader) || reader->stop)
        return 0;
    for (size_t i = 0; i < reader->queue_count; i++) {
        uint64_t room = aw_queue_patience(reader->queues[i]);

        if (room < frames)
            frames = room;
    }
    return frames * FASTEST_FRAME_NS;
}

/* When a rest that begins now is to end: if it can last, at `due_ns`, when
 * something is due. 0: no rest, as many short ones would cost more than the
 * frames of a slow stream. */
static uint64_t rest_until_ns(const struct aw_reader *reader, uint64_t due_ns)
    AW_ON(reader)
{
    uint64_t rest_ns = due_ns == UINT64_MAX ? 0 : patience_ns(reader);
    uint64_t until_ns;

    if (rest_ns == 0)
        return 0;
    until_ns = aw_clock_monotonic_ns() + rest_ns;
    if (until_ns >= due_ns)
        return due_ns;
    return rest_ns < SHORTEST_REST_NS ? 0 : until_ns;
}

/* What a turn of the thread finds to do. */
struct work {
    bool mail;     /* the mailbox's bell has rung */
    bool rested;   /* frames may have come that were not looked for */
    bool readable; /* the device (an error shows itself there, too) */
    bool aux;      /* its second descriptor */
};

/* Sleeps until the device, the mailbox or what is due wants attention. */
static struct work wait_for_work(struct aw_reader *reader) AW_ON(reader)
{
    uint64_t due_ns = next_due_ns(reader);
    uint64_t rest_end_ns = rest_until_ns(reader, due_ns);
    bool wanted = rest_end_ns == 0 && frames_wanted(reader) > 0;
    short events = (short)((wanted ? POLLIN : 0) |
                           (reader->send_blocked == -EAGAIN ? POLLOUT : 0));
    struct pollfd fds[] = {
        {.fd = reader->mailbox.fd, .events = POLLIN},
        {.fd = events ? reader->link.fd : -1, .events = events},
        {.fd = aw_aux_wanted(reader) ? reader->link.aux_fd : -1,
         .events = POLLIN},
    };
    /* If ppoll() fails there is no telling. */
    struct work work = {.rested = rest_end_ns > 0, .mail = true};
    struct timespec timeout;
    bool bounded;

    bounded = timeout_until(work.rested ? rest_end_ns : due_ns, &timeout);
    if (ppoll(fds, 3, bounded ? &timeout : NULL, NULL) < 0)
        return work;
    work.mail = fds[0].revents != 0;
    work.readable = wanted && (fds[1].revents & ~POLLOUT) != 0;
    work.aux = fds[2].revents != 0;
    return work;
}

/* The end: what the kernel lost, the queues, and whoever still asks. */
static void wind_up(struct aw_reader *reader) AW_ON(reader)
{
    struct aw_mail *mail;

    if (!reader->link.paced)
        read_device(reader);
    sync_losses(reader);
    if (reader->state == AW_QUEUE_OPEN)
        finish_queues(reader, AW_QUEUE_STOPPED, 0);
    mail = aw_mailbox_close_mails(&reader->mailbox);
    while (mail) {
        struct aw_mail *next = mail->next;

        aw_mail_answer(mail, -ENODEV);
        mail = next;
    }
    while (reader->queue_count > 0)
        aw_queue_unref(reader->queues[--reader->queue_count]);
    aw_mail_answer(reader->stop, 0);
}

static void *reader_main(void *argument)
{
    struct aw_reader *reader = argument;

    aw_role_enter(AW_ROLE_READER);
    aw_role_assume(&aw_role_reader);
    /* A wake that is due must not be late by the default of 50 µs. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (reader->link.start == AW_START_OPEN)
        start(reader);
    /* A stop waits for what was accepted for sending. */
    while (!reader->stop || aw_sender_busy(reader)) {
        struct work work = wait_for_work(reader);

        /* What came during a rest came before what is asked for now. */
        if (work.rested)
            read_device(reader);
        /* Frames that wait to be sent are tried again at each turn. */
        if (work.mail || aw_sender_busy(reader))
            serve_mailbox(reader);
        if (work.aux)
            aw_aux_read(reader);
        if (work.readable)
            read_device(reader);
        if (reader->away)
            aw_reopen_try(reader, aw_clock_monotonic_ns());
        wake_due(reader);
        aw_status_publish(reader);
        aw_reader_count_turn(reader);
    }
    wind_up(reader);
    return NULL;
}

int aw_reader_start(struct aw_reader *reader,
                    const struct aw_device_config *config)
{
    int result;

    aw_sender_init(reader);
    reader->first = reader->link;
    aw_status_publish(reader);
    reader->batch.slot_bytes = aw_slot_bytes(reader->link.payload_bytes);
    reader->batch.slots = calloc(AW_BATCH_FRAMES, reader->batch.slot_bytes);
    if (!reader->batch.slots)
        return -ENOMEM;
    result = aw_thread_start(&reader->thread, reader_main, reader);
    if (result == 0)
        aw_schedule_apply(reader->thread, config);
    else
        free(reader->batch.slots);
    return result;
}
