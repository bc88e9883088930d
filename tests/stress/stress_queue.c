/* Random traffic through rings, queues and wakers, by threads in all the roles
 * there are: a reader that offers batches to several queues, a consumer for
 * each of them that takes, peeks, clears, waits, cancels and closes, a bridge
 * that serves those who wait on the ready list, and an observer that reads the
 * ledgers meanwhile.
 *
 * What must hold: order, no frame twice, none lost that is not counted, every
 * snapshot exact, and nobody who sleeps beyond a deadline while there is
 * something to do. Meant for ThreadSanitizer, and useful without.
 *
 *     stress_queue [ROUNDS [SEED]]
 *
 * A seed fixes what is asked of the threads, not when they run. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/queue.h"
#include "tests/stress/traffic.h"

#define LANES_MAX      5u
#define BATCH_MAX      32u
#define DEADLINE_NS    ((int64_t)(20 * AW_NS_PER_S))
#define ROUNDS_DEFAULT 150u

/* One queue, its consumer, and what was thrown for them. */
struct lane {
    struct round *round;
    struct aw_queue *queue;
    struct aw_filter filter;
    bool paced;           /* the reader waits for room */
    bool bridged;         /* announced by the bridge; else by its own waker */
    bool clears;          /* throws pending frames away now and then */
    uint64_t close_after; /* frames; 0: never */
    /* The consumer's. */
    pthread_t thread;
    struct dice dice;
    struct account account;
    struct aw_waker waker;
    int posted; /* the bell that the bridge rings */
    uint64_t cleared, abandoned;
    /* Both sides'. */
    atomic_bool close_wanted;
    /* The reader's. */
    bool open;
    uint64_t end; /* units offered */
    /* The observer's. */
    struct aw_stats last;
};

struct round {
    struct traffic traffic;
    uint64_t units;
    unsigned lane_count;
    struct lane *lanes;
    struct dice dice;      /* the reader's */
    int bell;              /* the reader's: room, or a wish to close */
    struct aw_waker ready; /* the bridge's */
    atomic_bool stop;      /* of bridge and observer */
    uint64_t snapshots;
};

/* ---- the reader ---- */

static void close_lane(struct lane *lane, enum aw_queue_state state,
                       uint64_t seq) AW_ON(reader)
{
    lane->open = false;
    lane->end = seq;
    aw_queue_finish(lane->queue, state, state == AW_QUEUE_LOST ? 5 : 0);
}

static void close_on_demand(struct round *round, uint64_t seq) AW_ON(reader)
{
    for (unsigned i = 0; i < round->lane_count; i++) {
        struct lane *lane = &round->lanes[i];

        if (lane->open && atomic_load(&lane->close_wanted))
            close_lane(lane, AW_QUEUE_CLOSED, seq);
    }
}

static uint64_t least_room(struct round *round) AW_ON(reader)
{
    uint64_t least = BATCH_MAX;

    for (unsigned i = 0; i < round->lane_count; i++) {
        struct lane *lane = &round->lanes[i];
        uint64_t room =
            lane->open && lane->paced ? aw_queue_room(lane->queue) : BATCH_MAX;

        least = room < least ? room : least;
    }
    return least;
}

/* Waits until each paced queue can take a frame; returns how many all can. */
static uint64_t wait_for_room(struct round *round, uint64_t seq) AW_ON(reader)
{
    for (;;) {
        uint64_t room;

        aw_eventfd_clear(round->bell);
        close_on_demand(round, seq);
        room = least_room(round);
        if (room > 0)
            return room;
        CHECK(aw_eventfd_wait(round->bell, DEADLINE_NS) == 1);
    }
}

static void offer_unit(struct lane *lane, const struct aw_frame *frame)
    AW_ON(reader)
{
    if (frame) {
        aw_queue_offer(lane->queue, frame);
        return;
    }
    aw_queue_charge(lane->queue, 1);
    aw_queue_gap(lane->queue, 1, AW_LOSS_KERNEL);
}

static void run_batch(struct round *round, uint64_t first, uint64_t end)
    AW_ON(reader)
{
    _Alignas(
        8) unsigned char bytes[sizeof(struct aw_frame) + STRESS_PAYLOAD_BYTES];
    void *frame = bytes;

    for (uint64_t seq = first; seq < end; seq++) {
        bool lost = traffic_lost(&round->traffic, seq);

        if (!lost)
            traffic_frame(&round->traffic, seq, frame);
        for (unsigned i = 0; i < round->lane_count; i++)
            if (round->lanes[i].open)
                offer_unit(&round->lanes[i], lost ? NULL : frame);
    }
    for (unsigned i = 0; i < round->lane_count; i++)
        if (round->lanes[i].open)
            aw_queue_publish(round->lanes[i].queue);
}

static void *reader_main(void *argument)
{
    struct round *round = argument;
    uint64_t seq = 0;

    aw_role_enter(AW_ROLE_READER);
    aw_role_assume(&aw_role_reader);
    while (seq < round->units) {
        uint64_t batch = 1 + dice_below(&round->dice, BATCH_MAX);
        uint64_t room = wait_for_room(round, seq);
        uint64_t end = seq + (batch < room ? batch : room);

        run_batch(round, seq, end);
        seq = end;
        if (dice_below(&round->dice, 4) == 0)
            sched_yield();
    }
    for (unsigned i = 0; i < round->lane_count; i++)
        if (round->lanes[i].open)
            close_lane(&round->lanes[i],
                       AW_QUEUE_END + (i % 2 ? 3 * (seq & 1) : 0), seq);
    return NULL;
}

/* ---- a consumer ---- */

static bool take_one(struct lane *lane)
{
    const struct aw_frame *frame = aw_queue_at(lane->queue, 0);

    if (!frame)
        return false;
    account_frame(&lane->account, frame);
    aw_queue_release(lane->queue, 1);
    return true;
}

static bool take_many(struct lane *lane)
{
    uint32_t pending = (uint32_t)aw_queue_pending(lane->queue);
    uint32_t count;

    CHECK(pending <= lane->queue->ring.depth);
    if (pending == 0)
        return false;
    count = 1 + dice_below(&lane->dice, pending);
    for (uint32_t i = 0; i < count; i++)
        account_frame(&lane->account, aw_queue_at(lane->queue, i));
    aw_queue_release(lane->queue, count);
    return true;
}

static bool clear_all(struct lane *lane)
{
    uint64_t count = aw_queue_clear(lane->queue);

    lane->cleared += count;
    lane->account.cleared |= count > 0;
    return count > 0;
}

static bool take_some(struct lane *lane)
{
    if (lane->clears && dice_below(&lane->dice, 50) == 0)
        return clear_all(lane);
    return dice_below(&lane->dice, 2) ? take_one(lane) : take_many(lane);
}

/* Sleeps until there is something to look at; sometimes it changes its mind. */
static void wait_for_frames(struct lane *lane)
{
    struct aw_waker *waker = lane->bridged ? &lane->round->ready : &lane->waker;
    int bell = lane->bridged ? lane->posted : lane->waker.fd;

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
    if (lane->close_after == 0 || lane->account.delivered < lane->close_after ||
        atomic_exchange(&lane->close_wanted, true))
        return;
    aw_eventfd_ring(lane->round->bell);
}

static void *consumer_main(void *argument)
{
    struct lane *lane = argument;

    for (;;) {
        /* The state first: see aw_queue_state(). */
        enum aw_queue_state state = aw_queue_state(lane->queue);

        ask_to_close(lane);
        if (state == AW_QUEUE_CLOSED)
            break;
        if (take_some(lane))
            continue;
        if (state != AW_QUEUE_OPEN && aw_queue_pending(lane->queue) == 0)
            break;
        wait_for_frames(lane);
    }
    lane->abandoned = aw_queue_abandon(lane->queue);
    return NULL;
}

/* ---- bridge and observer ---- */

static void *bridge_main(void *argument)
{
    struct round *round = argument;

    while (!atomic_load(&round->stop)) {
        struct aw_queue *queue;

        CHECK(aw_eventfd_wait(round->ready.fd, -1) == 1);
        queue = aw_waker_take(&round->ready);
        while (queue) {
            struct aw_queue *next = aw_waker_next(queue);
            const struct lane *lane = queue->user;

            aw_eventfd_ring(lane->posted);
            aw_queue_unref(queue);
            queue = next;
        }
    }
    return NULL;
}

static void check_snapshot(struct lane *lane, const struct aw_stats *stats)
{
    const struct aw_stats *last = &lane->last;

    CHECK(aw_stats_exact(stats));
    CHECK(stats->pending <= lane->queue->ring.depth);
    CHECK(stats->high_water <= lane->queue->ring.depth);
    CHECK(stats->received >= last->received);
    CHECK(stats->filtered >= last->filtered);
    CHECK(stats->delivered >= last->delivered);
    CHECK(aw_stats_dropped(stats) >= aw_stats_dropped(last));
    CHECK(stats->wakes >= last->wakes);
    lane->last = *stats;
}

static void *observer_main(void *argument)
{
    struct round *round = argument;
    struct aw_stats stats;

    while (!atomic_load(&round->stop)) {
        for (unsigned i = 0; i < round->lane_count; i++) {
            /* -EAGAIN would take 1,000 attempts that were all overtaken. */
            CHECK(aw_queue_stats(round->lanes[i].queue, &stats) == 0);
            check_snapshot(&round->lanes[i], &stats);
            round->snapshots++;
        }
        sched_yield();
    }
    return NULL;
}

/* ---- a round ---- */

static void open_lane(struct lane *lane, struct round *round, unsigned number,
                      struct dice *dice)
{
    static const uint32_t depths[] = {1, 1, 2, 3, 5, 8, 17, 64, 200};
    struct aw_queue_config config = {
        .name = "stress",
        .device = "bus",
        .depth = depths[dice_below(dice, 9)],
        .payload_bytes = STRESS_PAYLOAD_BYTES,
        .filters = &lane->filter,
        .filter_count = dice_below(dice, 2),
    };

    lane->round = round;
    lane->filter = (struct aw_filter){
        .id = dice_below(dice, AW_CAN_SFF_MASK),
        .mask = UINT32_C(1) << dice_below(dice, 11),
        .invert = dice_below(dice, 2),
    };
    lane->paced = dice_below(dice, 2);
    lane->bridged = dice_below(dice, 2);
    lane->clears = dice_below(dice, 4) == 0;
    lane->close_after =
        dice_below(dice, 4) == 0 ? 1 + dice_below(dice, 300) : 0;
    lane->dice.state = round->traffic.seed ^ number;
    lane->open = true;
    CHECK(aw_queue_new(&config, &lane->queue) == 0);
    CHECK(aw_waker_init(&lane->waker, false) == 0);
    lane->queue->user = lane;
    lane->posted = aw_eventfd_new();
    lane->account = (struct account){.traffic = &round->traffic,
                                     .filters = config.filters,
                                     .filter_count = config.filter_count};
    aw_role_assume(&aw_role_reader);
    if (lane->paced)
        CHECK(aw_queue_set_bell(lane->queue, round->bell) == 0);
}

/* The ledger against what the consumer saw and what the traffic was. */
static void check_lane(const struct lane *lane)
{
    struct totals totals = account_totals(&lane->account, 0, lane->end);
    struct aw_stats stats;

    CHECK(aw_queue_stats(lane->queue, &stats) == 0);
    CHECK(aw_stats_exact(&stats));
    CHECK(stats.pending == 0);
    CHECK(stats.received == lane->end);
    CHECK(stats.filtered == totals.filtered);
    CHECK(stats.dropped_kernel == totals.lost);
    CHECK(stats.delivered == lane->account.delivered);
    CHECK(stats.dropped_cleared == lane->cleared);
    CHECK(stats.dropped_closed == lane->abandoned);
    CHECK(stats.dropped_overflow == totals.wanted - stats.delivered -
                                        stats.dropped_cleared -
                                        stats.dropped_closed);
    CHECK(!lane->paced || stats.dropped_overflow == 0);
    CHECK(atomic_load(&lane->close_wanted) || lane->abandoned == 0);
}

static void close_round(struct round *round)
{
    for (unsigned i = 0; i < round->lane_count; i++) {
        check_lane(&round->lanes[i]);
        aw_waker_deinit(&round->lanes[i].waker);
    }
    aw_waker_deinit(&round->ready);
    for (unsigned i = 0; i < round->lane_count; i++) {
        CHECK(atomic_load(&round->lanes[i].queue->references) == 1);
        aw_queue_unref(round->lanes[i].queue);
        aw_eventfd_close(round->lanes[i].posted);
    }
    aw_eventfd_close(round->bell);
}

static void run_threads(struct round *round)
{
    pthread_t reader, bridge, observer;

    CHECK(pthread_create(&observer, NULL, observer_main, round) == 0);
    CHECK(pthread_create(&bridge, NULL, bridge_main, round) == 0);
    for (unsigned i = 0; i < round->lane_count; i++)
        CHECK(pthread_create(&round->lanes[i].thread, NULL, consumer_main,
                             &round->lanes[i]) == 0);
    CHECK(pthread_create(&reader, NULL, reader_main, round) == 0);
    pthread_join(reader, NULL);
    for (unsigned i = 0; i < round->lane_count; i++)
        pthread_join(round->lanes[i].thread, NULL);
    atomic_store(&round->stop, true);
    aw_eventfd_ring(round->ready.fd);
    pthread_join(bridge, NULL);
    pthread_join(observer, NULL);
}

/* Returns how many frames were taken. */
static uint64_t run_round(uint64_t seed, uint64_t *snapshots)
{
    struct dice dice = {.state = seed};
    struct lane lanes[LANES_MAX] = {0};
    struct round round = {
        .traffic.seed = dice_roll(&dice),
        .units = 500 + dice_below(&dice, 1000),
        .lane_count = 1 + dice_below(&dice, LANES_MAX),
        .lanes = lanes,
        .dice.state = dice_roll(&dice),
        .bell = aw_eventfd_new(),
    };
    uint64_t delivered = 0;

    CHECK(aw_waker_init(&round.ready, true) == 0);
    for (unsigned i = 0; i < round.lane_count; i++)
        open_lane(&lanes[i], &round, i, &dice);
    run_threads(&round);
    close_round(&round);
    *snapshots += round.snapshots;
    for (unsigned i = 0; i < round.lane_count; i++)
        delivered += lanes[i].account.delivered;
    return delivered;
}

int main(int argument_count, char **arguments)
{
    uint64_t rounds =
        argument_count > 1 ? strtoull(arguments[1], NULL, 0) : ROUNDS_DEFAULT;
    uint64_t seed = argument_count > 2 ? strtoull(arguments[2], NULL, 0)
                                       : aw_clock_realtime_ns();
    uint64_t delivered = 0, snapshots = 0;
    struct dice dice = {.state = seed};

    fprintf(stderr, "stress_queue: %" PRIu64 " rounds, seed %" PRIu64 "\n",
            rounds, seed);
    /* Losses are wanted here. */
    aw_log_limit(AW_LOG_ERROR);
    for (uint64_t i = 0; i < rounds; i++)
        delivered += run_round(dice_roll(&dice), &snapshots);
    fprintf(stderr,
            "stress_queue: %" PRIu64 " frames taken, %" PRIu64
            " snapshots exact\n",
            delivered, snapshots);
    CHECK(rounds == 0 || snapshots > 0);
    return 0;
}
