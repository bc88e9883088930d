#include "devices/queue/waker.h"

#include <unistd.h>

#include "devices/queue/eventfd.h"
#include "tests/support/queue_support.h"

static struct aw_waker *new_waker(bool listing)
{
    static struct aw_waker waker;

    assert_int_equal(aw_waker_init(&waker, listing), 0);
    return &waker;
}

/* How often the bell rang since the last look. */
static uint64_t rings(const struct aw_waker *waker)
{
    uint64_t count = 0;

    return read(waker->fd, &count, sizeof(count)) < 0 ? 0 : count;
}

static unsigned references(struct aw_queue *queue)
{
    return atomic_load(&queue->references);
}

static void test_waker_plain_rings_at_each_announcement(void **state)
{
    struct aw_waker *waker = new_waker(false);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    aw_waker_announce(waker, queue);
    assert_int_equal(rings(waker), 2);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_plain_lists_nothing(void **state)
{
    struct aw_waker *waker = new_waker(false);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    assert_null(aw_waker_take(waker));
    assert_int_equal(references(queue), 1);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_listing_rings_once_for_many_queues(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queues[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        queues[i] = new_queue(1);
        aw_waker_announce(waker, queues[i]);
    }
    assert_int_equal(rings(waker), 1);
    aw_waker_deinit(waker);
    for (int i = 0; i < 3; i++)
        aw_queue_unref(queues[i]);
}

static void test_waker_listed_queue_is_not_listed_twice(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    aw_waker_announce(waker, queue);
    assert_int_equal(references(queue), 2);
    assert_ptr_equal(aw_waker_take(waker), queue);
    assert_null(aw_waker_next(queue));
    aw_queue_unref(queue);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_take_gives_every_queue_once(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queues[3], *queue;
    int count = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        queues[i] = new_queue(1);
        aw_waker_announce(waker, queues[i]);
    }
    queue = aw_waker_take(waker);
    while (queue) {
        struct aw_queue *next = aw_waker_next(queue);

        count++;
        aw_queue_unref(queue);
        queue = next;
    }
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(references(queues[i]), 1);
        aw_queue_unref(queues[i]);
    }
    aw_waker_deinit(waker);
}

static void test_waker_take_silences_the_bell(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    assert_non_null(aw_waker_take(waker));
    assert_int_equal(aw_eventfd_wait(waker->fd, 0), 0);
    aw_queue_unref(queue);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_take_of_nothing_gives_null(void **state)
{
    struct aw_waker *waker = new_waker(true);

    (void)state;
    assert_null(aw_waker_take(waker));
    aw_waker_deinit(waker);
}

static void test_waker_taken_but_not_unlinked_is_not_listed_again(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    assert_ptr_equal(aw_waker_take(waker), queue);
    aw_waker_announce(waker, queue);
    assert_null(aw_waker_take(waker));
    assert_null(aw_waker_next(queue));
    aw_queue_unref(queue);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_unlinked_queue_is_listed_and_rings_again(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    aw_waker_next(aw_waker_take(waker));
    aw_queue_unref(queue);
    aw_waker_announce(waker, queue);
    assert_int_equal(rings(waker), 1);
    assert_ptr_equal(aw_waker_take(waker), queue);
    aw_queue_unref(queue);
    aw_waker_deinit(waker);
    aw_queue_unref(queue);
}

static void test_waker_listed_queue_outlives_its_owner(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    aw_queue_unref(queue);
    assert_ptr_equal(aw_waker_take(waker), queue);
    assert_string_equal(queue->device, "bus");
    aw_queue_unref(queue);
    aw_waker_deinit(waker);
}

static void test_waker_deinit_drops_what_is_listed(void **state)
{
    struct aw_waker *waker = new_waker(true);
    struct aw_queue *queue = new_queue(1);

    (void)state;
    aw_waker_announce(waker, queue);
    aw_waker_deinit(waker);
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waker_plain_rings_at_each_announcement),
        cmocka_unit_test(test_waker_plain_lists_nothing),
        cmocka_unit_test(test_waker_listing_rings_once_for_many_queues),
        cmocka_unit_test(test_waker_listed_queue_is_not_listed_twice),
        cmocka_unit_test(test_waker_take_gives_every_queue_once),
        cmocka_unit_test(test_waker_take_silences_the_bell),
        cmocka_unit_test(test_waker_take_of_nothing_gives_null),
        cmocka_unit_test(test_waker_taken_but_not_unlinked_is_not_listed_again),
        cmocka_unit_test(test_waker_unlinked_queue_is_listed_and_rings_again),
        cmocka_unit_test(test_waker_listed_queue_outlives_its_owner),
        cmocka_unit_test(test_waker_deinit_drops_what_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
