/* A link's status and events, of facts and error frames made by hand: what no
 * kernel here does, or not in this order. */
#include "tests/support/unit.h"

#include <linux/can/error.h>
#include <stdlib.h>
#include <string.h>

#include "devices/can_status.h"

struct bench {
    struct aw_link_status link;
    struct aw_can_status status;
    struct aw_batch batch;
};

/* A controller that is up, after two bus-offs of long ago. */
static struct aw_can_facts healthy(void)
{
    return (struct aw_can_facts){
        .up = true,
        .carrier = true,
        .controller = true,
        .bus_state = AW_BUS_ERROR_ACTIVE,
        .bitrate = 500000,
        .bus_offs = 2,
        .restarts = 2,
    };
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct aw_can_facts facts = healthy();

    bench->batch.slot_bytes = aw_slot_bytes(AW_PAYLOAD_CAN);
    bench->batch.slots = calloc(AW_BATCH_FRAMES, bench->batch.slot_bytes);
    bench->batch.limit = AW_BATCH_FRAMES;
    aw_can_status_begin(&bench->status, &bench->link, &facts);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    free(bench->batch.slots);
    free(bench);
    return 0;
}

static void read_error(struct bench *bench, uint32_t classes, uint8_t status)
{
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + 8] = {0};
    void *memory = slot;
    struct aw_frame *frame = memory;

    frame->id = AW_CAN_ERROR | classes;
    frame->length = 8;
    frame->payload[1] = status;
    aw_can_status_read(&bench->status, frame);
}

/* The kinds of the events so far, one letter each. */
static const char *told(struct bench *bench)
{
    static const char letters[] = "?UDSRB";
    static char text[AW_BATCH_FRAMES + 1];

    bench->batch.count = 0;
    assert_true(aw_can_status_tell(&bench->status, &bench->batch));
    for (uint32_t i = 0; i < bench->batch.count; i++)
        text[i] = letters[aw_batch_at(&bench->batch, i)->id];
    text[bench->batch.count] = '\0';
    return text;
}

static void test_can_status_begins_without_an_event(void **state)
{
    struct bench *bench = *state;

    assert_string_equal(told(bench), "");
    assert_int_equal(bench->link.state, AW_LINK_UP);
    assert_int_equal(bench->link.bitrate, 500000);
    assert_int_equal(bench->link.bus_offs, 0);
}

static void test_can_status_said_twice_is_one_event(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = healthy();

    facts.bus_state = AW_BUS_PASSIVE;
    read_error(bench, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE);
    aw_can_status_hear(&bench->status, &facts);
    assert_string_equal(told(bench), "S");
}

static void test_can_status_restart_is_told_once_whoever_says_it(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = healthy();

    facts.bus_state = AW_BUS_OFF;
    facts.carrier = false;
    facts.bus_offs = 3;
    aw_can_status_hear(&bench->status, &facts);
    read_error(bench, CAN_ERR_BUSOFF, 0);
    assert_string_equal(told(bench), "SD");
    assert_int_equal(bench->link.bus_offs, 1);
    facts = healthy();
    facts.bus_offs = facts.restarts = 3;
    aw_can_status_hear(&bench->status, &facts);
    read_error(bench, CAN_ERR_RESTARTED, 0);
    assert_string_equal(told(bench), "RSU");
    assert_int_equal(bench->link.restarts, 1);
}

static void test_can_status_bit_rate_changed_is_an_event(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = healthy();
    const struct aw_event *event;
    const void *payload;

    facts.bitrate = 250000;
    facts.dbitrate = 1000000;
    aw_can_status_hear(&bench->status, &facts);
    assert_string_equal(told(bench), "B");
    payload = aw_batch_at(&bench->batch, 0)->payload;
    event = payload;
    assert_int_equal(event->value, 250000);
    assert_int_equal(event->detail, 1000000);
}

static void test_can_status_counters_alone_are_no_event(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = healthy();

    facts.counted = true;
    facts.tx_errors = 8;
    aw_can_status_hear(&bench->status, &facts);
    assert_string_equal(told(bench), "");
    assert_int_equal(bench->link.tx_errors, 8);
}

static void test_can_status_virtual_interface_forgets_when_down(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = {.up = true, .carrier = true};

    aw_can_status_begin(&bench->status, &bench->link, &facts);
    read_error(bench, CAN_ERR_BUSOFF, 0);
    assert_int_equal(bench->link.state, AW_LINK_DOWN);
    aw_can_status_hear(&bench->status, &facts);
    assert_int_equal(bench->link.bus_state, AW_BUS_OFF);
    facts.up = false;
    aw_can_status_hear(&bench->status, &facts);
    facts.up = true;
    aw_can_status_hear(&bench->status, &facts);
    assert_int_equal(bench->link.bus_state, AW_BUS_UNKNOWN);
    assert_int_equal(bench->link.state, AW_LINK_UP);
}

static void test_can_status_events_wait_for_room_in_order(void **state)
{
    struct bench *bench = *state;

    read_error(bench, CAN_ERR_BUSOFF, 0);
    bench->batch.limit = 1;
    assert_false(aw_can_status_tell(&bench->status, &bench->batch));
    assert_int_equal(aw_batch_at(&bench->batch, 0)->id, AW_EVENT_BUS_STATE);
    bench->batch.limit = AW_BATCH_FRAMES;
    assert_string_equal(told(bench), "D");
}

static void test_can_status_too_many_events_keep_the_latest(void **state)
{
    struct bench *bench = *state;
    const struct aw_frame *last;
    const struct aw_event *event;
    const void *payload;

    for (uint32_t i = 0; i < AW_CAN_EVENTS_MAX; i++) {
        read_error(bench, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE);
        read_error(bench, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_WARNING);
    }
    (void)told(bench);
    assert_int_equal(bench->batch.count, AW_CAN_EVENTS_MAX);
    last = aw_batch_at(&bench->batch, AW_CAN_EVENTS_MAX - 1);
    payload = last->payload;
    event = payload;
    assert_int_equal(event->value, AW_BUS_WARNING);
}

static void test_can_status_can_send_asks_the_controller_first(void **state)
{
    struct bench *bench = *state;
    struct aw_can_facts facts = healthy();

    bench->link.bus_state = AW_BUS_OFF; /* of yesterday */
    assert_true(aw_can_status_can_send(&facts, &bench->link));
    facts.bus_state = AW_BUS_OFF;
    assert_false(aw_can_status_can_send(&facts, &bench->link));
    facts = (struct aw_can_facts){.up = true, .carrier = true};
    assert_false(aw_can_status_can_send(&facts, &bench->link));
    bench->link.bus_state = AW_BUS_UNKNOWN;
    assert_true(aw_can_status_can_send(&facts, &bench->link));
    facts.carrier = false;
    assert_false(aw_can_status_can_send(&facts, &bench->link));
}

#define BENCH_TEST(test)                                                       \
    cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_can_status_begins_without_an_event),
        BENCH_TEST(test_can_status_said_twice_is_one_event),
        BENCH_TEST(test_can_status_restart_is_told_once_whoever_says_it),
        BENCH_TEST(test_can_status_bit_rate_changed_is_an_event),
        BENCH_TEST(test_can_status_counters_alone_are_no_event),
        BENCH_TEST(test_can_status_virtual_interface_forgets_when_down),
        BENCH_TEST(test_can_status_events_wait_for_room_in_order),
        BENCH_TEST(test_can_status_too_many_events_keep_the_latest),
        BENCH_TEST(test_can_status_can_send_asks_the_controller_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
