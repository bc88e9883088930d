/* Datagrams that come merged, from a sender that gives many away as one. */
#include "driver_fixture.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define HEAD sizeof(struct aw_address)

struct bench {
    struct fixture *udp;
    int sender; /* connected to it */
};

static struct bench set_up(const char *max_payload)
{
    struct bench bench = {.udp = fixture_new(&aw_udp_driver)};
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    struct capture capture = capture_begin();
    char text[256];
    int result;

    fixture_set(bench.udp, "bind", "127.0.0.1:0");
    fixture_set(bench.udp, "gro", "yes");
    fixture_set(bench.udp, "max_payload", max_payload);
    result = fixture_open(bench.udp);
    capture_end(capture, text, sizeof(text));
    assert_int_equal(result, 0);
    assert_int_equal(
        getsockname(bench.udp->link.fd, (struct sockaddr *)&address, &length),
        0);
    bench.sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(bench.sender >= 0);
    assert_int_equal(connect(bench.sender, (struct sockaddr *)&address, length),
                     0);
    return bench;
}

static void tear_down(struct bench *bench)
{
    close(bench->sender);
    fixture_free(bench->udp);
}

/* Gives `bytes` bytes away as datagrams of `segment` bytes: 1, 2, 3, … in each.
 */
static void send_merged(const struct bench *bench, int segment, size_t bytes)
{
    unsigned char message[1024];

    assert_true(bytes <= sizeof(message));
    for (size_t i = 0; i < bytes; i++)
        message[i] = (unsigned char)(1 + i / (size_t)segment);
    assert_int_equal(setsockopt(bench->sender, IPPROTO_UDP, UDP_SEGMENT,
                                &segment, sizeof(segment)),
                     0);
    assert_int_equal(send(bench->sender, message, bytes, 0), bytes);
}

static const struct aw_frame *frame_at(const struct bench *bench,
                                       uint32_t index)
{
    return aw_batch_at(&bench->udp->batch, index);
}

static void read_some(struct bench *bench, uint32_t limit, uint32_t expected)
{
    assert_int_equal(fixture_read(bench->udp, limit), 0);
    assert_int_equal(bench->udp->batch.count, expected);
}

static void assert_datagram(const struct aw_frame *frame, uint16_t bytes,
                            unsigned char content)
{
    assert_int_equal(frame->kind, AW_KIND_DATAGRAM);
    assert_int_equal(frame->length, HEAD + bytes);
    for (uint16_t i = 0; i < bytes; i++)
        assert_int_equal(frame->payload[HEAD + i], content);
}

static void test_udp_gro_takes_a_message_apart(void **state)
{
    struct bench bench = set_up("100");

    (void)state;
    send_merged(&bench, 50, 170);
    assert_true(fixture_polls(bench.udp, POLLIN, DEADLINE_MS));
    read_some(&bench, AW_BATCH_FRAMES, 4);
    for (uint32_t i = 0; i < 3; i++)
        assert_datagram(frame_at(&bench, i), 50, (unsigned char)(i + 1));
    assert_datagram(frame_at(&bench, 3), 20, 4);
    assert_false(bench.udp->link.more);
    tear_down(&bench);
}

static void test_udp_gro_all_of_a_message_have_sender_and_time(void **state)
{
    struct bench bench = set_up("100");
    const struct aw_frame *first, *last;

    (void)state;
    send_merged(&bench, 50, 100);
    assert_true(fixture_polls(bench.udp, POLLIN, DEADLINE_MS));
    read_some(&bench, AW_BATCH_FRAMES, 2);
    first = frame_at(&bench, 0);
    last = frame_at(&bench, 1);
    assert_memory_equal(first->payload, last->payload, HEAD);
    assert_int_equal(first->payload[0], 127);
    assert_int_equal(first->timestamp_ns, last->timestamp_ns);
    assert_int_equal(aw_frame_stamp(last), AW_STAMP_KERNEL);
    tear_down(&bench);
}

/* The socket is empty then: only the driver knows. */
static void test_udp_gro_says_what_a_full_batch_has_left(void **state)
{
    struct bench bench = set_up("100");

    (void)state;
    send_merged(&bench, 50, 250);
    assert_true(fixture_polls(bench.udp, POLLIN, DEADLINE_MS));
    read_some(&bench, 3, 3);
    assert_false(fixture_polls(bench.udp, POLLIN, 0));
    assert_true(bench.udp->link.more);
    read_some(&bench, 3, 2);
    assert_datagram(frame_at(&bench, 0), 50, 4);
    assert_datagram(frame_at(&bench, 1), 50, 5);
    assert_false(bench.udp->link.more);
    tear_down(&bench);
}

static void test_udp_gro_cuts_each_datagram_that_is_too_long(void **state)
{
    struct bench bench = set_up("30");

    (void)state;
    send_merged(&bench, 50, 100);
    assert_true(fixture_polls(bench.udp, POLLIN, DEADLINE_MS));
    read_some(&bench, AW_BATCH_FRAMES, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_datagram(frame_at(&bench, i), 30, (unsigned char)(i + 1));
        assert_int_equal(frame_at(&bench, i)->id, 50);
        assert_true(frame_at(&bench, i)->flags & AW_FRAME_TRUNCATED);
    }
    tear_down(&bench);
}

static void test_udp_gro_leaves_single_and_empty_datagrams_alone(void **state)
{
    struct bench bench = set_up("100");

    (void)state;
    assert_int_equal(send(bench.sender, "\1\1", 2, 0), 2);
    assert_int_equal(send(bench.sender, "", 0, 0), 0);
    send_merged(&bench, 50, 100);
    assert_true(fixture_polls(bench.udp, POLLIN, DEADLINE_MS));
    read_some(&bench, AW_BATCH_FRAMES, 4);
    assert_datagram(frame_at(&bench, 0), 2, 1);
    assert_datagram(frame_at(&bench, 1), 0, 0);
    assert_datagram(frame_at(&bench, 2), 50, 1);
    assert_datagram(frame_at(&bench, 3), 50, 2);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp_gro_takes_a_message_apart),
        cmocka_unit_test(test_udp_gro_all_of_a_message_have_sender_and_time),
        cmocka_unit_test(test_udp_gro_says_what_a_full_batch_has_left),
        cmocka_unit_test(test_udp_gro_cuts_each_datagram_that_is_too_long),
        cmocka_unit_test(test_udp_gro_leaves_single_and_empty_datagrams_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
