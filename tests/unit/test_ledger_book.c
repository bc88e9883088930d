#include "devices/ledger_book.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/queue_support.h"

#define LINES_MAX 256

/* ---- a book for each test ---- */

static int set_up(void **state)
{
    struct aw_ledger_book *book = malloc(sizeof(*book));

    if (!book)
        return -1;
    aw_book_init(book);
    *state = book;
    return 0;
}

static int tear_down(void **state)
{
    aw_book_deinit(*state);
    free(*state);
    return 0;
}

static struct aw_queue *queue_of(const char *owner, const char *name)
{
    struct aw_queue_config config = test_config(8);
    struct aw_queue *queue = NULL;

    config.owner = owner;
    config.name = name;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    return queue;
}

/* Enters a queue, which then belongs to the book alone. */
static struct aw_queue *enter(struct aw_ledger_book *book, const char *owner,
                              const char *name)
{
    struct aw_queue *queue = queue_of(owner, name);

    assert_int_equal(aw_book_enter(book, queue, false), 0);
    aw_queue_unref(queue);
    return queue;
}

static void check_refused(struct aw_ledger_book *book, const char *owner,
                          const char *name)
{
    struct aw_queue *queue = queue_of(owner, name);

    assert_int_equal(aw_book_enter(book, queue, false), -EEXIST);
    aw_queue_unref(queue);
}

/* The reports, of which there must be `count`; to be freed. */
static struct aw_queue_report *reports_of(struct aw_ledger_book *book,
                                          int count)
{
    struct aw_queue_report *reports = NULL;

    assert_int_equal(aw_book_reports(book, &reports), count);
    assert_non_null(reports);
    return reports;
}

static unsigned references(const struct aw_queue *queue)
{
    return atomic_load_explicit(&queue->references, memory_order_relaxed);
}

/* ---- entering ---- */

static void test_book_empty_reports_nothing(void **state)
{
    free(reports_of(*state, 0));
}

static void test_book_enter_holds_a_reference(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_of("a", "1");

    assert_int_equal(aw_book_enter(book, queue, false), 0);
    assert_int_equal(references(queue), 2);
    aw_queue_unref(queue);
}

static void test_book_enter_same_name_is_refused(void **state)
{
    enter(*state, "a", "1");
    check_refused(*state, "a", "1");
    free(reports_of(*state, 1));
}

static void test_book_enter_refused_takes_no_reference(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_of("a", "1");

    enter(book, "a", "1");
    assert_int_equal(aw_book_enter(book, queue, false), -EEXIST);
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
}

static void test_book_enter_same_name_of_another_owner_succeeds(void **state)
{
    enter(*state, "a", "1");
    enter(*state, "b", "1");
    enter(*state, "a", "2");
    free(reports_of(*state, 3));
}

/* Failed before a closed queue gave its name back: `with device.queue(name=…)`
 * twice in one script. */
static void test_book_enter_name_of_a_closed_queue_succeeds(void **state)
{
    finish(enter(*state, "a", "1"), AW_QUEUE_CLOSED, 0);
    enter(*state, "a", "1");
    check_refused(*state, "a", "1");
}

static void test_book_enter_name_of_a_retired_queue_succeeds(void **state)
{
    aw_book_retire(*state, enter(*state, "a", "1"));
    enter(*state, "a", "1");
}

static void test_book_strike_takes_it_out(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_of("a", "1");

    enter(book, "a", "0");
    assert_int_equal(aw_book_enter(book, queue, false), 0);
    enter(book, "a", "2");
    aw_book_strike(book, queue);
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
    free(reports_of(book, 2));
}

static void test_book_strike_unknown_is_harmless(void **state)
{
    struct aw_queue *queue = queue_of("a", "1");

    aw_book_strike(*state, queue);
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
}

/* ---- reporting ---- */

static void test_book_reports_are_oldest_first(void **state)
{
    struct aw_queue_report *reports;

    enter(*state, "b", "1");
    aw_book_retire(*state, enter(*state, "a", "2"));
    enter(*state, "a", "1");
    reports = reports_of(*state, 3);
    assert_string_equal(reports[0].owner, "b");
    assert_string_equal(reports[0].name, "1");
    assert_string_equal(reports[1].owner, "a");
    assert_string_equal(reports[1].name, "2");
    assert_string_equal(reports[2].name, "1");
    free(reports);
}

static void test_book_reports_show_the_figures_of_now(void **state)
{
    struct aw_queue *queue = enter(*state, "a", "1");
    struct aw_queue_report *reports;

    send_ids(queue, 1, 3);
    take_id(queue, 1);
    reports = reports_of(*state, 1);
    assert_true(reports[0].open);
    assert_int_equal(reports[0].stats.received, 3);
    assert_int_equal(reports[0].stats.delivered, 1);
    assert_int_equal(reports[0].stats.pending, 2);
    free(reports);
}

static void test_book_reports_a_closed_queue_as_not_open(void **state)
{
    struct aw_queue *queue = enter(*state, "a", "1");
    struct aw_queue_report *reports;

    send_ids(queue, 1, 2);
    finish(queue, AW_QUEUE_CLOSED, 0);
    reports = reports_of(*state, 1);
    assert_false(reports[0].open);
    assert_int_equal(reports[0].stats.pending, 2);
    free(reports);
}

/* ---- retiring ---- */

static void test_book_retire_keeps_the_final_figures(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_of("a", "1");
    struct aw_queue_report *reports;

    assert_int_equal(aw_book_enter(book, queue, false), 0);
    send_ids(queue, 1, 3);
    take_id(queue, 1);
    aw_queue_abandon(queue);
    assert_true(aw_book_retire(book, queue));
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
    reports = reports_of(book, 1);
    assert_string_equal(reports[0].name, "1");
    assert_false(reports[0].open);
    assert_int_equal(reports[0].stats.delivered, 1);
    assert_int_equal(reports[0].stats.dropped_closed, 2);
    assert_true(aw_stats_exact(&reports[0].stats));
    free(reports);
}

static void test_book_retire_twice_says_so(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_of("a", "1");

    assert_int_equal(aw_book_enter(book, queue, false), 0);
    assert_true(aw_book_retire(book, queue));
    assert_false(aw_book_retire(book, queue));
    assert_int_equal(references(queue), 1);
    aw_queue_unref(queue);
}

/* Enters and retires `count` queues, the i-th with i + 1 frames of which one
 * was taken. */
static void retire_many(struct aw_ledger_book *book, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char name[16];
        struct aw_queue *queue;

        snprintf(name, sizeof(name), "%u", i);
        queue = enter(book, "a", name);
        send_ids(queue, 1, 1 + i % 8);
        take_id(queue, 1);
        aw_queue_abandon(queue);
        assert_true(aw_book_retire(book, queue));
    }
}

static void test_book_retired_lines_are_kept_up_to_256(void **state)
{
    struct aw_queue_report *reports;

    retire_many(*state, LINES_MAX);
    reports = reports_of(*state, LINES_MAX);
    assert_string_equal(reports[0].name, "0");
    assert_string_equal(reports[LINES_MAX - 1].name, "255");
    free(reports);
}

/* Failed before the sum had a line of its own: 255 were kept. */
static void test_book_retired_beyond_256_keeps_the_last_256(void **state)
{
    struct aw_queue_report *reports;

    retire_many(*state, LINES_MAX + 1);
    reports = reports_of(*state, LINES_MAX + 1);
    assert_string_equal(reports[0].name, "(earlier)");
    assert_string_equal(reports[0].owner, "");
    assert_string_equal(reports[1].name, "1");
    assert_string_equal(reports[LINES_MAX].name, "256");
    free(reports);
}

static void test_book_retired_300_add_up_in_one_line(void **state)
{
    struct aw_queue_report *reports;

    retire_many(*state, 300);
    reports = reports_of(*state, LINES_MAX + 1);
    /* The first 44: 1..8 frames five times, then 1..4. */
    assert_false(reports[0].open);
    assert_int_equal(reports[0].stats.received, 5 * 36 + 10);
    assert_int_equal(reports[0].stats.delivered, 44);
    assert_int_equal(reports[0].stats.dropped_closed, 5 * 36 + 10 - 44);
    assert_int_equal(reports[0].stats.high_water, 8);
    assert_true(aw_stats_exact(&reports[0].stats));
    assert_string_equal(reports[1].name, "44");
    free(reports);
}

static void test_book_open_queue_outlives_the_folding(void **state)
{
    struct aw_queue_report *reports;

    enter(*state, "b", "open");
    retire_many(*state, 300);
    reports = reports_of(*state, LINES_MAX + 2);
    assert_string_equal(reports[0].name, "(earlier)");
    assert_string_equal(reports[1].name, "open");
    assert_true(reports[1].open);
    assert_string_equal(reports[2].name, "44");
    free(reports);
}

/* ---- many threads ---- */

#define THREADS 4
#define ROUNDS  100

struct worker {
    struct aw_ledger_book *book;
    pthread_t thread;
    char owner[8];
    int failures;
};

static void *enter_and_retire(void *argument)
{
    struct worker *worker = argument;

    for (int i = 0; i < ROUNDS; i++) {
        struct aw_queue_config config = test_config(1);
        struct aw_queue *queue = NULL;
        struct aw_queue_report *reports = NULL;

        config.owner = worker->owner;
        if (aw_queue_new(&config, &queue) < 0)
            return NULL;
        worker->failures += aw_book_enter(worker->book, queue, false) != 0;
        worker->failures += aw_book_reports(worker->book, &reports) < 1;
        free(reports);
        worker->failures += !aw_book_retire(worker->book, queue);
        aw_queue_unref(queue);
    }
    return NULL;
}

static void test_book_many_threads_keep_it_whole(void **state)
{
    struct aw_ledger_book *book = *state;
    struct worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.book = book};
        snprintf(workers[i].owner, sizeof(workers[i].owner), "%d", i);
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        enter_and_retire, &workers[i]),
                         0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].failures, 0);
    }
    free(reports_of(book, LINES_MAX + 1));
}

/* ---- observers ---- */

static struct aw_queue *queue_with(const char *owner, enum aw_overflow overflow,
                                   bool observer)
{
    struct aw_queue_config config = test_config(8);
    struct aw_queue *queue = NULL;

    config.owner = owner;
    config.overflow = overflow;
    config.observer = observer;
    assert_int_equal(aw_queue_new(&config, &queue), 0);
    return queue;
}

/* What the book says of `second` beside `first`. */
static int enter_both(struct aw_ledger_book *book, struct aw_queue *first,
                      struct aw_queue *second)
{
    int result;

    assert_int_equal(aw_book_enter(book, first, false), 0);
    result = aw_book_enter(book, second, false);
    aw_queue_unref(first);
    aw_queue_unref(second);
    return result;
}

static void test_book_observer_beside_a_blocking_queue_is_entered(void **state)
{
    assert_int_equal(enter_both(*state,
                                queue_with("a", AW_OVERFLOW_BLOCK, false),
                                queue_with("o", AW_OVERFLOW_DROP_NEWEST, true)),
                     0);
}

static void test_book_blocking_queue_beside_an_observer_is_entered(void **state)
{
    assert_int_equal(enter_both(*state,
                                queue_with("o", AW_OVERFLOW_DROP_NEWEST, true),
                                queue_with("a", AW_OVERFLOW_BLOCK, false)),
                     0);
}

static void test_book_blocking_queue_beside_a_scripts_is_refused(void **state)
{
    assert_int_equal(enter_both(*state,
                                queue_with("b", AW_OVERFLOW_DROP_NEWEST, false),
                                queue_with("a", AW_OVERFLOW_BLOCK, false)),
                     -EPERM);
}

static void test_book_observer_leaves_no_line_behind(void **state)
{
    struct aw_ledger_book *book = *state;
    struct aw_queue *queue = queue_with("o", AW_OVERFLOW_DROP_OLDEST, true);
    struct aw_queue_report *reports;

    assert_int_equal(aw_book_enter(book, queue, false), 0);
    reports = reports_of(book, 1);
    assert_true(reports[0].observer);
    assert_int_equal(reports[0].overflow, AW_OVERFLOW_DROP_OLDEST);
    assert_int_equal(reports[0].depth, 8);
    free(reports);
    assert_true(aw_book_retire(book, queue));
    assert_int_equal(references(queue), 1);
    free(reports_of(book, 0));
    aw_queue_unref(queue);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_book_empty_reports_nothing),
        TEST(test_book_enter_holds_a_reference),
        TEST(test_book_enter_same_name_is_refused),
        TEST(test_book_enter_refused_takes_no_reference),
        TEST(test_book_enter_same_name_of_another_owner_succeeds),
        TEST(test_book_enter_name_of_a_closed_queue_succeeds),
        TEST(test_book_enter_name_of_a_retired_queue_succeeds),
        TEST(test_book_strike_takes_it_out),
        TEST(test_book_strike_unknown_is_harmless),
        TEST(test_book_reports_are_oldest_first),
        TEST(test_book_reports_show_the_figures_of_now),
        TEST(test_book_reports_a_closed_queue_as_not_open),
        TEST(test_book_retire_keeps_the_final_figures),
        TEST(test_book_retire_twice_says_so),
        TEST(test_book_retired_lines_are_kept_up_to_256),
        TEST(test_book_retired_beyond_256_keeps_the_last_256),
        TEST(test_book_retired_300_add_up_in_one_line),
        TEST(test_book_open_queue_outlives_the_folding),
        TEST(test_book_observer_beside_a_blocking_queue_is_entered),
        TEST(test_book_blocking_queue_beside_an_observer_is_entered),
        TEST(test_book_blocking_queue_beside_a_scripts_is_refused),
        TEST(test_book_observer_leaves_no_line_behind),
        TEST(test_book_many_threads_keep_it_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
