/* Sending by a device, from any thread, on a fake driver. */
#include <errno.h>

#include "tests/support/device_support.h"

/* Posts `count` parcels as one list. */
static int post_list(struct fake *fake, struct parcel *parcels, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        parcel_init(&parcels[i], i + 1);
        if (i > 0)
            parcels[i - 1].send->next = parcels[i].send;
    }
    return aw_device_send_list(fake->device, parcels[0].send);
}

static void test_send_list_goes_out_in_order(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[3];

    assert_int_equal(post_list(fake, parcels, 3), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(finish_parcel(&parcels[i]), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fake->sent_id[i], i + 1);
}

static void test_send_list_of_a_closed_device_stays_as_it_was(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[3];

    aw_device_close(fake->device);
    assert_int_equal(post_list(fake, parcels, 3), -ENODEV);
    assert_ptr_equal(parcels[0].send->next, parcels[1].send);
    assert_ptr_equal(parcels[1].send->next, parcels[2].send);
    assert_null(parcels[2].send->next);
    for (uint32_t i = 0; i < 3; i++)
        parcel_deinit(&parcels[i]);
}

static void test_send_withdrawn_is_told_so_at_once(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake_block(fake);
    post_parcel(fake, &parcel, 1);
    go_round(fake);
    atomic_store(&parcel.send->withdrawn, true);
    aw_device_withdrawn(fake->device);
    assert_int_equal(finish_parcel(&parcel), -ECANCELED);
    assert_int_equal(send_stats(fake).expired, 1);
}

static void test_send_beyond_its_depth_is_refused(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[3];

    fake->config.common[AW_COMMON_SEND_DEPTH].integer = 2;
    fake_open(fake);
    fake_block(fake);
    post_parcel(fake, &parcels[0], 1);
    post_parcel(fake, &parcels[1], 2);
    parcel_init(&parcels[2], 3);
    assert_int_equal(aw_device_send(fake->device, parcels[2].send), -ENOBUFS);
    parcel_deinit(&parcels[2]);
    go_round(fake);
    assert_int_equal(send_stats(fake).submitted, 2);
    fake_unblock(fake);
    assert_int_equal(finish_parcel(&parcels[0]), 0);
    assert_int_equal(finish_parcel(&parcels[1]), 0);
    post_parcel(fake, &parcels[2], 4);
    assert_int_equal(finish_parcel(&parcels[2]), 0);
}

static void test_send_list_beyond_the_depth_is_refused_whole(void **state)
{
    struct fake *fake = *state;
    struct parcel parcels[3];

    fake->config.common[AW_COMMON_SEND_DEPTH].integer = 2;
    fake_open(fake);
    assert_int_equal(post_list(fake, parcels, 3), -ENOBUFS);
    go_round(fake);
    assert_int_equal(send_stats(fake).submitted, 0);
    for (uint32_t i = 0; i < 3; i++)
        parcel_deinit(&parcels[i]);
    assert_int_equal(post_list(fake, parcels, 2), 0);
    assert_int_equal(finish_parcel(&parcels[0]), 0);
    assert_int_equal(finish_parcel(&parcels[1]), 0);
}

static void test_send_confirmed_where_that_cannot_be_is_refused(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    assert_false(aw_device_can_confirm(fake->device));
    parcel_init(&parcel, 1);
    parcel.send->confirm = true;
    assert_int_equal(aw_device_send(fake->device, parcel.send), -EOPNOTSUPP);
    parcel_deinit(&parcel);
}

static void test_send_is_confirmed_by_its_echo(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake->can_confirm = true;
    fake_open(fake);
    assert_true(aw_device_can_confirm(fake->device));
    parcel_init(&parcel, 7);
    parcel.send->confirm = true;
    assert_int_equal(aw_device_send(fake->device, parcel.send), 0);
    fake_wait(fake, &fake->sent, 1);
    go_round(fake);
    assert_int_equal(send_stats(fake).pending, 1);
    fake_receive_marked(fake, 7, AW_MARK_ECHO);
    assert_int_equal(finish_parcel(&parcel), 0);
    assert_int_equal(send_stats(fake).sent, 1);
}

static void test_send_unconfirmed_does_not_keep_a_device_open(void **state)
{
    struct fake *fake = *state;
    struct parcel parcel;

    fake->can_confirm = true;
    fake->config.common[AW_COMMON_SEND_TIMEOUT].number = 0;
    fake_open(fake);
    parcel_init(&parcel, 7);
    parcel.send->confirm = true;
    parcel.send->timeout_ns = UINT64_MAX;
    assert_int_equal(aw_device_send(fake->device, parcel.send), 0);
    aw_device_close(fake->device);
    assert_int_equal(finish_parcel(&parcel), -ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OPEN(test_send_list_goes_out_in_order),
        TEST_OPEN(test_send_list_of_a_closed_device_stays_as_it_was),
        TEST_OPEN(test_send_withdrawn_is_told_so_at_once),
        TEST_UNOPENED(test_send_beyond_its_depth_is_refused),
        TEST_UNOPENED(test_send_list_beyond_the_depth_is_refused_whole),
        TEST_OPEN(test_send_confirmed_where_that_cannot_be_is_refused),
        TEST_UNOPENED(test_send_is_confirmed_by_its_echo),
        TEST_UNOPENED(test_send_unconfirmed_does_not_keep_a_device_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
