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

#include "devices/device_config.h"
#include "devices/mailbox.h"
#include "devices/queue/ledger.h"

struct aw_reader {
    /* Set before the thread starts. */
    const struct aw_driver *driver;
    struct aw_link link;
    struct aw_channels channels;
    struct aw_mailbox mailbox;
    uint64_t send_timeout_ns;
    pthread_t thread;

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
    struct aw_mail *stop; /* the request to stop, answered at the very end */

    /* Frames waiting for the kernel, oldest first (sender.c). */
    struct aw_send *sends, **sends_end;
    int send_blocked; /* 0, -EAGAIN or -ENOBUFS: why the oldest waits */
    struct aw_send_stats send_stats;
    struct aw_ledger_side send_ledger; /* the published copy of these */
};

/* Starts the thread of an opened link. All signals are blocked in it. Returns 0
 * or a negative errno. */
int aw_reader_start(struct aw_reader *reader,
                    const struct aw_device_config *config);

/* ---- sender.c: the sending half, on the reader's thread ---- */

/* Takes newly posted frames over and hands the kernel what it accepts. */
void aw_sender_pump(struct aw_reader *reader, struct aw_send *posted)
    AW_ON(reader);

/* When the oldest waiting frame wants attention (CLOCK_MONOTONIC), or
 * UINT64_MAX. */
uint64_t aw_sender_due_ns(const struct aw_reader *reader) AW_ON(reader);

#endif
