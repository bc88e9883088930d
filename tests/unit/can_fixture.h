/* The driver `can` on a real interface, which the tests make: for the guest,
 * where this process is root of a kernel of its own. */
#ifndef CAN_FIXTURE_H
#define CAN_FIXTURE_H

#include "driver_fixture.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "devices/can_frame.h"

#define CAN_NAME "vcan8"

/* Runs a command of iproute2's, which must succeed. */
static inline void ip(const char *arguments)
{
    char command[256];

    snprintf(command, sizeof(command), "ip %s", arguments);
    assert_int_equal(system(command), 0);
}

/* cmocka: skipped loudly anywhere but in the guest. */
static inline int can_set_up(void **state)
{
    (void)state;
    if (!getenv("AWAITD_GUEST")) {
        print_message("SKIPPED: wants a kernel of its own; ./run guest has "
                      "one\n");
        return 0;
    }
    ip("link add " CAN_NAME " type vcan");
    ip("link set " CAN_NAME " mtu 72 up");
    return 0;
}

static inline int can_tear_down(void **state)
{
    (void)state;
    if (getenv("AWAITD_GUEST") && if_nametoindex(CAN_NAME) != 0)
        ip("link delete " CAN_NAME);
    return 0;
}

#define CAN_TEST(test)                                                         \
    cmocka_unit_test_setup_teardown(test, can_set_up, can_tear_down)

/* The first words of each of these tests. */
static inline void want_guest(void)
{
    if (!getenv("AWAITD_GUEST"))
        skip();
}

/* ---- the driver ---- */

/* On `interface`, with options as pairs of name and text up to a NULL. */
static inline struct fixture *can_configure(const char *interface,
                                            const char *const *pairs)
{
    struct fixture *can = fixture_new(&aw_can_driver);

    fixture_set(can, "interface", interface);
    for (; pairs && *pairs; pairs += 2)
        fixture_set(can, pairs[0], pairs[1]);
    return can;
}

static inline struct fixture *can_open(const char *const *pairs)
{
    struct fixture *can = can_configure(CAN_NAME, pairs);
    int result = fixture_open(can);

    if (result < 0)
        print_message("%s\n", can->error.text);
    assert_int_equal(result, 0);
    return can;
}

/* Reads `count` frames and events of the first descriptor into `ids`. */
static inline void can_read_ids(struct fixture *can, uint32_t *ids,
                                uint32_t count)
{
    uint32_t done = 0;

    while (done < count) {
        assert_true(fixture_polls(can, POLLIN, DEADLINE_MS));
        assert_int_equal(fixture_read(can, AW_BATCH_FRAMES), 0);
        assert_true(done + can->batch.count <= count);
        for (uint32_t i = 0; i < can->batch.count; i++)
            ids[done++] = aw_batch_at(&can->batch, i)->id;
    }
}

static inline bool fixture_aux_polls(const struct fixture *can)
{
    struct pollfd wait = {.fd = can->link.aux_fd, .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

/* Calls aux() once, if there is something by the deadline. */
static inline int can_aux(struct fixture *can, uint32_t limit)
{
    struct pollfd wait = {.fd = can->link.aux_fd, .events = POLLIN};

    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    aw_role_assume(&aw_role_reader);
    can->batch.limit = limit;
    can->batch.count = 0;
    return can->driver->aux(&can->link, &can->batch);
}

static inline const struct aw_event *
can_event(struct fixture *can, uint32_t index, enum aw_event_kind kind)
{
    const struct aw_frame *frame = aw_batch_at(&can->batch, index);
    const void *payload = frame->payload;

    assert_true(index < can->batch.count);
    assert_int_equal(frame->kind, AW_KIND_EVENT);
    assert_int_equal(frame->id, kind);
    return payload;
}

/* Calls aux() until an event of this kind is the first of a batch; those of
 * other kinds are passed over. */
static inline const struct aw_event *can_wait_event(struct fixture *can,
                                                    enum aw_event_kind kind)
{
    do {
        assert_int_equal(can_aux(can, 1), 0);
    } while (can->batch.count == 0 ||
             aw_batch_at(&can->batch, 0)->id != (uint32_t)kind);
    return can_event(can, 0, kind);
}

/* Sends a classic frame of this id and length, of zeros but for its number. */
static inline int can_send(struct fixture *can, uint32_t id, uint16_t length,
                           uint16_t flags)
{
    uint8_t payload[AW_PAYLOAD_FD] = {0};
    struct aw_frame frame = {
        .id = id, .length = length, .flags = flags, .kind = AW_KIND_CAN};

    return fixture_send(can, "", &frame, payload);
}

/* ---- the other end ---- */

static inline int peer_open(const char *interface)
{
    struct sockaddr_can address = {
        .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW), on = 1;
    can_err_mask_t errors = CAN_ERR_MASK;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on));
    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors, sizeof(errors));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline void peer_send(int fd, uint32_t id, uint8_t length)
{
    struct can_frame frame = {.can_id = id, .len = length};

    assert_int_equal(write(fd, &frame, sizeof(frame)), sizeof(frame));
}

/* An error frame: its classes, the controller's status, and its counters. */
static inline void peer_send_error(int fd, uint32_t classes, uint8_t status,
                                   uint8_t tx_errors, uint8_t rx_errors)
{
    struct can_frame frame = {.can_id = CAN_ERR_FLAG | classes, .len = 8};

    frame.data[1] = status;
    frame.data[6] = tx_errors;
    frame.data[7] = rx_errors;
    assert_int_equal(write(fd, &frame, sizeof(frame)), sizeof(frame));
}

static inline void peer_read(int fd, struct can_frame *ret)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    assert_int_equal(read(fd, ret, sizeof(*ret)), sizeof(*ret));
}

/* A peer that takes everything has `count` frames; then those before the last
 * are with everybody, since the kernel delivers frame by frame. */
static inline void wait_witness(int witness, uint32_t count)
{
    struct can_frame frame;

    while (count-- > 0)
        peer_read(witness, &frame);
}

#endif
