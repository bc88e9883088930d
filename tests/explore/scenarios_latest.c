/* Policy latest: one frame for each key, the newest. */
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

/* The newest frame of each key was taken, and each one taken told of those that
 * it replaced. */
static void end(void)
{
    for (unsigned key = 0; key < rig.plan.keys; key++) {
        unsigned last = rig.offered - 1;

        while (last % rig.plan.keys != key)
            last--;
        CHECK(rig.next_of[key] == last + 1);
    }
    CHECK(rig.told == rig.offered - rig.delivered);
    rig_end();
}

/* ---- looking without taking ---- */

struct buffer {
    _Alignas(8) unsigned char bytes[sizeof(struct aw_frame) + AW_PAYLOAD_CAN];
};

/* What is seen is whole, and never older than what was seen before. */
static void look(struct rig *at, unsigned seen[KEYS_MAX])
{
    struct buffer memory;
    void *bytes = memory.bytes;
    struct aw_frame *frame = bytes;
    uint32_t place = 0;
    int found;

    while ((found = aw_queue_peek_next(at->queue, &place, frame)) !=
           AW_PEEK_NONE) {
        CHECK(found > 0 && frame->id < KEYS_MAX);
        CHECK(frame->timestamp_ns == ~frame->seq);
        CHECK(frame->payload[7] == (frame->seq & 0xff));
        CHECK(frame->seq + 1 >= seen[frame->id]);
        CHECK(frame->seq + 1 >= at->next_of[frame->id]);
        seen[frame->id] = (unsigned)frame->seq + 1;
    }
}

static void consumer_looks(void *argument)
{
    struct rig *from = argument;
    unsigned seen[KEYS_MAX] = {0};
    struct aw_key key = aw_key_of_can(0);
    struct buffer memory;
    void *bytes = memory.bytes;

    CHECK(aw_queue_peek(from->queue, &key, bytes) >= 0);
    look(from, seen);
    rig_take(from);
    look(from, seen);
    rig_consumer(from);
    look(from, seen);
    for (unsigned i = 0; i < from->plan.keys; i++)
        CHECK(seen[i] == from->next_of[i]);
}

static void begin_looks(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("consumer", consumer_looks, &rig);
    if (rig.plan.observed)
        explore_start("observer", rig_observer, &rig);
}

/* ---- claims that take up all the slots there are ---- */

static uint64_t ended;

static void reader_first(void *argument)
{
    rig_reader(argument);
    ended = 1;
}

/* Returns how many claims of one frame it has, two at most. */
static unsigned hoard(struct rig *from, struct aw_claim held[2])
{
    unsigned count = 0;

    while (count < 2) {
        enum aw_queue_state state = aw_queue_state(from->queue);

        if (aw_queue_claim(from->queue, 1, &held[count]) > 0)
            count++;
        else if (state != AW_QUEUE_OPEN)
            break;
        else
            rig_wait(from);
    }
    return count;
}

static void consumer_hoards(void *argument)
{
    struct rig *from = argument;
    struct aw_claim held[2], more;
    unsigned count = hoard(from, held);

    explore_await(&ended);
    if (count == 2)
        CHECK(aw_queue_claim(from->queue, 1, &more) == 0);
    for (unsigned i = 0; i < count; i++) {
        rig_account_claim(from, &held[i]);
        aw_queue_release(from->queue, &held[i]);
    }
    rig_consumer(from);
}

static void begin_hoards(const struct scenario *scenario)
{
    ended = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_first, &rig);
    explore_start("consumer", consumer_hoards, &rig);
}

/* Frames that were looked at, and replaced after that, are told of as well. */
const struct scenario scenarios_latest[] = {
    {"latest, one key", 3, begin, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 3,
                    .batch = 1,
                    .keys = 1}},
    {"latest, two keys", 3, begin, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 4,
                    .batch = 1,
                    .keys = 2}},
    {"latest, batches", 3, begin, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 2,
                    .batch = 3,
                    .claim = 2,
                    .keys = 2}},
    {"latest, looking", 2, begin_looks, end,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 4,
                    .batch = 1,
                    .keys = 2}},
    {"latest, claims held", 3, begin_hoards, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 4,
                    .batch = 1,
                    .keys = 1}},
    {"latest, ledger", 2, begin_observed, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 2,
                    .batch = 1,
                    .keys = 1,
                    .observed = true}},
    {"latest, looking, ledger", 1, begin_looks, end,
     &(struct plan){.depth = 1,
                    .overflow = AW_OVERFLOW_LATEST,
                    .batches = 3,
                    .batch = 1,
                    .keys = 1,
                    .observed = true}},
    {.name = NULL},
};
