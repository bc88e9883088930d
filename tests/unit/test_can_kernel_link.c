/* The driver `can` against the kernel's: what happens to an interface. */
#include "slcan.h"

#include "devices/can_find.h"

/* ---- up, down, gone ---- */

static void test_can_link_that_is_up_is_up_at_once(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    assert_int_equal(can->link.status.carrier, AW_CARRIER_YES);
    assert_int_equal(can->link.status.bus_state, AW_BUS_UNKNOWN);
    assert_int_equal(can->link.status.bitrate, 0);
    fixture_free(can);
}

static void test_can_link_that_is_down_is_no_error(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    ip("link set " CAN_NAME " down");
    can = can_open(NULL);
    assert_int_equal(can->link.status.state, AW_LINK_DOWN);
    assert_int_equal(can_send(can, 0x123, 0, 0), -ENETDOWN);
    fixture_free(can);
}

static void test_can_link_taken_down_and_up_are_events(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    ip("link set " CAN_NAME " down");
    assert_int_equal(can_wait_event(can, AW_EVENT_LINK_DOWN)->value,
                     AW_DOWN_ADMIN);
    assert_int_equal(can->link.status.state, AW_LINK_DOWN);
    ip("link set " CAN_NAME " up");
    (void)can_wait_event(can, AW_EVENT_LINK_UP);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    fixture_free(can);
}

static void
test_can_send_after_the_link_is_up_needs_no_event_first(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    ip("link set " CAN_NAME " down");
    (void)can_wait_event(can, AW_EVENT_LINK_DOWN);
    assert_int_equal(can_send(can, 0x123, 0, 0), -ENETDOWN);
    ip("link set " CAN_NAME " up");
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    fixture_free(can);
}

static void
test_can_error_left_by_a_link_down_fails_no_later_frame(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    /* The socket has still to say so, and would say it to the next send. */
    ip("link set " CAN_NAME " down");
    ip("link set " CAN_NAME " up");
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    fixture_free(can);
}

static void test_can_interface_deleted_is_a_device_lost(void **state)
{
    struct fixture *can;
    int result;

    (void)state;
    want_guest();
    can = can_open(NULL);
    ip("link delete " CAN_NAME);
    do
        result = can_aux(can, AW_BATCH_FRAMES);
    while (result == 0);
    assert_int_equal(result, -ENODEV);
    assert_int_equal(can_send(can, 0x123, 0, 0), -ENETDOWN);
    fixture_free(can);
}

static void test_can_other_interfaces_are_no_news(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    ip("link add vcan9 type vcan");
    ip("link delete vcan9");
    assert_int_equal(can_aux(can, AW_BATCH_FRAMES), 0);
    assert_int_equal(can->batch.count, 0);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    fixture_free(can);
}

/* More changes of links than the socket can hold: how it is now counts. */
static void test_can_news_that_are_lost_are_asked_for(void **state)
{
    unsigned changes = 0;
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    assert_int_equal(
        system("for i in $(seq 150); do echo link set dev " CAN_NAME
               " down; echo link set dev " CAN_NAME " up; done | ip -batch -"),
        0);
    ip("link set " CAN_NAME " down");
    while (fixture_aux_polls(can)) {
        assert_int_equal(can_aux(can, AW_BATCH_FRAMES), 0);
        changes += can->batch.count;
    }
    assert_int_equal(can->link.status.state, AW_LINK_DOWN);
    assert_in_range(changes, 1, 299);
    fixture_free(can);
}

/* ---- names ---- */

static void open_by(const char *text)
{
    struct fixture *can = can_configure(text, NULL);
    int result = fixture_open(can);

    if (result < 0)
        print_message("%s\n", can->error.text);
    assert_int_equal(result, 0);
    assert_string_equal(can->channels.names[0], CAN_NAME);
    fixture_free(can);
}

static void test_can_alternative_names_are_names(void **state)
{
    (void)state;
    want_guest();
    ip("link property add dev " CAN_NAME " altname engine");
    ip("link property add dev " CAN_NAME
       " altname the-bus-of-the-engine-and-gearbox");
    open_by("engine");
    open_by("the-bus-of-the-engine-and-gearbox");
}

static void
test_can_interface_that_is_missing_lists_those_there_are(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_configure("nosuch0", NULL);
    assert_int_equal(fixture_open(can), -ENODEV);
    assert_non_null(strstr(can->error.text, "no interface nosuch0"));
    assert_non_null(strstr(can->error.text, CAN_NAME));
    fixture_free(can);
}

static void
test_can_serial_number_of_no_adapter_is_a_missing_device(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_configure("serial=0042", NULL);
    assert_int_equal(fixture_open(can), -ENODEV);
    assert_non_null(strstr(can->error.text, "serial=0042"));
    fixture_free(can);
}

static void test_can_interface_of_another_kind_is_refused(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_configure("lo", NULL);
    assert_int_equal(fixture_open(can), -ENODEV);
    assert_non_null(strstr(can->error.text, "lo is no CAN interface"));
    fixture_free(can);
}

/* ---- error frames ---- */

static void read_some(struct fixture *can)
{
    assert_true(fixture_polls(can, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(can, AW_BATCH_FRAMES), 0);
}

static void test_can_error_frames_move_the_bus_state(void **state)
{
    struct fixture *can;
    const struct aw_event *event;
    int peer, witness;

    (void)state;
    want_guest();
    can = can_open(NULL);
    witness = peer_open(CAN_NAME);
    peer = peer_open(CAN_NAME);
    peer_send(peer, 0x100, 0);
    peer_send_error(peer, CAN_ERR_CRTL | CAN_ERR_CNT, CAN_ERR_CRTL_TX_WARNING,
                    97, 3);
    peer_send(peer, 0x101, 0);
    /* Behind the error frame, and before what came later. */
    wait_witness(witness, 3);
    read_some(can);
    assert_int_equal(can->batch.count, 4);
    event = can_event(can, 2, AW_EVENT_BUS_STATE);
    assert_int_equal(event->value, AW_BUS_WARNING);
    assert_int_equal(event->detail, 97u << 16 | 3u);
    assert_int_equal(aw_batch_at(&can->batch, 3)->id, 0x101);
    assert_int_equal(can->link.status.bus_state, AW_BUS_WARNING);
    assert_int_equal(can->link.status.tx_errors, 97);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    close(witness);
    close(peer);
    fixture_free(can);
}

static void
test_can_bus_off_by_error_frame_refuses_until_restarted(void **state)
{
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    peer_send_error(peer, CAN_ERR_BUSOFF, 0, 0, 0);
    read_some(can);
    assert_int_equal(can_event(can, 1, AW_EVENT_BUS_STATE)->value, AW_BUS_OFF);
    (void)can_event(can, 2, AW_EVENT_LINK_DOWN);
    assert_int_equal(can_send(can, 0x123, 0, 0), -ENETDOWN);
    peer_send_error(peer, CAN_ERR_RESTARTED, 0, 0, 0);
    read_some(can);
    (void)can_event(can, 1, AW_EVENT_RESTARTED);
    assert_int_equal(can_event(can, 2, AW_EVENT_BUS_STATE)->value,
                     AW_BUS_ERROR_ACTIVE);
    (void)can_event(can, 3, AW_EVENT_LINK_UP);
    assert_int_equal(can->link.status.bus_offs, 1);
    assert_int_equal(can->link.status.restarts, 1);
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    close(peer);
    fixture_free(can);
}

static void test_can_events_without_room_come_by_the_second_fd(void **state)
{
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    peer_send_error(peer, CAN_ERR_BUSOFF, 0, 0, 0);
    (void)fixture_next(can);
    assert_int_equal(can_aux(can, 1), 0);
    assert_int_equal(can_event(can, 0, AW_EVENT_BUS_STATE)->value, AW_BUS_OFF);
    assert_int_equal(can_aux(can, 1), 0);
    (void)can_event(can, 0, AW_EVENT_LINK_DOWN);
    close(peer);
    fixture_free(can);
}

static void test_can_error_frames_left_out_still_move_the_state(void **state)
{
    const char *const without[] = {"error_frames", "no", NULL};
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(without);
    peer = peer_open(CAN_NAME);
    peer_send_error(peer, CAN_ERR_CRTL, CAN_ERR_CRTL_RX_PASSIVE, 0, 130);
    peer_send(peer, 0x123, 0);
    assert_int_equal(fixture_next(can)->id, 0x123);
    assert_int_equal(can_wait_event(can, AW_EVENT_BUS_STATE)->value,
                     AW_BUS_PASSIVE);
    assert_int_equal(can->link.status.rx_errors, 130);
    close(peer);
    fixture_free(can);
}

static void
test_can_error_frame_that_is_too_short_says_what_it_has(void **state)
{
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    peer_send(peer, CAN_ERR_FLAG | CAN_ERR_CRTL | CAN_ERR_CNT, 0);
    assert_int_equal(fixture_next(can)->length, 0);
    assert_int_equal(can->link.status.bus_state, AW_BUS_UNKNOWN);
    assert_int_equal(can->link.status.tx_errors, 0);
    close(peer);
    fixture_free(can);
}

/* ---- two interfaces joined ---- */

static void test_can_frames_cross_a_pair_and_its_end_is_no_carrier(void **state)
{
    struct fixture *can;
    struct can_frame frame;
    int peer;

    (void)state;
    want_guest();
    ip("link add vx0 type vxcan peer name vx1");
    ip("link set vx0 up");
    ip("link set vx1 up");
    can = can_configure("vx0", NULL);
    assert_int_equal(fixture_open(can), 0);
    peer = peer_open("vx1");
    peer_send(peer, 0x123, 2);
    assert_int_equal(fixture_next(can)->id, 0x123);
    assert_int_equal(can_send(can, 0x124, 1, 0), 0);
    peer_read(peer, &frame);
    assert_int_equal(frame.can_id, 0x124);
    close(peer);
    ip("link delete vx1");
    while (can_aux(can, AW_BATCH_FRAMES) == 0)
        ;
    fixture_free(can);
}

/* ---- a controller ---- */

static void test_can_controller_tells_its_bit_rate_and_state(void **state)
{
    struct fixture *can;
    struct slcan *slcan;

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "up");
    can = can_configure(slcan->name, NULL);
    assert_int_equal(fixture_open(can), 0);
    assert_int_equal(can->link.status.bitrate, 500000);
    assert_int_equal(can->link.status.bus_state, AW_BUS_ERROR_ACTIVE);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    slcan_say(slcan, "sp128000");
    assert_int_equal(fixture_next(can)->id & CAN_ERR_CRTL, CAN_ERR_CRTL);
    assert_int_equal(can->link.status.bus_state, AW_BUS_PASSIVE);
    assert_int_equal(can->link.status.rx_errors, 128);
    fixture_free(can);
    slcan_close(slcan);
}

static void test_can_controller_bus_off_takes_the_carrier(void **state)
{
    struct fixture *can;
    struct slcan *slcan;

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "up");
    can = can_configure(slcan->name, NULL);
    assert_int_equal(fixture_open(can), 0);
    slcan_say(slcan, "sb256256");
    /* By rtnetlink alone: the error frame is not read. */
    assert_int_equal(can_wait_event(can, AW_EVENT_BUS_STATE)->value,
                     AW_BUS_OFF);
    assert_int_equal(can->link.status.carrier, AW_CARRIER_NO);
    assert_int_equal(can->link.status.state, AW_LINK_DOWN);
    assert_int_equal(can->link.status.bus_offs, 1);
    assert_int_equal(can_send(can, 0x123, 0, 0), -ENETDOWN);
    /* The error frame tells nothing new. */
    (void)fixture_next(can);
    assert_int_equal(can->batch.count, 1);
    assert_int_equal(can->link.status.bus_offs, 1);
    fixture_free(can);
    slcan_close(slcan);
}

static void
test_can_controller_error_frame_of_the_past_is_not_its_state(void **state)
{
    struct fixture *can;
    struct slcan *slcan;

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "up");
    can = can_configure(slcan->name, NULL);
    assert_int_equal(fixture_open(can), 0);
    slcan_say(slcan, "sb256256");
    assert_int_equal(can_wait_event(can, AW_EVENT_BUS_STATE)->value,
                     AW_BUS_OFF);
    /* Its frame is still there when all is well again. */
    slcan_set(slcan, "down");
    slcan_set(slcan, "up");
    while (can->link.status.state != AW_LINK_UP)
        assert_int_equal(can_aux(can, AW_BATCH_FRAMES), 0);
    do
        read_some(can);
    while (can->batch.count == 0);
    assert_true(aw_batch_at(&can->batch, 0)->id & CAN_ERR_BUSOFF);
    assert_int_equal(can->link.status.bus_state, AW_BUS_ERROR_ACTIVE);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    fixture_free(can);
    slcan_close(slcan);
}

static void test_can_controller_unplugged_is_a_device_lost(void **state)
{
    struct fixture *can;
    struct slcan *slcan;
    int result;

    (void)state;
    want_guest();
    slcan = slcan_open();
    can = can_configure(slcan->name, NULL);
    assert_int_equal(fixture_open(can), 0);
    slcan_close(slcan);
    do
        result = can_aux(can, AW_BATCH_FRAMES);
    while (result == 0);
    assert_int_equal(result, -ENODEV);
    fixture_free(can);
}

/* Sends until the kernel takes no more, or `count` frames. */
static int fill(struct fixture *can, int count)
{
    int result = 0;

    while (count-- > 0 && result == 0)
        result = can_send(can, 0x123, 8, 0);
    return result;
}

static void test_can_full_transmit_queue_is_to_be_waited_out(void **state)
{
    struct fixture *can;
    struct slcan *slcan;

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "up");
    can = can_configure(slcan->name, NULL);
    assert_int_equal(fixture_open(can), 0);
    slcan_halt(slcan);
    assert_int_equal(fill(can, 10000), -ENOBUFS);
    slcan_go_on(slcan);
    while (can_send(can, 0x123, 8, 0) == -ENOBUFS)
        ;
    fixture_free(can);
    slcan_close(slcan);
}

/* ---- bit rates ---- */

static const char *const wanted[] = {"bitrate", "250000", NULL};

static void test_can_bitrate_is_set_on_a_controller_that_is_down(void **state)
{
    struct fixture *can;
    struct slcan *slcan;

    (void)state;
    want_guest();
    slcan = slcan_open();
    can = can_configure(slcan->name, wanted);
    assert_int_equal(fixture_open(can), 0);
    assert_int_equal(can->link.status.bitrate, 250000);
    assert_int_equal(can->link.status.state, AW_LINK_UP);
    fixture_free(can);
    slcan_close(slcan);
}

static void test_can_bitrate_of_a_controller_in_use_is_left_alone(void **state)
{
    struct fixture *can;
    struct slcan *slcan;
    char line[160];

    (void)state;
    want_guest();
    slcan = slcan_open();
    slcan_set(slcan, "type can bitrate 500000");
    slcan_set(slcan, "up");
    can = can_configure(slcan->name, wanted);
    assert_int_equal(fixture_open(can), -EBUSY);
    snprintf(line, sizeof(line),
             "`ip link set %s down && ip link set %s type can bitrate 250000 "
             "&& ip link set %s up`",
             slcan->name, slcan->name, slcan->name);
    assert_non_null(strstr(can->error.text, line));
    assert_non_null(strstr(can->error.text, "has bitrate 500000"));
    fixture_free(can);
    slcan_close(slcan);
}

static void test_can_bitrate_that_may_not_be_set_names_the_command(void **state)
{
    struct fixture *can;
    struct slcan *slcan;
    char line[160];

    (void)state;
    want_guest();
    slcan = slcan_open();
    can = can_configure(slcan->name, wanted);
    set_capability(CAP_NET_ADMIN, false);
    assert_int_equal(fixture_open(can), -EPERM);
    set_capability(CAP_NET_ADMIN, true);
    snprintf(line, sizeof(line),
             "`ip link set %s type can bitrate 250000 && ip link set %s up`",
             slcan->name, slcan->name);
    assert_non_null(strstr(can->error.text, line));
    assert_non_null(strstr(can->error.text, "CAP_NET_ADMIN"));
    fixture_free(can);
    slcan_close(slcan);
}

static void test_can_bitrate_of_a_virtual_interface_is_no_matter(void **state)
{
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(wanted);
    assert_int_equal(can->link.status.bitrate, 0);
    fixture_free(can);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAN_TEST(test_can_link_that_is_up_is_up_at_once),
        CAN_TEST(test_can_link_that_is_down_is_no_error),
        CAN_TEST(test_can_link_taken_down_and_up_are_events),
        CAN_TEST(test_can_send_after_the_link_is_up_needs_no_event_first),
        CAN_TEST(test_can_error_left_by_a_link_down_fails_no_later_frame),
        CAN_TEST(test_can_interface_deleted_is_a_device_lost),
        CAN_TEST(test_can_other_interfaces_are_no_news),
        CAN_TEST(test_can_news_that_are_lost_are_asked_for),
        CAN_TEST(test_can_alternative_names_are_names),
        CAN_TEST(test_can_interface_that_is_missing_lists_those_there_are),
        CAN_TEST(test_can_serial_number_of_no_adapter_is_a_missing_device),
        CAN_TEST(test_can_interface_of_another_kind_is_refused),
        CAN_TEST(test_can_error_frames_move_the_bus_state),
        CAN_TEST(test_can_bus_off_by_error_frame_refuses_until_restarted),
        CAN_TEST(test_can_events_without_room_come_by_the_second_fd),
        CAN_TEST(test_can_error_frames_left_out_still_move_the_state),
        CAN_TEST(test_can_error_frame_that_is_too_short_says_what_it_has),
        CAN_TEST(test_can_frames_cross_a_pair_and_its_end_is_no_carrier),
        CAN_TEST(test_can_controller_tells_its_bit_rate_and_state),
        CAN_TEST(test_can_controller_bus_off_takes_the_carrier),
        CAN_TEST(test_can_controller_error_frame_of_the_past_is_not_its_state),
        CAN_TEST(test_can_controller_unplugged_is_a_device_lost),
        CAN_TEST(test_can_full_transmit_queue_is_to_be_waited_out),
        CAN_TEST(test_can_bitrate_is_set_on_a_controller_that_is_down),
        CAN_TEST(test_can_bitrate_of_a_controller_in_use_is_left_alone),
        CAN_TEST(test_can_bitrate_that_may_not_be_set_names_the_command),
        CAN_TEST(test_can_bitrate_of_a_virtual_interface_is_no_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
