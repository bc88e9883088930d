/* A peer that writes at the worst moment: a hook runs before each access, as
 * another process could that shares the memory. One schedule each. */
#include <errno.h>

#include "tests/explore/rig.h"

static struct aw_ring_shared *shared;

/* Adds in place of a peer: no point of its own. */
static void bump(_Atomic uint64_t *word, uint64_t by)
{
    *word += by;
}

/* ---- ledgers that are published again and again ---- */

static void overtake_consumer(const volatile void *object)
{
    if (object == &shared->consumer.version)
        bump(&shared->consumer.version, 1);
}

static void overtake_producer(const volatile void *object)
{
    if (object == &shared->producer.version)
        bump(&shared->producer.version, 1);
}

/* Each single look at a side succeeds, and the two never agree. */
static void overtake_pair(const volatile void *object)
{
    if (object == &shared->producer.version) {
        bump(&shared->consumer.copies[0][0], 1);
        bump(&shared->consumer.copies[1][0], 1);
    }
}

static void observer(void *unused)
{
    static void (*const hooks[])(const volatile void *) = {
        overtake_consumer, overtake_producer, overtake_pair};
    struct aw_stats stats;

    (void)unused;
    for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        explore_hook(hooks[i]);
        CHECK(aw_queue_stats(rig.queue, &stats) == -EAGAIN);
        explore_hook(NULL);
    }
}

static void begin_overtaken(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    shared = rig.queue->ring.shared;
    explore_start("observer", observer, NULL);
}

/* ---- a cursor that goes backwards between a look and its exchange ---- */

static unsigned looks;

static void push_back_cursor(const volatile void *object)
{
    /* The second access: the first was the look. */
    if (object == &shared->cursor && ++looks == 2)
        bump(&shared->cursor, UINT64_MAX);
}

static void consumer_is_fooled(void *unused)
{
    struct aw_claim claim;

    (void)unused;
    aw_role_assume(&aw_role_reader);
    rig_offer(&rig, 2);
    aw_queue_publish(rig.queue);
    looks = 0;
    explore_hook(push_back_cursor);
    CHECK(aw_queue_claim(rig.queue, 1, &claim) == 0);
    explore_hook(NULL);
    CHECK(aw_queue_state(rig.queue) == AW_QUEUE_LOST);
}

static void producer_is_fooled(void *unused)
{
    (void)unused;
    aw_role_assume(&aw_role_reader);
    rig_offer(&rig, 2);
    looks = 0;
    explore_hook(push_back_cursor);
    rig_offer(&rig, 1);
    explore_hook(NULL);
    CHECK(aw_queue_state(rig.queue) == AW_QUEUE_LOST);
    CHECK(aw_queue_failure(rig.queue) == EPROTO);
}

static void begin_consumer_fooled(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    shared = rig.queue->ring.shared;
    explore_start("consumer", consumer_is_fooled, NULL);
}

static void begin_producer_fooled(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    shared = rig.queue->ring.shared;
    explore_start("producer", producer_is_fooled, NULL);
}

/* What was tampered with need not add up. */
static void end(void)
{
    aw_waker_deinit(&rig.waker);
    aw_queue_unref(rig.queue);
}

const struct scenario scenarios_peer[] = {
    {"ledger overtaken for ever", 1, begin_overtaken, end,
     &(struct plan){.depth = 1, .observed = true}},
    {"cursor pushed back, claim", 1, begin_consumer_fooled, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 3,
                    .batch = 1}},
    {"cursor pushed back, evict", 1, begin_producer_fooled, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 3,
                    .batch = 1}},
    {.name = NULL},
};
