#include "driver_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "devices/address.h"

#define HEAD sizeof(struct aw_address)

static struct fixture *configure(const char *bind)
{
    struct fixture *udp = fixture_new(&aw_udp_driver);

    fixture_set(udp, "bind", bind);
    fixture_set(udp, "receive_buffer", "64k");
    return udp;
}

/* Opens it; what it tells about its port does not belong into test output. */
static int open_silently(struct fixture *udp, char *text, size_t size)
{
    struct capture capture = capture_begin();
    int result = fixture_open(udp);

    capture_end(capture, text, size);
    return result;
}

static struct fixture *open_udp(const char *bind)
{
    struct fixture *udp = configure(bind);
    char text[256];

    assert_int_equal(open_silently(udp, text, sizeof(text)), 0);
    return udp;
}

/* Skips the test on a machine without IPv6. */
static void skip_without_ipv6(struct fixture *udp)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
                                    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool works = fd >= 0 &&
                 bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;

    if (fd >= 0)
        close(fd);
    if (works)
        return;
    if (udp)
        fixture_free(udp);
    skip();
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static struct aw_address address_of(const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    struct aw_address found;

    assert_true(aw_address_parse(host, &address) > 0);
    aw_address_import((struct sockaddr *)&address, &found);
    found.port = port;
    return found;
}

/* Sends from one device to another, as a script does. */
static int send_to(struct fixture *from, struct aw_address to,
                   const char *payload)
{
    unsigned char bytes[4096];
    size_t length = strlen(payload);
    struct aw_frame header = {.kind = AW_KIND_DATAGRAM,
                              .length = (uint16_t)(HEAD + length)};

    memcpy(bytes, &to, HEAD);
    memcpy(bytes + HEAD, payload, length);
    return fixture_send(from, "", &header, bytes);
}

static void assert_payload(const struct aw_frame *frame, const char *payload)
{
    assert_int_equal(frame->length, HEAD + strlen(payload));
    assert_memory_equal(frame->payload + HEAD, payload, strlen(payload));
}

static struct aw_address head_of(const struct aw_frame *frame)
{
    struct aw_address head;

    memcpy(&head, frame->payload, sizeof(head));
    return head;
}

/* ---- check ---- */

static void test_udp_bind_is_the_main_option_and_required(void **state)
{
    (void)state;
    assert_string_equal(aw_udp_driver.main_option, "bind");
    assert_string_equal(aw_udp_driver.options[0].name, "bind");
    assert_true(aw_udp_driver.options[0].required);
}

static void test_udp_max_payload_out_of_range_is_refused(void **state)
{
    (void)state;
    assert_false(fixture_takes(&aw_udp_driver, "max_payload", "0"));
    assert_true(fixture_takes(&aw_udp_driver, "max_payload", "65503"));
    assert_false(fixture_takes(&aw_udp_driver, "max_payload", "65504"));
}

static void test_udp_bind_that_is_no_endpoint_is_refused(void **state)
{
    struct fixture *udp = configure("5005");

    (void)state;
    assert_int_equal(fixture_check(udp), -EINVAL);
    assert_non_null(strstr(udp->error.text, "\"5005\" is not HOST:PORT"));
    fixture_free(udp);
}

static void test_udp_group_that_is_none_is_refused(void **state)
{
    struct fixture *udp = configure("0.0.0.0:5005");

    (void)state;
    fixture_set(udp, "multicast", "192.0.2.1");
    assert_int_equal(fixture_check(udp), -EINVAL);
    assert_non_null(strstr(udp->error.text, "no group address"));
    fixture_set(udp, "multicast", "ff02::fb");
    assert_int_equal(fixture_check(udp), -EINVAL);
    assert_non_null(strstr(udp->error.text, "[::]:5005"));
    fixture_free(udp);
}

static void test_udp_groups_of_both_protocols_are_accepted(void **state)
{
    struct fixture *udp = configure("[::]:5005");

    (void)state;
    fixture_set(udp, "multicast", "ff02::fb");
    assert_int_equal(fixture_check(udp), 0);
    fixture_set(udp, "multicast", "239.1.2.3");
    assert_int_equal(fixture_check(udp), 0);
    fixture_free(udp);
}

static void test_udp_multicast_interface_too_long_is_refused(void **state)
{
    struct fixture *udp = configure("0.0.0.0:5005");

    (void)state;
    fixture_set(udp, "multicast_interface", "an-interface-too-long");
    assert_int_equal(fixture_check(udp), -EINVAL);
    fixture_free(udp);
}

/* ---- open ---- */

static void test_udp_opened_states_its_slot_class(void **state)
{
    struct fixture *udp = open_udp("127.0.0.1:0");

    (void)state;
    assert_int_equal(udp->link.kind, AW_KIND_DATAGRAM);
    assert_int_equal(udp->link.payload_bytes, AW_PAYLOAD_2K);
    assert_true(udp->link.can_send);
    fixture_free(udp);
}

static void test_udp_on_port_0_says_which_it_got(void **state)
{
    struct fixture *udp = configure("127.0.0.1:0");
    char text[256], expected[128];

    (void)state;
    assert_int_equal(open_silently(udp, text, sizeof(text)), 0);
    snprintf(expected, sizeof(expected),
             "awaitd: device bench: listening on 127.0.0.1:%u\n",
             port_of(udp->link.fd));
    assert_string_equal(text, expected);
    fixture_free(udp);
}

static void test_udp_on_a_port_in_use_says_how_to_find_whose(void **state)
{
    struct fixture *first = open_udp("127.0.0.1:0");
    char bind[32];
    struct fixture *second;

    (void)state;
    snprintf(bind, sizeof(bind), "127.0.0.1:%u", port_of(first->link.fd));
    second = configure(bind);
    assert_int_equal(fixture_open(second), -EADDRINUSE);
    assert_non_null(strstr(second->error.text, "device bench: cannot bind"));
    assert_non_null(strstr(second->error.text, "reuse: yes"));
    fixture_free(second);
    fixture_free(first);
}

static void test_udp_with_reuse_shares_a_port(void **state)
{
    struct fixture *first = configure("127.0.0.1:0");
    struct fixture *second;
    char bind[32], text[256];

    (void)state;
    fixture_set(first, "reuse", "yes");
    assert_int_equal(open_silently(first, text, sizeof(text)), 0);
    snprintf(bind, sizeof(bind), "127.0.0.1:%u", port_of(first->link.fd));
    second = configure(bind);
    fixture_set(second, "reuse", "yes");
    assert_int_equal(fixture_open(second), 0);
    fixture_free(second);
    fixture_free(first);
}

static void test_udp_on_a_foreign_address_says_what_means_all(void **state)
{
    struct fixture *udp = configure("192.0.2.1:5005");

    (void)state;
    assert_int_equal(fixture_open(udp), -EADDRNOTAVAIL);
    assert_non_null(strstr(udp->error.text, "0.0.0.0 or [::] means all"));
    fixture_free(udp);
}

static void test_udp_on_a_privileged_port_names_the_capability(void **state)
{
    struct fixture *udp = configure("127.0.0.1:7");
    int result;

    (void)state;
    set_capability(CAP_NET_BIND_SERVICE, false);
    result = fixture_open(udp);
    set_capability(CAP_NET_BIND_SERVICE, true);
    if (result == 0) { /* net.ipv4.ip_unprivileged_port_start is low here */
        fixture_free(udp);
        skip();
    }
    assert_int_equal(result, -EACCES);
    assert_non_null(strstr(udp->error.text, "CAP_NET_BIND_SERVICE"));
    fixture_free(udp);
}

static void test_udp_on_an_unknown_host_names_the_file(void **state)
{
    struct fixture *udp = configure("nowhere.invalid:5005");

    (void)state;
    assert_int_equal(fixture_open(udp), -ENOENT);
    assert_non_null(strstr(udp->error.text, "nowhere.invalid:5005"));
    assert_non_null(strstr(udp->error.text, "/etc/hosts"));
    fixture_free(udp);
}

static void test_udp_multicast_on_a_missing_interface_names_it(void **state)
{
    struct fixture *udp = configure("0.0.0.0:0");
    char text[256];

    (void)state;
    fixture_set(udp, "multicast", "239.1.2.3");
    fixture_set(udp, "multicast_interface", "missing0");
    assert_int_equal(open_silently(udp, text, sizeof(text)), -ENODEV);
    assert_non_null(strstr(udp->error.text, "no network interface missing0"));
    fixture_free(udp);
}

/* ---- receive ---- */

/* A device and another one to send to it. */
struct pair {
    struct fixture *receiver, *sender;
    struct aw_address to; /* the receiver's address */
    uint16_t from;        /* the sender's port */
};

static struct pair pair_new(const char *receiver, const char *sender,
                            const char *to)
{
    struct pair pair = {.receiver = open_udp(receiver),
                        .sender = open_udp(sender)};

    pair.to = address_of(to, port_of(pair.receiver->link.fd));
    pair.from = port_of(pair.sender->link.fd);
    return pair;
}

static struct pair pair_v4(void)
{
    return pair_new("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1");
}

static void pair_free(const struct pair *pair)
{
    fixture_free(pair->receiver);
    fixture_free(pair->sender);
}

static void test_udp_datagram_is_a_frame_with_payload_and_length(void **state)
{
    struct pair pair = pair_v4();
    const struct aw_frame *frame;

    (void)state;
    assert_int_equal(send_to(pair.sender, pair.to, "hello"), 0);
    frame = fixture_next(pair.receiver);
    assert_int_equal(frame->kind, AW_KIND_DATAGRAM);
    assert_int_equal(frame->id, 5);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, 0);
    assert_int_equal(frame->lost_before, 0);
    assert_int_not_equal(frame->timestamp_ns, 0);
    assert_payload(frame, "hello");
    pair_free(&pair);
}

static void test_udp_datagram_carries_its_senders_address(void **state)
{
    struct pair pair = pair_v4();
    struct aw_address head;

    (void)state;
    assert_int_equal(send_to(pair.sender, pair.to, "x"), 0);
    head = head_of(fixture_next(pair.receiver));
    assert_int_equal(head.family, 4);
    assert_int_equal(head.port, pair.from);
    assert_memory_equal(head.ip, "\x7f\0\0\1", 4);
    pair_free(&pair);
}

static void test_udp_empty_datagram_is_a_frame(void **state)
{
    struct pair pair = pair_v4();
    const struct aw_frame *frame;

    (void)state;
    assert_int_equal(send_to(pair.sender, pair.to, ""), 0);
    frame = fixture_next(pair.receiver);
    assert_int_equal(frame->length, HEAD);
    assert_int_equal(frame->id, 0);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, 0);
    pair_free(&pair);
}

static void test_udp_datagram_too_long_is_cut_and_flagged(void **state)
{
    struct fixture *receiver = configure("127.0.0.1:0");
    struct fixture *sender = open_udp("127.0.0.1:0");
    const struct aw_frame *frame;
    char text[256];

    (void)state;
    fixture_set(receiver, "max_payload", "4");
    assert_int_equal(open_silently(receiver, text, sizeof(text)), 0);
    assert_int_equal(
        send_to(sender, address_of("127.0.0.1", port_of(receiver->link.fd)),
                "too long"),
        0);
    frame = fixture_next(receiver);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, AW_FRAME_TRUNCATED);
    assert_int_equal(frame->id, 8);
    assert_payload(frame, "too ");
    fixture_free(receiver);
    fixture_free(sender);
}

static void test_udp_datagram_that_just_fits_is_not_flagged(void **state)
{
    struct fixture *receiver = configure("127.0.0.1:0");
    struct fixture *sender = open_udp("127.0.0.1:0");
    const struct aw_frame *frame;
    char text[256];

    (void)state;
    fixture_set(receiver, "max_payload", "4");
    assert_int_equal(open_silently(receiver, text, sizeof(text)), 0);
    assert_int_equal(
        send_to(sender, address_of("127.0.0.1", port_of(receiver->link.fd)),
                "fits"),
        0);
    frame = fixture_next(receiver);
    assert_int_equal(frame->flags & ~AW_FRAME_STAMP_MASK, 0);
    assert_payload(frame, "fits");
    fixture_free(receiver);
    fixture_free(sender);
}

static void test_udp_datagrams_come_in_one_batch_in_order(void **state)
{
    static const char *const payloads[] = {"one", "two", "three"};
    struct pair pair = pair_v4();

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(send_to(pair.sender, pair.to, payloads[i]), 0);
    assert_int_equal(fixture_read(pair.receiver, AW_BATCH_FRAMES), 0);
    assert_int_equal(pair.receiver->batch.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_payload(aw_batch_at(&pair.receiver->batch, i), payloads[i]);
    pair_free(&pair);
}

static void test_udp_without_datagrams_reads_none(void **state)
{
    struct fixture *udp = open_udp("127.0.0.1:0");

    (void)state;
    assert_int_equal(fixture_read(udp, AW_BATCH_FRAMES), 0);
    assert_int_equal(udp->batch.count, 0);
    fixture_free(udp);
}

static void test_udp_datagram_over_ipv6_carries_its_address(void **state)
{
    struct pair pair;
    const struct aw_frame *frame;

    (void)state;
    skip_without_ipv6(NULL);
    pair = pair_new("[::1]:0", "[::1]:0", "::1");
    assert_int_equal(send_to(pair.sender, pair.to, "six"), 0);
    frame = fixture_next(pair.receiver);
    assert_int_equal(head_of(frame).family, 6);
    assert_int_equal(head_of(frame).ip[15], 1);
    assert_payload(frame, "six");
    pair_free(&pair);
}

static void test_udp_on_any_ipv6_address_takes_ipv4_too(void **state)
{
    struct pair pair;
    struct aw_address head;

    (void)state;
    skip_without_ipv6(NULL);
    pair = pair_new("[::]:0", "127.0.0.1:0", "127.0.0.1");
    assert_int_equal(send_to(pair.sender, pair.to, "four"), 0);
    head = head_of(fixture_next(pair.receiver));
    assert_int_equal(head.family, 4);
    assert_memory_equal(head.ip, "\x7f\0\0\1", 4);
    pair_free(&pair);
}

static void test_udp_losses_of_the_kernel_are_counted(void **state)
{
    struct pair pair = pair_v4();
    uint32_t received = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(send_to(pair.sender, pair.to, "burst"), 0);
    while (fixture_read(pair.receiver, AW_BATCH_FRAMES) == 0 &&
           pair.receiver->batch.count > 0)
        received += pair.receiver->batch.count;
    aw_role_assume(&aw_role_reader);
    assert_in_range(received, 1, 999);
    assert_int_equal(aw_udp_driver.losses(&pair.receiver->link),
                     1000 - received);
    assert_int_equal(send_to(pair.sender, pair.to, "after"), 0);
    assert_int_equal(fixture_next(pair.receiver)->lost_before, 1000 - received);
    pair_free(&pair);
}

static void test_udp_error_of_the_network_is_no_loss_of_the_device(void **state)
{
    struct pair pair = pair_v4();
    struct sockaddr_in gone = {.sin_family = AF_INET,
                               .sin_port = htons(pair.to.port)};

    (void)state;
    /* Connected, so that the kernel reports the ICMP error here. */
    memcpy(&gone.sin_addr, pair.to.ip, 4);
    fixture_free(pair.receiver);
    assert_int_equal(
        connect(pair.sender->link.fd, (struct sockaddr *)&gone, sizeof(gone)),
        0);
    assert_int_equal(send_to(pair.sender, pair.to, "lost"), 0);
    assert_true(fixture_polls(pair.sender, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(pair.sender, 1), 0);
    assert_int_equal(pair.sender->batch.count, 0);
    fixture_free(pair.sender);
}

/* ---- send ---- */

static void test_udp_reply_to_a_frames_head_arrives(void **state)
{
    struct pair pair;
    struct aw_address back;

    (void)state;
    skip_without_ipv6(NULL);
    pair = pair_new("[::]:0", "127.0.0.1:0", "127.0.0.1");
    assert_int_equal(send_to(pair.sender, pair.to, "ping"), 0);
    back = head_of(fixture_next(pair.receiver));
    assert_int_equal(send_to(pair.receiver, back, "pong"), 0);
    assert_payload(fixture_next(pair.sender), "pong");
    pair_free(&pair);
}

static void test_udp_send_without_destination_is_refused(void **state)
{
    struct fixture *udp = open_udp("127.0.0.1:0");
    struct aw_frame short_frame = {.kind = AW_KIND_DATAGRAM, .length = 3};

    (void)state;
    assert_int_equal(send_to(udp, (struct aw_address){0}, "x"), -EDESTADDRREQ);
    assert_int_equal(fixture_send(udp, "", &short_frame, "abc"), -EDESTADDRREQ);
    fixture_free(udp);
}

static void test_udp_send_to_ipv6_from_ipv4_is_refused(void **state)
{
    struct fixture *udp = open_udp("127.0.0.1:0");

    (void)state;
    assert_int_equal(send_to(udp, address_of("::1", 9), "x"), -EAFNOSUPPORT);
    fixture_free(udp);
}

/* ---- multicast, on the loopback interface ---- */

static bool is_member(const char *group)
{
    FILE *groups = fopen("/proc/net/igmp6", "re");
    char line[128];
    bool found = false;

    assert_non_null(groups);
    while (!found && fgets(line, sizeof(line), groups))
        found = strstr(line, group) != NULL;
    fclose(groups);
    return found;
}

static void check_group(const char *bind, const char *group)
{
    struct fixture *udp = configure(bind);
    char text[256];

    fixture_set(udp, "multicast", group);
    fixture_set(udp, "multicast_interface", "lo");
    assert_int_equal(open_silently(udp, text, sizeof(text)), 0);
    assert_int_equal(
        send_to(udp, address_of(group, port_of(udp->link.fd)), "to all"), 0);
    assert_payload(fixture_next(udp), "to all");
    fixture_free(udp);
}

static void test_udp_member_of_an_ipv4_group_gets_its_datagrams(void **state)
{
    (void)state;
    check_group("0.0.0.0:0", "239.255.77.1");
}

static void test_udp_member_of_an_ipv4_group_on_an_ipv6_socket(void **state)
{
    (void)state;
    skip_without_ipv6(NULL);
    check_group("[::]:0", "239.255.77.1");
}

/* The loopback interface has no route to IPv6 groups, so nothing can be sent
 * there; but the kernel tells who is a member: of a group that no other run of
 * this test has. */
static void test_udp_member_of_an_ipv6_group_is_listed(void **state)
{
    struct fixture *udp = configure("[::]:0");
    unsigned own = (unsigned)getpid();
    char text[256], group[32], listed[40];

    (void)state;
    skip_without_ipv6(udp);
    snprintf(group, sizeof(group), "ff02::77:%x:%x", own >> 16, own & 0xFFFF);
    snprintf(listed, sizeof(listed), "ff02%016x0077%08x", 0, own);
    fixture_set(udp, "multicast", group);
    fixture_set(udp, "multicast_interface", "lo");
    assert_int_equal(open_silently(udp, text, sizeof(text)), 0);
    assert_true(is_member(listed));
    fixture_free(udp);
    assert_false(is_member(listed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp_bind_is_the_main_option_and_required),
        cmocka_unit_test(test_udp_max_payload_out_of_range_is_refused),
        cmocka_unit_test(test_udp_bind_that_is_no_endpoint_is_refused),
        cmocka_unit_test(test_udp_group_that_is_none_is_refused),
        cmocka_unit_test(test_udp_groups_of_both_protocols_are_accepted),
        cmocka_unit_test(test_udp_multicast_interface_too_long_is_refused),
        cmocka_unit_test(test_udp_opened_states_its_slot_class),
        cmocka_unit_test(test_udp_on_port_0_says_which_it_got),
        cmocka_unit_test(test_udp_on_a_port_in_use_says_how_to_find_whose),
        cmocka_unit_test(test_udp_with_reuse_shares_a_port),
        cmocka_unit_test(test_udp_on_a_foreign_address_says_what_means_all),
        cmocka_unit_test(test_udp_on_a_privileged_port_names_the_capability),
        cmocka_unit_test(test_udp_on_an_unknown_host_names_the_file),
        cmocka_unit_test(test_udp_multicast_on_a_missing_interface_names_it),
        cmocka_unit_test(test_udp_datagram_is_a_frame_with_payload_and_length),
        cmocka_unit_test(test_udp_datagram_carries_its_senders_address),
        cmocka_unit_test(test_udp_empty_datagram_is_a_frame),
        cmocka_unit_test(test_udp_datagram_too_long_is_cut_and_flagged),
        cmocka_unit_test(test_udp_datagram_that_just_fits_is_not_flagged),
        cmocka_unit_test(test_udp_datagrams_come_in_one_batch_in_order),
        cmocka_unit_test(test_udp_without_datagrams_reads_none),
        cmocka_unit_test(test_udp_datagram_over_ipv6_carries_its_address),
        cmocka_unit_test(test_udp_on_any_ipv6_address_takes_ipv4_too),
        cmocka_unit_test(test_udp_losses_of_the_kernel_are_counted),
        cmocka_unit_test(
            test_udp_error_of_the_network_is_no_loss_of_the_device),
        cmocka_unit_test(test_udp_reply_to_a_frames_head_arrives),
        cmocka_unit_test(test_udp_send_without_destination_is_refused),
        cmocka_unit_test(test_udp_send_to_ipv6_from_ipv4_is_refused),
        cmocka_unit_test(test_udp_member_of_an_ipv4_group_gets_its_datagrams),
        cmocka_unit_test(test_udp_member_of_an_ipv4_group_on_an_ipv6_socket),
        cmocka_unit_test(test_udp_member_of_an_ipv6_group_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
