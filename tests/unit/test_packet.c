/* The driver on a TAP interface, in a network namespace of this program: the
 * test is the other end of the cable, and the reader. */
#include "driver_fixture.h"

#include <errno.h>
#include <linux/if_ether.h>

#include "devices/queue/log.h"
#include "tests/support/network.h"

static const unsigned char HELLO[60] = {0x02, 0, 0, 0, 0, 1,    0x02,
                                        0,    0, 0, 0, 2, 0x88, 0xb5};

static bool permitted;

struct cable {
    struct fixture *fixture;
    int tap; /* the other end */
};

static void skip_unless_permitted(void)
{
    if (!permitted)
        skip();
}

static struct fixture *configure(const char *interface)
{
    struct fixture *fixture = fixture_new(&aw_packet_driver);

    fixture_set(fixture, "interface", interface);
    /* More blocks than a test has frames: after a millisecond's pause between
     * two of them each has one of its own. */
    fixture_set(fixture, "receive_buffer", "4M");
    /* Of a namespace where IPv6 is at work: its own noise is not for us. */
    fixture_set(fixture, "filter", "ether proto 0x88b5");
    return fixture;
}

static struct cable plug(void)
{
    struct cable cable;

    skip_unless_permitted();
    cable.tap = network_tap("tap0");
    assert_true(cable.tap >= 0);
    assert_true(network_set_up("tap0", true));
    cable.fixture = configure("tap0");
    assert_int_equal(fixture_open(cable.fixture), 0);
    return cable;
}

static void unplug(struct cable *cable)
{
    if (cable->tap >= 0)
        close(cable->tap);
    cable->tap = -1;
}

static void put_away(struct cable *cable)
{
    unplug(cable);
    fixture_free(cable->fixture);
}

static const struct aw_link_status *status_of(const struct cable *cable)
{
    return &cable->fixture->link.status;
}

/* Waits for the second descriptor, and reads it. Returns what the driver does.
 */
static int read_aux(struct cable *cable)
{
    struct fixture *fixture = cable->fixture;
    struct aw_batch *batch = &fixture->batch;
    struct pollfd wait = {.fd = fixture->link.aux_fd, .events = POLLIN};

    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    aw_role_assume(&aw_role_reader);
    batch->limit = AW_BATCH_FRAMES;
    batch->count = 0;
    return fixture->driver->aux(&fixture->link, batch);
}

/* The next event of the link, which must be this. */
static void expect_event(struct cable *cable, enum aw_event_kind kind,
                         int32_t value)
{
    const struct aw_frame *frame;
    struct aw_event event;

    do
        assert_int_equal(read_aux(cable), 0);
    while (cable->fixture->batch.count == 0);
    assert_int_equal(cable->fixture->batch.count, 1);
    frame = aw_batch_at(&cable->fixture->batch, 0);
    assert_int_equal(frame->kind, AW_KIND_EVENT);
    assert_int_equal(frame->id, kind);
    memcpy(&event, frame->payload, sizeof(event));
    assert_int_equal(event.value, value);
}

static uint32_t receive(struct cable *cable)
{
    do {
        assert_true(fixture_polls(cable->fixture, POLLIN, DEADLINE_MS));
        assert_int_equal(fixture_read(cable->fixture, AW_BATCH_FRAMES), 0);
    } while (cable->fixture->batch.count == 0);
    return cable->fixture->batch.count;
}

/* ---- check ---- */

static void test_packet_filter_with_an_error_is_refused(void **state)
{
    struct fixture *fixture = fixture_new(&aw_packet_driver);

    (void)state;
    fixture_set(fixture, "interface", "eth0");
    fixture_set(fixture, "filter", "udp prt 5000");
    assert_int_equal(fixture_check(fixture), -EINVAL);
    assert_non_null(strstr(fixture->error.text, "udp prt 5000"));
    assert_non_null(strstr(fixture->error.text, "syntax error"));
    fixture_free(fixture);
}

static void test_packet_filter_may_say_what_only_the_kernel_knows(void **state)
{
    struct fixture *fixture = fixture_new(&aw_packet_driver);

    (void)state;
    fixture_set(fixture, "interface", "eth0");
    fixture_set(fixture, "filter", "vlan 5 and udp port 5000");
    fixture_set(fixture, "direction", "out");
    assert_int_equal(fixture_check(fixture), 0);
    fixture_free(fixture);
}

static void test_packet_endless_filter_is_refused(void **state)
{
    struct fixture *fixture = fixture_new(&aw_packet_driver);
    char text[8192];

    (void)state;
    memset(text, ' ', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fixture_set(fixture, "interface", "eth0");
    fixture_set(fixture, "filter", text);
    assert_int_equal(fixture_check(fixture), -EINVAL);
    assert_non_null(strstr(fixture->error.text, "too long"));
    fixture_free(fixture);
}

static void test_packet_interface_that_no_name_is_is_refused(void **state)
{
    static const char *const names[] = {"", "sixteen-letters-", "a/b", "a b"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct fixture *fixture = fixture_new(&aw_packet_driver);

        fixture_set(fixture, "interface", names[i]);
        assert_int_equal(fixture_check(fixture), -EINVAL);
        fixture_free(fixture);
    }
}

/* ---- open ---- */

static void test_packet_missing_interface_is_said(void **state)
{
    struct fixture *fixture;

    (void)state;
    skip_unless_permitted();
    fixture = configure("nosuch0");
    assert_int_equal(fixture_open(fixture), -ENODEV);
    assert_non_null(strstr(fixture->error.text, "nosuch0"));
    fixture_free(fixture);
}

static void test_packet_without_permission_names_the_capability(void **state)
{
    struct fixture *fixture;
    int result;

    (void)state;
    skip_unless_permitted();
    fixture = configure("lo");
    set_capability(CAP_NET_RAW, false);
    result = fixture_open(fixture);
    set_capability(CAP_NET_RAW, true);
    assert_int_equal(result, -EPERM);
    assert_non_null(strstr(fixture->error.text, "CAP_NET_RAW"));
    fixture_free(fixture);
}

static void test_packet_describes_what_it_opens(void **state)
{
    struct cable cable = plug();
    struct aw_link described = {.fd = -1};

    (void)state;
    aw_packet_driver.describe(&described, cable.fixture->values);
    assert_int_equal(described.kind, cable.fixture->link.kind);
    assert_int_equal(described.payload_bytes,
                     cable.fixture->link.payload_bytes);
    assert_int_equal(described.can_send, cable.fixture->link.can_send);
    put_away(&cable);
}

static void test_packet_with_a_filter_says_that_the_kernel_has_one(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_int_equal(status_of(&cable)->kernel_filter, 1);
    put_away(&cable);
}

/* ---- the link ---- */

static void test_packet_link_is_up_with_its_carrier(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_int_equal(status_of(&cable)->state, AW_LINK_UP);
    assert_int_equal(status_of(&cable)->carrier, AW_CARRIER_YES);
    put_away(&cable);
}

static void test_packet_link_taken_down_is_an_event(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_true(network_set_up("tap0", false));
    expect_event(&cable, AW_EVENT_LINK_DOWN, AW_DOWN_ADMIN);
    assert_int_equal(status_of(&cable)->state, AW_LINK_DOWN);
    put_away(&cable);
}

static void test_packet_link_taken_up_is_an_event(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_true(network_set_up("tap0", false));
    expect_event(&cable, AW_EVENT_LINK_DOWN, AW_DOWN_ADMIN);
    assert_true(network_set_up("tap0", true));
    expect_event(&cable, AW_EVENT_LINK_UP, 0);
    assert_int_equal(status_of(&cable)->state, AW_LINK_UP);
    put_away(&cable);
}

static void test_packet_cable_without_other_end_is_an_event(void **state)
{
    struct cable cable = plug();
    int carrier = 0;

    (void)state;
    assert_int_equal(ioctl(cable.tap, TUNSETCARRIER, &carrier), 0);
    expect_event(&cable, AW_EVENT_LINK_DOWN, AW_DOWN_CARRIER);
    assert_int_equal(status_of(&cable)->carrier, AW_CARRIER_NO);
    put_away(&cable);
}

static void test_packet_events_of_other_interfaces_are_none(void **state)
{
    struct cable cable = plug();
    int other = network_tap("tap1");

    (void)state;
    assert_true(other >= 0);
    assert_true(network_set_up("tap1", true));
    assert_int_equal(read_aux(&cable), 0);
    close(other);
    assert_int_equal(read_aux(&cable), 0);
    assert_int_equal(cable.fixture->batch.count, 0);
    assert_int_equal(status_of(&cable)->state, AW_LINK_UP);
    put_away(&cable);
}

static void test_packet_socket_of_a_link_that_is_down_is_not_lost(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_true(network_set_up("tap0", false));
    assert_true(fixture_polls(cable.fixture, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(cable.fixture, 1), 0);
    assert_int_equal(cable.fixture->batch.count, 0);
    /* The error was taken note of: it is not reported again and again. */
    assert_false(fixture_polls(cable.fixture, POLLIN, 0));
    put_away(&cable);
}

static void test_packet_deleted_interface_is_lost(void **state)
{
    struct cable cable = plug();
    int result = 0;

    (void)state;
    unplug(&cable);
    while (result == 0)
        result = read_aux(&cable);
    assert_int_equal(result, -ENODEV);
    put_away(&cable);
}

static void
test_packet_deleted_interface_is_lost_behind_its_frames(void **state)
{
    struct cable cable;

    (void)state;
    cable = plug();
    assert_int_equal(write(cable.tap, HELLO, sizeof(HELLO)), sizeof(HELLO));
    unplug(&cable);
    /* Down, and gone: with a frame to be read it is not lost yet. */
    do
        assert_int_equal(read_aux(&cable), 0);
    while (poll(&(struct pollfd){cable.fixture->link.aux_fd, POLLIN, 0}, 1,
                0) == 1);
    for (int result = 0; result == 0;) {
        assert_true(fixture_polls(cable.fixture, POLLIN, DEADLINE_MS));
        result = fixture_read(cable.fixture, AW_BATCH_FRAMES);
        if (cable.fixture->batch.count == 0)
            continue;
        assert_int_equal(cable.fixture->batch.count, 1);
        assert_int_equal(result, -ENODEV);
    }
    put_away(&cable);
}

/* ---- frames ---- */

static void test_packet_batch_is_not_overfilled(void **state)
{
    struct cable cable = plug();
    uint32_t total = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(write(cable.tap, HELLO, sizeof(HELLO)), sizeof(HELLO));
    while (total < 10) {
        assert_true(fixture_polls(cable.fixture, POLLIN, DEADLINE_MS));
        assert_int_equal(fixture_read(cable.fixture, 3), 0);
        assert_true(cable.fixture->batch.count <= 3);
        total += cable.fixture->batch.count;
    }
    assert_int_equal(total, 10);
    put_away(&cable);
}

static void test_packet_frame_goes_to_the_other_end(void **state)
{
    struct cable cable = plug();
    struct aw_frame header = {.kind = AW_KIND_ETHERNET,
                              .length = sizeof(HELLO)};
    unsigned char found[2048];
    ssize_t length;

    (void)state;
    assert_int_equal(fixture_send(cable.fixture, "", &header, HELLO), 0);
    do /* past what IPv6 has to say */
        length = read(cable.tap, found, sizeof(found));
    while (length > 14 && (found[12] != 0x88 || found[13] != 0xb5));
    assert_int_equal(length, sizeof(HELLO));
    assert_memory_equal(found, HELLO, sizeof(HELLO));
    put_away(&cable);
}

static void test_packet_frame_for_a_link_that_is_down_is_refused(void **state)
{
    struct cable cable = plug();
    struct aw_frame header = {.kind = AW_KIND_ETHERNET,
                              .length = sizeof(HELLO)};

    (void)state;
    assert_true(network_set_up("tap0", false));
    assert_int_equal(fixture_send(cable.fixture, "", &header, HELLO),
                     -ENETDOWN);
    assert_true(network_set_up("tap0", true));
    assert_int_equal(fixture_send(cable.fixture, "", &header, HELLO), 0);
    put_away(&cable);
}

static void test_packet_frames_read_are_no_losses(void **state)
{
    struct cable cable = plug();

    (void)state;
    assert_int_equal(write(cable.tap, HELLO, sizeof(HELLO)), sizeof(HELLO));
    assert_int_equal(receive(&cable), 1);
    assert_int_equal(aw_packet_driver.losses(&cable.fixture->link), 0);
    assert_int_equal(aw_batch_at(&cable.fixture->batch, 0)->lost_before, 0);
    put_away(&cable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_filter_with_an_error_is_refused),
        cmocka_unit_test(test_packet_filter_may_say_what_only_the_kernel_knows),
        cmocka_unit_test(test_packet_endless_filter_is_refused),
        cmocka_unit_test(test_packet_interface_that_no_name_is_is_refused),
        cmocka_unit_test(test_packet_missing_interface_is_said),
        cmocka_unit_test(test_packet_without_permission_names_the_capability),
        cmocka_unit_test(test_packet_describes_what_it_opens),
        cmocka_unit_test(
            test_packet_with_a_filter_says_that_the_kernel_has_one),
        cmocka_unit_test(test_packet_link_is_up_with_its_carrier),
        cmocka_unit_test(test_packet_link_taken_down_is_an_event),
        cmocka_unit_test(test_packet_link_taken_up_is_an_event),
        cmocka_unit_test(test_packet_cable_without_other_end_is_an_event),
        cmocka_unit_test(test_packet_events_of_other_interfaces_are_none),
        cmocka_unit_test(test_packet_socket_of_a_link_that_is_down_is_not_lost),
        cmocka_unit_test(test_packet_deleted_interface_is_lost),
        cmocka_unit_test(
            test_packet_deleted_interface_is_lost_behind_its_frames),
        cmocka_unit_test(test_packet_batch_is_not_overfilled),
        cmocka_unit_test(test_packet_frame_goes_to_the_other_end),
        cmocka_unit_test(test_packet_frame_for_a_link_that_is_down_is_refused),
        cmocka_unit_test(test_packet_frames_read_are_no_losses),
    };

    permitted = network_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
