/* How a device ends, and what becomes of what was sent just before. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/queue/log.h"
#include "tests/support/device_support.h"

/* ---- sending and closing ---- */

static void test_device_send_where_nothing_can_be_sent_fails(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake->driver.send = NULL;
    fake_open(fake);
    parcel_init(&parcel, 1);
    assert_int_equal(aw_device_send(fake->device, parcel.send), -EOPNOTSUPP);
    assert_int_equal(parcel.dones, 0);
    parcel_deinit(&parcel);
}

static void test_device_send_after_close_fails(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    aw_device_close(fake->device);
    parcel_init(&parcel, 1);
    assert_int_equal(aw_device_send(fake->device, parcel.send), -ENODEV);
    assert_int_equal(parcel.dones, 0);
    parcel_deinit(&parcel);
}

static void test_device_close_sends_what_was_accepted_before(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[50];

    for (uint32_t i = 0; i < 50; i++)
        post_parcel(fake, &parcels[i], i);
    aw_device_close(fake->device);
    assert_int_equal(fake->sent, 50);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(finish_parcel(&parcels[i]), 0);
}

static void test_device_close_waits_for_sends_up_to_their_timeout(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake->config.common[AW_COMMON_SEND_TIMEOUT].number = 0.02;
    fake_open(fake);
    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    aw_device_close(fake->device);
    assert_int_equal(finish_parcel(&parcel), -ETIMEDOUT);
    assert_int_equal(send_stats(fake).timed_out, 1);
    assert_int_equal(send_stats(fake).pending, 0);
}

static void *close_device(void *argument)
{
    struct fake *fake = argument;

    aw_device_close(fake->device);
    return NULL;
}

/* A close that cannot end, as its first frame waits for the device, and the
 * frames that were accepted until it began: it may take its thread some time to
 * be run at all, but not as long as the first frame waits. */
#define STUCK_MAX 900
#define PAUSE_MS  10

struct stuck {
    pthread_t closer;
    struct parcel parcels[STUCK_MAX];
    uint32_t accepted;
};

/* Returns once the device has begun to close: it refuses to send. */
static struct stuck *start_stuck_close(struct fake *fake)
{
    struct stuck *stuck = calloc(1, sizeof(*stuck));

    assert_non_null(stuck);
    fake_block(fake);
    post_parcel(fake, &stuck->parcels[0], 0);
    assert_int_equal(pthread_create(&stuck->closer, NULL, close_device, fake),
                     0);
    for (uint32_t i = 1; i < STUCK_MAX; i++) {
        struct parcel *parcel = &stuck->parcels[i];

        parcel_init(parcel, i);
        if (aw_device_send(fake->device, parcel->send) < 0) {
            parcel_deinit(parcel);
            stuck->accepted = i;
            return stuck;
        }
        poll(NULL, 0, PAUSE_MS);
    }
    fail_msg("sends are accepted for ever");
    return NULL;
}

/* Lets it end. Everything that was accepted must have been sent. */
static void end_stuck_close(struct fake *fake, struct stuck *stuck)
{
    fake_unblock(fake);
    for (uint32_t i = 0; i < stuck->accepted; i++)
        assert_int_equal(finish_parcel(&stuck->parcels[i]), 0);
    pthread_join(stuck->closer, NULL);
    assert_int_equal(fake->sent, stuck->accepted);
    free(stuck);
}

/* Failed while frames were taken to the last: a script that kept sending kept
 * the device from closing. */
static void test_device_closing_accepts_no_more_sends(void **state)
{
    struct fake *fake = *state;
    struct stuck *stuck = start_stuck_close(fake);

    assert_false(aw_device_closed(fake->device));
    end_stuck_close(fake, stuck);
    assert_true(aw_device_closed(fake->device));
}

static void test_device_closing_serves_requests_until_it_is_closed(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct stuck *stuck = start_stuck_close(fake);

    fake_receive(fake, 1, 1);
    take_frame(fake, queue, 1);
    aw_device_detach(fake->device, queue);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_CLOSED);
    end_stuck_close(fake, stuck);
    retire_queue(fake, queue);
}

static void test_device_close_stops_queues_which_keep_their_frames(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 3);
    wait_frames(fake, queue, 3);
    aw_device_close(fake->device);
    assert_true(aw_device_closed(fake->device));
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_STOPPED);
    take_frame(fake, queue, 1);
    retire_queue(fake, queue);
}

/* Not rung for: the reader learns of them by its last look only. */
static void test_device_close_reads_what_the_kernel_has(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_add(fake, 1, 0, NULL);
    fake_add(fake, 2, 0, NULL);
    aw_device_close(fake->device);
    assert_int_equal(queue_stats(queue).received, 2);
    assert_int_equal(aw_queue_pending(queue), 2);
    retire_queue(fake, queue);
}

static void test_device_close_wakes_a_waiter(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    assert_true(aw_queue_arm(queue, &waker));
    aw_device_close(fake->device);
    assert_true(aw_eventfd_clear(waker.fd));
    retire_queue(fake, queue);
    aw_waker_deinit(&waker);
}

static void test_device_close_twice_closes_the_driver_once(void **state)
{
    struct fake *fake = *state;

    aw_device_close(fake->device);
    aw_device_close(fake->device);
    assert_int_equal(fake->closes, 1);
}

static void test_device_two_closers_both_find_it_closed(void **state)
{
    struct fake *fake = *state;
    struct stuck *stuck = start_stuck_close(fake);
    pthread_t second;

    assert_int_equal(pthread_create(&second, NULL, close_device, fake), 0);
    fake_unblock(fake);
    pthread_join(second, NULL);
    assert_true(aw_device_closed(fake->device));
    end_stuck_close(fake, stuck);
    assert_int_equal(fake->closes, 1);
}

static void test_device_closed_answers_every_request(void **state)
{
    struct fake *fake = *state;

    aw_device_close(fake->device);
    aw_device_sync(fake->device);
    aw_device_release(fake->device);
    assert_int_equal(fake->starts, 1);
}

/* ---- many threads, while the device closes ---- */

#define THREADS   3
#define PER_ROUND 200

/* Attaches, filters, sends and retires until the device is closed. */
struct user {
    struct fake *fake;
    pthread_t thread;
    char name[8];
    struct parcel parcels[PER_ROUND];
    uint32_t accepted;
    int failures;
};

static void use_once(struct user *user, uint32_t i)
{
    struct aw_device *device = user->fake->device;
    struct aw_queue *queue = make_queue(user->name, "1", 8);
    struct aw_stats stats;
    int result = aw_device_attach(device, queue);

    parcel_init(&user->parcels[i], i);
    user->parcels[i].result = 1;
    if (aw_device_send(device, user->parcels[i].send) == 0)
        user->accepted++;
    else
        user->parcels[i].result = -ENODEV;
    if (result == 0) {
        (void)aw_device_set_filters(device, queue, NULL, 0);
        aw_device_retire(device, queue);
    }
    user->failures += result != 0 && result != -ENODEV;
    user->failures += aw_queue_stats(queue, &stats) != 0;
    user->failures += !aw_stats_exact(&stats);
    aw_queue_unref(queue);
}

static void *use_device(void *argument)
{
    struct user *user = argument;

    for (uint32_t i = 0; i < PER_ROUND; i++)
        use_once(user, i);
    return NULL;
}

static void start_users(struct fake *fake, struct user *users)
{
    for (int i = 0; i < THREADS; i++) {
        users[i].fake = fake;
        snprintf(users[i].name, sizeof(users[i].name), "%d", i);
        assert_int_equal(
            pthread_create(&users[i].thread, NULL, use_device, &users[i]), 0);
    }
}

/* Every frame that was accepted is done once, the others never. */
static uint32_t join_user(struct user *user)
{
    uint32_t dones = 0;

    pthread_join(user->thread, NULL);
    for (uint32_t i = 0; i < PER_ROUND; i++) {
        struct parcel *parcel = &user->parcels[i];

        assert_true(parcel->result <= 0);
        assert_int_equal(parcel->dones, parcel->result == 0);
        dones += parcel->dones;
        parcel_deinit(parcel);
    }
    assert_int_equal(user->failures, 0);
    assert_int_equal(user->accepted, dones);
    return dones;
}

static void test_device_closed_under_load_accounts_for_all(void **state)
{
    struct fake *fake = *state;
    struct user *users = calloc(THREADS, sizeof(*users));
    uint32_t dones = 0;

    assert_non_null(users);
    start_users(fake, users);
    fake_receive(fake, 0, 1000);
    fake_wait(fake, &fake->sent, PER_ROUND / 2);
    aw_device_close(fake->device);
    for (int i = 0; i < THREADS; i++)
        dones += join_user(&users[i]);
    free(users);
    assert_int_equal(fake->sent, dones);
    assert_int_equal(send_stats(fake).sent, dones);
    assert_int_equal(send_stats(fake).pending, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_device_send_where_nothing_can_be_sent_fails),
        TEST_OPEN(test_device_send_after_close_fails),
        TEST_OPEN(test_device_close_sends_what_was_accepted_before),
        TEST_UNOPENED(test_device_close_waits_for_sends_up_to_their_timeout),
        TEST_OPEN(test_device_closing_accepts_no_more_sends),
        TEST_OPEN(test_device_closing_serves_requests_until_it_is_closed),
        TEST_OPEN(test_device_close_stops_queues_which_keep_their_frames),
        TEST_OPEN(test_device_close_reads_what_the_kernel_has),
        TEST_OPEN(test_device_close_wakes_a_waiter),
        TEST_OPEN(test_device_close_twice_closes_the_driver_once),
        TEST_OPEN(test_device_two_closers_both_find_it_closed),
        TEST_OPEN(test_device_closed_answers_every_request),
        TEST_OPEN(test_device_closed_under_load_accounts_for_all),
    };

    aw_log_limit(AW_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
