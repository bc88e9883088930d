/* Frames and queues for tests, in one line each. A test is both sides of a
 * queue on one thread: the calls of a reader are wrapped so that the compiler's
 * role check knows it. */
#ifndef AW_TEST_QUEUE_SUPPORT_H
#define AW_TEST_QUEUE_SUPPORT_H

#include <string.h>

#include "devices/queue/queue.h"
#include "tests/support/unit.h"

#define TEST_PAYLOAD_MAX 4096u

/* A frame with its payload, for the stack. */
struct test_frame {
    _Alignas(8) unsigned char bytes[sizeof(struct aw_frame) + TEST_PAYLOAD_MAX];
};

static inline struct aw_frame *frame_of(struct test_frame *memory)
{
    void *frame = memory->bytes;

    return frame;
}

/* A frame whose payload bytes all are the low byte of `id`. */
static inline struct aw_frame *make_frame(struct test_frame *memory,
                                          enum aw_kind kind, uint32_t id,
                                          uint16_t length)
{
    struct aw_frame *frame = frame_of(memory);

    memset(frame, 0, sizeof(*frame));
    frame->kind = (uint8_t)kind;
    frame->id = id;
    frame->length = length;
    memset(frame->payload, (int)(id & 0xff), length);
    return frame;
}

static inline struct aw_queue_config test_config(uint32_t depth)
{
    return (struct aw_queue_config){
        .name = "1",
        .device = "bus",
        .depth = depth,
        .payload_bytes = AW_PAYLOAD_CAN,
    };
}

static inline struct aw_queue *make_queue(const struct aw_queue_config *config)
{
    struct aw_queue *queue = NULL;

    assert_int_equal(aw_queue_new(config, &queue), 0);
    return queue;
}

static inline struct aw_queue *new_queue(uint32_t depth)
{
    struct aw_queue_config config = test_config(depth);

    return make_queue(&config);
}

static inline struct aw_queue *new_queue_of(enum aw_overflow overflow,
                                            uint32_t depth)
{
    struct aw_queue_config config = test_config(depth);

    config.overflow = overflow;
    return make_queue(&config);
}

/* ---- the reader's side ---- */

static inline void offer(struct aw_queue *queue, const struct aw_frame *frame)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_offer(queue, frame);
}

/* Offers a classic CAN frame of eight bytes. */
static inline void offer_id(struct aw_queue *queue, uint32_t id)
{
    struct test_frame memory;

    offer(queue, make_frame(&memory, AW_KIND_CAN, id, 8));
}

static inline void publish(struct aw_queue *queue)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_publish(queue);
}

/* Offers and publishes frames with the ids first, first + 1, … */
static inline void send_ids(struct aw_queue *queue, uint32_t first,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        offer_id(queue, first + i);
    publish(queue);
}

static inline void charge(struct aw_queue *queue, uint64_t count)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_charge(queue, count);
    aw_queue_gap(queue, count, AW_LOSS_KERNEL);
}

static inline void finish(struct aw_queue *queue, enum aw_queue_state state,
                          int failure)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_finish(queue, state, failure);
}

static inline int set_bell(struct aw_queue *queue, int bell)
{
    aw_role_assume(&aw_role_reader);
    return aw_queue_set_bell(queue, bell);
}

static inline uint64_t room_of(struct aw_queue *queue)
{
    aw_role_assume(&aw_role_reader);
    return aw_queue_room(queue);
}

static inline uint64_t due_of(struct aw_queue *queue)
{
    aw_role_assume(&aw_role_reader);
    return aw_queue_due_ns(queue);
}

static inline uint64_t patience_of(struct aw_queue *queue)
{
    aw_role_assume(&aw_role_reader);
    return aw_queue_patience(queue);
}

static inline void wake_due(struct aw_queue *queue, uint64_t now_ns)
{
    aw_role_assume(&aw_role_reader);
    aw_queue_wake_due(queue, now_ns);
}

/* ---- the consumer's side ---- */

static inline struct aw_claim claim_frames(struct aw_queue *queue,
                                           uint64_t count)
{
    struct aw_claim claim;

    assert_int_equal(aw_queue_claim(queue, count, &claim), count);
    assert_int_equal(claim.count, count);
    return claim;
}

/* Asserts that the oldest frame has this id, and releases it. */
static inline void take_id(struct aw_queue *queue, uint32_t id)
{
    struct aw_claim claim = claim_frames(queue, 1);
    const struct aw_frame *frame = aw_queue_at(queue, &claim, 0);

    assert_non_null(frame);
    assert_int_equal(frame->id, id);
    aw_queue_release(queue, &claim);
}

/* The `index`-th frame of a claim; asserts that it can be shown. */
static inline const struct aw_frame *
at(struct aw_queue *queue, const struct aw_claim *claim, uint64_t index)
{
    const struct aw_frame *frame = aw_queue_at(queue, claim, index);

    assert_non_null(frame);
    return frame;
}

/* The `index`-th pending frame, claimed and returned; NULL if it cannot be
 * shown. Good until it is taken. */
static inline const struct aw_frame *look(struct aw_queue *queue,
                                          uint64_t index)
{
    struct aw_claim claims[AW_RUNS_HELD_MAX];
    const struct aw_frame *frame;

    assert_true(index < AW_RUNS_HELD_MAX);
    for (uint64_t i = 0; i <= index; i++)
        claims[i] = claim_frames(queue, 1);
    frame = aw_queue_at(queue, &claims[index], 0);
    for (uint64_t i = 0; i <= index; i++)
        aw_queue_return(queue, &claims[i]);
    return frame;
}

static inline struct aw_stats stats_of(const struct aw_queue *queue)
{
    struct aw_stats stats;

    assert_int_equal(aw_queue_stats(queue, &stats), 0);
    return stats;
}

#endif
