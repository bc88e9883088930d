/* Rings that throw their oldest frame away: built with one spare slot, so that
 * the reader soon comes round to what the consumer is reading. */
#include "tests/explore/rig.h"

static void begin(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("consumer", rig_consumer, &rig);
}

static void begin_observed(const struct scenario *scenario)
{
    begin(scenario);
    explore_start("observer", rig_observer, &rig);
}

/* Every frame taken told of those that were lost before it. */
static void end(void)
{
    CHECK(rig.told == rig.next - rig.delivered);
    rig_end();
}

/* ---- a consumer that comes late finds the newest `depth` frames ---- */

static uint64_t ended;

static void reader_first(void *argument)
{
    rig_reader(argument);
    ended = 1;
}

static void consumer_late(void *argument)
{
    struct rig *from = argument;

    /* Looking takes nothing. */
    CHECK(aw_queue_pending(from->queue) <= from->plan.depth);
    explore_await(&ended);
    CHECK(aw_queue_pending(from->queue) == from->plan.depth);
    while (rig_take(from))
        ;
    CHECK(from->delivered == from->plan.depth);
    CHECK(from->next == from->offered);
}

static void begin_late(const struct scenario *scenario)
{
    ended = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_first, &rig);
    explore_start("consumer", consumer_late, &rig);
}

/* ---- a claim that is never released: drop-newest, counted ---- */

static void consumer_holds(void *argument)
{
    struct rig *from = argument;
    struct aw_claim held;

    while (aw_queue_claim(from->queue, 1, &held) == 0)
        rig_wait(from);
    explore_await(&ended);
    rig_account_claim(from, &held);
    aw_queue_release(from->queue, &held);
    rig_consumer(from);
}

static void begin_holds(const struct scenario *scenario)
{
    ended = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_first, &rig);
    explore_start("consumer", consumer_holds, &rig);
}

const struct scenario scenarios_evict[] = {
    {"evict, one deep", 3, begin, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 4,
                    .batch = 1}},
    {"evict, two deep", 3, begin, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 6,
                    .batch = 1,
                    .claim = 2}},
    {"evict in batches", 3, begin, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 2,
                    .batch = 4,
                    .claim = 2}},
    {"evict, ledger", 2, begin_observed, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 3,
                    .batch = 1,
                    .observed = true}},
    {"evict, late consumer", 3, begin_late, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 4,
                    .batch = 1}},
    {"evict, claim held", 3, begin_holds, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 5,
                    .batch = 1}},
    {.name = NULL},
};
