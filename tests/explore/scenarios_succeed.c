/* A queue that outlives its consumer: handed on as it is, or another one is put
 * in its place between two frames. Every frame comes once, to one of the two
 * consumers, and both ledgers hold at every moment. */
#include "tests/explore/rig.h"

static struct aw_queue *old; /* the one that the first consumer had */
static uint64_t left, succeeded;

/* ---- the reader ---- */

static void offer(struct rig *to, unsigned batches) AW_ON(reader)
{
    for (unsigned i = 0; i < batches; i++) {
        rig_offer(to, to->plan.batch);
        aw_queue_publish(to->queue);
    }
}

/* As aw_reader's replace(): behind the first consumer's last word. */
static void replace(struct rig *of) AW_ON(reader)
{
    const struct aw_queue_config config = {
        .name = "1",
        .device = "bus",
        .depth = of->plan.next_depth,
        .payload_bytes = RIG_PAYLOAD,
        .overflow = of->plan.next_overflow,
    };
    struct aw_queue *queue = NULL;

    CHECK(aw_queue_new(&config, &queue) == 0);
    aw_queue_succeed(queue, old);
    aw_queue_finish(old, AW_QUEUE_CLOSED, 0);
    of->queue = queue;
}

static void reader_replaces(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    offer(to, to->plan.batches - to->plan.batches / 2);
    explore_await(&left);
    replace(to);
    succeeded = 1;
    offer(to, to->plan.batches / 2);
    aw_queue_finish(to->queue, AW_QUEUE_END, 0);
}

/* ---- the consumers ---- */

/* Takes one frame, and leaves while it is armed. */
static void first_consumer(void *argument)
{
    struct rig *from = argument;

    while (!rig_take(from))
        rig_wait(from);
    (void)aw_queue_arm(from->queue, &from->waker);
    aw_queue_disarm(from->queue);
    left = 1;
}

static void second_consumer(void *argument)
{
    explore_await(&succeeded);
    rig_consumer(argument);
}

static void heir(void *argument)
{
    explore_await(&left);
    rig_consumer(argument);
}

/* ---- an observer of whichever is in force ---- */

static void observer(void *argument)
{
    const struct rig *of = argument;
    struct aw_stats last = {0}, stats;

    for (int i = 0; i < 3; i++) {
        const struct aw_queue *queue = of->queue;

        /* The old one's frames go over: its own ledger says less then. */
        CHECK(aw_queue_stats(queue, &stats) == 0);
        CHECK(aw_stats_exact(&stats));
        CHECK(queue == old || stats.received >= last.received);
        CHECK(queue == old || stats.delivered >= last.delivered);
        if (queue == of->queue)
            last = stats;
    }
}

/* ---- scenarios ---- */

static void open_rig(const struct scenario *scenario)
{
    left = succeeded = 0;
    rig_open(&rig, scenario->plan);
    old = rig.queue;
}

static void begin_handed_on(const struct scenario *scenario)
{
    open_rig(scenario);
    explore_start("reader", rig_reader, &rig);
    explore_start("first", first_consumer, &rig);
    explore_start("second", heir, &rig);
}

static void begin_succeeded(const struct scenario *scenario)
{
    open_rig(scenario);
    explore_start("reader", reader_replaces, &rig);
    explore_start("first", first_consumer, &rig);
    explore_start("second", second_consumer, &rig);
    if (rig.plan.observed)
        explore_start("observer", observer, &rig);
}

/* Every frame taken told of those that were lost before it. */
static void end(void)
{
    struct aw_queue *before = old == rig.queue ? NULL : old;
    struct aw_stats stats;

    CHECK(rig.told == rig.next - rig.delivered);
    if (before) {
        CHECK(aw_queue_stats(before, &stats) == 0);
        CHECK(aw_stats_exact(&stats) && stats.pending == 0);
        CHECK(aw_queue_state(before) == AW_QUEUE_CLOSED);
    }
    rig_end();
    aw_queue_unref(before);
}

const struct scenario scenarios_succeed[] = {
    {"handed on", 2, begin_handed_on, end,
     &(struct plan){.depth = 2, .batches = 3, .batch = 1}},
    {"succeeded, deeper", 2, begin_succeeded, end,
     &(struct plan){.depth = 2, .next_depth = 4, .batches = 4, .batch = 1}},
    {"succeeded, shallower", 2, begin_succeeded, end,
     &(struct plan){.depth = 4, .next_depth = 1, .batches = 2, .batch = 3}},
    {"succeeded, one slot", 2, begin_succeeded, end,
     &(struct plan){.depth = 1, .next_depth = 2, .batches = 4, .batch = 2}},
    {"succeeded, drop-oldest", 2, begin_succeeded, end,
     &(struct plan){.depth = 3,
                    .next_depth = 1,
                    .next_overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 2,
                    .batch = 3}},
    {"succeeded, at the end", 2, begin_succeeded, end,
     &(struct plan){.depth = 4, .next_depth = 4, .batches = 1, .batch = 3}},
    {"succeeded, observed", 1, begin_succeeded, end,
     &(struct plan){.depth = 2,
                    .next_depth = 1,
                    .batches = 2,
                    .batch = 2,
                    .observed = true}},
    {.name = NULL},
};
