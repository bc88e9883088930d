/* Random traffic through queues of every policy, by threads in all the roles
 * there are: a reader that offers batches to several queues and makes up for
 * wakes that were put off, a consumer for each of them that takes, leases,
 * returns, looks, clears, waits, cancels and closes, a bridge that serves those
 * who wait on the ready list, and an observer that reads the ledgers meanwhile.
 *
 * What must hold: each frame as it was made, in order, none twice but those
 * that were returned, none lost that is not counted and told to the next one,
 * every snapshot exact, and nobody who sleeps beyond a deadline while there is
 * something to do. Meant for ThreadSanitizer, and useful without.
 *
 *     stress_queue [ROUNDS [SEED]]
 *
 * A seed fixes what is asked of the threads, not when they run. */
#include <inttypes.h>
#include <sched.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "tests/stress/lane.h"

#define LANES_MAX      6u
#define BATCH_MAX      32u
#define UNITS_MAX      1500u
#define ROUNDS_DEFAULT 150u

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

/* Makes up for wakes that are due; returns how long until the next one is. */
static int64_t wake_due(struct round *round) AW_ON(reader)
{
    uint64_t now_ns = aw_clock_monotonic_ns();
    uint64_t due_ns = now_ns + (uint64_t)DEADLINE_NS;

    for (unsigned i = 0; i < round->lane_count; i++) {
        struct lane *lane = &round->lanes[i];
        uint64_t lane_ns;

        if (!lane->open)
            continue;
        aw_queue_wake_due(lane->queue, now_ns);
        lane_ns = aw_queue_due_ns(lane->queue);
        due_ns = lane_ns < due_ns ? lane_ns : due_ns;
    }
    return (int64_t)(due_ns - now_ns);
}

/* Waits until each paced queue can take a frame; returns how many all can. */
static uint64_t wait_for_room(struct round *round, uint64_t seq) AW_ON(reader)
{
    uint64_t deadline_ns = aw_clock_monotonic_ns() + (uint64_t)DEADLINE_NS;

    for (;;) {
        int64_t timeout_ns;
        uint64_t room;

        aw_eventfd_clear(round->bell);
        close_on_demand(round, seq);
        timeout_ns = wake_due(round);
        room = least_room(round);
        if (room > 0)
            return room;
        CHECK(aw_clock_monotonic_ns() < deadline_ns);
        CHECK(aw_eventfd_wait(round->bell, timeout_ns) >= 0);
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

/* What is claimed is pending too, and under latest what is being replaced. */
static uint64_t most_pending(const struct aw_queue *queue)
{
    switch (queue->overflow) {
    case AW_OVERFLOW_DROP_OLDEST:
        return queue->ring.mask + 1;
    case AW_OVERFLOW_LATEST:
        return queue->ring.depth + 2 * (uint64_t)queue->latest.depth;
    default:
        return queue->ring.depth;
    }
}

static void check_snapshot(struct lane *lane, const struct aw_stats *stats)
{
    const struct aw_stats *last = &lane->last;

    CHECK(aw_stats_exact(stats));
    CHECK(stats->pending <= most_pending(lane->queue));
    CHECK(stats->high_water <= lane->queue->ring.depth);
    CHECK(stats->received >= last->received);
    CHECK(stats->filtered >= last->filtered);
    CHECK(stats->delivered >= last->delivered);
    CHECK(aw_stats_dropped(stats) >= aw_stats_dropped(last));
    CHECK(stats->wakes >= last->wakes);
    CHECK(stats->stalls >= last->stalls);
    CHECK(stats->stalled_ns >= last->stalled_ns);
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
    static const uint64_t budgets_ns[] = {0, 0, 20 * AW_NS_PER_US,
                                          AW_NS_PER_MS};
    struct aw_queue_config config = {
        .name = "stress",
        .device = "bus",
        .depth = depths[dice_below(dice, 9)],
        .payload_bytes = STRESS_PAYLOAD_BYTES,
        .overflow = (enum aw_overflow)dice_below(dice, 4),
        .budget_ns = budgets_ns[dice_below(dice, 4)],
        .filters = &lane->filter,
        .filter_count = dice_below(dice, 2),
    };

    lane->filter = (struct aw_filter){
        .id = dice_below(dice, AW_CAN_SFF_MASK),
        .mask = UINT32_C(1) << dice_below(dice, 11),
        .invert = dice_below(dice, 2),
    };
    lane->paced = dice_below(dice, 2) || config.overflow == AW_OVERFLOW_BLOCK;
    lane->announce = dice_below(dice, 2) ? &round->ready : NULL;
    lane->reader_bell = round->bell;
    lane->clears = dice_below(dice, 4) == 0;
    lane->leases = dice_below(dice, 2);
    lane->again = calloc(UNITS_MAX + BATCH_MAX, sizeof(*lane->again));
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
    if (config.overflow == AW_OVERFLOW_LATEST)
        account_open_store(&lane->account, round->units + BATCH_MAX,
                           config.depth);
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
    CHECK(stats.delivered == lane->delivered);
    CHECK(stats.high_water <= stats.received);
    CHECK(stats.dropped_cleared == lane->cleared);
    CHECK(stats.dropped_closed == lane->abandoned);
    CHECK(stats.dropped_overflow == totals.wanted - stats.delivered -
                                        stats.dropped_cleared -
                                        stats.dropped_closed);
    CHECK(!lane->paced || stats.dropped_overflow == 0 ||
          lane->queue->overflow == AW_OVERFLOW_DROP_OLDEST ||
          lane->queue->overflow == AW_OVERFLOW_LATEST);
    CHECK(stats.stalls == 0 || lane->paced);
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
        account_close(&round->lanes[i].account);
        free(round->lanes[i].again);
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

/* What all rounds came to. */
struct sums {
    uint64_t delivered, repeated, peeked, evicted, stalls, snapshots;
};

static void add_lane(struct sums *sums, const struct lane *lane)
{
    sums->delivered += lane->delivered;
    sums->repeated += lane->repeated;
    sums->peeked += lane->peeked;
    sums->evicted += lane->queue->evicted;
    sums->stalls += lane->queue->stalls;
}

static void run_round(uint64_t seed, struct sums *sums)
{
    struct dice dice = {.state = seed};
    struct lane lanes[LANES_MAX] = {0};
    struct round round = {
        .traffic.seed = dice_roll(&dice),
        .units = 500 + dice_below(&dice, UNITS_MAX - 500),
        .lane_count = 1 + dice_below(&dice, LANES_MAX),
        .lanes = lanes,
        .dice.state = dice_roll(&dice),
        .bell = aw_eventfd_new(),
    };

    CHECK(aw_waker_init(&round.ready, true) == 0);
    for (unsigned i = 0; i < round.lane_count; i++)
        open_lane(&lanes[i], &round, i, &dice);
    run_threads(&round);
    sums->snapshots += round.snapshots;
    for (unsigned i = 0; i < round.lane_count; i++)
        add_lane(sums, &lanes[i]);
    close_round(&round);
}

int main(int argument_count, char **arguments)
{
    uint64_t rounds =
        argument_count > 1 ? strtoull(arguments[1], NULL, 0) : ROUNDS_DEFAULT;
    uint64_t seed = argument_count > 2 ? strtoull(arguments[2], NULL, 0)
                                       : aw_clock_realtime_ns();
    struct dice dice = {.state = seed};
    struct sums sums = {0};

    fprintf(stderr, "stress_queue: %" PRIu64 " rounds, seed %" PRIu64 "\n",
            rounds, seed);
    /* Losses are wanted here. */
    aw_log_limit(AW_LOG_ERROR);
    for (uint64_t i = 0; i < rounds; i++)
        run_round(dice_roll(&dice), &sums);
    fprintf(stderr,
            "stress_queue: %" PRIu64 " frames delivered, %" PRIu64
            " taken again, %" PRIu64 " looked at, %" PRIu64
            " evicted or replaced, %" PRIu64 " stalls, %" PRIu64
            " snapshots exact\n",
            sums.delivered, sums.repeated, sums.peeked, sums.evicted,
            sums.stalls, sums.snapshots);
    CHECK(rounds == 0 || sums.snapshots > 0);
    return 0;
}
