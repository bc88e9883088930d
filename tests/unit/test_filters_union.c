/* What a driver is told that all queues want together. */
#include <errno.h>

#include "devices/reader.h"
#include "tests/support/device_support.h"

/* What the driver was told last. */
static struct {
    struct aw_filter filters[AW_FILTERS_MAX];
    size_t count;
    bool joined;
    uint32_t calls;
} told;

static void note_filters(struct aw_link *link, const struct aw_filter *filters,
                         size_t count, bool joined)
{
    (void)link;
    assert_true(count <= AW_FILTERS_MAX);
    memcpy(told.filters, filters, count * sizeof(*filters));
    told.count = count;
    told.joined = joined;
    told.calls++;
}

static int set_up(void **state)
{
    struct fake *fake = fake_new();

    memset(&told, 0, sizeof(told));
    fake->driver.filter = note_filters;
    fake->config.common[AW_COMMON_ON_LOSS].integer = AW_ON_LOSS_WAIT;
    fake_open(fake);
    *state = fake;
    return 0;
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, fake_tear_down)

static struct aw_queue *attach_filtered(struct fake *fake, const char *name,
                                        uint32_t first, size_t count,
                                        bool joined)
{
    struct aw_filter filters[AW_FILTERS_MAX];
    struct aw_queue_config config = {
        .name = name,
        .device = "bench",
        .owner = "script",
        .depth = 8,
        .payload_bytes = AW_PAYLOAD_CAN,
        .filters = filters,
        .filter_count = count,
        .filters_joined = joined,
    };
    struct aw_queue *queue = NULL;

    for (uint32_t i = 0; i < count; i++)
        filters[i] = (struct aw_filter){.id = first + i, .mask = 0x7FF};
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    assert_int_equal(aw_device_attach(fake->device, queue), 0);
    return queue;
}

static void test_filters_of_all_queues_are_told(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *one = attach_filtered(fake, "1", 0x10, 1, false);
    struct aw_queue *two = attach_filtered(fake, "2", 0x20, 2, false);

    assert_int_equal(told.count, 3);
    assert_int_equal(told.filters[0].id, 0x10);
    assert_int_equal(told.filters[2].id, 0x21);
    assert_false(told.joined);
    retire_queue(fake, one);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.filters[0].id, 0x20);
    retire_queue(fake, two);
    assert_int_equal(told.count, 0);
}

static void test_filters_one_queue_wants_everything(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *one = attach_filtered(fake, "1", 0x10, 1, false);
    struct aw_queue *all = attach_queue(fake, "2", 8);

    assert_int_equal(told.count, 0);
    retire_queue(fake, all);
    assert_int_equal(told.count, 1);
    retire_queue(fake, one);
}

static void test_filters_changed_are_told(void **state)
{
    const struct aw_filter other = {.id = 0x33, .mask = 0x7FF, .invert = true};
    struct fake *fake = *state;
    struct aw_queue *queue = attach_filtered(fake, "1", 0x10, 1, false);

    assert_int_equal(aw_device_set_filters(fake->device, queue, &other, 1), 0);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.filters[0].id, 0x33);
    assert_true(told.filters[0].invert);
    retire_queue(fake, queue);
}

static void test_filters_joined_are_told_of_a_queue_alone(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *joined = attach_filtered(fake, "1", 0x10, 2, true);
    struct aw_queue *other;

    assert_int_equal(told.count, 2);
    assert_true(told.joined);
    other = attach_filtered(fake, "2", 0x20, 1, false);
    assert_int_equal(told.count, 0);
    assert_false(told.joined);
    retire_queue(fake, joined);
    retire_queue(fake, other);
}

static void test_filters_joined_of_one_are_like_others(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *joined = attach_filtered(fake, "1", 0x10, 1, true);
    struct aw_queue *other = attach_filtered(fake, "2", 0x20, 1, false);

    assert_int_equal(told.count, 2);
    assert_false(told.joined);
    retire_queue(fake, joined);
    retire_queue(fake, other);
}

static void test_filters_beyond_what_a_driver_takes(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *full =
        attach_filtered(fake, "1", 0, AW_FILTERS_MAX, false);
    struct aw_queue *more;

    assert_int_equal(told.count, AW_FILTERS_MAX);
    more = attach_filtered(fake, "2", 0x20, 1, false);
    assert_int_equal(told.count, 0);
    retire_queue(fake, full);
    retire_queue(fake, more);
}

static void test_filters_are_told_again_when_it_is_back(void **state)
{
    struct fake *fake = *state;
    struct aw_queue *queue = attach_filtered(fake, "1", 0x10, 1, false);
    uint32_t calls = told.calls;

    fake_end(fake, ENODEV);
    fake_wait(fake, &fake->opens, 2);
    go_round(fake);
    assert_int_equal(told.calls, calls + 1);
    assert_int_equal(told.count, 1);
    retire_queue(fake, queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_filters_of_all_queues_are_told),
        TEST(test_filters_one_queue_wants_everything),
        TEST(test_filters_changed_are_told),
        TEST(test_filters_joined_are_told_of_a_queue_alone),
        TEST(test_filters_joined_of_one_are_like_others),
        TEST(test_filters_beyond_what_a_driver_takes),
        TEST(test_filters_are_told_again_when_it_is_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
