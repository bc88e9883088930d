#include "tests/explore/rig.h"

#include <string.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/queue_latency.h"

/* In place of latency.c and queue_latency.c: nothing hangs on what they count,
 * and each of its words would be a step to interleave. */
void aw_queue_latency(const struct aw_queue *queue,
                      struct aw_latency_counts ret_counts[AW_LATENCY_STAGES])
{
    (void)queue;
    memset(ret_counts, 0, AW_LATENCY_STAGES * sizeof(*ret_counts));
}

void aw_latency_continue(struct aw_latency *latency,
                         const struct aw_latency_counts *from)
{
    (void)latency;
    (void)from;
}

struct rig rig;

/* Ledgers that nobody reads meanwhile; under policy latest the whole ring is
 * the consumer's. */
static void declare_private(const struct rig *of)
{
    const struct aw_ring *ring = &of->queue->ring;
    struct aw_ring_shared *shared = ring->shared;

    if (!of->plan.observed) {
        explore_private(&shared->producer, sizeof(shared->producer));
        explore_private(&shared->consumer, sizeof(shared->consumer));
    }
    if (of->plan.overflow == AW_OVERFLOW_LATEST) {
        explore_private(shared, offsetof(struct aw_ring_shared, producer));
        explore_private(ring->slots, (ring->mask + 1) * ring->slot_bytes);
    }
}

void rig_open(struct rig *new_rig, const struct plan *plan)
{
    const struct aw_queue_config config = {
        .name = "1",
        .device = "bus",
        .depth = plan->depth,
        .payload_bytes = RIG_PAYLOAD,
        .overflow = plan->overflow,
        .budget_ns = plan->budget_ns,
    };

    memset(new_rig, 0, sizeof(*new_rig));
    new_rig->plan = *plan;
    CHECK(aw_queue_new(&config, &new_rig->queue) == 0);
    CHECK(aw_waker_init(&new_rig->waker, false) == 0);
    declare_private(new_rig);
}

void rig_close(struct rig *old_rig)
{
    struct aw_stats stats;

    CHECK(aw_queue_stats(old_rig->queue, &stats) == 0);
    CHECK(aw_stats_exact(&stats));
    CHECK(stats.pending == 0);
    CHECK(stats.received == old_rig->offered);
    CHECK(stats.delivered == old_rig->delivered);
    CHECK(stats.dropped_cleared == old_rig->cleared);
    CHECK(aw_queue_claims(old_rig->queue) == 0);
    aw_waker_deinit(&old_rig->waker);
    aw_queue_unref(old_rig->queue);
}

void rig_end(void)
{
    rig_close(&rig);
}

/* ---- the reader ---- */

struct sample {
    _Alignas(8) unsigned char bytes[sizeof(struct aw_frame) + RIG_PAYLOAD];
};

static uint32_t id_of(const struct plan *plan, unsigned number)
{
    return plan->keys ? number % plan->keys : number;
}

static struct aw_frame *make_frame(const struct plan *plan,
                                   struct sample *memory, unsigned number)
{
    void *bytes = memory->bytes;
    struct aw_frame *frame = bytes;

    memset(memory, 0, sizeof(*memory));
    frame->timestamp_ns = ~(uint64_t)number;
    frame->seq = number;
    frame->id = id_of(plan, number);
    frame->length = RIG_PAYLOAD;
    frame->kind = AW_KIND_CAN;
    memset(frame->payload, (int)(number & 0xff), RIG_PAYLOAD);
    return frame;
}

void rig_offer(struct rig *to, unsigned count)
{
    struct sample memory;

    for (unsigned i = 0; i < count; i++)
        aw_queue_offer(to->queue,
                       make_frame(&to->plan, &memory, to->offered++));
}

void rig_offer_batches(struct rig *to)
{
    for (unsigned i = 0; i < to->plan.batches; i++) {
        rig_offer(to, to->plan.batch);
        aw_queue_publish(to->queue);
    }
}

void rig_reader(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    rig_offer_batches(to);
    aw_queue_finish(to->queue,
                    to->plan.outcome ? to->plan.outcome : AW_QUEUE_END,
                    to->plan.outcome == AW_QUEUE_LOST ? 5 : 0);
}

/* ---- the consumer ---- */

void rig_account(struct rig *of, const struct aw_frame *frame)
{
    unsigned number, *next = &of->next;

    CHECK(frame != NULL);
    CHECK(frame->length == RIG_PAYLOAD && frame->kind == AW_KIND_CAN);
    number = (unsigned)frame->seq;
    if (of->plan.keys)
        next = &of->next_of[number % of->plan.keys];
    CHECK(number >= *next && number < of->plan.batches * of->plan.batch);
    CHECK(frame->timestamp_ns == ~(uint64_t)number);
    explore_point(frame);
    CHECK(frame->seq == number && frame->id == id_of(&of->plan, number));
    for (unsigned i = 0; i < RIG_PAYLOAD; i++)
        CHECK(frame->payload[i] == (number & 0xff));
    of->told += frame->lost_before;
    *next = number + 1;
    of->delivered++;
}

void rig_account_claim(struct rig *of, const struct aw_claim *claim)
{
    for (uint64_t i = 0; i < claim->count; i++)
        rig_account(of, aw_queue_at(of->queue, claim, i));
}

bool rig_take(struct rig *from)
{
    struct aw_claim claim;

    if (aw_queue_claim(from->queue, from->plan.claim ? from->plan.claim : 1,
                       &claim) == 0)
        return false;
    rig_account_claim(from, &claim);
    aw_queue_release(from->queue, &claim);
    return true;
}

void rig_wait(struct rig *on)
{
    aw_eventfd_clear(on->waker.fd);
    if (aw_queue_arm(on->queue, &on->waker))
        aw_eventfd_wait(on->waker.fd, -1);
}

void rig_consumer(void *argument)
{
    struct rig *from = argument;

    for (;;) {
        /* The state first: see aw_queue_state(). */
        enum aw_queue_state state = aw_queue_state(from->queue);

        if (rig_take(from))
            continue;
        if (state != AW_QUEUE_OPEN)
            break;
        rig_wait(from);
    }
    CHECK(aw_queue_failure(from->queue) ==
          (from->plan.outcome == AW_QUEUE_LOST ? 5 : 0));
}

/* ---- an observer ---- */

void rig_observer(void *argument)
{
    const struct rig *of = argument;
    struct aw_stats last = {0}, stats;

    for (int i = 0; i < 2; i++) {
        CHECK(aw_queue_stats(of->queue, &stats) == 0);
        CHECK(aw_stats_exact(&stats));
        CHECK(stats.received >= last.received);
        CHECK(stats.delivered >= last.delivered);
        CHECK(aw_stats_dropped(&stats) >= aw_stats_dropped(&last));
        if (of->plan.overflow == AW_OVERFLOW_DROP_NEWEST)
            CHECK(stats.pending <= of->plan.depth);
        CHECK(stats.pending <= stats.received);
        last = stats;
    }
}
