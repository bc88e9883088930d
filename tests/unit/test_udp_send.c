/* Sending datagrams: many in one call, to a peer, and past errors of others. */
#include "driver_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "devices/address.h"

#define HEAD sizeof(struct aw_address)

/* A plain socket on loopback, for the other end. */
static int open_remote(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = DEADLINE_MS / 1000};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* Opens the driver on a free port, connected to `peer` if that is not 0. */
static struct fixture *open_udp(uint16_t peer)
{
    struct fixture *udp = fixture_new(&aw_udp_driver);
    struct capture capture;
    char text[256];

    fixture_set(udp, "bind", "127.0.0.1:0");
    fixture_set(udp, "receive_buffer", "64k");
    snprintf(text, sizeof(text), "127.0.0.1:%u", peer);
    if (peer)
        fixture_set(udp, "peer", text);
    assert_int_equal(fixture_check(udp), 0);
    capture = capture_begin();
    assert_int_equal(fixture_open(udp), 0);
    capture_end(capture, text, sizeof(text));
    return udp;
}

static struct sockaddr_in address_of(const struct fixture *udp)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);

    assert_int_equal(
        getsockname(udp->link.fd, (struct sockaddr *)&address, &length), 0);
    return address;
}

/* A datagram of one byte to 127.0.0.1:`port`, or without address if that is 0.
 */
static struct aw_send *make_send(uint16_t port, unsigned char byte)
{
    struct aw_address head = {
        .ip = {127, 0, 0, 1}, .port = port, .family = port ? 4 : 0};
    struct aw_frame frame = {.kind = AW_KIND_DATAGRAM, .length = HEAD + 1};
    struct aw_send *send = calloc(1, sizeof(*send) + aw_slot_bytes(HEAD + 1));

    assert_non_null(send);
    memcpy(send->frame, &frame, sizeof(frame));
    memcpy(send->frame + sizeof(frame), &head, HEAD);
    send->frame[sizeof(frame) + HEAD] = byte;
    return send;
}

/* Sends a datagram to each port in one call; returns what the driver does. */
static int send_to(struct fixture *udp, const uint16_t *ports, uint32_t count)
{
    struct aw_send *sends[AW_SEND_BATCH];
    int result;

    for (uint32_t i = 0; i < count; i++)
        sends[i] = make_send(ports[i], (unsigned char)i);
    aw_role_assume(&aw_role_reader);
    result = udp->driver->send_many(&udp->link, sends, count);
    for (uint32_t i = 0; i < count; i++)
        free(sends[i]);
    return result;
}

static int receive(int fd)
{
    unsigned char bytes[16];

    assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 1);
    return bytes[0];
}

static void test_udp_sends_a_full_batch_in_order(void **state)
{
    struct fixture *udp = open_udp(0);
    uint16_t port, ports[AW_SEND_BATCH];
    int remote = open_remote(&port);

    (void)state;
    for (uint32_t i = 0; i < AW_SEND_BATCH; i++)
        ports[i] = port;
    assert_int_equal(send_to(udp, ports, AW_SEND_BATCH), AW_SEND_BATCH);
    for (uint32_t i = 0; i < AW_SEND_BATCH; i++)
        assert_int_equal(receive(remote), i);
    close(remote);
    fixture_free(udp);
}

static void test_udp_batch_may_have_several_destinations(void **state)
{
    struct fixture *udp = open_udp(0);
    uint16_t ports[2];
    int one = open_remote(&ports[0]), two = open_remote(&ports[1]);

    (void)state;
    assert_int_equal(send_to(udp, ports, 2), 2);
    assert_int_equal(receive(one), 0);
    assert_int_equal(receive(two), 1);
    close(one);
    close(two);
    fixture_free(udp);
}

static void test_udp_batch_ends_before_what_cannot_be_sent(void **state)
{
    struct fixture *udp = open_udp(0);
    uint16_t port;
    int remote = open_remote(&port);
    const uint16_t ports[] = {port, 0, port};

    (void)state;
    assert_int_equal(send_to(udp, ports, 3), 1);
    assert_int_equal(receive(remote), 0);
    assert_int_equal(send_to(udp, ports + 1, 2), -EDESTADDRREQ);
    assert_int_equal(recv(remote, &port, sizeof(port), MSG_DONTWAIT), -1);
    close(remote);
    fixture_free(udp);
}

static void test_udp_without_address_goes_to_the_peer(void **state)
{
    const uint16_t none = 0;
    uint16_t port;
    int remote = open_remote(&port);
    struct fixture *udp = open_udp(port);

    (void)state;
    assert_int_equal(send_to(udp, &none, 1), 1);
    assert_int_equal(receive(remote), 0);
    close(remote);
    fixture_free(udp);
}

static void test_udp_with_a_peer_may_still_send_elsewhere(void **state)
{
    uint16_t peer_port, port;
    int peer = open_remote(&peer_port), other = open_remote(&port);
    struct fixture *udp = open_udp(peer_port);

    (void)state;
    assert_int_equal(send_to(udp, &port, 1), 1);
    assert_int_equal(receive(other), 0);
    close(peer);
    close(other);
    fixture_free(udp);
}

static void test_udp_takes_datagrams_of_its_peer_alone(void **state)
{
    uint16_t peer_port, port;
    int peer = open_remote(&peer_port), stranger = open_remote(&port);
    struct fixture *udp = open_udp(peer_port);
    struct sockaddr_in to = address_of(udp);

    (void)state;
    assert_int_equal(
        sendto(stranger, "s", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    assert_int_equal(
        sendto(peer, "p", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    assert_true(fixture_polls(udp, POLLIN, DEADLINE_MS));
    assert_int_equal(fixture_read(udp, AW_BATCH_FRAMES), 0);
    assert_int_equal(udp->batch.count, 1);
    assert_int_equal(aw_batch_at(&udp->batch, 0)->payload[HEAD], 'p');
    close(peer);
    close(stranger);
    fixture_free(udp);
}

/* The port is closed: the network says so after the first datagram, and that is
 * nothing that the second one could be blamed for. */
static void test_udp_error_of_an_earlier_datagram_fails_none(void **state)
{
    const uint16_t none = 0;
    uint16_t port;
    int remote = open_remote(&port);
    struct fixture *udp = open_udp(port);

    (void)state;
    close(remote);
    assert_int_equal(send_to(udp, &none, 1), 1);
    assert_true(fixture_polls(udp, POLLERR, DEADLINE_MS));
    assert_int_equal(send_to(udp, &none, 1), 1);
    fixture_free(udp);
}

static void test_udp_peer_without_port_is_refused(void **state)
{
    struct fixture *udp = fixture_new(&aw_udp_driver);

    (void)state;
    fixture_set(udp, "bind", "127.0.0.1:0");
    fixture_set(udp, "peer", "127.0.0.1:0");
    assert_int_equal(fixture_check(udp), -EINVAL);
    assert_non_null(strstr(udp->error.text, "peer"));
    fixture_free(udp);
}

static void test_udp_peer_of_the_other_protocol_is_refused(void **state)
{
    struct fixture *udp = fixture_new(&aw_udp_driver);
    struct capture capture = capture_begin();
    char text[256];
    int result;

    (void)state;
    fixture_set(udp, "bind", "127.0.0.1:0");
    fixture_set(udp, "peer", "[::1]:5000");
    result = fixture_open(udp);
    capture_end(capture, text, sizeof(text));
    assert_int_equal(result, -EAFNOSUPPORT);
    assert_non_null(strstr(udp->error.text, "peer [::1]:5000"));
    fixture_free(udp);
}

static void test_udp_missing_interface_is_said(void **state)
{
    struct fixture *udp = fixture_new(&aw_udp_driver);

    (void)state;
    fixture_set(udp, "bind", "127.0.0.1:0");
    fixture_set(udp, "interface", "nosuch0");
    assert_int_equal(fixture_open(udp), -ENODEV);
    assert_non_null(strstr(udp->error.text, "interface"));
    fixture_free(udp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp_sends_a_full_batch_in_order),
        cmocka_unit_test(test_udp_batch_may_have_several_destinations),
        cmocka_unit_test(test_udp_batch_ends_before_what_cannot_be_sent),
        cmocka_unit_test(test_udp_without_address_goes_to_the_peer),
        cmocka_unit_test(test_udp_with_a_peer_may_still_send_elsewhere),
        cmocka_unit_test(test_udp_takes_datagrams_of_its_peer_alone),
        cmocka_unit_test(test_udp_error_of_an_earlier_datagram_fails_none),
        cmocka_unit_test(test_udp_peer_without_port_is_refused),
        cmocka_unit_test(test_udp_peer_of_the_other_protocol_is_refused),
        cmocka_unit_test(test_udp_missing_interface_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
