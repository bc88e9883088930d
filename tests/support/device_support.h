/* Queues and frames to send, on a fake device, in one line each. */
#ifndef AW_TEST_DEVICE_SUPPORT_H
#define AW_TEST_DEVICE_SUPPORT_H

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "tests/support/fake_device.h"

/* ---- queues ---- */

static inline struct aw_queue *make_queue(const char *owner, const char *name,
                                          uint32_t depth)
{
    struct aw_queue_config config = {
        .name = name,
        .device = "bench",
        .owner = owner,
        .depth = depth,
        .payload_bytes = AW_PAYLOAD_CAN,
    };
    struct aw_queue *queue = NULL;

    assert_int_equal(aw_queue_new(&config, &queue), 0);
    return queue;
}

/* Attached, with events. */
static inline struct aw_queue *attach_event_queue(struct fake *fake,
                                                  const char *name)
{
    struct aw_queue_config config = {
        .name = name,
        .device = "bench",
        .owner = "script",
        .depth = 64,
        .payload_bytes = AW_PAYLOAD_CAN,
        .events = true,
    };
    struct aw_queue *queue = NULL;

    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    return queue;
}

static inline struct aw_queue *attach_queue(struct fake *fake, const char *name,
                                            uint32_t depth)
{
    struct aw_queue *queue = make_queue("script", name, depth);

    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    return queue;
}

static inline void retire_queue(struct fake *fake, struct aw_queue *queue)
{
    aw_device_retire(fake->device, queue);
    aw_queue_unref(queue);
}

/* Sleeps until the queue is rung for; fails the test at the deadline. */
static inline void sleep_for(struct aw_queue *queue, struct aw_waker *waker)
{
    if (aw_queue_arm(queue, waker))
        assert_int_equal(
            aw_eventfd_wait(waker->fd, FAKE_DEADLINE_S * (int64_t)AW_NS_PER_S),
            1);
    aw_eventfd_clear(waker->fd);
}

/* The waker of a wait lives on the waiting stack: aw_device_sync() returns when
 * a reader that was about to ring it has done so. */
static inline void wait_frames(struct fake *fake, struct aw_queue *queue,
                               uint64_t count)
{
    struct timespec deadline = fake_deadline(), now;
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    while (aw_queue_pending(queue) < count) {
        struct aw_stats stats;

        /* With frames pending arm() does not sleep; the reader is asked to go
         * round once more instead. */
        assert_int_equal(aw_queue_stats(queue, &stats), 0);
        if (stats.pending == 0)
            sleep_for(queue, &waker);
        else
            aw_device_sync(fake->device);
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec <= deadline.tv_sec);
    }
    aw_device_sync(fake->device);
    aw_waker_deinit(&waker);
}

/* Returns when the reader has gone round at least once: what it had to do
 * before is done. One answer comes in the middle of a round, hence two. */
static inline void go_round(struct fake *fake)
{
    aw_device_sync(fake->device);
    aw_device_sync(fake->device);
}

static inline void wait_state(struct fake *fake, struct aw_queue *queue,
                              enum aw_queue_state state)
{
    struct timespec deadline = fake_deadline(), now;

    while (aw_queue_state(queue) == AW_QUEUE_OPEN) {
        aw_device_sync(fake->device);
        clock_gettime(CLOCK_MONOTONIC, &now);
        assert_true(now.tv_sec <= deadline.tv_sec);
    }
    assert_int_equal(aw_queue_state(queue), state);
}

/* What a test wants to know of a frame it has taken. */
struct taken {
    uint64_t seq;
    uint32_t lost_before;
    uint8_t lost_cause;
    uint8_t kind;
    struct aw_event event; /* of kind AW_KIND_EVENT */
};

/* Waits for the next frame, which must have this id, and takes it. */
static inline struct taken take_frame(struct fake *fake, struct aw_queue *queue,
                                      uint32_t id)
{
    const struct aw_frame *frame;
    struct aw_claim claim;
    struct taken taken;

    wait_frames(fake, queue, 1);
    assert_int_equal(aw_queue_claim(queue, 1, &claim), 1);
    frame = aw_queue_at(queue, &claim, 0);
    assert_non_null(frame);
    assert_int_equal(frame->id, id);
    taken = (struct taken){.seq = frame->seq,
                           .lost_before = frame->lost_before,
                           .lost_cause = frame->lost_cause,
                           .kind = frame->kind};
    if (frame->kind == AW_KIND_EVENT)
        memcpy(&taken.event, frame->payload, sizeof(taken.event));
    aw_queue_release(queue, &claim);
    return taken;
}

/* The same for an event. */
static inline struct taken take_event(struct fake *fake, struct aw_queue *queue,
                                      enum aw_event_kind kind)
{
    struct taken taken = take_frame(fake, queue, kind);

    assert_int_equal(taken.kind, AW_KIND_EVENT);
    return taken;
}

static inline struct aw_stats queue_stats(const struct aw_queue *queue)
{
    struct aw_stats stats;

    assert_int_equal(aw_queue_stats(queue, &stats), 0);
    assert_true(aw_stats_exact(&stats));
    return stats;
}

/* ---- sending ---- */

/* A frame under way, and what became of it. */
struct parcel {
    struct aw_send *send;
    sem_t done;
    int result;
    uint32_t dones;
};

static inline void parcel_done(struct aw_send *send, int result)
{
    struct parcel *parcel = send->user;

    parcel->result = result;
    parcel->dones++;
    sem_post(&parcel->done);
}

static inline void parcel_init(struct parcel *parcel, uint32_t id)
{
    void *memory;
    struct aw_frame *frame;

    *parcel =
        (struct parcel){.send = calloc(1, sizeof(struct aw_send) +
                                              aw_slot_bytes(AW_PAYLOAD_CAN))};
    assert_non_null(parcel->send);
    memory = parcel->send->frame;
    frame = memory;
    frame->kind = AW_KIND_CAN;
    frame->id = id;
    parcel->send->done = parcel_done;
    parcel->send->user = parcel;
    sem_init(&parcel->done, 0, 0);
}

static inline void parcel_deinit(struct parcel *parcel)
{
    free(parcel->send);
    sem_destroy(&parcel->done);
}

static inline void post_parcel(struct fake *fake, struct parcel *parcel,
                               uint32_t id)
{
    parcel_init(parcel, id);
    assert_int_equal(aw_device_send(fake->device, parcel->send), 0);
}

/* Waits for the end of it; returns the result. */
static inline int finish_parcel(struct parcel *parcel)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += FAKE_DEADLINE_S;
    assert_int_equal(sem_timedwait(&parcel->done, &deadline), 0);
    assert_int_equal(parcel->dones, 1);
    parcel_deinit(parcel);
    return parcel->result;
}

static inline struct aw_send_stats send_stats(struct fake *fake)
{
    struct aw_send_stats stats;

    aw_device_send_stats(fake->device, &stats);
    assert_true(stats.submitted == stats.sent + stats.expired +
                                       stats.timed_out + stats.failed +
                                       stats.pending);
    return stats;
}

#endif
