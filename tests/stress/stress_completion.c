/* Completions and the bridge's inbox, without Python: threads complete, one
 * awaits and changes its mind at random, one is the bridge, and a lock is the
 * GIL. Each value is freed once, each armed wait is woken, and the inbox closes
 * while threads are still completing.
 *
 *     stress_completion [ROUNDS [SEED]] */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "pymod/coroutine/completion.h"
#include "pymod/coroutine/inbox.h"
#include "tests/stress/traffic.h"

enum { ROUNDS_DEFAULT = 20, WAITS = 2000, COMPLETERS = 4, LEFT = 100 };

struct work {
    struct PyAwaitable_Completion *completion;
    struct work *next;
};

struct round {
    pthread_mutex_t gil;
    pthread_cond_t woken_changed;
    pthread_mutex_t lock; /* of the work */
    pthread_cond_t more;
    struct work *work;
    bool no_more;

    struct aw_inbox *inbox;
    int bell;
    atomic_bool stopping;
    struct dice dice; /* the awaiting thread's */
    uint64_t taken, ended;
};

static atomic_ulong made, freed;

/* ---- completing ---- */

static void free_value(void *value)
{
    atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed);
    free(value);
}

static struct work *next_work(struct round *round)
{
    struct work *work;

    pthread_mutex_lock(&round->lock);
    while (!round->work && !round->no_more)
        pthread_cond_wait(&round->more, &round->lock);
    work = round->work;
    if (work)
        round->work = work->next;
    pthread_mutex_unlock(&round->lock);
    return work;
}

static void *complete(void *argument)
{
    struct round *round = argument;
    struct work *work;

    while ((work = next_work(round))) {
        uint64_t *value = malloc(sizeof(*value));

        CHECK(value);
        *value = (uintptr_t)work->completion;
        atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
        aw_completion_complete(work->completion, value);
        free(work);
    }
    return NULL;
}

static void give(struct round *round, struct PyAwaitable_Completion *completion)
{
    struct work *work = calloc(1, sizeof(*work));

    CHECK(work);
    work->completion = completion;
    pthread_mutex_lock(&round->lock);
    work->next = round->work;
    round->work = work;
    pthread_cond_signal(&round->more);
    pthread_mutex_unlock(&round->lock);
}

/* ---- the bridge ---- */

static void serve(struct round *round,
                  struct PyAwaitable_Completion *completion)
{
    while (completion) {
        struct PyAwaitable_Completion *next = completion->next;
        bool *woken = completion->awaiter;

        if (woken) {
            *woken = true;
            pthread_cond_broadcast(&round->woken_changed);
        }
        aw_completion_unref(completion);
        completion = next;
    }
}

static void *bridge(void *argument)
{
    struct round *round = argument;

    /* Acquire: partner of the store in run_round(). */
    while (!atomic_load_explicit(&round->stopping, memory_order_acquire)) {
        aw_eventfd_wait(round->bell, -1);
        aw_eventfd_clear(round->bell);
        pthread_mutex_lock(&round->gil);
        serve(round, aw_inbox_take(round->inbox));
        pthread_mutex_unlock(&round->gil);
    }
    return NULL;
}

/* ---- awaiting, with the GIL ---- */

/* Other threads have it for a while. */
static void give_way(struct round *round)
{
    pthread_mutex_unlock(&round->gil);
    for (uint32_t i = dice_below(&round->dice, 4); i > 0; i--)
        sched_yield();
    pthread_mutex_lock(&round->gil);
}

static void take(struct round *round, struct PyAwaitable_Completion *completion)
{
    CHECK(aw_completion_is_done(completion));
    CHECK(completion->full);
    CHECK(*(uint64_t *)completion->value == (uintptr_t)completion);
    round->taken++;
}

static void await_one(struct round *round)
{
    struct PyAwaitable_Completion *completion;
    bool woken = false, patient;

    CHECK(aw_completion_new(free_value, &completion) == 0);
    give(round, completion);
    patient = dice_below(&round->dice, 2) > 0;
    if (dice_below(&round->dice, 2) > 0)
        give_way(round);
    completion->awaiter = &woken;
    if (dice_below(&round->dice, 4) > 0 &&
        aw_completion_arm(completion, round->inbox)) {
        if (!patient)
            give_way(round);
        while (patient && !woken)
            pthread_cond_wait(&round->woken_changed, &round->gil);
    }
    if (aw_completion_is_done(completion))
        take(round, completion);
    completion->awaiter = NULL;
    aw_completion_leave(completion);
    round->ended++;
}

/* Armed when the bridge goes: they must only be freed. */
static void leave_armed(struct round *round,
                        struct PyAwaitable_Completion **left)
{
    for (int i = 0; i < LEFT; i++) {
        CHECK(aw_completion_new(free_value, &left[i]) == 0);
        CHECK(aw_completion_arm(left[i], round->inbox));
        give(round, left[i]);
    }
}

/* ---- a round ---- */

static void start(struct round *round, pthread_t *threads)
{
    CHECK(aw_inbox_new(round->bell, &round->inbox) == 0);
    CHECK(pthread_create(&threads[0], NULL, bridge, round) == 0);
    for (int i = 1; i <= COMPLETERS; i++)
        CHECK(pthread_create(&threads[i], NULL, complete, round) == 0);
}

/* The bridge ends and gives everything up, whoever still completes. */
static void end_bridge(struct round *round, pthread_t thread)
{
    /* Release: partner of the load in bridge(). */
    atomic_store_explicit(&round->stopping, true, memory_order_release);
    aw_eventfd_ring(round->bell);
    pthread_join(thread, NULL);
    serve(round, aw_inbox_close(round->inbox));
    aw_inbox_unref(round->inbox);
    aw_eventfd_close(round->bell);
}

static void end_completers(struct round *round, const pthread_t *threads)
{
    pthread_mutex_lock(&round->lock);
    round->no_more = true;
    pthread_cond_broadcast(&round->more);
    pthread_mutex_unlock(&round->lock);
    for (int i = 0; i < COMPLETERS; i++)
        pthread_join(threads[i], NULL);
}

static void run_round(uint64_t seed, uint64_t *taken)
{
    struct round round = {
        .gil = PTHREAD_MUTEX_INITIALIZER,
        .woken_changed = PTHREAD_COND_INITIALIZER,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .more = PTHREAD_COND_INITIALIZER,
        .bell = aw_eventfd_new(),
        .dice.state = seed,
    };
    struct PyAwaitable_Completion *left[LEFT];
    pthread_t threads[1 + COMPLETERS];

    start(&round, threads);
    pthread_mutex_lock(&round.gil);
    for (int i = 0; i < WAITS; i++)
        await_one(&round);
    leave_armed(&round, left);
    pthread_mutex_unlock(&round.gil);
    end_bridge(&round, threads[0]);
    for (int i = 0; i < LEFT; i++)
        aw_completion_leave(left[i]);
    end_completers(&round, threads + 1);
    CHECK(round.ended == WAITS);
    CHECK(atomic_load(&made) == atomic_load(&freed));
    *taken += round.taken;
}

int main(int argument_count, char **arguments)
{
    uint64_t rounds =
        argument_count > 1 ? strtoull(arguments[1], NULL, 0) : ROUNDS_DEFAULT;
    uint64_t seed = argument_count > 2 ? strtoull(arguments[2], NULL, 0)
                                       : aw_clock_realtime_ns();
    struct dice dice = {.state = seed};
    uint64_t taken = 0;

    fprintf(stderr, "stress_completion: %" PRIu64 " rounds, seed %" PRIu64 "\n",
            rounds, seed);
    for (uint64_t i = 0; i < rounds; i++)
        run_round(dice_roll(&dice), &taken);
    fprintf(stderr,
            "stress_completion: %lu completed, %" PRIu64 " taken, each freed "
            "once\n",
            atomic_load(&made), taken);
    CHECK(rounds == 0 || (taken > 0 && taken < atomic_load(&made)));
    return 0;
}
