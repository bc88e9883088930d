/* Waiting: by the ready list of a bridge, with second thoughts, for room, and
 * with a latency budget. */
#include "devices/queue/eventfd.h"
#include "tests/explore/rig.h"

/* ---- a bridge between reader and loop ---- */

static struct rig second;
static struct aw_waker ready; /* the bridge's */
static int posted;            /* the loop's bell, which the bridge rings */
static unsigned loops;        /* that still run */
static bool stopping;

static void bridge(void *unused)
{
    (void)unused;
    while (!stopping) {
        struct aw_queue *queue;

        aw_eventfd_wait(ready.fd, -1);
        queue = aw_waker_take(&ready);
        while (queue) {
            struct aw_queue *next = aw_waker_next(queue);

            aw_eventfd_ring(posted);
            aw_queue_unref(queue);
            queue = next;
        }
    }
}

static void stop_bridge(void)
{
    stopping = true;
    aw_eventfd_ring(ready.fd);
}

/* Takes what there is; false at the end. */
static bool drain(struct rig *from)
{
    enum aw_queue_state state = aw_queue_state(from->queue);
    bool taken = false;

    while (rig_take(from))
        taken = true;
    return taken || state == AW_QUEUE_OPEN;
}

/* One loop waits for both queues, as an event loop does. */
static void loop(void *unused)
{
    bool first_open = true, second_open = second.queue != NULL;

    (void)unused;
    while (first_open || second_open) {
        bool asleep = true;

        aw_eventfd_clear(posted);
        if (first_open)
            first_open = drain(&rig);
        if (second_open)
            second_open = drain(&second);
        if (first_open)
            asleep &= aw_queue_arm(rig.queue, &ready);
        if (second_open)
            asleep &= aw_queue_arm(second.queue, &ready);
        if (asleep && (first_open || second_open))
            aw_eventfd_wait(posted, -1);
    }
    stop_bridge();
}

static void reader_of_both(void *unused)
{
    (void)unused;
    aw_role_assume(&aw_role_reader);
    for (unsigned i = 0; i < rig.plan.batches; i++) {
        rig_offer(&rig, rig.plan.batch);
        rig_offer(&second, second.plan.batch);
        aw_queue_publish(rig.queue);
        aw_queue_publish(second.queue);
    }
    aw_queue_finish(rig.queue, AW_QUEUE_END, 0);
    aw_queue_finish(second.queue, AW_QUEUE_END, 0);
}

static void open_bridge(void)
{
    CHECK(aw_waker_init(&ready, true) == 0);
    posted = aw_eventfd_new();
    stopping = false;
    loops = 1;
    second.queue = NULL;
}

static void begin_bridge(const struct scenario *scenario)
{
    open_bridge();
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("loop", loop, NULL);
    explore_start("bridge", bridge, NULL);
}

static void begin_two_queues(const struct scenario *scenario)
{
    open_bridge();
    rig_open(&rig, scenario->plan);
    rig_open(&second, scenario->plan);
    explore_start("reader", reader_of_both, NULL);
    explore_start("loop", loop, NULL);
    explore_start("bridge", bridge, NULL);
}

/* Two devices, each with its own reader, announce to one bridge. */
static void begin_two_readers(const struct scenario *scenario)
{
    open_bridge();
    rig_open(&rig, scenario->plan);
    rig_open(&second, scenario->plan);
    explore_start("reader1", rig_reader, &rig);
    explore_start("reader2", rig_reader, &second);
    explore_start("loop", loop, NULL);
    explore_start("bridge", bridge, NULL);
}

static void end_bridge(void)
{
    /* What was announced too late for the bridge is let go of here. */
    aw_waker_deinit(&ready);
    aw_eventfd_close(posted);
    rig_close(&rig);
    if (second.queue)
        rig_close(&second);
}

/* ---- second thoughts ---- */

static void consumer_hesitates(void *argument)
{
    struct rig *from = argument;

    if (aw_queue_arm(from->queue, &from->waker))
        aw_queue_disarm(from->queue);
    rig_take(from);
    if (aw_queue_arm(from->queue, &from->waker))
        aw_queue_disarm(from->queue);
    rig_consumer(from);
}

static void begin_hesitates(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig_reader, &rig);
    explore_start("consumer", consumer_hesitates, &rig);
}

/* ---- a paced reader waits for room: nothing is dropped ---- */

static int room_bell;

static void reader_waits(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    for (unsigned i = 0; i < to->plan.batches; i++) {
        for (;;) {
            aw_eventfd_clear(room_bell);
            if (aw_queue_room(to->queue) > 0)
                break;
            aw_eventfd_wait(room_bell, -1);
        }
        rig_offer(to, 1);
        aw_queue_publish(to->queue);
    }
    aw_queue_finish(to->queue, AW_QUEUE_END, 0);
}

static void begin_room(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    aw_role_assume(&aw_role_reader);
    room_bell = aw_eventfd_new();
    CHECK(aw_queue_set_bell(rig.queue, room_bell) == 0);
    explore_start("reader", reader_waits, &rig);
    explore_start("consumer", rig_consumer, &rig);
}

static void end_room(void)
{
    CHECK(rig.delivered == rig.offered);
    aw_eventfd_close(room_bell);
    rig_end();
}

/* ---- a latency budget: late, but never lost ---- */

static void reader_with_budget(void *argument)
{
    struct rig *to = argument;
    uint64_t due_ns;

    aw_role_assume(&aw_role_reader);
    rig_offer_batches(to);
    due_ns = aw_queue_due_ns(to->queue);
    if (due_ns != UINT64_MAX) {
        /* As its poll would, with the time until then for a limit. */
        world_set_time(due_ns);
        aw_queue_wake_due(to->queue, due_ns);
        CHECK(aw_queue_due_ns(to->queue) == UINT64_MAX);
    }
}

/* Nobody ends the queue: only a wake gets the consumer through. */
static void consumer_of_all(void *argument)
{
    struct rig *from = argument;

    while (from->delivered < from->plan.batches * from->plan.batch)
        if (!rig_take(from))
            rig_wait(from);
}

static void begin_budget(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_with_budget, &rig);
    explore_start("consumer", consumer_of_all, &rig);
}

const struct scenario scenarios_wait[] = {
    {"bridge", 3, begin_bridge, end_bridge,
     &(struct plan){.depth = 2, .batches = 2, .batch = 1}},
    {"bridge, two queues", 2, begin_two_queues, end_bridge,
     &(struct plan){.depth = 1, .batches = 2, .batch = 1}},
    {"bridge, two readers", 2, begin_two_readers, end_bridge,
     &(struct plan){.depth = 1, .batches = 1, .batch = 1}},
    {"second thoughts", 3, begin_hesitates, rig_end,
     &(struct plan){.depth = 2, .batches = 3, .batch = 1}},
    {"room", 3, begin_room, end_room,
     &(struct plan){.depth = 1, .batches = 3, .batch = 1}},
    {"latency budget", 3, begin_budget, rig_end,
     &(struct plan){
         .depth = 8, .batches = 3, .batch = 1, .budget_ns = 1000000}},
    {.name = NULL},
};
