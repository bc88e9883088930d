#include "driver_fixture.h"

#include <errno.h>
#include <stdio.h>

#include "devices/queue/clock.h"
#include "devices/socket.h"

/* A receiving socket on loopback and a plain one that sends to it. */
struct pair {
    struct aw_socket *receiver;
    int sender;
    unsigned char payload[512];
};

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    struct pair *pair = calloc(1, sizeof(*pair));

    assert_non_null(pair);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(aw_socket_new(AF_INET, SOCK_DGRAM, 0, &pair->receiver), 0);
    assert_int_equal(
        bind(pair->receiver->fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(
        getsockname(pair->receiver->fd, (struct sockaddr *)&address, &length),
        0);
    pair->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(pair->sender, (struct sockaddr *)&address, length),
                     0);
    for (uint32_t i = 0; i < AW_BATCH_FRAMES; i++)
        aw_socket_place(pair->receiver, i, pair->payload,
                        sizeof(pair->payload));
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    aw_socket_free(pair->receiver);
    close(pair->sender);
    free(pair);
    return 0;
}

static void send_bytes(const struct pair *pair, size_t bytes)
{
    static const unsigned char zeros[1024];

    assert_int_equal(send(pair->sender, zeros, bytes, 0), bytes);
}

static int receive(const struct pair *pair, uint32_t count)
{
    aw_role_assume(&aw_role_reader);
    return aw_socket_receive(pair->receiver, count);
}

/* Stamps a frame that was used before. */
static void stamp(const struct pair *pair, uint32_t index,
                  struct aw_frame *frame)
{
    frame->lost_before = 77;
    frame->lost_cause = 77;
    frame->flags = AW_FRAME_STAMP_MASK;
    aw_role_assume(&aw_role_reader);
    aw_socket_stamp(pair->receiver, index, frame);
}

static uint64_t losses(const struct pair *pair)
{
    aw_role_assume(&aw_role_reader);
    return aw_socket_losses(pair->receiver);
}

static void test_socket_without_messages_receives_none(void **state)
{
    assert_int_equal(receive(*state, AW_BATCH_FRAMES), 0);
}

static void test_socket_with_messages_receives_them_in_one_batch(void **state)
{
    for (int i = 0; i < 5; i++)
        send_bytes(*state, 8);
    assert_int_equal(receive(*state, AW_BATCH_FRAMES), 5);
}

static void test_socket_batch_stops_at_its_limit(void **state)
{
    for (int i = 0; i < 5; i++)
        send_bytes(*state, 8);
    assert_int_equal(receive(*state, 3), 3);
    assert_int_equal(receive(*state, 3), 2);
}

static void test_socket_message_longer_than_place_tells_its_length(void **state)
{
    struct pair *pair = *state;

    aw_socket_place(pair->receiver, 0, pair->payload, 4);
    send_bytes(pair, 100);
    assert_int_equal(receive(pair, 1), 1);
    assert_int_equal(aw_socket_bytes(pair->receiver, 0), 100);
    assert_true(aw_socket_flags(pair->receiver, 0) & MSG_TRUNC);
}

static void test_socket_message_has_the_senders_address(void **state)
{
    struct pair *pair = *state;
    struct sockaddr_in own;
    socklen_t length = sizeof(own);

    send_bytes(pair, 1);
    assert_int_equal(receive(pair, 1), 1);
    getsockname(pair->sender, (struct sockaddr *)&own, &length);
    assert_int_equal(aw_socket_sender(pair->receiver, 0)->v4.sin_port,
                     own.sin_port);
}

static void
test_socket_stamp_is_the_time_of_arrival_on_both_clocks(void **state)
{
    const struct pair *pair = *state;
    const struct aw_socket *receiver = pair->receiver;
    uint64_t real_ns = aw_clock_realtime_ns();
    uint64_t monotonic_ns = aw_clock_monotonic_ns();
    struct aw_frame frame;

    send_bytes(pair, 8);
    assert_int_equal(receive(pair, 1), 1);
    stamp(pair, 0, &frame);
    assert_in_range(frame.timestamp_ns, real_ns, receiver->realtime_ns);
    assert_in_range(receiver->realtime_ns, real_ns, aw_clock_realtime_ns());
    assert_in_range(receiver->monotonic_ns, monotonic_ns,
                    aw_clock_monotonic_ns());
    /* As old on one clock as on the other when it was read. */
    assert_int_equal(receiver->monotonic_ns - frame.monotonic_ns,
                     receiver->realtime_ns - frame.timestamp_ns);
    assert_int_equal(aw_frame_stamp(&frame), AW_STAMP_KERNEL);
}

static void
test_socket_stamp_before_the_clock_was_set_back_is_not_ahead(void **state)
{
    struct pair *pair = *state;
    struct aw_frame frame;

    send_bytes(pair, 8);
    assert_int_equal(receive(pair, 1), 1);
    pair->receiver->realtime_ns -= AW_NS_PER_S;
    stamp(pair, 0, &frame);
    assert_int_equal(frame.monotonic_ns, pair->receiver->monotonic_ns);
}

static void
test_socket_stamp_older_than_the_machine_takes_the_batch(void **state)
{
    struct pair *pair = *state;
    struct aw_frame frame;

    send_bytes(pair, 8);
    assert_int_equal(receive(pair, 1), 1);
    pair->receiver->realtime_ns += 2 * pair->receiver->monotonic_ns;
    stamp(pair, 0, &frame);
    assert_int_equal(frame.monotonic_ns, pair->receiver->monotonic_ns);
}

/* No interface here stamps in hardware: its control message, by hand, as the
 * kernel's Documentation/networking/timestamping.rst has it, in place of those
 * that came. */
static void put_hw_timestamp(struct aw_socket *receiver, time_t seconds,
                             long nanoseconds)
{
    struct timespec stamps[3] = {[2] = {seconds, nanoseconds}};
    struct msghdr *header = &receiver->messages[0].msg_hdr;
    struct cmsghdr *control;

    header->msg_controllen = CMSG_SPACE(sizeof(stamps));
    control = CMSG_FIRSTHDR(header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SO_TIMESTAMPING;
    control->cmsg_len = CMSG_LEN(sizeof(stamps));
    memcpy(CMSG_DATA(control), stamps, sizeof(stamps));
}

static void
test_socket_stamp_of_the_hardware_lies_behind_the_payload(void **state)
{
    struct pair *pair = *state;
    _Alignas(8) unsigned char slot[sizeof(struct aw_frame) + 16];
    void *memory = slot;
    struct aw_frame *frame = memory;

    assert_int_equal(aw_socket_take_hw_timestamps(pair->receiver), 0);
    send_bytes(pair, 3);
    assert_int_equal(receive(pair, 1), 1);
    frame->length = 3;
    stamp(pair, 0, frame);
    assert_false(aw_frame_has_hw_timestamp(frame));
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_KERNEL);
    put_hw_timestamp(pair->receiver, 7, 5);
    stamp(pair, 0, frame);
    assert_int_equal(aw_frame_hw_timestamp(frame), 7 * AW_NS_PER_S + 5);
    assert_int_equal(frame->length, 3);
    /* The kernel's own was not among them this time. */
    assert_int_equal(aw_frame_stamp(frame), AW_STAMP_OWN);
}

static void test_socket_stamp_without_loss_reports_none(void **state)
{
    struct aw_frame frame;

    send_bytes(*state, 8);
    assert_int_equal(receive(*state, 1), 1);
    stamp(*state, 0, &frame);
    assert_int_equal(frame.lost_before, 0);
    assert_int_equal(frame.lost_cause, AW_LOSS_NONE);
}

/* Reads and stamps all there is; adds up the losses before them. */
static uint32_t drain(const struct pair *pair, uint64_t *lost)
{
    uint32_t total = 0;
    int count;

    while ((count = receive(pair, AW_BATCH_FRAMES)) > 0) {
        for (uint32_t i = 0; i < (uint32_t)count; i++) {
            struct aw_frame frame;

            stamp(pair, i, &frame);
            *lost += frame.lost_before;
        }
        total += (uint32_t)count;
    }
    assert_int_equal(count, 0);
    return total;
}

static void test_socket_overrun_is_counted_at_once_by_losses(void **state)
{
    const struct pair *pair = *state;
    uint64_t placed = 0;
    uint32_t received;

    aw_socket_set_buffer(pair->receiver, "bench", 4096);
    for (int i = 0; i < 200; i++)
        send_bytes(pair, 512);
    received = drain(pair, &placed);
    assert_in_range(received, 1, 199);
    assert_int_equal(losses(pair), 200 - received);
}

static void test_socket_overrun_is_placed_before_the_next_message(void **state)
{
    const struct pair *pair = *state;
    uint64_t placed = 0;
    uint32_t received;

    aw_socket_set_buffer(pair->receiver, "bench", 4096);
    for (int i = 0; i < 200; i++)
        send_bytes(pair, 512);
    received = drain(pair, &placed);
    assert_int_equal(placed, 0);
    send_bytes(pair, 1);
    assert_int_equal(drain(pair, &placed), 1);
    assert_int_equal(placed, 200 - received);
    assert_int_equal(losses(pair), placed);
}

static void test_socket_drop_counter_that_wraps_goes_on(void **state)
{
    uint64_t before = UINT64_C(0x1fffffffe);

    (void)state;
    assert_int_equal(aw_socket_extend(before, 0xffffffff), before + 1);
    assert_int_equal(aw_socket_extend(before, 3), before + 5);
    assert_int_equal(aw_socket_extend(before, 0xfffffffe), before);
}

static void test_socket_refused_by_peer_reports_it_once(void **state)
{
    struct pair *pair = *state;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int closed = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(closed, (struct sockaddr *)&address, length), 0);
    getsockname(closed, (struct sockaddr *)&address, &length);
    close(closed);
    assert_int_equal(
        connect(pair->receiver->fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(send(pair->receiver->fd, "x", 1, 0), 1);
    assert_int_equal(receive(pair, 1), -ECONNREFUSED);
    assert_int_equal(receive(pair, 1), 0);
}

static void test_socket_of_unknown_family_is_refused(void **state)
{
    struct aw_socket *socket;

    (void)state;
    assert_int_equal(aw_socket_new(AF_MAX, SOCK_DGRAM, 0, &socket),
                     -EAFNOSUPPORT);
}

static int read_rmem_max(void)
{
    FILE *file = fopen("/proc/sys/net/core/rmem_max", "re");
    int bytes = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &bytes), 1);
    fclose(file);
    return bytes;
}

static void test_socket_buffer_beyond_the_limit_warns_with_remedy(void **state)
{
    const struct pair *pair = *state;
    int limit = read_rmem_max();
    struct capture capture;
    char text[1024];
    int given;

    if (limit > AW_SOCKET_BUFFER_MAXIMUM - 4096)
        skip(); /* there is nothing beyond */
    set_capability(CAP_NET_ADMIN, false);
    capture = capture_begin();
    given = aw_socket_set_buffer(pair->receiver, "bench", limit + 4096);
    capture_end(capture, text, sizeof(text));
    set_capability(CAP_NET_ADMIN, true);
    assert_int_equal(given, limit);
    assert_non_null(strstr(text, "warning: device bench: "));
    assert_non_null(strstr(text, "net.core.rmem_max"));
    assert_non_null(strstr(text, "/usr/lib/sysctl.d/50-awaitd.conf"));
}

static void test_socket_buffer_within_the_limit_is_silent(void **state)
{
    const struct pair *pair = *state;
    struct capture capture;
    char text[1024];
    int given;

    set_capability(CAP_NET_ADMIN, false);
    capture = capture_begin();
    given = aw_socket_set_buffer(pair->receiver, "bench", 65536);
    capture_end(capture, text, sizeof(text));
    set_capability(CAP_NET_ADMIN, true);
    assert_int_equal(given, 65536);
    assert_string_equal(text, "");
}

static int judge(const struct pair *pair, int result)
{
    aw_role_assume(&aw_role_reader);
    return aw_socket_judge(pair->receiver, result);
}

static void test_socket_of_an_interface_that_is_gone_is_read_first(void **state)
{
    send_bytes(*state, 8);
    send_bytes(*state, 8);
    assert_int_equal(judge(*state, -ENODEV), 0);
    assert_int_equal(receive(*state, 1), 1);
    assert_int_equal(judge(*state, 0), 0);
    assert_int_equal(receive(*state, 1), 1);
    assert_int_equal(judge(*state, 0), -ENODEV);
}

static void
test_socket_of_an_interface_that_is_gone_and_empty_ends(void **state)
{
    assert_int_equal(judge(*state, 0), 0);
    assert_int_equal(judge(*state, -ENODEV), -ENODEV);
}

static void test_socket_that_fails_otherwise_ends_at_once(void **state)
{
    send_bytes(*state, 8);
    assert_int_equal(judge(*state, -EBADF), -EBADF);
    assert_int_equal(judge(*state, 0), 0);
}

/* An error that waits makes it poll, too. */
static void test_socket_with_an_error_alone_has_nothing_to_read(void **state)
{
    const struct pair *pair = *state;
    struct sockaddr_in closed = {.sin_family = AF_INET, .sin_port = htons(1)};
    struct pollfd wait = {.fd = pair->receiver->fd, .events = POLLIN};

    closed.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        connect(wait.fd, (struct sockaddr *)&closed, sizeof(closed)), 0);
    assert_int_equal(send(wait.fd, "", 1, 0), 1);
    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    assert_true(wait.revents & POLLERR);
    assert_false(aw_socket_pending(pair->receiver));
}

#define SOCKET_TEST(name)                                                      \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKET_TEST(test_socket_without_messages_receives_none),
        SOCKET_TEST(test_socket_with_messages_receives_them_in_one_batch),
        SOCKET_TEST(test_socket_batch_stops_at_its_limit),
        SOCKET_TEST(test_socket_message_longer_than_place_tells_its_length),
        SOCKET_TEST(test_socket_message_has_the_senders_address),
        SOCKET_TEST(test_socket_stamp_is_the_time_of_arrival_on_both_clocks),
        SOCKET_TEST(
            test_socket_stamp_before_the_clock_was_set_back_is_not_ahead),
        SOCKET_TEST(test_socket_stamp_older_than_the_machine_takes_the_batch),
        SOCKET_TEST(test_socket_stamp_of_the_hardware_lies_behind_the_payload),
        SOCKET_TEST(test_socket_stamp_without_loss_reports_none),
        SOCKET_TEST(test_socket_overrun_is_counted_at_once_by_losses),
        SOCKET_TEST(test_socket_overrun_is_placed_before_the_next_message),
        SOCKET_TEST(test_socket_refused_by_peer_reports_it_once),
        SOCKET_TEST(test_socket_of_an_interface_that_is_gone_is_read_first),
        SOCKET_TEST(test_socket_of_an_interface_that_is_gone_and_empty_ends),
        SOCKET_TEST(test_socket_that_fails_otherwise_ends_at_once),
        SOCKET_TEST(test_socket_with_an_error_alone_has_nothing_to_read),
        SOCKET_TEST(test_socket_buffer_beyond_the_limit_warns_with_remedy),
        SOCKET_TEST(test_socket_buffer_within_the_limit_is_silent),
        cmocka_unit_test(test_socket_drop_counter_that_wraps_goes_on),
        cmocka_unit_test(test_socket_of_unknown_family_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
