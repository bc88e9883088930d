/* The consumer of a lane: what a script could do with a queue, at random. */
#include <string.h>

#include "devices/queue/eventfd.h"
#include "tests/stress/lane.h"

/* ---- frames ---- */

static void check_again(struct lane *lane, uint64_t index,
                        const struct aw_frame *frame)
{
    const struct again *next = &lane->again[0];

    CHECK(next->index == index);
    CHECK(next->seq == frame->seq);
    CHECK(next->lost_before == frame->lost_before);
    check_frame(lane->account.traffic, frame);
    lane->repeated++;
    lane->again_count--;
    memmove(lane->again, lane->again + 1,
            lane->again_count * sizeof(*lane->again));
}

/* What was returned comes first, in order, and then what is new. */
static void check_claim(struct lane *lane, const struct aw_claim *claim)
{
    for (uint64_t i = 0; i < claim->count; i++) {
        const struct aw_frame *frame = aw_queue_at(lane->queue, claim, i);

        CHECK(frame != NULL);
        if (lane->again_count > 0)
            check_again(lane, claim->index + i, frame);
        else
            account_frame(&lane->account, frame);
    }
}

static void expect_again(struct lane *lane, uint64_t index,
                         const struct aw_frame *frame)
{
    size_t place = lane->again_count++;

    while (place > 0 && lane->again[place - 1].index > index) {
        lane->again[place] = lane->again[place - 1];
        place--;
    }
    lane->again[place] = (struct again){index, frame->seq, frame->lost_before};
}

static void give_back(struct lane *lane, const struct aw_claim *claim)
{
    for (uint64_t i = 0; i < claim->count; i++)
        expect_again(lane, claim->index + i,
                     aw_queue_at(lane->queue, claim, i));
    aw_queue_return(lane->queue, claim);
}

static void let_go(struct lane *lane, const struct aw_claim *claim)
{
    for (uint64_t i = 0; i < claim->count; i++)
        check_frame(lane->account.traffic, aw_queue_at(lane->queue, claim, i));
    if (lane->leases && dice_below(&lane->dice, 3) == 0) {
        give_back(lane, claim);
        return;
    }
    lane->delivered += claim->count;
    aw_queue_release(lane->queue, claim);
}

/* ---- what a consumer does ---- */

static bool end_a_lease(struct lane *lane)
{
    struct aw_claim claim;
    unsigned which;

    if (lane->held_count == 0)
        return false;
    which = dice_below(&lane->dice, lane->held_count);
    claim = lane->held[which];
    lane->held[which] = lane->held[--lane->held_count];
    let_go(lane, &claim);
    return true;
}

static bool take(struct lane *lane)
{
    uint64_t pending = aw_queue_pending(lane->queue);
    struct aw_claim claim;
    uint64_t count = 1;

    if (dice_below(&lane->dice, 2))
        count = 1 + dice_below(&lane->dice, (uint32_t)pending + 1);
    if (aw_queue_claim(lane->queue, count, &claim) == 0) {
        /* Unless a batch that is not published yet has evicted them all. */
        CHECK(pending == 0 || lane->queue->overflow == AW_OVERFLOW_DROP_OLDEST);
        return false;
    }
    CHECK(claim.count <= count);
    check_claim(lane, &claim);
    if (lane->leases && lane->held_count < LEASES_MAX &&
        dice_below(&lane->dice, 3) == 0)
        lane->held[lane->held_count++] = claim;
    else
        let_go(lane, &claim);
    return true;
}

static bool clear_all(struct lane *lane)
{
    uint64_t count = aw_queue_clear(lane->queue);

    CHECK(count >= lane->again_count);
    lane->again_count = 0;
    lane->cleared += count;
    if (count > 0)
        account_cleared(&lane->account);
    return count > 0;
}

static void look_at_all(struct lane *lane)
{
    _Alignas(
        8) unsigned char bytes[sizeof(struct aw_frame) + STRESS_PAYLOAD_BYTES];
    struct aw_frame *frame = (void *)bytes;
    struct aw_key key;
    uint32_t place = 0, ids = 0;

    while (aw_queue_peek_next(lane->queue, &place, frame) > 0) {
        account_peek(&lane->account, frame);
        lane->peeked++;
        ids++;
    }
    if (ids == 0)
        return;
    key = aw_key_of(frame);
    CHECK(aw_queue_peek(lane->queue, &key, frame) > 0);
    account_peek(&lane->account, frame);
}

static bool do_something(struct lane *lane)
{
    if (lane->clears && dice_below(&lane->dice, 50) == 0)
        return clear_all(lane);
    if (lane->account.store && dice_below(&lane->dice, 20) == 0)
        look_at_all(lane);
    if (lane->leases && dice_below(&lane->dice, 4) == 0)
        return end_a_lease(lane);
    return take(lane);
}

/* Sleeps until there is something to look at; sometimes it changes its mind. */
static void wait_for_frames(struct lane *lane)
{
    struct aw_waker *waker = lane->announce ? lane->announce : &lane->waker;
    int bell = lane->announce ? lane->posted : lane->waker.fd;

    aw_eventfd_clear(bell);
    if (!aw_queue_arm(lane->queue, waker))
        return;
    if (dice_below(&lane->dice, 16) == 0)
        aw_queue_disarm(lane->queue);
    else
        CHECK(aw_eventfd_wait(bell, DEADLINE_NS) == 1);
}

static void ask_to_close(struct lane *lane)
{
    if (lane->close_after == 0 || lane->delivered < lane->close_after ||
        atomic_exchange(&lane->close_wanted, true))
        return;
    aw_eventfd_ring(lane->reader_bell);
}

void *consumer_main(void *argument)
{
    struct lane *lane = argument;

    for (;;) {
        /* The state first: see aw_queue_state(). */
        enum aw_queue_state state = aw_queue_state(lane->queue);

        ask_to_close(lane);
        if (state == AW_QUEUE_CLOSED)
            break;
        if (do_something(lane) || aw_queue_pending(lane->queue) > 0)
            continue;
        /* Whoever sleeps on its leases may wait for itself. */
        if (end_a_lease(lane))
            continue;
        if (state != AW_QUEUE_OPEN)
            break;
        wait_for_frames(lane);
    }
    lane->abandoned = aw_queue_abandon(lane->queue);
    return NULL;
}
