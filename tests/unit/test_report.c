/* The report, its judgement, and what people and machines are shown of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ledger_table.h"
#include "daemon/report.h"
#include "daemon/stats_json.h"

/* One device with one queue, which adds up and has lost nothing. */
struct sample {
    struct aw_queue_report queue;
    struct aw_device_report device;
    struct aw_report report;
};

static void make_sample(struct sample *sample)
{
    *sample = (struct sample){
        .queue = {.name = "1",
                  .owner = "logger",
                  .stats = {.received = 12, .filtered = 2, .delivered = 10}},
        .device = {.name = "CANbus",
                   .driver = "can",
                   .queues = &sample->queue,
                   .queue_count = 1},
        .report = {.devices = &sample->device, .device_count = 1},
    };
}

static int write_json(const struct aw_report *report, FILE *to)
{
    return aw_stats_json_write(report, 3, to);
}

/* What a writer writes; the caller frees it. */
static char *written(const struct aw_report *report,
                     int (*write)(const struct aw_report *report, FILE *to))
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);

    assert_non_null(to);
    assert_int_equal(write(report, to), 0);
    fclose(to);
    return text;
}

static void check_table(const struct aw_report *report, const char *expected)
{
    char *text = written(report, aw_ledger_table_write);

    assert_string_equal(text, expected);
    free(text);
}

static void test_report_without_loss_is_lossless_and_exact(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    assert_true(aw_report_lossless(&sample.report));
    assert_true(aw_report_exact(&sample.report));
}

static void test_report_with_kernel_or_overflow_loss_is_not_lossless(void **s)
{
    struct sample sample;

    (void)s;
    make_sample(&sample);
    sample.queue.stats.dropped_kernel = 1;
    assert_false(aw_report_lossless(&sample.report));
    make_sample(&sample);
    sample.queue.stats.dropped_overflow = 1;
    assert_false(aw_report_lossless(&sample.report));
}

static void test_report_with_thrown_away_frames_is_lossless(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.queue.stats.dropped_closed = 4;
    sample.queue.stats.dropped_cleared = 5;
    assert_true(aw_report_lossless(&sample.report));
}

static void test_report_observers_loss_is_none(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.queue.stats.dropped_overflow = 1;
    sample.queue.observer = true;
    assert_true(aw_report_lossless(&sample.report));
}

static void test_report_with_a_wrong_sum_is_not_exact(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.queue.stats.delivered--;
    assert_false(aw_report_exact(&sample.report));
    make_sample(&sample);
    sample.device.send.submitted = 1;
    assert_false(aw_report_exact(&sample.report));
}

static void test_table_of_a_clean_queue_says_exact(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    check_table(
        &sample.report,
        "  device  queue  script  received  filtered  delivered  dropped  "
        "pending  ledger\n"
        "  CANbus  1      logger        12         2         10        0  "
        "      0  exact\n");
}

static void test_table_of_a_lossy_queue_names_the_causes(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.queue.stats.received += 7;
    sample.queue.stats.dropped_kernel = 3;
    sample.queue.stats.dropped_closed = 4;
    check_table(
        &sample.report,
        "  device  queue  script  received  filtered  delivered  dropped  "
        "pending  ledger\n"
        "  CANbus  1      logger        19         2         10        7  "
        "      0  exact (3 kernel, 4 closed)\n");
}

static void test_table_tells_what_happened_to_a_device(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.report.device_count = 1;
    sample.device.queue_count = 0;
    sample.device.send = (struct aw_send_stats){
        .submitted = 9, .sent = 3, .expired = 1, .timed_out = 2, .failed = 3};
    sample.device.status = (struct aw_link_status){
        .lost = 2, .reopened = 1, .bus_offs = 1, .restarts = 1, .failure = 19};
    check_table(
        &sample.report,
        "  CANbus: sent 3 of 9 submitted  exact (1 expired, 2 timed "
        "out, 3 failed)\n"
        "  CANbus: lost 2 times, back 1 time, bus-off 1 time, restarted "
        "1 time, not there at the end: No such device\n");
    sample.device.status = (struct aw_link_status){.overruns = 7, .missed = 1};
    sample.device.send = (struct aw_send_stats){0};
    check_table(&sample.report,
                "  CANbus: no queue, nothing sent\n"
                "  CANbus: 7 samples too late, 1 edge missed\n");
}

static void test_json_has_the_status_by_pythons_names(void **state)
{
    struct sample sample;
    char *text;

    (void)state;
    make_sample(&sample);
    sample.device.status = (struct aw_link_status){
        .state = AW_LINK_LOST,
        .carrier = AW_CARRIER_NO,
        .bus_state = AW_BUS_OFF,
        .failure = 19,
        .bitrate = 500000,
        .tx_errors = 248,
        .lost = 2,
    };
    text = written(&sample.report, write_json);
    assert_non_null(strstr(text, "\"state\": \"lost\""));
    assert_non_null(strstr(text, "\"failure\": 19"));
    assert_non_null(strstr(text, "\"carrier\": false"));
    assert_non_null(strstr(text, "\"bus_state\": \"bus-off\""));
    assert_non_null(strstr(text, "\"bitrate\": 500000"));
    assert_non_null(strstr(text, "\"dbitrate\": null"));
    assert_non_null(strstr(text, "\"tx_errors\": 248"));
    assert_non_null(strstr(text, "\"lost\": 2"));
    assert_non_null(strstr(text, "\"kernel_filter\": false"));
    free(text);
}

static void test_table_of_a_wrong_sum_says_not_exact(void **state)
{
    struct sample sample;
    char *text;

    (void)state;
    make_sample(&sample);
    sample.queue.stats.received++;
    text = written(&sample.report, aw_ledger_table_write);
    assert_non_null(strstr(text, "NOT EXACT\n"));
    free(text);
}

static void test_table_of_a_sender_has_its_line(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.device.queue_count = 0;
    sample.device.send = (struct aw_send_stats){
        .submitted = 5, .sent = 3, .expired = 1, .timed_out = 1};
    check_table(&sample.report, "  CANbus: sent 3 of 5 submitted  exact "
                                "(1 expired, 1 timed out)\n");
}

static void test_table_of_an_idle_device_says_so(void **state)
{
    struct sample sample;

    (void)state;
    make_sample(&sample);
    sample.device.queue_count = 0;
    check_table(&sample.report, "  CANbus: no queue, nothing sent\n");
}

static void test_json_holds_every_number(void **state)
{
    static const char *const parts[] = {
        "\"status\": 3",        "\"exact\": true",     "\"lossless\": false",
        "\"name\": \"CANbus\"", "\"driver\": \"can\"", "\"script\": \"logger\"",
        "\"received\": 32",     "\"filtered\": 2",     "\"delivered\": 10",
        "\"kernel\": 3",        "\"overflow\": 4",     "\"cleared\": 5",
        "\"closed\": 7",        "\"pending\": 1",      "\"high_water\": 9",
        "\"wakes\": 8",         "\"submitted\": 15",   "\"sent\": 1",
        "\"expired\": 2",       "\"timed_out\": 3",    "\"failed\": 4",
        "\"pending\": 5",
    };
    struct sample sample;
    char *text;

    (void)state;
    make_sample(&sample);
    sample.queue.stats = (struct aw_stats){.received = 32,
                                           .filtered = 2,
                                           .delivered = 10,
                                           .pending = 1,
                                           .dropped_kernel = 3,
                                           .dropped_overflow = 4,
                                           .dropped_cleared = 5,
                                           .dropped_closed = 7,
                                           .high_water = 9,
                                           .wakes = 8};
    sample.device.send = (struct aw_send_stats){15, 1, 2, 3, 4, 5};
    text = written(&sample.report, write_json);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(text, parts[i]))
            fail_msg("no %s in %s", parts[i], text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_without_loss_is_lossless_and_exact),
        cmocka_unit_test(
            test_report_with_kernel_or_overflow_loss_is_not_lossless),
        cmocka_unit_test(test_report_with_thrown_away_frames_is_lossless),
        cmocka_unit_test(test_report_observers_loss_is_none),
        cmocka_unit_test(test_report_with_a_wrong_sum_is_not_exact),
        cmocka_unit_test(test_table_of_a_clean_queue_says_exact),
        cmocka_unit_test(test_table_of_a_lossy_queue_names_the_causes),
        cmocka_unit_test(test_table_tells_what_happened_to_a_device),
        cmocka_unit_test(test_json_has_the_status_by_pythons_names),
        cmocka_unit_test(test_table_of_a_wrong_sum_says_not_exact),
        cmocka_unit_test(test_table_of_a_sender_has_its_line),
        cmocka_unit_test(test_table_of_an_idle_device_says_so),
        cmocka_unit_test(test_json_holds_every_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
