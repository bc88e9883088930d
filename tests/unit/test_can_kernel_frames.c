/* The driver `can` against the kernel's: frames in and out, filters, echoes. */
#include "can_fixture.h"

#include "devices/queue/filter.h"

/* The last frame of what a peer sends. */
#define LAST_ID 0x7FFu

static void set_filter(struct fixture *can, const struct aw_filter *filters,
                       size_t count, bool joined)
{
    aw_role_assume(&aw_role_reader);
    can->driver->filter(&can->link, filters, count, joined);
}

/* ---- what the kernel keeps back ---- */

static void test_can_kernel_keeps_back_what_nobody_wants(void **state)
{
    const struct aw_filter filters[] = {{0x100, 0x7F0, false},
                                        {LAST_ID, 0x7FF, false}};
    struct fixture *can;
    uint32_t ids[3];
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    set_filter(can, filters, 2, false);
    assert_int_equal(can->link.status.kernel_filter, 1);
    peer_send(peer, 0x0FF, 0);
    peer_send(peer, 0x100, 0);
    peer_send(peer, 0x110, 0);
    peer_send(peer, 0x10F, 0);
    peer_send(peer, LAST_ID, 0);
    can_read_ids(can, ids, 3);
    assert_int_equal(ids[0], 0x100);
    assert_int_equal(ids[1], 0x10F);
    assert_int_equal(ids[2], LAST_ID);
    close(peer);
    fixture_free(can);
}

static void test_can_kernel_filter_off_lets_everything_pass(void **state)
{
    const char *const off[] = {"kernel_filter", "off", NULL};
    const struct aw_filter filter = {0x100, 0x7F0, false};
    struct fixture *can;
    uint32_t ids[2];
    int peer;

    (void)state;
    want_guest();
    can = can_open(off);
    peer = peer_open(CAN_NAME);
    set_filter(can, &filter, 1, false);
    assert_int_equal(can->link.status.kernel_filter, 0);
    peer_send(peer, 0x0FF, 0);
    peer_send(peer, 0x100, 0);
    can_read_ids(can, ids, 2);
    assert_int_equal(ids[0], 0x0FF);
    close(peer);
    fixture_free(can);
}

static void test_can_kernel_filter_goes_when_somebody_wants_all(void **state)
{
    const struct aw_filter filter = {0x100, 0x7FF, false};
    struct fixture *can;
    uint32_t id;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    set_filter(can, &filter, 1, false);
    set_filter(can, NULL, 0, false);
    assert_int_equal(can->link.status.kernel_filter, 0);
    peer_send(peer, 0x123, 0);
    can_read_ids(can, &id, 1);
    assert_int_equal(id, 0x123);
    close(peer);
    fixture_free(can);
}

static void test_can_joined_kernel_filter_tells_bus_state_aside(void **state)
{
    const struct aw_filter filters[] = {{0x100, 0x7FF, true},
                                        {0x101, 0x7FF, true}};
    struct fixture *can;
    uint32_t id;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    set_filter(can, filters, 2, true);
    assert_int_equal(can->link.status.kernel_filter, 1);
    peer_send(peer, 0x100, 0);
    peer_send_error(peer, CAN_ERR_CRTL, CAN_ERR_CRTL_TX_PASSIVE, 128, 0);
    peer_send(peer, 0x101, 0);
    peer_send(peer, 0x102, 0);
    can_read_ids(can, &id, 1);
    assert_int_equal(id, 0x102);
    assert_int_equal(can_wait_event(can, AW_EVENT_BUS_STATE)->value,
                     AW_BUS_PASSIVE);
    /* And straight again when they are joined no more. */
    set_filter(can, filters, 2, false);
    peer_send_error(peer, CAN_ERR_CRTL, CAN_ERR_CRTL_ACTIVE, 0, 0);
    assert_int_equal(fixture_next(can)->id, CAN_ERR_FLAG | CAN_ERR_CRTL);
    assert_int_equal(can->link.status.bus_state, AW_BUS_ERROR_ACTIVE);
    close(peer);
    fixture_free(can);
}

static void test_can_error_frames_pass_a_kernel_filter(void **state)
{
    const struct aw_filter filter = {0x100, 0x7FF, false};
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    set_filter(can, &filter, 1, false);
    peer_send(peer, 0x123, 0);
    peer_send_error(peer, CAN_ERR_LOSTARB, 0, 0, 0);
    assert_int_equal(fixture_next(can)->id, CAN_ERR_FLAG | CAN_ERR_LOSTARB);
    close(peer);
    fixture_free(can);
}

/* ---- do the kernel and our filter agree? ---- */

#define ROUNDS    300u
#define PER_ROUND 24u

static uint32_t random_word(uint64_t *seed)
{
    *seed =
        *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* Few ids, so that filters and frames meet. */
static uint32_t random_id(uint64_t *seed)
{
    uint32_t word = random_word(seed);
    uint32_t id = word & 7;

    if (word & 0x10)
        id |= AW_CAN_EXTENDED;
    if (word & 0x60)
        return id;
    return id | AW_CAN_REMOTE;
}

static struct aw_filter random_filter(uint64_t *seed)
{
    static const uint32_t masks[] = {
        0x7FF,      0x1FFFFFFF, 0x800007FF, 0x9FFFFFFF, 0xC00007FF,
        0xDFFFFFFF, 0x00000001, 0,          0x40000000, 0x80000000,
        0x20000000, 0xFFFFFFFF, 0x800FFFFF, 0x6,
    };
    struct aw_filter filter = {.id = random_id(seed)};
    uint32_t word = random_word(seed);

    filter.mask = masks[word % (sizeof(masks) / sizeof(masks[0]))];
    filter.invert = (word & 0x10000) != 0;
    if ((word & 0xE0000) == 0)
        filter.id |= 0x800; /* more than a base id has */
    if ((word & 0x700000) == 0)
        filter.id |= AW_CAN_ERROR;
    return filter;
}

static bool wanted(const struct aw_filter *filters, size_t count, bool joined,
                   uint32_t id)
{
    const struct aw_frame frame = {.id = id, .kind = AW_KIND_CAN};

    return joined ? aw_filter_pass_all(filters, count, &frame)
                  : aw_filter_pass(filters, count, &frame);
}

/* Sends random frames and compares what comes with what our filter says. The
 * kernel delivers frame by frame: when the witness has the last one, the others
 * are where they belong. True if the kernel did filter. */
static bool compare_round(struct fixture *can, int peer, int witness,
                          uint64_t *seed)
{
    struct aw_filter filters[4];
    size_t count = 1 + random_word(seed) % 4;
    bool joined = (random_word(seed) & 1) != 0, active;
    uint32_t ids[PER_ROUND], expected[PER_ROUND], count_expected = 0;

    for (size_t i = 0; i < count; i++)
        filters[i] = random_filter(seed);
    set_filter(can, filters, count, joined);
    active = can->link.status.kernel_filter;
    for (uint32_t i = 0; i < PER_ROUND; i++) {
        uint32_t id = i < PER_ROUND - 1 ? random_id(seed) : LAST_ID;

        peer_send(peer, id, 0);
        if (!active || wanted(filters, count, joined, id))
            expected[count_expected++] = id;
    }
    wait_witness(witness, PER_ROUND);
    can_read_ids(can, ids, count_expected);
    assert_false(fixture_polls(can, POLLIN, 0));
    for (uint32_t i = 0; i < count_expected; i++)
        assert_int_equal(ids[i], expected[i]);
    return active;
}

static void test_can_kernel_and_queues_agree_on_random_filters(void **state)
{
    uint64_t seed = (uint64_t)time(NULL);
    struct fixture *can;
    unsigned active = 0;
    int peer, witness;

    (void)state;
    want_guest();
    print_message("seed %llu\n", (unsigned long long)seed);
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    witness = peer_open(CAN_NAME);
    for (unsigned i = 0; i < ROUNDS; i++)
        active += compare_round(can, peer, witness, &seed);
    assert_in_range(active, ROUNDS / 4, ROUNDS);
    close(witness);
    close(peer);
    fixture_free(can);
}

/* ---- own frames ---- */

static void test_can_own_frames_do_not_come_unless_asked_for(void **state)
{
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    peer_send(peer, 0x124, 0);
    assert_int_equal(fixture_next(can)->id, 0x124);
    assert_int_equal(can->batch.marks[0], 0);
    close(peer);
    fixture_free(can);
}

static void
test_can_echo_is_hidden_where_own_frames_are_not_wanted(void **state)
{
    struct fixture *can;
    const struct aw_frame *frame;

    (void)state;
    want_guest();
    can = can_open(NULL);
    assert_true(can->link.can_confirm);
    assert_int_equal(can->driver->want_echo(&can->link), 0);
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    frame = fixture_next(can);
    assert_int_equal(frame->id, 0x123);
    assert_true(frame->flags & AW_FRAME_SENT);
    assert_int_equal(can->batch.marks[0], AW_MARK_ECHO | AW_MARK_HIDDEN);
    fixture_free(can);
}

static void test_can_echo_is_a_frame_where_own_frames_are_wanted(void **state)
{
    const char *const own[] = {"receive_own", "yes", NULL};
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(own);
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    assert_int_equal(fixture_next(can)->id, 0x123);
    assert_int_equal(can->batch.marks[0], AW_MARK_ECHO);
    fixture_free(can);
}

static void test_can_frame_of_another_program_is_no_echo(void **state)
{
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    assert_int_equal(can->driver->want_echo(&can->link), 0);
    peer_send(peer, 0x123, 0);
    (void)fixture_next(can);
    assert_int_equal(can->batch.marks[0], 0);
    close(peer);
    fixture_free(can);
}

static void test_can_echo_comes_whatever_is_filtered(void **state)
{
    const struct aw_filter filter = {0x100, 0x7FF, false};
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    set_filter(can, &filter, 1, false);
    assert_int_equal(can->driver->want_echo(&can->link), 0);
    assert_int_equal(can->link.status.kernel_filter, 0);
    set_filter(can, &filter, 1, false);
    assert_int_equal(can->link.status.kernel_filter, 0);
    assert_int_equal(can_send(can, 0x123, 0, 0), 0);
    assert_int_equal(fixture_next(can)->id, 0x123);
    fixture_free(can);
}

/* ---- out ---- */

static void test_can_raw_dlc_goes_out(void **state)
{
    struct can_frame frame;
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    for (unsigned dlc = 9; dlc <= 15; dlc++) {
        uint16_t flags = (uint16_t)(dlc << AW_FRAME_RAW_DLC_SHIFT);

        assert_int_equal(can_send(can, 0x123, 8, flags), 0);
        peer_read(peer, &frame);
        assert_int_equal(frame.len, 8);
        assert_int_equal(frame.len8_dlc, dlc);
    }
    close(peer);
    fixture_free(can);
}

static void test_can_fd_goes_out_with_its_flags(void **state)
{
    struct canfd_frame frame;
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    assert_int_equal(
        can_send(can, 0x123, 13, AW_FRAME_FD | AW_FRAME_BRS | AW_FRAME_ESI), 0);
    assert_int_equal(read(peer, &frame, sizeof(frame)), CANFD_MTU);
    assert_int_equal(frame.len, 16);
    assert_int_equal(frame.flags & (CANFD_BRS | CANFD_ESI),
                     CANFD_BRS | CANFD_ESI);
    close(peer);
    fixture_free(can);
}

static void test_can_fd_frame_on_a_classic_device_is_refused(void **state)
{
    const char *const classic[] = {"fd", "no", NULL};
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(classic);
    assert_int_equal(can_send(can, 0x123, 8, AW_FRAME_FD), -EOPNOTSUPP);
    assert_int_equal(can_send(can, 0x123, 8, 0), 0);
    fixture_free(can);
}

/* Sends of ids from 0x100 on; the one at `bad` is no CAN frame. */
static void make_sends(struct aw_send *sends[], uint32_t count, uint32_t bad)
{
    for (uint32_t i = 0; i < count; i++) {
        struct aw_frame *frame;
        void *memory;

        sends[i] = calloc(1, sizeof(struct aw_send) + sizeof(*frame) + 8);
        assert_non_null(sends[i]);
        memory = sends[i]->frame;
        frame = memory;
        frame->kind = i == bad ? AW_KIND_BYTES : AW_KIND_CAN;
        frame->id = 0x100 + i;
    }
}

static void free_sends(struct aw_send *sends[], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(sends[i]);
}

static void test_can_many_frames_leave_in_order(void **state)
{
    struct aw_send *sends[AW_SEND_BATCH];
    struct can_frame frame;
    struct fixture *can;
    int peer;

    (void)state;
    want_guest();
    can = can_open(NULL);
    peer = peer_open(CAN_NAME);
    make_sends(sends, AW_SEND_BATCH, UINT32_MAX);
    assert_int_equal(can->driver->send_many(&can->link, sends, AW_SEND_BATCH),
                     AW_SEND_BATCH);
    for (uint32_t i = 0; i < AW_SEND_BATCH; i++) {
        peer_read(peer, &frame);
        assert_int_equal(frame.can_id, 0x100 + i);
    }
    free_sends(sends, AW_SEND_BATCH);
    close(peer);
    fixture_free(can);
}

static void test_can_many_frames_end_before_one_that_cannot_be(void **state)
{
    struct aw_send *sends[4];
    struct fixture *can;

    (void)state;
    want_guest();
    can = can_open(NULL);
    make_sends(sends, 4, 2);
    assert_int_equal(can->driver->send_many(&can->link, sends, 4), 2);
    assert_int_equal(can->driver->send_many(&can->link, sends + 2, 2), -EINVAL);
    free_sends(sends, 4);
    fixture_free(can);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAN_TEST(test_can_kernel_keeps_back_what_nobody_wants),
        CAN_TEST(test_can_kernel_filter_off_lets_everything_pass),
        CAN_TEST(test_can_kernel_filter_goes_when_somebody_wants_all),
        CAN_TEST(test_can_joined_kernel_filter_tells_bus_state_aside),
        CAN_TEST(test_can_error_frames_pass_a_kernel_filter),
        CAN_TEST(test_can_kernel_and_queues_agree_on_random_filters),
        CAN_TEST(test_can_own_frames_do_not_come_unless_asked_for),
        CAN_TEST(test_can_echo_is_hidden_where_own_frames_are_not_wanted),
        CAN_TEST(test_can_echo_is_a_frame_where_own_frames_are_wanted),
        CAN_TEST(test_can_frame_of_another_program_is_no_echo),
        CAN_TEST(test_can_echo_comes_whatever_is_filtered),
        CAN_TEST(test_can_raw_dlc_goes_out),
        CAN_TEST(test_can_fd_goes_out_with_its_flags),
        CAN_TEST(test_can_fd_frame_on_a_classic_device_is_refused),
        CAN_TEST(test_can_many_frames_leave_in_order),
        CAN_TEST(test_can_many_frames_end_before_one_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
