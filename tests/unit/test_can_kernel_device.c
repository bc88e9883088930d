/* The driver `can` under its reader, against the kernel's: what a script meets
 * of confirmations, links that are down, loss and return, and floods. */
#include "slcan.h"

#include "devices/can_find.h"
#include "tests/support/device_support.h"

#define FLOOD    50000u
#define NONSENSE 5000u

/* The tests' helpers want a device's place; it is not a fake here. */
static struct fake bench;

static void open_device(const char *text)
{
    struct aw_device_config *config;
    struct aw_error error;

    if (aw_device_config_parse(text, &config, &error) < 0 ||
        aw_device_open(config, &bench.device, &error) < 0)
        fail_msg("%s", error.text);
    aw_device_config_free(config);
}

static void close_device(void)
{
    aw_device_unref(bench.device);
    bench.device = NULL;
}

static struct aw_link_status status(void)
{
    struct aw_link_status now;

    aw_device_status(bench.device, &now);
    return now;
}

/* Takes frames and events until one has this id. */
static void pass_until(struct aw_queue *queue, uint32_t id)
{
    uint32_t next;

    do {
        struct aw_claim claim;

        wait_frames(&bench, queue, 1);
        assert_int_equal(aw_queue_claim(queue, 1, &claim), 1);
        next = aw_queue_at(queue, &claim, 0)->id;
        aw_queue_release(queue, &claim);
    } while (next != id);
}

/* ---- confirmed ---- */

static void test_can_device_confirms_with_the_time_on_the_wire(void **state)
{
    struct aw_queue *queue;
    struct parcel parcel;
    uint64_t began_ns = aw_clock_realtime_ns();
    int peer;

    (void)state;
    want_guest();
    open_device("bench=can:" CAN_NAME ",fd=no");
    queue = attach_queue(&bench, "q", 64);
    peer = peer_open(CAN_NAME);
    peer_send(peer, 0x100, 0);
    assert_int_equal(take_frame(&bench, queue, 0x100).seq, 0);
    parcel_init(&parcel, 0x123);
    parcel.send->confirm = true;
    assert_int_equal(aw_device_send(bench.device, parcel.send), 0);
    sem_wait(&parcel.done);
    assert_int_equal(parcel.result, 0);
    assert_in_range(parcel.send->timestamp_ns, began_ns,
                    aw_clock_realtime_ns());
    assert_int_equal(parcel.send->stamp, AW_STAMP_KERNEL);
    parcel_deinit(&parcel);
    /* The echo was nobody's frame. */
    peer_send(peer, 0x101, 0);
    assert_int_equal(take_frame(&bench, queue, 0x101).seq, 1);
    assert_int_equal(send_stats(&bench).sent, 1);
    close(peer);
    retire_queue(&bench, queue);
    close_device();
}

/* ---- down ---- */

static void test_can_device_that_is_down_fails_at_once_or_waits(void **state)
{
    struct parcel parcel, patient;

    (void)state;
    want_guest();
    open_device("bench=can:" CAN_NAME ",fd=no");
    ip("link set " CAN_NAME " down");
    post_parcel(&bench, &parcel, 0x123);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
    parcel_init(&patient, 0x124);
    patient.send->wait = true;
    patient.send->timeout_ns = UINT64_MAX;
    assert_int_equal(aw_device_send(bench.device, patient.send), 0);
    post_parcel(&bench, &parcel, 0x125);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
    assert_int_equal(patient.dones, 0);
    ip("link set " CAN_NAME " up");
    assert_int_equal(finish_parcel(&patient), 0);
    assert_int_equal(send_stats(&bench).failed, 2);
    close_device();
}

static void test_can_device_bus_off_is_an_event_and_a_refusal(void **state)
{
    struct aw_queue *queue;
    struct parcel parcel;
    struct taken taken;
    int peer;

    (void)state;
    want_guest();
    open_device("bench=can:" CAN_NAME ",fd=no");
    queue = attach_event_queue(&bench, "q");
    peer = peer_open(CAN_NAME);
    peer_send_error(peer, CAN_ERR_BUSOFF, 0, 0, 0);
    (void)take_frame(&bench, queue, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    taken = take_event(&bench, queue, AW_EVENT_BUS_STATE);
    assert_int_equal(taken.event.value, AW_BUS_OFF);
    (void)take_event(&bench, queue, AW_EVENT_LINK_DOWN);
    assert_int_equal(status().bus_state, AW_BUS_OFF);
    post_parcel(&bench, &parcel, 0x123);
    assert_int_equal(finish_parcel(&parcel), -ENETDOWN);
    close(peer);
    retire_queue(&bench, queue);
    close_device();
}

static void
test_can_device_full_queue_is_waited_out_and_then_timed_out(void **state)
{
    struct parcel parcels[64];
    unsigned sent = 0, timed_out = 0;
    struct slcan *slcan;
    char text[64];

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "txqueuelen 4 up");
    snprintf(text, sizeof(text), "bench=can:%s,send_timeout_s=0.2",
             slcan->name);
    open_device(text);
    slcan_halt(slcan);
    do {
        for (size_t i = 0; i < 64; i++)
            post_parcel(&bench, &parcels[i], 0x123);
        for (size_t i = 0; i < 64; i++) {
            int result = finish_parcel(&parcels[i]);

            sent += result == 0;
            timed_out += result == -ETIMEDOUT;
        }
        assert_true(sent < 10000);
    } while (timed_out == 0);
    assert_int_equal(send_stats(&bench).sent, sent);
    assert_int_equal(send_stats(&bench).timed_out, timed_out);
    slcan_go_on(slcan);
    /* With time for the whole queue before it. */
    parcel_init(&parcels[0], 0x123);
    parcels[0].send->timeout_ns = FAKE_DEADLINE_S * AW_NS_PER_S;
    assert_int_equal(aw_device_send(bench.device, parcels[0].send), 0);
    assert_int_equal(finish_parcel(&parcels[0]), 0);
    close_device();
    slcan_close(slcan);
}

/* ---- away ---- */

static void test_can_device_that_returns_is_filtered_as_before(void **state)
{
    const struct aw_filter filter = {0x100, 0x7FF, false};
    struct aw_queue *queue;
    int peer;

    (void)state;
    want_guest();
    open_device("bench=can:" CAN_NAME ",fd=no,on_loss=wait");
    queue = attach_event_queue(&bench, "q");
    assert_int_equal(aw_device_set_filters(bench.device, queue, &filter, 1), 0);
    assert_int_equal(status().kernel_filter, 1);
    ip("link delete " CAN_NAME);
    /* Going, it may be seen to be down. */
    pass_until(queue, AW_EVENT_LOST);
    ip("link add " CAN_NAME " type vcan");
    ip("link set " CAN_NAME " up");
    (void)take_event(&bench, queue, AW_EVENT_BACK);
    go_round(&bench);
    assert_int_equal(status().reopened, 1);
    assert_int_equal(status().kernel_filter, 1);
    peer = peer_open(CAN_NAME);
    peer_send(peer, 0x101, 0);
    peer_send(peer, 0x100, 0);
    /* Its link may come up only now. */
    pass_until(queue, 0x100);
    assert_int_equal(queue_stats(queue).filtered, 0);
    close(peer);
    retire_queue(&bench, queue);
    close_device();
}

static void
test_can_device_unplugged_while_sending_settles_every_frame(void **state)
{
    struct parcel parcels[200];
    struct slcan *slcan;
    struct aw_queue *queue;
    char text[64];

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "txqueuelen 4 up");
    snprintf(text, sizeof(text), "bench=can:%s", slcan->name);
    open_device(text);
    queue = attach_queue(&bench, "q", 64);
    slcan_halt(slcan);
    for (size_t i = 0; i < 200; i++)
        post_parcel(&bench, &parcels[i], 0x123);
    slcan_go_on(slcan);
    slcan_close(slcan);
    for (size_t i = 0; i < 200; i++)
        (void)finish_parcel(&parcels[i]);
    wait_state(&bench, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), ENODEV);
    assert_int_equal(send_stats(&bench).submitted, 200);
    assert_int_equal(send_stats(&bench).pending, 0);
    retire_queue(&bench, queue);
    close_device();
}

/* ---- a flood, and nonsense ---- */

/* Ids with any flags, lengths that they do not go with, and data at random. */
static void test_can_device_takes_any_nonsense_of_the_bus(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    struct aw_queue *queue;
    struct aw_stats stats;
    int peer;

    (void)state;
    want_guest();
    print_message("seed %u\n", seed);
    open_device("bench=can:" CAN_NAME ",fd=no,kernel_filter=off");
    queue = attach_event_queue(&bench, "q");
    peer = peer_open(CAN_NAME);
    for (uint32_t i = 0; i < NONSENSE; i++) {
        struct can_frame frame = {.can_id = (uint32_t)rand_r(&seed) * 2,
                                  .len = (uint8_t)(rand_r(&seed) % 9),
                                  .len8_dlc = (uint8_t)rand_r(&seed)};

        for (size_t j = 0; j < sizeof(frame.data); j++)
            frame.data[j] = (uint8_t)rand_r(&seed);
        assert_int_equal(write(peer, &frame, sizeof(frame)), sizeof(frame));
    }
    do {
        /* What the kernel lost at the end is told to who asks. */
        aw_device_sync(bench.device);
        stats = queue_stats(queue);
    } while (stats.received < NONSENSE);
    assert_int_equal(aw_queue_state(queue), AW_QUEUE_OPEN);
    close(peer);
    retire_queue(&bench, queue);
    close_device();
}

/* One of seconds, beside a real script, is in tests/guest/test_floods.py. */
static void
test_can_device_flood_beside_a_stalled_script_is_accounted(void **state)
{
    struct aw_queue *stalled, *narrow;
    struct aw_stats stats;
    int peer;

    (void)state;
    want_guest();
    open_device("bench=can:" CAN_NAME ",fd=no,kernel_filter=off");
    stalled = attach_queue(&bench, "stalled", 100);
    narrow = attach_queue(&bench, "narrow", FLOOD);
    assert_int_equal(
        aw_device_set_filters(bench.device, narrow,
                              &(const struct aw_filter){0x7, 0x7, false}, 1),
        0);
    peer = peer_open(CAN_NAME);
    for (uint32_t i = 0; i < FLOOD; i++)
        peer_send(peer, i & 0x7FF, (uint8_t)(i % 9));
    do {
        aw_device_sync(bench.device);
        stats = queue_stats(stalled);
    } while (stats.received < FLOOD);
    assert_int_equal(stats.received, FLOOD);
    assert_int_equal(stats.pending, 100);
    assert_int_equal(stats.dropped_overflow + stats.dropped_kernel,
                     FLOOD - 100);
    stats = queue_stats(narrow);
    assert_int_equal(stats.pending + stats.filtered + stats.dropped_kernel,
                     FLOOD);
    if (stats.dropped_kernel == 0)
        assert_int_equal(stats.pending, FLOOD / 8);
    close(peer);
    retire_queue(&bench, stalled);
    retire_queue(&bench, narrow);
    close_device();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAN_TEST(test_can_device_confirms_with_the_time_on_the_wire),
        CAN_TEST(test_can_device_that_is_down_fails_at_once_or_waits),
        CAN_TEST(test_can_device_bus_off_is_an_event_and_a_refusal),
        CAN_TEST(test_can_device_full_queue_is_waited_out_and_then_timed_out),
        CAN_TEST(test_can_device_that_returns_is_filtered_as_before),
        CAN_TEST(test_can_device_unplugged_while_sending_settles_every_frame),
        CAN_TEST(test_can_device_takes_any_nonsense_of_the_bus),
        CAN_TEST(test_can_device_flood_beside_a_stalled_script_is_accounted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
