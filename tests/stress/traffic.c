#include "tests/stress/traffic.h"

#include <string.h>

#define LOSS_ONE_IN 61u

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t value)
{
    value += 0x9E3779B97F4A7C15;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
    return value ^ (value >> 31);
}

uint64_t dice_roll(struct dice *dice)
{
    return mix(dice->state++);
}

static uint64_t unit(const struct traffic *traffic, uint64_t seq)
{
    return mix(traffic->seed ^ mix(seq));
}

bool traffic_lost(const struct traffic *traffic, uint64_t seq)
{
    return unit(traffic, seq) % LOSS_ONE_IN == 0;
}

void traffic_frame(const struct traffic *traffic, uint64_t seq,
                   struct aw_frame *frame)
{
    uint64_t value = unit(traffic, seq);

    *frame = (struct aw_frame){
        .timestamp_ns = ~value,
        .monotonic_ns = value + seq,
        .seq = seq,
        .id = (uint32_t)(value >> 32) & AW_CAN_SFF_MASK,
        .length = STRESS_PAYLOAD_BYTES,
        .kind = AW_KIND_CAN,
    };
    memcpy(frame->payload, &value, STRESS_PAYLOAD_BYTES);
}

/* A frame of traffic, for the stack. */
struct sample {
    _Alignas(
        8) unsigned char bytes[sizeof(struct aw_frame) + STRESS_PAYLOAD_BYTES];
};

static struct aw_frame *sample_of(struct sample *sample,
                                  const struct traffic *traffic, uint64_t seq)
{
    void *frame = sample->bytes;

    traffic_frame(traffic, seq, frame);
    return frame;
}

struct totals account_totals(const struct account *account, uint64_t from,
                             uint64_t end)
{
    struct totals totals = {0};
    struct sample sample;

    for (uint64_t seq = from; seq < end; seq++) {
        if (traffic_lost(account->traffic, seq))
            totals.lost++;
        else if (aw_filter_pass(account->filters, account->filter_count,
                                sample_of(&sample, account->traffic, seq)))
            totals.wanted++;
        else
            totals.filtered++;
    }
    return totals;
}

static void check_losses(const struct account *account,
                         const struct aw_frame *frame)
{
    struct totals between = account_totals(account, account->next, frame->seq);
    int cause = (between.lost ? AW_LOSS_KERNEL : AW_LOSS_NONE) |
                (between.wanted ? AW_LOSS_OVERFLOW : AW_LOSS_NONE);

    if (account->cleared) {
        /* What was thrown away took its own losses with it. */
        CHECK(frame->lost_before <= between.lost + between.wanted);
        return;
    }
    CHECK(frame->lost_before == between.lost + between.wanted);
    CHECK(frame->lost_cause == cause);
}

void account_frame(struct account *account, const struct aw_frame *frame)
{
    struct sample sample;
    struct aw_frame *made = sample_of(&sample, account->traffic, frame->seq);

    CHECK(frame->seq >= account->next);
    CHECK(!traffic_lost(account->traffic, frame->seq));
    CHECK(aw_filter_pass(account->filters, account->filter_count, frame));
    check_losses(account, frame);
    made->lost_before = frame->lost_before;
    made->lost_cause = frame->lost_cause;
    CHECK(memcmp(made, frame, aw_frame_bytes(made)) == 0);
    account->next = frame->seq + 1;
    account->delivered++;
    account->cleared = false;
}
