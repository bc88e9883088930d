#include "tests/support/unit.h"

#include <linux/can/error.h>
#include <stdio.h>
#include <string.h>

#include "devices/can_error.h"

#define LENGTH 8u

struct row {
    const char *name;
    uint32_t classes;
    uint8_t controller; /* data[1] */
    uint8_t tx, rx;     /* data[6], data[7] */
    struct aw_can_error expected;
};

/* linux/can/error.h, line by line, as far as it says something of the bus. */
static const struct row rows[] = {
    {"timeout of a transmission", CAN_ERR_TX_TIMEOUT, 0, 0, 0, {0}},
    {"lost arbitration", CAN_ERR_LOSTARB, 0, 0, 0, {0}},
    {"bus error", CAN_ERR_PROT | CAN_ERR_BUSERROR, 0, 0, 0, {0}},
    {"no acknowledgement", CAN_ERR_ACK, 0, 0, 0, {0}},
    {"overflow", CAN_ERR_CRTL, CAN_ERR_CRTL_RX_OVERFLOW, 0, 0, {0}},
    {"warning, receiving",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_RX_WARNING,
     0,
     0,
     {.bus_state = AW_BUS_WARNING}},
    {"warning, sending",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_TX_WARNING,
     0,
     0,
     {.bus_state = AW_BUS_WARNING}},
    {"passive, receiving",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_RX_PASSIVE,
     0,
     0,
     {.bus_state = AW_BUS_PASSIVE}},
    {"passive, sending",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_TX_PASSIVE,
     0,
     0,
     {.bus_state = AW_BUS_PASSIVE}},
    {"the worse of two",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_TX_PASSIVE | CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_ACTIVE,
     0,
     0,
     {.bus_state = AW_BUS_PASSIVE}},
    {"active again",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_ACTIVE,
     0,
     0,
     {.bus_state = AW_BUS_ERROR_ACTIVE}},
    {"bus-off",
     CAN_ERR_BUSOFF,
     0,
     0,
     0,
     {.bus_state = AW_BUS_OFF, .bus_off = true}},
    {"bus-off, and what led to it",
     CAN_ERR_BUSOFF | CAN_ERR_CRTL,
     CAN_ERR_CRTL_TX_PASSIVE,
     0,
     0,
     {.bus_state = AW_BUS_OFF, .bus_off = true}},
    {"restarted",
     CAN_ERR_RESTARTED,
     0,
     0,
     0,
     {.bus_state = AW_BUS_ERROR_ACTIVE, .restarted = true}},
    {"counters",
     CAN_ERR_CNT,
     0,
     96,
     5,
     {.counted = true, .tx_errors = 96, .rx_errors = 5}},
    {"counters at zero", CAN_ERR_CNT, 0, 0, 0, {.counted = true}},
    {"counters of an older kernel",
     CAN_ERR_CRTL,
     CAN_ERR_CRTL_RX_WARNING,
     0,
     97,
     {.bus_state = AW_BUS_WARNING, .counted = true, .rx_errors = 97}},
    {"no counters: another class's data", CAN_ERR_PROT, 0, 1, 2, {0}},
};

static struct aw_can_error decode(const struct row *row, uint16_t length)
{
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + LENGTH] = {0};
    void *memory = slot;
    struct aw_frame *frame = memory;

    frame->id = AW_CAN_ERROR | row->classes;
    frame->length = length;
    frame->payload[1] = row->controller;
    frame->payload[6] = row->tx;
    frame->payload[7] = row->rx;
    return aw_can_error_decode(frame);
}

static void
test_can_error_of_each_class_says_what_the_kernel_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct aw_can_error error = decode(&rows[i], LENGTH);
        const struct aw_can_error *expected = &rows[i].expected;

        print_message("%s\n", rows[i].name);
        assert_int_equal(error.bus_state, expected->bus_state);
        assert_int_equal(error.bus_off, expected->bus_off);
        assert_int_equal(error.restarted, expected->restarted);
        assert_int_equal(error.counted, expected->counted);
        assert_int_equal(error.tx_errors, expected->tx_errors);
        assert_int_equal(error.rx_errors, expected->rx_errors);
    }
}

static void test_can_error_bytes_behind_its_end_say_nothing(void **state)
{
    const struct row row = {.classes = CAN_ERR_CRTL | CAN_ERR_CNT,
                            .controller = CAN_ERR_CRTL_TX_PASSIVE,
                            .tx = 130,
                            .rx = 131};

    (void)state;
    assert_int_equal(decode(&row, 1).bus_state, AW_BUS_UNKNOWN);
    assert_int_equal(decode(&row, 2).bus_state, AW_BUS_PASSIVE);
    assert_int_equal(decode(&row, 7).tx_errors, 130);
    assert_int_equal(decode(&row, 7).rx_errors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_can_error_of_each_class_says_what_the_kernel_means),
        cmocka_unit_test(test_can_error_bytes_behind_its_end_say_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
