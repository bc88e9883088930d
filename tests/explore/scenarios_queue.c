/* Frames and the ledger: one reader, one consumer, sometimes an observer. */
#include "tests/explore/rig.h"

/* ---- begin ---- */

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

/* ---- leases: what is returned comes again, in its place ---- */

static uint64_t wait_for_claim(struct rig *from, struct aw_claim *ret_claim)
{
    uint64_t count;

    while ((count = aw_queue_claim(from->queue, 1, ret_claim)) == 0)
        rig_wait(from);
    return count;
}

static void consumer_returns(void *argument)
{
    struct rig *from = argument;
    struct aw_claim first, second;
    uint32_t id;

    wait_for_claim(from, &first);
    wait_for_claim(from, &second);
    CHECK(aw_queue_claims(from->queue) == 2);
    id = aw_queue_at(from->queue, &second, 0)->id;
    CHECK(id > aw_queue_at(from->queue, &first, 0)->id);
    aw_queue_return(from->queue, &first);
    /* The second one's slot cannot be free before the first one's. */
    aw_queue_release(from->queue, &second);
    CHECK(aw_queue_pending(from->queue) > 0);
    rig_take(from);
    from->delivered++;
    from->next = id + 1;
    rig_consumer(from);
}

static void begin_returns(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("consumer", consumer_returns, &rig);
}

/* ---- clear, and a consumer that leaves ---- */

static void consumer_clears(void *argument)
{
    struct rig *from = argument;

    rig_take(from);
    from->cleared += (unsigned)aw_queue_clear(from->queue);
    rig_consumer(from);
}

static void begin_clears(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("consumer", consumer_clears, &rig);
    explore_start("observer", rig_observer, &rig);
}

static uint64_t detached;

static void reader_detaches(void *argument)
{
    rig_reader(argument);
    detached = 1;
}

static void consumer_leaves(void *argument)
{
    struct rig *from = argument;
    struct aw_claim held;

    rig_take(from);
    aw_queue_claim(from->queue, 1, &held);
    explore_await(&detached);
    aw_queue_abandon(from->queue);
}

static void begin_leaves(const struct scenario *scenario)
{
    detached = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_detaches, &rig);
    explore_start("consumer", consumer_leaves, &rig);
}

const struct scenario scenarios_queue[] = {
    {"one frame at a time", 3, begin, end,
     &(struct plan){.depth = 2, .batches = 3, .batch = 1}},
    {"one slot", 3, begin, end,
     &(struct plan){.depth = 1, .batches = 3, .batch = 1}},
    {"batches", 3, begin, end,
     &(struct plan){.depth = 3, .batches = 3, .batch = 2, .claim = 4}},
    {"device lost", 3, begin, end,
     &(struct plan){
         .depth = 2, .batches = 2, .batch = 1, .outcome = AW_QUEUE_LOST}},
    {"ledger", 2, begin_observed, end,
     &(struct plan){.depth = 1, .batches = 2, .batch = 1, .observed = true}},
    {"returned frames", 2, begin_returns, rig_end,
     &(struct plan){.depth = 3, .batches = 3, .batch = 1}},
    {"clear", 2, begin_clears, rig_end,
     &(struct plan){.depth = 2, .batches = 2, .batch = 2, .observed = true}},
    {"leave", 3, begin_leaves, rig_end,
     &(struct plan){.depth = 2, .batches = 3, .batch = 1}},
    {.name = NULL},
};
