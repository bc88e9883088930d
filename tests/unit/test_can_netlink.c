#include "tests/support/unit.h"

#include <errno.h>
#include <linux/can/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/can_netlink.h"
#include "tests/support/recorded_links.h"

#define MESSAGE_MAX 2048u

struct message {
    unsigned char bytes[MESSAGE_MAX];
    size_t size;
};

static struct message decode(const char *text)
{
    struct message message = {.size = strlen(text) / 2};

    assert_true(message.size <= MESSAGE_MAX);
    for (size_t i = 0; i < message.size; i++) {
        unsigned byte;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        message.bytes[i] = (unsigned char)byte;
    }
    return message;
}

static int take(const struct message *message, struct aw_can_facts *ret)
{
    const unsigned char *at = message->bytes;
    size_t size = message->size;

    return aw_can_netlink_next(&at, &size, ret);
}

static struct aw_can_facts facts_of(const char *text)
{
    struct message message = decode(text);
    struct aw_can_facts facts;

    assert_int_equal(take(&message, &facts), AW_CAN_NEWS_LINK);
    return facts;
}

/* ---- recorded ---- */

static void test_can_netlink_virtual_interface_is_no_controller(void **state)
{
    struct aw_can_facts facts = facts_of(recorded_vcan);

    (void)state;
    assert_string_equal(facts.name, "vcan0");
    assert_int_equal(facts.type, ARPHRD_CAN);
    assert_int_equal(facts.mtu, 72);
    assert_true(facts.up && facts.carrier && !facts.gone);
    assert_false(facts.controller);
    assert_int_equal(facts.bus_state, AW_BUS_UNKNOWN);
}

static void test_can_netlink_controller_that_is_down_is_stopped(void **state)
{
    struct aw_can_facts facts = facts_of(recorded_new);

    (void)state;
    assert_string_equal(facts.name, "can0");
    assert_true(facts.controller);
    assert_false(facts.up);
    assert_int_equal(facts.bus_state, AW_BUS_STOPPED);
    assert_int_equal(facts.bitrate, 0);
    assert_int_equal(facts.mtu, 16);
}

static void test_can_netlink_controller_has_bit_rate_and_state(void **state)
{
    struct aw_can_facts facts = facts_of(recorded_passive);

    (void)state;
    assert_true(facts.up && facts.carrier);
    assert_int_equal(facts.bitrate, 500000);
    assert_int_equal(facts.dbitrate, 0);
    assert_int_equal(facts.restart_ms, 0);
    assert_int_equal(facts.bus_state, AW_BUS_PASSIVE);
    assert_int_equal(facts.bus_offs, 0);
}

static void test_can_netlink_bus_off_has_no_carrier_and_is_counted(void **state)
{
    struct aw_can_facts facts = facts_of(recorded_bus_off);

    (void)state;
    assert_int_equal(facts.bus_state, AW_BUS_OFF);
    assert_true(facts.up);
    assert_false(facts.carrier);
    assert_int_equal(facts.bus_offs, 1);
}

static void test_can_netlink_deleted_interface_is_gone(void **state)
{
    struct aw_can_facts facts = facts_of(recorded_gone);

    (void)state;
    assert_true(facts.gone);
    assert_string_equal(facts.name, "vx0");
}

static void test_can_netlink_refusal_is_its_errno(void **state)
{
    struct message message = decode(recorded_refused);
    struct aw_can_facts facts;

    (void)state;
    assert_int_equal(take(&message, &facts), -ENODEV);
}

/* It would be taken for news of another sort. */
static void test_can_netlink_answer_above_zero_is_no_errno(void **state)
{
    struct message message = {.size = NLMSG_LENGTH(sizeof(int))};
    struct nlmsghdr head = {.nlmsg_len = (uint32_t)message.size,
                            .nlmsg_type = NLMSG_ERROR};
    struct aw_can_facts facts;
    int answer = 19;

    (void)state;
    memcpy(message.bytes, &head, sizeof(head));
    memcpy(message.bytes + NLMSG_HDRLEN, &answer, sizeof(answer));
    assert_int_equal(take(&message, &facts), AW_CAN_NEWS_OTHER);
}

/* ---- made by hand, as linux/can/netlink.h has it ---- */

static void put(struct message *message, unsigned short type, const void *value,
                size_t bytes)
{
    struct rtattr head = {(unsigned short)RTA_LENGTH(bytes), type};

    memcpy(message->bytes + message->size, &head, sizeof(head));
    memcpy(message->bytes + message->size + sizeof(head), value, bytes);
    message->size += RTA_SPACE(bytes);
}

static void put_inside(struct message *message, unsigned short type,
                       const struct message *inner)
{
    put(message, type, inner->bytes, inner->size);
}

/* A link's message around what is in its IFLA_INFO_DATA. */
static struct message wrap(const char *kind, const struct message *data)
{
    struct message info = {.size = 0}, whole = {.size = NLMSG_LENGTH(0)};
    struct ifinfomsg link = {.ifi_index = 7, .ifi_flags = IFF_UP};
    struct nlmsghdr head = {.nlmsg_type = RTM_NEWLINK};

    put(&info, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    put_inside(&info, IFLA_INFO_DATA, data);
    memcpy(whole.bytes + whole.size, &link, sizeof(link));
    whole.size += NLMSG_ALIGN(sizeof(link));
    put_inside(&whole, IFLA_LINKINFO, &info);
    head.nlmsg_len = (uint32_t)whole.size;
    memcpy(whole.bytes, &head, sizeof(head));
    return whole;
}

static struct message full_controller(void)
{
    struct can_bittiming rate = {.bitrate = 500000},
                         data = {.bitrate = 2000000};
    struct can_berr_counter counters = {.txerr = 12, .rxerr = 127};
    struct can_ctrlmode modes = {.flags = CAN_CTRLMODE_FD};
    uint32_t state = CAN_STATE_ERROR_WARNING, restart_ms = 100;
    struct message made = {.size = 0};

    put(&made, IFLA_CAN_BITTIMING, &rate, sizeof(rate));
    put(&made, IFLA_CAN_DATA_BITTIMING, &data, sizeof(data));
    put(&made, IFLA_CAN_STATE, &state, sizeof(state));
    put(&made, IFLA_CAN_RESTART_MS, &restart_ms, sizeof(restart_ms));
    put(&made, IFLA_CAN_BERR_COUNTER, &counters, sizeof(counters));
    put(&made, IFLA_CAN_CTRLMODE, &modes, sizeof(modes));
    return made;
}

static void test_can_netlink_fd_controller_has_all_of_it(void **state)
{
    struct message data = full_controller(), whole = wrap("can", &data);
    struct aw_can_facts facts;

    (void)state;
    assert_int_equal(take(&whole, &facts), AW_CAN_NEWS_LINK);
    assert_int_equal(facts.index, 7);
    assert_int_equal(facts.bitrate, 500000);
    assert_int_equal(facts.dbitrate, 2000000);
    assert_int_equal(facts.bus_state, AW_BUS_WARNING);
    assert_int_equal(facts.restart_ms, 100);
    assert_true(facts.counted);
    assert_int_equal(facts.tx_errors, 12);
    assert_int_equal(facts.rx_errors, 127);
    assert_int_equal(facts.modes, CAN_CTRLMODE_FD);
}

static void test_can_netlink_data_of_another_kind_is_not_read(void **state)
{
    struct message data = full_controller(), whole = wrap("canny", &data);
    struct aw_can_facts facts;

    (void)state;
    assert_int_equal(take(&whole, &facts), AW_CAN_NEWS_LINK);
    assert_false(facts.controller);
    assert_int_equal(facts.bitrate, 0);
}

static void test_can_netlink_state_of_the_future_is_unknown(void **state)
{
    uint32_t later = CAN_STATE_MAX;
    struct message data = {.size = 0}, whole;
    struct aw_can_facts facts;

    (void)state;
    put(&data, IFLA_CAN_STATE, &later, sizeof(later));
    whole = wrap("can", &data);
    assert_int_equal(take(&whole, &facts), AW_CAN_NEWS_LINK);
    assert_true(facts.controller);
    assert_int_equal(facts.bus_state, AW_BUS_UNKNOWN);
}

static void test_can_netlink_attribute_too_short_is_left_out(void **state)
{
    uint32_t rate = 500000;
    struct message data = {.size = 0}, whole;
    struct aw_can_facts facts;

    (void)state;
    put(&data, IFLA_CAN_BITTIMING, &rate, sizeof(rate));
    whole = wrap("can", &data);
    assert_int_equal(take(&whole, &facts), AW_CAN_NEWS_LINK);
    assert_int_equal(facts.bitrate, 0);
}

static void test_can_netlink_messages_of_a_datagram_come_in_turn(void **state)
{
    struct message one = decode(recorded_vcan), two = decode(recorded_gone);
    unsigned char both[2 * MESSAGE_MAX];
    const unsigned char *at = both;
    size_t size = one.size + two.size;
    struct aw_can_facts facts;

    (void)state;
    memcpy(both, one.bytes, one.size);
    memcpy(both + one.size, two.bytes, two.size);
    assert_int_equal(aw_can_netlink_next(&at, &size, &facts), AW_CAN_NEWS_LINK);
    assert_string_equal(facts.name, "vcan0");
    assert_int_equal(aw_can_netlink_next(&at, &size, &facts), AW_CAN_NEWS_LINK);
    assert_true(facts.gone);
    assert_int_equal(aw_can_netlink_next(&at, &size, &facts), AW_CAN_NEWS_NONE);
}

/* ---- damaged ---- */

/* In a buffer of just that size, so that ASan sees a byte too much read. */
static void take_cut(const struct message *message, size_t size)
{
    unsigned char *cut = malloc(size ? size : 1);
    const unsigned char *at = cut;
    struct aw_can_facts facts;

    assert_non_null(cut);
    memcpy(cut, message->bytes, size);
    while (aw_can_netlink_next(&at, &size, &facts) != AW_CAN_NEWS_NONE)
        ;
    free(cut);
}

static void test_can_netlink_cut_message_is_read_no_further(void **state)
{
    struct message message = decode(recorded_passive);

    (void)state;
    for (size_t size = 0; size <= message.size; size++) {
        struct message cut = message;
        uint32_t length = (uint32_t)size;

        take_cut(&message, size);
        /* And where its head says that this is all. */
        memcpy(cut.bytes, &length, sizeof(length));
        take_cut(&cut, size);
    }
}

static void test_can_netlink_random_damage_is_survived(void **state)
{
    const struct message message = decode(recorded_passive);
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        struct message damaged = message;

        for (int i = 0; i < 4; i++)
            damaged.bytes[(size_t)rand_r(&seed) % message.size] =
                (unsigned char)rand_r(&seed);
        take_cut(&damaged, damaged.size);
    }
}

/* ---- requests: what the guest's kernel takes is tested there ---- */

static void test_can_netlink_setting_names_rates_and_fd(void **state)
{
    unsigned char request[AW_CAN_REQUEST_BYTES];
    size_t size = aw_can_netlink_set(request, 7, 500000, 2000000);
    const unsigned char *at = request;
    struct aw_can_facts facts;

    (void)state;
    assert_true(size <= AW_CAN_REQUEST_BYTES);
    /* It is of the same form as the kernel's own message. */
    assert_int_equal(aw_can_netlink_next(&at, &size, &facts), AW_CAN_NEWS_LINK);
    assert_int_equal(facts.index, 7);
    assert_int_equal(facts.bitrate, 500000);
    assert_int_equal(facts.dbitrate, 2000000);
    assert_int_equal(facts.modes, CAN_CTRLMODE_FD);
    assert_int_equal(size, 0);
}

static void test_can_netlink_longest_name_has_room(void **state)
{
    unsigned char request[AW_CAN_REQUEST_BYTES];
    char name[AW_CAN_NAME_BYTES];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_in_range(aw_can_netlink_ask(request, 0, name),
                    NLMSG_SPACE(sizeof(struct ifinfomsg)) + sizeof(name),
                    AW_CAN_REQUEST_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_netlink_virtual_interface_is_no_controller),
        cmocka_unit_test(test_can_netlink_controller_that_is_down_is_stopped),
        cmocka_unit_test(test_can_netlink_controller_has_bit_rate_and_state),
        cmocka_unit_test(
            test_can_netlink_bus_off_has_no_carrier_and_is_counted),
        cmocka_unit_test(test_can_netlink_deleted_interface_is_gone),
        cmocka_unit_test(test_can_netlink_refusal_is_its_errno),
        cmocka_unit_test(test_can_netlink_answer_above_zero_is_no_errno),
        cmocka_unit_test(test_can_netlink_fd_controller_has_all_of_it),
        cmocka_unit_test(test_can_netlink_data_of_another_kind_is_not_read),
        cmocka_unit_test(test_can_netlink_state_of_the_future_is_unknown),
        cmocka_unit_test(test_can_netlink_attribute_too_short_is_left_out),
        cmocka_unit_test(test_can_netlink_messages_of_a_datagram_come_in_turn),
        cmocka_unit_test(test_can_netlink_cut_message_is_read_no_further),
        cmocka_unit_test(test_can_netlink_random_damage_is_survived),
        cmocka_unit_test(test_can_netlink_setting_names_rates_and_fd),
        cmocka_unit_test(test_can_netlink_longest_name_has_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
