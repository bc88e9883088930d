/* Events, hidden frames, the second descriptor and the status, as the reader
 * passes them on. */
#include <errno.h>

#include "devices/queue/eventfd.h"
#include "devices/reader.h"
#include "tests/support/device_support.h"

static struct aw_link_status status_of(const struct fake *fake)
{
    struct aw_link_status status;

    aw_device_status(fake->device, &status);
    return status;
}

/* ---- frames that are only read as echoes ---- */

static void test_hidden_frame_is_no_unit_of_the_stream(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive(fake, 1, 1);
    take_frame(fake, queue, 1);
    fake_receive_marked(fake, 2, AW_MARK_ECHO | AW_MARK_HIDDEN);
    fake_receive(fake, 3, 1);
    assert_int_equal(take_frame(fake, queue, 3).seq, 1);
    assert_int_equal(queue_stats(queue).received, 2);
    retire_queue(fake, queue);
}

static void test_hidden_frame_passes_on_what_was_lost(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);
    struct taken taken;

    fake_add(fake, 1, 3, NULL);
    fake->units[0].marks = AW_MARK_ECHO | AW_MARK_HIDDEN;
    fake_receive(fake, 2, 1);
    taken = take_frame(fake, queue, 2);
    assert_int_equal(taken.lost_before, 3);
    assert_int_equal(taken.seq, 3);
    assert_int_equal(queue_stats(queue).dropped_kernel, 3);
    retire_queue(fake, queue);
}

static void test_echo_that_is_not_hidden_is_delivered(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_queue(fake, "1", 8);

    fake_receive_marked(fake, 2, AW_MARK_ECHO);
    take_frame(fake, queue, 2);
    retire_queue(fake, queue);
}

/* ---- the second descriptor ---- */

/* What aux() is to do, for a fake whose aux_fd is an eventfd; under its lock.
 */
static struct {
    int result;
    uint32_t events;
    uint16_t limits[8];
    uint32_t calls;
} plan;

static int play_aux(struct aw_link *link, struct aw_batch *batch)
{
    struct fake *fake = link->state;
    int result;

    pthread_mutex_lock(&fake->lock);
    plan.limits[plan.calls++ % 8] = (uint16_t)batch->limit;
    while (plan.events > 0 && aw_batch_add_event(batch, AW_EVENT_BUS_STATE,
                                                 AW_BUS_OFF, plan.events, 0))
        plan.events--;
    if (plan.events == 0)
        aw_eventfd_clear(link->aux_fd);
    link->status.bus_state = AW_BUS_OFF;
    link->status.state = AW_LINK_DOWN;
    link->status.tx_errors = 256;
    result = plan.result;
    pthread_mutex_unlock(&fake->lock);
    return result;
}

/* There are so many events to be read, and then this result. */
static void ring_aux(struct fake *fake, uint32_t events, int result)
{
    pthread_mutex_lock(&fake->lock);
    plan.events = events;
    plan.result = result;
    pthread_mutex_unlock(&fake->lock);
    aw_eventfd_ring(fake->aux_fd);
}

static int set_up_aux(void **state)
{
    struct fake *fake = fake_new();

    memset(&plan, 0, sizeof(plan));
    fake->driver.aux = play_aux;
    fake->aux_fd = aw_eventfd_new();
    assert_true(fake->aux_fd >= 0);
    *state = fake;
    return 0;
}

static int tear_down_aux(void **state)
{
    struct fake *fake = *state;
    int aux_fd = fake->aux_fd;

    fake_free(fake);
    aw_eventfd_close(aux_fd);
    return 0;
}

#define TEST_AUX(test)                                                         \
    cmocka_unit_test_setup_teardown(test, set_up_aux, tear_down_aux)

static void test_aux_events_reach_queues_that_ask(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *events, *frames;
    struct taken taken;

    fake_open(fake);
    events = attach_event_queue(fake, "1");
    frames = attach_queue(fake, "2", 8);
    fake_receive(fake, 1, 1);
    take_frame(fake, events, 1);
    ring_aux(fake, 1, 0);
    taken = take_event(fake, events, AW_EVENT_BUS_STATE);
    assert_int_equal(taken.event.value, AW_BUS_OFF);
    assert_int_equal(taken.seq, 1);
    fake_receive(fake, 2, 1);
    assert_int_equal(take_frame(fake, events, 2).seq, 1);
    take_frame(fake, frames, 1);
    take_frame(fake, frames, 2);
    assert_int_equal(queue_stats(frames).received, 2);
    retire_queue(fake, events);
    retire_queue(fake, frames);
}

static void test_aux_changes_the_status(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake_open(fake);
    assert_int_equal(status_of(fake).state, AW_LINK_UP);
    queue = attach_event_queue(fake, "1");
    ring_aux(fake, 1, 0);
    take_event(fake, queue, AW_EVENT_BUS_STATE);
    go_round(fake);
    assert_int_equal(status_of(fake).state, AW_LINK_DOWN);
    assert_int_equal(status_of(fake).bus_state, AW_BUS_OFF);
    assert_int_equal(status_of(fake).tx_errors, 256);
    retire_queue(fake, queue);
}

static void test_aux_more_events_than_a_batch_all_come(void **state)
{
    struct fake *fake = *state;
    struct aw_queue_config config = {.name = "1",
                                     .device = "bench",
                                     .depth = 512,
                                     .payload_bytes = AW_PAYLOAD_CAN,
                                     .events = true};
    struct aw_queue *queue = NULL;

    fake_open(fake);
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    ring_aux(fake, AW_BATCH_FRAMES + 1, 0);
    wait_frames(fake, queue, AW_BATCH_FRAMES + 1);
    assert_int_equal(plan.limits[0], AW_BATCH_FRAMES);
    retire_queue(fake, queue);
}

static void test_aux_waits_for_a_blocking_queue_that_wants_events(void **state)
{
    struct fake *fake = *state;
    struct aw_queue_config config = {.name = "1",
                                     .device = "bench",
                                     .depth = 2,
                                     .payload_bytes = AW_PAYLOAD_CAN,
                                     .overflow = AW_OVERFLOW_BLOCK,
                                     .events = true};
    struct aw_queue *queue = NULL;

    fake_open(fake);
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    ring_aux(fake, 5, 0);
    for (int i = 0; i < 5; i++)
        take_event(fake, queue, AW_EVENT_BUS_STATE);
    assert_int_equal(queue_stats(queue).dropped_overflow, 0);
    retire_queue(fake, queue);
}

static void test_aux_failing_loses_the_device(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue;

    fake_open(fake);
    queue = attach_queue(fake, "1", 8);
    ring_aux(fake, 0, -ENODEV);
    wait_state(fake, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), ENODEV);
    assert_int_equal(plan.calls, 1);
    retire_queue(fake, queue);
}

static void test_aux_lets_what_waits_for_the_link_try_again(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_open(fake);
    fake_refuse(fake, -ENETDOWN, 1);
    parcel_init(&parcel, 3);
    parcel.send->wait = true;
    assert_int_equal(aw_device_send(fake->device, parcel.send), 0);
    ring_aux(fake, 0, 0);
    assert_int_equal(finish_parcel(&parcel), 0);
    assert_int_equal(fake->sent_id[0], 3);
}

/* ---- the status ---- */

static void test_status_is_what_open_said(void **state)
{
    struct fake *fake = *state;

    fake->status.bitrate = 500000;
    fake->status.state = AW_LINK_DOWN;
    fake->status.carrier = AW_CARRIER_NO;
    fake_open(fake);
    assert_int_equal(status_of(fake).bitrate, 500000);
    assert_int_equal(status_of(fake).state, AW_LINK_DOWN);
    assert_int_equal(status_of(fake).carrier, AW_CARRIER_NO);
}

/* The test is the reader: nobody can be woken by the batch before the status is
 * there. */
static void test_status_is_out_before_the_batch(void **state)
{
    struct aw_reader *reader =
        aligned_alloc(_Alignof(struct aw_reader), sizeof(*reader));

    (void)state;
    assert_non_null(reader);
    memset(reader, 0, sizeof(*reader));
    aw_role_assume(&aw_role_reader);
    reader->link.status.bus_state = AW_BUS_OFF;
    aw_reader_distribute(reader);
    assert_int_equal(reader->published.bus_state, AW_BUS_OFF);
    free(reader);
}

static void test_status_closed(void **state)
{
    struct fake *fake = *state;

    aw_device_close(fake->device);
    assert_int_equal(status_of(fake).state, AW_LINK_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OPEN(test_hidden_frame_is_no_unit_of_the_stream),
        TEST_OPEN(test_hidden_frame_passes_on_what_was_lost),
        TEST_OPEN(test_echo_that_is_not_hidden_is_delivered),
        TEST_AUX(test_aux_events_reach_queues_that_ask),
        TEST_AUX(test_aux_changes_the_status),
        TEST_AUX(test_aux_more_events_than_a_batch_all_come),
        TEST_AUX(test_aux_waits_for_a_blocking_queue_that_wants_events),
        TEST_AUX(test_aux_failing_loses_the_device),
        TEST_AUX(test_aux_lets_what_waits_for_the_link_try_again),
        TEST_UNOPENED(test_status_is_what_open_said),
        cmocka_unit_test(test_status_is_out_before_the_batch),
        TEST_OPEN(test_status_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
