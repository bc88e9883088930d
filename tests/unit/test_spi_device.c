/* The driver `spi` behind its reader: ledger, order, loss and return. */
#include <errno.h>

#include "devices/queue/clock.h"
#include "tests/support/device_support.h"
#include "tests/support/fake_chardev.h"

#define EDGES "adc=spi:/dev/spidev0.0,sample=80,sample_bytes=6,data_ready=ready"

/* Of a fake device only what the helpers for queues and frames look at. */
static struct fake *open_spi(const char *text)
{
    struct fake *rig = calloc(1, sizeof(*rig));
    struct aw_device_config *config;
    struct aw_error error;

    assert_non_null(rig);
    fake_chardev_reset();
    if (aw_device_config_parse(text, &config, &error) < 0 ||
        aw_device_open(config, &rig->device, &error) < 0)
        fail_msg("%s", error.text);
    aw_device_config_free(config);
    return rig;
}

static void close_spi(struct fake *rig)
{
    aw_device_unref(rig->device);
    free(rig);
}

static struct aw_link_status status_of(const struct fake *rig)
{
    struct aw_link_status status;

    aw_device_status(rig->device, &status);
    return status;
}

static void test_spi_missed_edges_are_in_the_ledger(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_queue(rig, "1", 64);
    struct taken taken;

    (void)state;
    fake_chardev_edge(1000, 0);
    fake_chardev_edge(2000, 5);
    taken = take_frame(rig, queue, 0);
    assert_int_equal(taken.seq, 0);
    taken = take_frame(rig, queue, 0);
    assert_int_equal(taken.seq, 6);
    assert_int_equal(taken.lost_before, 5);
    assert_int_equal(taken.lost_cause, AW_LOSS_KERNEL);
    assert_int_equal(queue_stats(queue).received, 7);
    assert_int_equal(queue_stats(queue).dropped_kernel, 5);
    go_round(rig);
    assert_int_equal(status_of(rig).missed, 5);
    retire_queue(rig, queue);
    close_spi(rig);
}

static void test_spi_queue_with_events_is_told_of_missed_edges(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_event_queue(rig, "1");

    (void)state;
    fake_chardev_edge(2000, 5);
    assert_int_equal(take_event(rig, queue, AW_EVENT_MISSED).event.detail, 5);
    assert_int_equal(take_frame(rig, queue, 0).lost_before, 5);
    retire_queue(rig, queue);
    close_spi(rig);
}

/* ---- transfers ---- */

/* One after the other, with no reply: what is sent is noted by its first byte.
 */
static uint8_t order[64];
static uint32_t order_count;

static void note_order(void)
{
    const uint8_t *tx = (const uint8_t *)(uintptr_t)fake_chardev.last[0].tx_buf;

    if (order_count < sizeof(order))
        order[order_count++] = *tx;
}

static void post(struct fake *rig, struct parcel *parcel, uint8_t byte)
{
    void *slot;
    struct aw_frame *frame;

    parcel_init(parcel, 0);
    slot = parcel->send->frame;
    frame = slot;
    frame->kind = AW_KIND_BYTES;
    frame->id = 0;
    frame->length = 1;
    frame->payload[0] = byte;
    assert_int_equal(aw_device_send(rig->device, parcel->send), 0);
}

static int outcome(struct parcel *parcel)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += FAKE_DEADLINE_S;
    assert_int_equal(sem_timedwait(&parcel->done, &deadline), 0);
    free(parcel->send);
    sem_destroy(&parcel->done);
    return parcel->result;
}

static void test_spi_transfers_are_made_in_order(void **state)
{
    struct fake *rig = open_spi("adc=spi:/dev/spidev0.0");
    struct parcel parcels[50];

    (void)state;
    order_count = 0;
    fake_chardev.on_message = note_order;
    for (uint8_t i = 0; i < 50; i++)
        post(rig, &parcels[i], i);
    for (uint32_t i = 0; i < 50; i++)
        assert_int_equal(outcome(&parcels[i]), 0);
    assert_int_equal(order_count, 50);
    for (uint8_t i = 0; i < 50; i++)
        assert_int_equal(order[i], i);
    close_spi(rig);
}

static void test_spi_transfers_leave_samples_their_turn(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_queue(rig, "1", 64);
    struct parcel parcels[10];

    (void)state;
    for (uint8_t i = 0; i < 10; i++) {
        post(rig, &parcels[i], i);
        fake_chardev_edge(1000 + i, 0);
    }
    for (uint32_t i = 0; i < 10; i++) {
        take_frame(rig, queue, 0);
        assert_int_equal(outcome(&parcels[i]), 0);
    }
    assert_int_equal(queue_stats(queue).received, 10);
    retire_queue(rig, queue);
    close_spi(rig);
}

/* ---- loss and return ---- */

static void fail_messages(int error, uint32_t count)
{
    /* Relaxed: the frame or edge that makes the reader look comes after it,
     * by way of the kernel. Partner: make_message(). */
    atomic_store_explicit(&fake_chardev.message_error, error,
                          memory_order_relaxed);
    atomic_store_explicit(&fake_chardev.message_error_count, count,
                          memory_order_relaxed);
}

static void test_spi_chip_that_is_gone_ends_its_queues(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_queue(rig, "1", 64);

    (void)state;
    fail_messages(ESHUTDOWN, 1);
    fake_chardev_edge(1000, 0);
    wait_state(rig, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), ENODEV);
    assert_int_equal(queue_stats(queue).received, 0);
    retire_queue(rig, queue);
    close_spi(rig);
}

static void
test_spi_samples_that_fail_until_it_is_lost_are_counted(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_queue(rig, "1", 64);

    (void)state;
    fail_messages(EIO, UINT32_MAX);
    for (uint64_t i = 0; i < 10; i++)
        fake_chardev_edge(1000 + i, 0);
    wait_state(rig, queue, AW_QUEUE_LOST);
    assert_int_equal(aw_queue_failure(queue), EIO);
    assert_int_equal(queue_stats(queue).dropped_kernel, 10);
    retire_queue(rig, queue);
    close_spi(rig);
}

static void test_spi_line_that_is_gone_ends_its_queues(void **state)
{
    struct fake *rig = open_spi(EDGES);
    struct aw_queue *queue = attach_queue(rig, "1", 64);

    (void)state;
    fake_chardev_unplug_line();
    wait_state(rig, queue, AW_QUEUE_LOST);
    retire_queue(rig, queue);
    close_spi(rig);
}

static void test_spi_transfer_to_a_chip_that_is_gone_ends_queues(void **state)
{
    struct fake *rig = open_spi("adc=spi:/dev/spidev0.0");
    struct aw_queue *queue = attach_queue(rig, "1", 64);
    struct parcel parcel;

    (void)state;
    fail_messages(ESHUTDOWN, 1);
    post(rig, &parcel, 1);
    assert_int_equal(outcome(&parcel), -ENODEV);
    wait_state(rig, queue, AW_QUEUE_LOST);
    retire_queue(rig, queue);
    close_spi(rig);
}

static void test_spi_chip_that_comes_back_samples_on(void **state)
{
    struct fake *rig = open_spi("adc=spi:/dev/spidev0.0,sample=80,sample_bytes="
                                "6,period_us=1000,on_loss=wait");
    struct aw_queue *queue = attach_queue(rig, "1", 64);

    (void)state;
    take_frame(rig, queue, 0);
    fail_messages(ESHUTDOWN, 1);
    /* However many samples came before it was gone. */
    while (status_of(rig).reopened == 0)
        aw_device_sync(rig->device);
    aw_queue_clear(queue);
    take_frame(rig, queue, 0);
    assert_int_equal(status_of(rig).lost, 1);
    retire_queue(rig, queue);
    close_spi(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spi_missed_edges_are_in_the_ledger),
        cmocka_unit_test(test_spi_queue_with_events_is_told_of_missed_edges),
        cmocka_unit_test(test_spi_transfers_are_made_in_order),
        cmocka_unit_test(test_spi_transfers_leave_samples_their_turn),
        cmocka_unit_test(test_spi_chip_that_is_gone_ends_its_queues),
        cmocka_unit_test(
            test_spi_samples_that_fail_until_it_is_lost_are_counted),
        cmocka_unit_test(test_spi_line_that_is_gone_ends_its_queues),
        cmocka_unit_test(test_spi_transfer_to_a_chip_that_is_gone_ends_queues),
        cmocka_unit_test(test_spi_chip_that_comes_back_samples_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
