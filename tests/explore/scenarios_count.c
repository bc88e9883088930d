/* Waiting at a count: for a batch of exactly so many frames (`plan.claim`), as
 * get_batch(n, min=n) does, and while too many claims are held, as recv() does.
 * Where nobody ends the queue only a wake gets the consumer through. */
#include "devices/queue/eventfd.h"
#include "tests/explore/rig.h"

#define CLAIMS_MAX 4u

static unsigned total_of(const struct rig *of)
{
    return of->plan.batches * of->plan.batch;
}

/* ---- the consumer ---- */

/* Claims at most `limit` frames, which may be in several places. */
static uint64_t collect(struct rig *from, uint64_t limit,
                        struct aw_claim claims[CLAIMS_MAX], unsigned *ret_count)
{
    uint64_t frames = 0;
    unsigned count = 0;

    while (frames < limit && count < CLAIMS_MAX &&
           aw_queue_claim(from->queue, limit - frames, &claims[count]) > 0)
        frames += claims[count++].count;
    *ret_count = count;
    return frames;
}

/* Takes a batch of at most plan.claim frames, and of `minimum` or none: under
 * drop-oldest some may be gone by now. */
static bool take_batch(struct rig *from, uint64_t minimum)
{
    struct aw_claim claims[CLAIMS_MAX];
    unsigned count;

    if (aw_queue_pending(from->queue) < minimum)
        return false;
    if (collect(from, from->plan.claim, claims, &count) < minimum) {
        while (count > 0)
            aw_queue_return(from->queue, &claims[--count]);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        rig_account_claim(from, &claims[i]);
        aw_queue_release(from->queue, &claims[i]);
    }
    return count > 0;
}

/* False if there is enough to be taken, or the end, at once. */
static bool arm_for(struct rig *on, struct aw_waker *waker, uint64_t minimum)
{
    uint64_t seen = aw_queue_pending(on->queue);

    return seen < minimum && aw_queue_arm_at(on->queue, waker, seen);
}

static void wait_for(struct rig *on, uint64_t minimum)
{
    aw_eventfd_clear(on->waker.fd);
    if (arm_for(on, &on->waker, minimum))
        aw_eventfd_wait(on->waker.fd, -1);
}

/* ---- whole batches, and nobody ends the queue ---- */

static void reader_goes_on(void *argument)
{
    aw_role_assume(&aw_role_reader);
    rig_offer_batches(argument);
}

/* The last one may be smaller. */
static void consumer_of_batches(void *argument)
{
    struct rig *from = argument;
    unsigned left;

    while ((left = total_of(from) - from->delivered) > 0) {
        uint64_t minimum = left < from->plan.claim ? left : from->plan.claim;

        if (!take_batch(from, minimum))
            wait_for(from, minimum);
    }
}

static void begin_batches(const struct scenario *scenario)
{
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_goes_on, &rig);
    explore_start("consumer", consumer_of_batches, &rig);
}

/* ---- the end comes before the batch is whole ---- */

/* Takes whole batches, and at the end what is left. */
static void consumer_to_the_end(void *argument)
{
    struct rig *from = argument;

    for (;;) {
        bool open = aw_queue_state(from->queue) == AW_QUEUE_OPEN;

        if (take_batch(from, from->plan.claim))
            continue;
        if (open)
            wait_for(from, from->plan.claim);
        else if (!take_batch(from, 1))
            break;
    }
}

/* The owner closes the queue at any moment. */
static uint64_t close_wanted;

static void reader_until_closed(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    for (unsigned i = 0; i < to->plan.batches && close_wanted == 0; i++) {
        rig_offer(to, to->plan.batch);
        aw_queue_publish(to->queue);
    }
    explore_await(&close_wanted);
    aw_queue_finish(to->queue, AW_QUEUE_CLOSED, 0);
}

static void owner_closes(void *unused)
{
    (void)unused;
    explore_point(&close_wanted);
    close_wanted = 1;
}

static void begin_closed(const struct scenario *scenario)
{
    close_wanted = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_until_closed, &rig);
    explore_start("consumer", consumer_to_the_end, &rig);
    explore_start("owner", owner_closes, NULL);
}

/* ---- cancelled: whoever waits behind, for less, is looked after ---- */

static bool cancelled;

static void canceller(void *argument)
{
    struct rig *of = argument;

    explore_point(&cancelled);
    cancelled = true;
    aw_eventfd_ring(of->waker.fd);
}

/* The first waits for a whole batch until it is cancelled or has it, the second
 * for smaller ones. */
static void consumer_cancelled(void *argument)
{
    struct rig *from = argument;

    for (;;) {
        aw_eventfd_clear(from->waker.fd);
        if (cancelled || take_batch(from, from->plan.claim))
            break;
        if (aw_queue_state(from->queue) != AW_QUEUE_OPEN)
            break;
        if (arm_for(from, &from->waker, from->plan.claim))
            aw_eventfd_wait(from->waker.fd, -1);
    }
    aw_queue_disarm(from->queue);
    from->plan.claim = 2;
    if (from->plan.outcome)
        consumer_to_the_end(from);
    else
        consumer_of_batches(from);
}

static void begin_cancelled(const struct scenario *scenario)
{
    cancelled = false;
    rig_open(&rig, scenario->plan);
    explore_start("reader", rig.plan.outcome ? rig_reader : reader_goes_on,
                  &rig);
    explore_start("consumer", consumer_cancelled, &rig);
    explore_start("canceller", canceller, &rig);
}

/* ---- drop-oldest: frames go while they are counted ---- */

static uint64_t has_batch;

/* Two frames are left at least, until they are taken as a batch. */
static void reader_evicts(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    rig_offer_batches(to);
    explore_await(&has_batch);
    aw_queue_finish(to->queue, AW_QUEUE_END, 0);
}

static void consumer_of_evicted(void *argument)
{
    struct rig *from = argument;

    while (!take_batch(from, from->plan.claim))
        wait_for(from, from->plan.claim);
    has_batch = 1;
    consumer_to_the_end(from);
}

static void begin_evicted(const struct scenario *scenario)
{
    has_batch = 0;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_evicts, &rig);
    explore_start("consumer", consumer_of_evicted, &rig);
}

static void end_evicted(void)
{
    CHECK(rig.told == rig.next - rig.delivered);
    rig_end();
}

/* ---- announced by way of a bridge ---- */

static struct aw_waker ready;
static int posted;
static bool stopping;

static void bridge(void *unused)
{
    (void)unused;
    while (!stopping) {
        struct aw_queue *queue;

        aw_eventfd_wait(ready.fd, -1);
        queue = aw_waker_take(&ready);
        if (queue) {
            aw_waker_next(queue);
            aw_eventfd_ring(posted);
            aw_queue_unref(queue);
        }
    }
}

static void loop_of_batches(void *argument)
{
    struct rig *from = argument;

    while (from->delivered < total_of(from)) {
        aw_eventfd_clear(posted);
        if (!take_batch(from, from->plan.claim) &&
            arm_for(from, &ready, from->plan.claim))
            aw_eventfd_wait(posted, -1);
    }
    stopping = true;
    aw_eventfd_ring(ready.fd);
}

static void begin_bridge(const struct scenario *scenario)
{
    CHECK(aw_waker_init(&ready, true) == 0);
    posted = aw_eventfd_new();
    stopping = false;
    rig_open(&rig, scenario->plan);
    explore_start("reader", reader_goes_on, &rig);
    explore_start("loop", loop_of_batches, &rig);
    explore_start("bridge", bridge, NULL);
}

static void end_bridge(void)
{
    aw_waker_deinit(&ready);
    aw_eventfd_close(posted);
    rig_end();
}

/* ---- too many claims: frames that cannot be taken are waited beside ---- */

static struct aw_claim held[AW_RUNS_HELD_MAX];
static bool let_go;

/* Ends one of them, as the end of a lease does. */
static void lessee(void *argument)
{
    struct rig *of = argument;

    explore_point(&let_go);
    let_go = true;
    aw_eventfd_ring(of->waker.fd);
}

static void reader_of_the_rest(void *argument)
{
    struct rig *to = argument;

    aw_role_assume(&aw_role_reader);
    while (to->offered < total_of(to)) {
        rig_offer(to, 1);
        aw_queue_publish(to->queue);
    }
}

static void release_held(struct rig *from, unsigned number)
{
    rig_account_claim(from, &held[number]);
    aw_queue_release(from->queue, &held[number]);
}

static void consumer_without_claims(void *argument)
{
    struct rig *from = argument;
    unsigned released = 0, taken = 0;

    while (taken < total_of(from) - AW_RUNS_HELD_MAX) {
        uint64_t seen = 0;

        aw_eventfd_clear(from->waker.fd);
        if (let_go && released == 0)
            release_held(from, released++);
        CHECK(aw_queue_can_claim(from->queue) == (released > 0));
        if (rig_take(from)) {
            taken++;
            continue;
        }
        if (!aw_queue_can_claim(from->queue))
            seen = aw_queue_pending(from->queue);
        if (aw_queue_arm_at(from->queue, &from->waker, seen))
            aw_eventfd_wait(from->waker.fd, -1);
    }
}

static void begin_too_many(const struct scenario *scenario)
{
    let_go = false;
    rig_open(&rig, scenario->plan);
    aw_role_assume(&aw_role_reader);
    rig_offer(&rig, AW_RUNS_HELD_MAX);
    aw_queue_publish(rig.queue);
    for (unsigned i = 0; i < AW_RUNS_HELD_MAX; i++)
        CHECK(aw_queue_claim(rig.queue, 1, &held[i]) == 1);
    explore_start("reader", reader_of_the_rest, &rig);
    explore_start("consumer", consumer_without_claims, &rig);
    explore_start("lessee", lessee, &rig);
}

static void end_too_many(void)
{
    rig.next = 0;
    for (unsigned i = 1; i < AW_RUNS_HELD_MAX; i++)
        release_held(&rig, i);
    rig_end();
}

const struct scenario scenarios_count[] = {
    {"batch of three", 3, begin_batches, rig_end,
     &(struct plan){.depth = 3, .batches = 3, .batch = 1, .claim = 3}},
    {"batches of two", 3, begin_batches, rig_end,
     &(struct plan){.depth = 4, .batches = 4, .batch = 1, .claim = 2}},
    {"batch, closed", 3, begin_closed, rig_end,
     &(struct plan){.depth = 3, .batches = 3, .batch = 1, .claim = 2}},
    {"batch, cancelled", 3, begin_cancelled, rig_end,
     &(struct plan){.depth = 4, .batches = 4, .batch = 1, .claim = 3}},
    {"batch, cancelled, closed", 3, begin_cancelled, rig_end,
     &(struct plan){.depth = 3,
                    .batches = 3,
                    .batch = 1,
                    .claim = 3,
                    .outcome = AW_QUEUE_CLOSED}},
    {"batch, evicted", 3, begin_evicted, end_evicted,
     &(struct plan){.depth = 2,
                    .overflow = AW_OVERFLOW_DROP_OLDEST,
                    .batches = 4,
                    .batch = 1,
                    .claim = 2}},
    {"batch, bridge", 3, begin_bridge, end_bridge,
     &(struct plan){.depth = 2, .batches = 2, .batch = 1, .claim = 2}},
    {"too many claims", 3, begin_too_many, end_too_many,
     &(struct plan){.depth = 64, .batches = AW_RUNS_HELD_MAX + 2, .batch = 1}},
    {.name = NULL},
};
