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

/* Few ids often, many rarely, as on a bus. */
static uint32_t id_of(uint64_t value)
{
    return (uint32_t)(value >> 32) & (value % 8 ? 0x1F : AW_CAN_SFF_MASK);
}

void traffic_frame(const struct traffic *traffic, uint64_t seq,
                   struct aw_frame *frame)
{
    uint64_t value = unit(traffic, seq);

    *frame = (struct aw_frame){
        .timestamp_ns = ~value,
        .monotonic_ns = value + seq,
        .seq = seq,
        .id = id_of(value),
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

void check_frame(const struct traffic *traffic, const struct aw_frame *frame)
{
    struct sample sample;
    struct aw_frame *made = sample_of(&sample, traffic, frame->seq);

    CHECK(!traffic_lost(traffic, frame->seq));
    made->lost_before = frame->lost_before;
    made->lost_cause = frame->lost_cause;
    CHECK(memcmp(made, frame, aw_frame_bytes(made)) == 0);
}

/* ---- policy latest ---- */

static bool wanted(const struct account *account, uint64_t seq)
{
    struct sample sample;

    return !traffic_lost(account->traffic, seq) &&
           aw_filter_pass(account->filters, account->filter_count,
                          sample_of(&sample, account->traffic, seq));
}

void account_open_store(struct account *account, uint64_t units, uint32_t depth)
{
    struct store *store = calloc(1, sizeof(*store));
    uint32_t last[STRESS_IDS] = {0}, ids = 0, gap = 0;

    store->before = calloc(units, sizeof(*store->before));
    store->told = calloc(units, sizeof(*store->told));
    store->accepted = calloc(units, sizeof(*store->accepted));
    for (uint32_t seq = 0; seq < units; seq++) {
        uint32_t id = id_of(unit(account->traffic, seq));

        if (!wanted(account, seq)) {
            gap += traffic_lost(account->traffic, seq);
        } else if (last[id] == 0 && ids == depth) {
            gap++;
        } else {
            ids += last[id] == 0;
            store->accepted[seq] = true;
            store->told[seq] = gap;
            store->before[seq] = last[id];
            last[id] = seq + 1;
            gap = 0;
        }
    }
    account->store = store;
}

void account_close(struct account *account)
{
    if (!account->store)
        return;
    free(account->store->before);
    free(account->store->told);
    free(account->store->accepted);
    free(account->store);
}

/* What the frame `seq` must be told: all since the last of its id. */
static uint64_t expected_losses(const struct store *store, uint64_t seq,
                                uint32_t id)
{
    uint64_t losses = store->told[seq];

    for (seq = store->before[seq]; seq > store->taken[id];
         seq = store->before[seq - 1])
        losses += 1 + store->told[seq - 1];
    return losses;
}

static void account_newest(struct store *store, const struct aw_frame *frame)
{
    uint64_t losses = expected_losses(store, frame->seq, frame->id);

    CHECK(store->accepted[frame->seq]);
    CHECK(frame->seq >= store->taken[frame->id]);
    if (store->vague[frame->id])
        CHECK(frame->lost_before <= losses);
    else
        CHECK(frame->lost_before == losses);
    store->taken[frame->id] = frame->seq + 1;
    store->vague[frame->id] = false;
}

void account_peek(struct account *account, const struct aw_frame *frame)
{
    check_frame(account->traffic, frame);
    CHECK(account->store->accepted[frame->seq]);
    CHECK(frame->seq + 1 >= account->store->taken[frame->id]);
}

void account_cleared(struct account *account)
{
    account->cleared = true;
    if (account->store)
        memset(account->store->vague, true, sizeof(account->store->vague));
}

void account_frame(struct account *account, const struct aw_frame *frame)
{
    check_frame(account->traffic, frame);
    CHECK(aw_filter_pass(account->filters, account->filter_count, frame));
    if (account->store) {
        account_newest(account->store, frame);
        return;
    }
    CHECK(frame->seq >= account->next);
    check_losses(account, frame);
    account->next = frame->seq + 1;
    account->cleared = false;
}
