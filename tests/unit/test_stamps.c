/* Stamps over a step of their clock. */
#include "devices/stamps.h"

#include <string.h>

#include "devices/queue/clock.h"
#include "tests/support/unit.h"

/* CLOCK_REALTIME is ahead by this. */
#define AHEAD_NS (1000 * AW_NS_PER_S)

static unsigned char slots[4 * 64] __attribute__((aligned(8)));

/* A batch of one frame for each of `ages_ns` up to a 0, as a driver makes them
 * at `now_ns` by a clock that is `ahead_ns` ahead. */
static struct aw_batch make_batch(uint64_t now_ns, uint64_t ahead_ns,
                                  const uint64_t *ages_ns, enum aw_stamp stamp)
{
    struct aw_batch batch = {.slots = slots, .slot_bytes = 64, .limit = 4};

    for (; *ages_ns; ages_ns++) {
        struct aw_frame *frame = aw_batch_at(&batch, batch.count++);

        *frame =
            (struct aw_frame){.monotonic_ns = now_ns - *ages_ns,
                              .timestamp_ns = now_ns - *ages_ns + ahead_ns};
        aw_frame_set_stamp(frame, stamp);
    }
    return batch;
}

static const uint64_t two[] = {3000, 2000, 0}, none[] = {0};

static bool check(struct aw_stamp_watch *watch, uint64_t now_ns,
                  uint64_t ahead_ns)
{
    struct aw_batch batch = make_batch(now_ns, ahead_ns, two, AW_STAMP_KERNEL);

    aw_role_assume(&aw_role_reader);
    return aw_stamps_check(watch, &batch, now_ns);
}

static void test_stamps_of_a_steady_clock_are_good(void **state)
{
    struct aw_stamp_watch watch = {0};

    (void)state;
    assert_false(check(&watch, 10 * AW_NS_PER_S, AHEAD_NS));
    assert_false(check(&watch, 11 * AW_NS_PER_S, AHEAD_NS));
    /* As far as two readings can tell. */
    assert_false(check(&watch, 11 * AW_NS_PER_S, AHEAD_NS + AW_NS_PER_MS));
    assert_false(check(&watch, 11 * AW_NS_PER_S, AHEAD_NS));
}

static void test_stamps_of_a_slewed_clock_are_good(void **state)
{
    struct aw_stamp_watch watch = {0};

    (void)state;
    assert_false(check(&watch, 10 * AW_NS_PER_S, AHEAD_NS));
    /* 500 ppm of an hour. */
    assert_false(
        check(&watch, 3610 * AW_NS_PER_S, AHEAD_NS + 1800 * AW_NS_PER_MS));
    assert_false(check(&watch, 7210 * AW_NS_PER_S, AHEAD_NS));
}

static void test_stamps_are_not_trusted_in_the_batch_of_a_step(void **state)
{
    static const int64_t steps_ns[] = {-3600 * (int64_t)AW_NS_PER_S,
                                       3600 * (int64_t)AW_NS_PER_S,
                                       5 * (int64_t)AW_NS_PER_MS};

    (void)state;
    for (size_t i = 0; i < sizeof(steps_ns) / sizeof(steps_ns[0]); i++) {
        uint64_t ahead_ns = AHEAD_NS + (uint64_t)steps_ns[i];
        struct aw_stamp_watch watch = {0};

        assert_false(check(&watch, 10 * AW_NS_PER_S, AHEAD_NS));
        assert_true(check(&watch, 10 * AW_NS_PER_S, ahead_ns));
        assert_false(check(&watch, 10 * AW_NS_PER_S, ahead_ns));
    }
}

static void test_stamps_not_trusted_leave_the_time_of_reading(void **state)
{
    struct aw_stamp_watch watch = {0};
    uint64_t now_ns = 10 * AW_NS_PER_S;
    struct aw_batch batch;

    (void)state;
    check(&watch, now_ns, AHEAD_NS);
    batch = make_batch(now_ns, 2 * AHEAD_NS, two, AW_STAMP_KERNEL);
    aw_frame_set_stamp(aw_batch_at(&batch, 1), AW_STAMP_OWN);
    aw_role_assume(&aw_role_reader);
    assert_true(aw_stamps_check(&watch, &batch, now_ns));
    assert_int_equal(aw_batch_at(&batch, 0)->monotonic_ns, now_ns);
    /* Nothing is wrong with this one. */
    assert_int_equal(aw_batch_at(&batch, 1)->monotonic_ns, now_ns - 2000);
    assert_int_equal(aw_batch_at(&batch, 0)->timestamp_ns,
                     now_ns - 3000 + 2 * AHEAD_NS);
}

static void test_stamps_of_others_are_not_looked_at(void **state)
{
    struct aw_stamp_watch watch = {0};
    struct aw_batch batch;

    (void)state;
    check(&watch, AW_NS_PER_S, AHEAD_NS);
    aw_role_assume(&aw_role_reader);
    batch = make_batch(AW_NS_PER_S, 0, two, AW_STAMP_OWN);
    assert_false(aw_stamps_check(&watch, &batch, AW_NS_PER_S));
    batch = make_batch(AW_NS_PER_S, 0, none, AW_STAMP_KERNEL);
    assert_false(aw_stamps_check(&watch, &batch, AW_NS_PER_S));
    assert_false(check(&watch, AW_NS_PER_S, AHEAD_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps_of_a_steady_clock_are_good),
        cmocka_unit_test(test_stamps_of_a_slewed_clock_are_good),
        cmocka_unit_test(test_stamps_are_not_trusted_in_the_batch_of_a_step),
        cmocka_unit_test(test_stamps_not_trusted_leave_the_time_of_reading),
        cmocka_unit_test(test_stamps_of_others_are_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
