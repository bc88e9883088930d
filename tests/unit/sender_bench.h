/* The sending half of a reader, without its thread: the test is the reader, and
 * says what its driver answers. */
#ifndef SENDER_BENCH_H
#define SENDER_BENCH_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/reader.h"
#include "tests/support/unit.h"

#define FRAMES_MAX 8

/* A reader whose driver answers as the test says. */
struct bench {
    struct aw_reader reader;
    struct aw_driver driver;
    int answer;
    uint32_t attempts;
    int echo_answer; /* of want_echo() */
    uint32_t echo_wishes;
    uint32_t batches[FRAMES_MAX]; /* how many frames send_many() was given, */
    uint32_t batch_count;         /* and how often */
    int take;                     /* how many it takes; 0: all */
    /* What done() was told, in this order. */
    uint32_t done_id[FRAMES_MAX];
    int done_result[FRAMES_MAX];
    struct aw_send_stats done_stats[FRAMES_MAX];
    uint64_t done_stamp_ns[FRAMES_MAX];
    uint32_t dones;
};

static inline const struct aw_frame *frame_in(const struct aw_send *send)
{
    const void *memory = send->frame;

    return memory;
}

static inline int send_frame(struct aw_link *link, struct aw_send *send)
{
    struct bench *bench = link->state;

    (void)send;
    bench->attempts++;
    return bench->answer;
}

static inline int send_frames(struct aw_link *link,
                              struct aw_send *const *sends, uint32_t count)
{
    struct bench *bench = link->state;

    (void)sends;
    assert_true(bench->batch_count < FRAMES_MAX);
    bench->batches[bench->batch_count++] = count;
    if (bench->answer < 0)
        return bench->answer;
    return bench->take > 0 && bench->take < (int)count ? bench->take
                                                       : (int)count;
}

static inline int want_echo(struct aw_link *link)
{
    struct bench *bench = link->state;

    bench->echo_wishes++;
    return bench->echo_answer;
}

static inline struct aw_send_stats ledger(const struct bench *bench)
{
    uint64_t fields[AW_LEDGER_FIELDS];

    assert_int_equal(aw_ledger_read(&bench->reader.send_ledger, fields), 0);
    assert_int_equal(fields[0],
                     fields[1] + fields[2] + fields[3] + fields[4] + fields[5]);
    return (struct aw_send_stats){
        .submitted = fields[0],
        .sent = fields[1],
        .expired = fields[2],
        .timed_out = fields[3],
        .failed = fields[4],
        .pending = fields[5],
    };
}

/* Frees the frame: nobody may touch it after done(). */
static inline void done(struct aw_send *send, int result)
{
    struct bench *bench = send->user;

    assert_true(bench->dones < FRAMES_MAX);
    bench->done_id[bench->dones] = frame_in(send)->id;
    bench->done_result[bench->dones] = result;
    bench->done_stats[bench->dones] = ledger(bench);
    bench->done_stamp_ns[bench->dones] = send->timestamp_ns;
    bench->dones++;
    free(send);
}

static inline int set_up(void **state)
{
    struct bench *bench = aligned_alloc(_Alignof(struct bench), sizeof(*bench));

    if (!bench)
        return -1;
    memset(bench, 0, sizeof(*bench));
    bench->driver.send = send_frame;
    bench->driver.want_echo = want_echo;
    bench->reader.driver = &bench->driver;
    bench->reader.link.state = bench;
    aw_sender_init(&bench->reader);
    bench->reader.send_timeout_ns = 3600 * AW_NS_PER_S;
    *state = bench;
    return 0;
}

static inline void free_list(struct aw_send *send)
{
    while (send) {
        struct aw_send *next = send->next;

        free(send);
        send = next;
    }
}

static inline int tear_down(void **state)
{
    struct bench *bench = *state;

    free_list(bench->reader.sends);
    free_list(bench->reader.confirms);
    free(bench);
    return 0;
}

/* `count` posted frames of consecutive ids, oldest first. */
static inline struct aw_send *frames(struct bench *bench, uint32_t first,
                                     uint32_t count)
{
    struct aw_send *oldest = NULL;

    while (count-- > 0) {
        struct aw_send *send =
            calloc(1, sizeof(*send) + aw_slot_bytes(AW_PAYLOAD_CAN));
        void *memory;
        struct aw_frame *frame;

        assert_non_null(send);
        memory = send->frame;
        frame = memory;
        frame->id = first + count;
        frame->kind = AW_KIND_CAN;
        send->done = done;
        send->user = bench;
        send->next = oldest;
        oldest = send;
    }
    return oldest;
}

static inline void pump(struct bench *bench, struct aw_send *posted)
{
    aw_role_assume(&aw_role_reader);
    aw_sender_pump(&bench->reader, posted);
}

static inline uint64_t due_ns(const struct bench *bench)
{
    aw_role_assume(&aw_role_reader);
    return aw_sender_due_ns(&bench->reader);
}

/* The oldest frame's time is up. */
static inline void overdue(struct bench *bench)
{
    bench->reader.sends->deadline_ns = 1;
    bench->reader.sends_due_ns = 1;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
