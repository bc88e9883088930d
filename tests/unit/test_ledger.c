#include "devices/queue/ledger.h"

#include <pthread.h>
#include <stdbool.h>

#include "tests/support/unit.h"

#define PUBLICATIONS 20000u

static void fill(uint64_t fields[AW_LEDGER_FIELDS], uint64_t first)
{
    for (unsigned i = 0; i < AW_LEDGER_FIELDS; i++)
        fields[i] = first + i;
}

static void assert_fields(const struct aw_ledger_side *side, uint64_t first)
{
    uint64_t expected[AW_LEDGER_FIELDS], fields[AW_LEDGER_FIELDS];

    fill(expected, first);
    assert_int_equal(aw_ledger_read(side, fields), 0);
    assert_memory_equal(fields, expected, sizeof(fields));
}

static void test_ledger_never_published_reads_zeros(void **state)
{
    static const uint64_t zeros[AW_LEDGER_FIELDS];
    struct aw_ledger_side side = {0};
    uint64_t fields[AW_LEDGER_FIELDS];

    (void)state;
    assert_int_equal(aw_ledger_read(&side, fields), 0);
    assert_memory_equal(fields, zeros, sizeof(fields));
}

static void test_ledger_published_is_read(void **state)
{
    struct aw_ledger_side side = {0};
    uint64_t fields[AW_LEDGER_FIELDS];

    (void)state;
    fill(fields, 100);
    aw_ledger_publish(&side, fields, AW_LEDGER_FIELDS);
    assert_fields(&side, 100);
}

static void test_ledger_latest_publication_wins(void **state)
{
    struct aw_ledger_side side = {0};
    uint64_t fields[AW_LEDGER_FIELDS];

    (void)state;
    for (uint64_t first = 1; first <= 5; first++) {
        fill(fields, first);
        aw_ledger_publish(&side, fields, AW_LEDGER_FIELDS);
        assert_fields(&side, first);
    }
}

/* A writer that was stopped in the middle of a publication holds nobody up. */
static void test_ledger_half_written_reads_the_one_before(void **state)
{
    struct aw_ledger_side side = {0};
    uint64_t fields[AW_LEDGER_FIELDS];

    (void)state;
    fill(fields, 7);
    aw_ledger_publish(&side, fields, AW_LEDGER_FIELDS);
    atomic_store(&side.copies[0][0], 999);
    assert_fields(&side, 7);
}

static void *publish_many(void *argument)
{
    struct aw_ledger_side *side = argument;
    uint64_t fields[AW_LEDGER_FIELDS];

    for (uint64_t first = 1; first <= PUBLICATIONS; first++) {
        fill(fields, first);
        aw_ledger_publish(side, fields, AW_LEDGER_FIELDS);
    }
    return NULL;
}

static void test_ledger_read_while_written_is_never_torn(void **state)
{
    struct aw_ledger_side side = {0};
    uint64_t fields[AW_LEDGER_FIELDS], last = 0;
    pthread_t writer;

    (void)state;
    pthread_create(&writer, NULL, publish_many, &side);
    while (last < PUBLICATIONS) {
        if (aw_ledger_read(&side, fields) < 0 || fields[0] == 0)
            continue;
        assert_true(fields[0] >= last);
        last = fields[0];
        for (unsigned i = 1; i < AW_LEDGER_FIELDS; i++)
            assert_int_equal(fields[i], last + i);
    }
    pthread_join(writer, NULL);
}

static void test_ledger_dropped_sums_every_cause(void **state)
{
    const struct aw_stats stats = {.dropped_kernel = 1,
                                   .dropped_overflow = 20,
                                   .dropped_cleared = 300,
                                   .dropped_closed = 4000};

    (void)state;
    assert_int_equal(aw_stats_dropped(&stats), 4321);
}

static void test_ledger_sum_off_by_one_is_not_exact(void **state)
{
    struct aw_stats stats = {.received = 10,
                             .filtered = 1,
                             .delivered = 2,
                             .pending = 3,
                             .dropped_overflow = 4};

    (void)state;
    assert_true(aw_stats_exact(&stats));
    stats.pending++;
    assert_false(aw_stats_exact(&stats));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger_never_published_reads_zeros),
        cmocka_unit_test(test_ledger_published_is_read),
        cmocka_unit_test(test_ledger_latest_publication_wins),
        cmocka_unit_test(test_ledger_half_written_reads_the_one_before),
        cmocka_unit_test(test_ledger_read_while_written_is_never_torn),
        cmocka_unit_test(test_ledger_dropped_sums_every_cause),
        cmocka_unit_test(test_ledger_sum_off_by_one_is_not_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
