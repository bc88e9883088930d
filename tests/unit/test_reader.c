/* The reader's thread, driven through a device whose driver the test plays. */
#include <errno.h>
#include <stdio.h>

#include "devices/queue/log.h"
#include "tests/support/device_support.h"

/* ---- starting ---- */

static void test_reader_starts_with_the_device(void **state)
{
    struct fake *fake = *state;

    fake_open(fake);
    fake_wait(fake, &fake->starts, 1);
    fake_receive(fake, 1, 1);
    fake_wait(fake, &fake->reads, 1);
}

static void test_reader_starts_with_the_first_queue_once(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first, *second;

    fake->start = AW_START_ATTACHED;
    fake_open(fake);
    fake_receive(fake, 1, 1);
    aw_device_release(fake->device);
    go_round(fake);
    assert_int_equal(fake_count(fake, &fake->starts), 0);
    assert_int_equal(fake_count(fake, &fake->reads), 0);
    first = attach_queue(fake, "1", 8);
    second = attach_queue(fake, "2", 8);
    take_frame(fake, first, 1);
    assert_int_equal(fake_count(fake, &fake->starts), 1);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static void test_reader_starts_when_released_once(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake->start = AW_START_RELEASED;
    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_receive(fake, 1, 1);
    go_round(fake);
    assert_int_equal(fake_count(fake, &fake->reads), 0);
    aw_device_release(fake->device);
    aw_device_release(fake->device);
    take_frame(fake, queue, 1);
    assert_int_equal(fake_count(fake, &fake->starts), 1);
    retire_queue(fake, queue);
}

static void test_reader_never_started_ends_without_reading(void **state)
{
    struct fake *fake = *state;

    fake->start = AW_START_RELEASED;
    fake_open(fake);
    fake_receive(fake, 1, 1);
    aw_device_close(fake->device);
    assert_int_equal(fake->reads, 0);
    assert_int_equal(fake->starts, 0);
}

/* ---- its thread ---- */

/* What the reader's thread looks like when it reads. */
static struct fake_thread look_at_reader(struct fake *fake)
{
    struct fake_thread thread;

    fake_receive(fake, 1, 1);
    fake_wait(fake, &fake->reads, 1);
    pthread_mutex_lock(&fake->lock);
    thread = fake->thread;
    pthread_mutex_unlock(&fake->lock);
    return thread;
}

/* A fault of its own, whose signal blocked would end all without a word. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
           number == SIGILL || number == SIGABRT;
}

static void test_reader_blocks_every_signal_but_its_faults(void **state)
{
    struct fake_thread thread = look_at_reader(*state);

    for (int number = 1; number < SIGRTMAX; number++) {
        /* The first two real-time signals are the C library's own. */
        if (number == SIGKILL || number == SIGSTOP ||
            (number >= 32 && number < SIGRTMIN))
            continue;
        if (sigismember(&thread.blocked, number) == is_fault(number))
            fail_msg("signal %d is not as it should be", number);
    }
}

static void test_reader_leaves_the_opener_its_signals(void **state)
{
    sigset_t blocked;

    (void)state;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_false(sigismember(&blocked, SIGTERM));
    assert_false(sigismember(&blocked, SIGINT));
}

static void test_reader_has_its_name_and_role(void **state)
{
    struct fake_thread thread = look_at_reader(*state);

    assert_string_equal(thread.name, "aw:bench");
    assert_int_equal(thread.role, AW_ROLE_READER);
}

static void test_reader_runs_where_cpus_says(void **state)
{
    struct fake *fake = *state;
    struct aw_value *cpus = &fake->config.common[AW_COMMON_CPUS];
    struct fake_thread thread;
    char text[16];
    int cpu = sched_getcpu();

    snprintf(text, sizeof(text), "%d", cpu);
    cpus->set = true;
    cpus->text = text;
    fake_open(fake);
    thread = look_at_reader(fake);
    assert_int_equal(CPU_COUNT(&thread.cpus), 1);
    assert_true(CPU_ISSET((size_t)cpu, &thread.cpus));
}

/* ---- frames ---- */

static void test_reader_numbers_frames_from_zero(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 10, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(take_frame(fake, queue, 10 + i).seq, i);
    retire_queue(fake, queue);
}

static void test_reader_numbers_frames_nobody_gets(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake_receive(fake, 1, 5);
    fake_wait(fake, &fake->reads, 1);
    queue = attach_queue(fake, "1", 8);
    fake_receive(fake, 6, 1);
    assert_int_equal(take_frame(fake, queue, 6).seq, 5);
    retire_queue(fake, queue);
}

static void test_reader_gives_each_queue_every_frame(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "1", 8);
    struct aw_queue *second = attach_queue(fake, "2", 8);

    fake_receive(fake, 1, 2);
    for (uint32_t id = 1; id <= 2; id++) {
        take_frame(fake, first, id);
        take_frame(fake, second, id);
    }
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static void test_reader_reads_on_beyond_one_batch(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 2048);
    struct aw_claim claim;

    fake_receive(fake, 0, 2000);
    wait_frames(fake, queue, 2000);
    assert_int_equal(aw_queue_claim(queue, 2000, &claim), 2000);
    for (uint32_t i = 0; i < 2000; i++)
        assert_int_equal(aw_queue_at(queue, &claim, i)->id, i);
    aw_queue_release(queue, &claim);
    retire_queue(fake, queue);
}

static void test_reader_wakes_once_for_a_batch(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 256);
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    assert_true(aw_queue_arm(queue, &waker));
    fake_receive(fake, 0, 100);
    assert_int_equal(
        aw_eventfd_wait(waker.fd, FAKE_DEADLINE_S * (int64_t)AW_NS_PER_S), 1);
    assert_int_equal(aw_queue_pending(queue), 100);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).wakes, 1);
    retire_queue(fake, queue);
    aw_waker_deinit(&waker);
}

static void test_reader_drops_what_a_full_queue_cannot_take(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *small = attach_queue(fake, "1", 2);
    struct aw_queue *large = attach_queue(fake, "2", 8);

    fake_receive(fake, 1, 5);
    wait_frames(fake, large, 5);
    assert_int_equal(queue_stats(small).dropped_overflow, 3);
    assert_int_equal(queue_stats(small).pending, 2);
    assert_int_equal(queue_stats(large).dropped_overflow, 0);
    retire_queue(fake, small);
    retire_queue(fake, large);
}

static void test_reader_keeps_a_senders_own_frame_from_it(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *senders = attach_queue(fake, "1", 8);
    struct aw_queue *others = make_queue("other", "1", 8);

    assert_int_equal(aw_device_attach(fake->device, others), 0);
    fake_add(fake, 1, 0, "script");
    fake_ring(fake);
    take_frame(fake, others, 1);
    fake_receive(fake, 2, 1);
    take_frame(fake, others, 2);
    take_frame(fake, senders, 2);
    assert_int_equal(queue_stats(senders).received, 1);
    retire_queue(fake, senders);
    retire_queue(fake, others);
}

static void test_reader_gives_frames_of_no_script_to_all(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = make_queue(NULL, "1", 8);

    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    fake_add(fake, 1, 0, "");
    fake_ring(fake);
    take_frame(fake, queue, 1);
    retire_queue(fake, queue);
}

/* ---- what the kernel lost ---- */

static void test_reader_places_losses_before_their_frame(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;
    struct taken frame;

    fake->driver.losses = NULL;
    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    fake_receive(fake, 1, 1);
    fake_receive_after(fake, 2, 5);
    assert_int_equal(take_frame(fake, queue, 1).lost_before, 0);
    frame = take_frame(fake, queue, 2);
    assert_int_equal(frame.lost_before, 5);
    assert_int_equal(frame.lost_cause, AW_LOSS_KERNEL);
    assert_int_equal(frame.seq, 6);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    assert_int_equal(queue_stats(queue).received, 7);
    retire_queue(fake, queue);
}

static void test_reader_losses_of_a_filtered_frame_go_to_the_next(void **state)
{
    struct fake *fake = *state;
    struct aw_filter only_2 = {.id = 2, .mask = 0x7ff};
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    assert_int_equal(aw_device_set_filters(fake->device, queue, &only_2, 1), 0);
    fake_lose(fake, 3);
    fake_receive_after(fake, 1, 3);
    fake_receive(fake, 2, 1);
    assert_int_equal(take_frame(fake, queue, 2).lost_before, 3);
    retire_queue(fake, queue);
}

/* The kernel's counter is read first, the frame that tells of it comes later:
 * charged once, and placed all the same. */
static void test_reader_losses_known_before_their_frame_count_once(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_lose(fake, 5);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    fake_receive_after(fake, 1, 5);
    assert_int_equal(take_frame(fake, queue, 1).lost_before, 5);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    retire_queue(fake, queue);
}

static void test_reader_losses_known_after_their_frame_count_once(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive_after(fake, 1, 5);
    assert_int_equal(take_frame(fake, queue, 1).lost_before, 5);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    fake_lose(fake, 5);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    retire_queue(fake, queue);
}

/* 5 known by the counter, then a frame that tells of 7. */
static void test_reader_losses_known_in_part_add_up(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_lose(fake, 5);
    aw_device_sync(fake->device);
    fake_lose(fake, 7);
    fake_receive_after(fake, 1, 7);
    assert_int_equal(take_frame(fake, queue, 1).lost_before, 7);
    assert_int_equal(queue_stats(queue).dropped_kernel, 7);
    retire_queue(fake, queue);
}

static void test_reader_losses_before_attach_are_not_charged(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake_lose(fake, 5);
    queue = attach_queue(fake, "1", 8);
    fake_receive_after(fake, 1, 5);
    assert_int_equal(take_frame(fake, queue, 1).lost_before, 0);
    assert_int_equal(queue_stats(queue).dropped_kernel, 0);
    retire_queue(fake, queue);
}

/* Lost: 5 while only the first queue was there, then 2 for both; the next frame
 * tells of 7. */
static void test_reader_losses_around_attach_are_split(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *first = attach_queue(fake, "1", 8), *second;

    fake_lose(fake, 5);
    second = attach_queue(fake, "2", 8);
    fake_lose(fake, 7);
    fake_receive_after(fake, 1, 7);
    assert_int_equal(take_frame(fake, first, 1).lost_before, 7);
    assert_int_equal(take_frame(fake, second, 1).lost_before, 2);
    assert_int_equal(queue_stats(first).dropped_kernel, 7);
    assert_int_equal(queue_stats(second).dropped_kernel, 2);
    retire_queue(fake, first);
    retire_queue(fake, second);
}

static void test_reader_losses_at_detach_are_charged(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_lose(fake, 4);
    aw_device_detach(fake->device, queue);
    fake_lose(fake, 9);
    aw_device_sync(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 4);
    retire_queue(fake, queue);
}

static void test_reader_losses_at_the_stop_are_charged(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_lose(fake, 4);
    aw_device_close(fake->device);
    assert_int_equal(queue_stats(queue).dropped_kernel, 4);
    retire_queue(fake, queue);
}

/* ---- the end ---- */

static void test_reader_end_comes_behind_the_last_frame(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 3);
    fake_end(fake, 0);
    wait_state(fake, queue, AW_QUEUE_END);
    assert_int_equal(aw_queue_pending(queue), 3);
    retire_queue(fake, queue);
}

static void test_reader_end_wakes_a_waiter(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, false), 0);
    assert_true(aw_queue_arm(queue, &waker));
    fake_end(fake, 0);
    assert_int_equal(
        aw_eventfd_wait(waker.fd, FAKE_DEADLINE_S * (int64_t)AW_NS_PER_S), 1);
    retire_queue(fake, queue);
    aw_waker_deinit(&waker);
}

static void test_reader_ended_reads_no_more(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    uint32_t reads;

    fake_end(fake, 0);
    wait_state(fake, queue, AW_QUEUE_END);
    reads = fake_count(fake, &fake->reads);
    fake_receive(fake, 1, 1);
    go_round(fake);
    aw_device_close(fake->device);
    assert_int_equal(fake->reads, reads);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_END);
    retire_queue(fake, queue);
}

static void test_reader_lost_device_tells_why(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 2);
    fake_end(fake, ENETDOWN);
    wait_state(fake, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), ENETDOWN);
    assert_int_equal(aw_queue_pending(queue), 2);
    retire_queue(fake, queue);
}

static void test_reader_lost_device_is_let_alone(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_end(fake, EIO);
    wait_state(fake, queue, AW_QUEUE_LOST);
    fake_ring(fake);
    fake_lose(fake, 9);
    aw_device_close(fake->device);
    assert_int_equal(fake->reads, 1);
    assert_int_equal(queue_stats(queue).dropped_kernel, 0);
    retire_queue(fake, queue);
}

/* Failed before a loss was followed by a look at what waits: it waited for its
 * deadline. */
static void test_reader_lost_device_fails_what_waits_to_be_sent(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    fake_wait(fake, &fake->attempts, 1);
    fake_end(fake, EIO);
    assert_int_equal(finish_parcel(&parcel), -EIO);
    assert_int_equal(send_stats(fake).failed, 1);
}

/* ---- paced devices ---- */

static void test_reader_paced_waits_for_room(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake->paced = true;
    fake_open(fake);
    queue = attach_queue(fake, "1", 4);
    fake_receive(fake, 0, 100);
    for (uint32_t i = 0; i < 100; i++) {
        wait_frames(fake, queue, 1);
        assert_in_range(aw_queue_pending(queue), 1, 4);
        take_frame(fake, queue, i);
    }
    assert_int_equal(queue_stats(queue).received, 100);
    assert_int_equal(queue_stats(queue).dropped_overflow, 0);
    retire_queue(fake, queue);
}

static void test_reader_paced_goes_by_the_fullest_queue(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *small, *large;

    fake->paced = true;
    fake_open(fake);
    small = attach_queue(fake, "1", 2);
    large = attach_queue(fake, "2", 64);
    fake_receive(fake, 0, 10);
    wait_frames(fake, small, 2);
    assert_int_equal(aw_queue_pending(large), 2);
    take_frame(fake, small, 0);
    wait_frames(fake, large, 3);
    assert_int_equal(aw_queue_pending(large), 3);
    retire_queue(fake, small);
    wait_frames(fake, large, 10);
    assert_int_equal(queue_stats(large).dropped_overflow, 0);
    retire_queue(fake, large);
}

static void test_reader_paced_reads_nothing_while_nobody_listens(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake->paced = true;
    fake_open(fake);
    fake_receive(fake, 1, 2);
    go_round(fake);
    assert_int_equal(fake_count(fake, &fake->reads), 0);
    queue = attach_queue(fake, "1", 8);
    take_frame(fake, queue, 1);
    take_frame(fake, queue, 2);
    retire_queue(fake, queue);
}

static void test_reader_paced_stops_while_a_queue_is_full(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake->paced = true;
    fake_open(fake);
    queue = attach_queue(fake, "1", 2);
    fake_receive(fake, 0, 10);
    wait_frames(fake, queue, 2);
    aw_device_close(fake->device);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_STOPPED);
    assert_int_equal(queue_stats(queue).received, 2);
    retire_queue(fake, queue);
}

/* ---- sending ---- */

static void test_reader_sends_in_order(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[10];

    for (uint32_t i = 0; i < 10; i++)
        post_parcel(fake, &parcels[i], 100 + i);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(finish_parcel(&parcels[i]), 0);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(fake->sent_id[i], 100 + i);
    assert_int_equal(send_stats(fake).sent, 10);
}

static void test_reader_eagain_waits_for_the_device(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    fake_wait(fake, &fake->attempts, 1);
    fake_unblock(fake);
    assert_int_equal(finish_parcel(&parcel), 0);
}

static void test_reader_reads_while_a_frame_waits_to_be_sent(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct parcel parcel;

    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    fake_wait(fake, &fake->attempts, 1);
    fake_receive(fake, 5, 2);
    take_frame(fake, queue, 5);
    take_frame(fake, queue, 6);
    assert_int_equal(send_stats(fake).pending, 1);
    fake_unblock(fake);
    assert_int_equal(finish_parcel(&parcel), 0);
    retire_queue(fake, queue);
}

static void test_reader_enobufs_is_tried_again(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_refuse(fake, -ENOBUFS, 5);
    post_parcel(fake, &parcel, 1);
    assert_int_equal(finish_parcel(&parcel), 0);
    assert_int_equal(fake->attempts, 6);
}

static void check_times_out(struct fake *fake, int answer)
{
    struct parcel parcel;

    fake->config.common[AW_COMMON_SEND_TIMEOUT].number = 0.02;
    fake_open(fake);
    fake_block(fake);
    fake_refuse(fake, answer, UINT32_MAX);
    post_parcel(fake, &parcel, 1);
    assert_int_equal(finish_parcel(&parcel), -ETIMEDOUT);
    assert_int_equal(send_stats(fake).timed_out, 1);
}

static void test_reader_eagain_times_out(void **state)
{
    check_times_out(*state, -EAGAIN);
}

static void test_reader_enobufs_times_out(void **state)
{
    check_times_out(*state, -ENOBUFS);
}

static void test_reader_error_fails_the_frame_and_goes_on(void **state)
{
    struct fake *fake = *state;
    struct parcel first, second;

    fake_refuse(fake, -EINVAL, 1);
    post_parcel(fake, &first, 1);
    assert_int_equal(finish_parcel(&first), -EINVAL);
    post_parcel(fake, &second, 2);
    assert_int_equal(finish_parcel(&second), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_UNOPENED(test_reader_starts_with_the_device),
        TEST_UNOPENED(test_reader_starts_with_the_first_queue_once),
        TEST_UNOPENED(test_reader_starts_when_released_once),
        TEST_UNOPENED(test_reader_never_started_ends_without_reading),
        TEST_OPEN(test_reader_blocks_every_signal_but_its_faults),
        TEST_OPEN(test_reader_leaves_the_opener_its_signals),
        TEST_OPEN(test_reader_has_its_name_and_role),
        TEST_UNOPENED(test_reader_runs_where_cpus_says),
        TEST_OPEN(test_reader_numbers_frames_from_zero),
        TEST_OPEN(test_reader_numbers_frames_nobody_gets),
        TEST_OPEN(test_reader_gives_each_queue_every_frame),
        TEST_OPEN(test_reader_reads_on_beyond_one_batch),
        TEST_OPEN(test_reader_wakes_once_for_a_batch),
        TEST_OPEN(test_reader_drops_what_a_full_queue_cannot_take),
        TEST_OPEN(test_reader_keeps_a_senders_own_frame_from_it),
        TEST_OPEN(test_reader_gives_frames_of_no_script_to_all),
        TEST_UNOPENED(test_reader_places_losses_before_their_frame),
        TEST_OPEN(test_reader_losses_of_a_filtered_frame_go_to_the_next),
        TEST_OPEN(test_reader_losses_known_before_their_frame_count_once),
        TEST_OPEN(test_reader_losses_known_after_their_frame_count_once),
        TEST_OPEN(test_reader_losses_known_in_part_add_up),
        TEST_OPEN(test_reader_losses_before_attach_are_not_charged),
        TEST_OPEN(test_reader_losses_around_attach_are_split),
        TEST_OPEN(test_reader_losses_at_detach_are_charged),
        TEST_OPEN(test_reader_losses_at_the_stop_are_charged),
        TEST_OPEN(test_reader_end_comes_behind_the_last_frame),
        TEST_OPEN(test_reader_end_wakes_a_waiter),
        TEST_OPEN(test_reader_ended_reads_no_more),
        TEST_OPEN(test_reader_lost_device_tells_why),
        TEST_OPEN(test_reader_lost_device_is_let_alone),
        TEST_OPEN(test_reader_lost_device_fails_what_waits_to_be_sent),
        TEST_UNOPENED(test_reader_paced_waits_for_room),
        TEST_UNOPENED(test_reader_paced_goes_by_the_fullest_queue),
        TEST_UNOPENED(test_reader_paced_reads_nothing_while_nobody_listens),
        TEST_UNOPENED(test_reader_paced_stops_while_a_queue_is_full),
        TEST_OPEN(test_reader_sends_in_order),
        TEST_OPEN(test_reader_eagain_waits_for_the_device),
        TEST_OPEN(test_reader_reads_while_a_frame_waits_to_be_sent),
        TEST_OPEN(test_reader_enobufs_is_tried_again),
        TEST_UNOPENED(test_reader_eagain_times_out),
        TEST_UNOPENED(test_reader_enobufs_times_out),
        TEST_OPEN(test_reader_error_fails_the_frame_and_goes_on),
    };

    aw_log_limit(AW_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
