/* The driver `spi`: what it is told, opening, and transfers. */
#include "tests/unit/driver_fixture.h"

#include <errno.h>
#include <sys/timerfd.h>

#include "devices/spi.h"
#include "tests/support/fake_chardev.h"

static struct fixture *new_spi(void)
{
    struct fixture *spi;

    fake_chardev_reset();
    spi = fixture_new(&aw_spi_driver);
    fixture_set(spi, "path", "/dev/spidev0.0");
    return spi;
}

static struct fixture *open_plain(void)
{
    struct fixture *spi = new_spi();

    assert_int_equal(fixture_check(spi), 0);
    assert_int_equal(fixture_open(spi), 0);
    return spi;
}

/* ---- what it is told ---- */

/* Sets pairs of option and text, NULL at the end; returns what check() says and
 * that its sentence has `word`. */
static void assert_refused(const char *word, const char *const pairs[][2])
{
    struct fixture *spi = new_spi();

    for (size_t i = 0; pairs[i][0]; i++)
        fixture_set(spi, pairs[i][0], pairs[i][1]);
    assert_int_equal(fixture_check(spi), -EINVAL);
    if (!strstr(spi->error.text, word))
        fail_msg("%s", spi->error.text);
    fixture_free(spi);
}

static void test_spi_sample_that_is_no_hexadecimal_is_refused(void **state)
{
    static const char *const texts[] = {"8", "80 0", "8 0",  "0x80",
                                        "",  "zz",   "80 0g"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_refused("hexadecimal",
                       (const char *const[][2]){{"sample", texts[i]},
                                                {"period_us", "1000"},
                                                {NULL, NULL}});
}

static void test_spi_sample_without_a_time_is_refused(void **state)
{
    (void)state;
    assert_refused("period_us",
                   (const char *const[][2]){{"sample", "80"}, {NULL, NULL}});
}

static void test_spi_time_without_a_sample_is_refused(void **state)
{
    (void)state;
    assert_refused("sample", (const char *const[][2]){{"period_us", "1000"},
                                                      {NULL, NULL}});
    assert_refused("data_ready", (const char *const[][2]){
                                     {"data_ready", "ready"}, {NULL, NULL}});
}

static void test_spi_period_and_edges_exclude_each_other(void **state)
{
    (void)state;
    assert_refused("exclude", (const char *const[][2]){{"sample", "80"},
                                                       {"period_us", "1000"},
                                                       {"data_ready", "ready"},
                                                       {NULL, NULL}});
}

static void test_spi_sample_bytes_below_the_sample_are_refused(void **state)
{
    (void)state;
    assert_refused("sample_bytes",
                   (const char *const[][2]){{"sample", "80 00 00"},
                                            {"sample_bytes", "2"},
                                            {"period_us", "1000"},
                                            {NULL, NULL}});
}

static void test_spi_sample_of_half_a_word_is_refused(void **state)
{
    (void)state;
    assert_refused("words", (const char *const[][2]){{"bits", "12"},
                                                     {"sample", "80 00 00"},
                                                     {"period_us", "1000"},
                                                     {NULL, NULL}});
    assert_refused("words", (const char *const[][2]){{"bits", "24"},
                                                     {"sample_bytes", "6"},
                                                     {"period_us", "1000"},
                                                     {NULL, NULL}});
}

static void test_spi_burst_on_edges_is_refused(void **state)
{
    (void)state;
    assert_refused("period_us",
                   (const char *const[][2]){{"sample", "80"},
                                            {"data_ready", "ready"},
                                            {"samples_per_call", "2"},
                                            {NULL, NULL}});
}

static void test_spi_burst_that_keeps_the_bus_is_refused(void **state)
{
    (void)state;
    assert_refused("100 ms", (const char *const[][2]){{"sample", "80"},
                                                      {"period_us", "50001"},
                                                      {"samples_per_call", "2"},
                                                      {NULL, NULL}});
}

static void test_spi_options_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_false(fixture_takes(&aw_spi_driver, "mode", "4"));
    assert_false(fixture_takes(&aw_spi_driver, "bits", "0"));
    assert_false(fixture_takes(&aw_spi_driver, "bits", "33"));
    assert_false(fixture_takes(&aw_spi_driver, "speed_hz", "10M"));
    assert_true(fixture_takes(&aw_spi_driver, "speed_hz", "10e6"));
    assert_false(fixture_takes(&aw_spi_driver, "period_us", "9"));
    assert_false(fixture_takes(&aw_spi_driver, "edge", "up"));
}

/* ---- opening ---- */

static void test_spi_open_sets_mode_speed_and_bits(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fixture_set(spi, "mode", "3");
    fixture_set(spi, "cs_high", "yes");
    fixture_set(spi, "lsb_first", "yes");
    fixture_set(spi, "bits", "16");
    fixture_set(spi, "speed_hz", "5e5");
    assert_int_equal(fixture_open(spi), 0);
    assert_int_equal(fake_chardev.mode,
                     SPI_MODE_3 | SPI_CS_HIGH | SPI_LSB_FIRST);
    assert_int_equal(fake_chardev.bits, 16);
    assert_int_equal(fake_chardev.speed_hz, 500000);
    fixture_free(spi);
}

static void test_spi_open_without_speed_leaves_the_kernels(void **state)
{
    struct fixture *spi = open_plain();

    (void)state;
    assert_int_equal(fake_chardev.speed_hz, 0);
    fixture_free(spi);
}

static void test_spi_open_warns_of_more_speed_than_is_stated(void **state)
{
    struct fixture *spi = new_spi();
    struct capture capture = capture_begin();
    char text[512];
    int result;

    (void)state;
    fixture_set(spi, "speed_hz", "2e6");
    result = fixture_open(spi);
    capture_end(capture, text, sizeof(text));
    assert_int_equal(result, 0);
    assert_non_null(strstr(text, "more than the 1000000 Hz"));
    fixture_free(spi);
}

static void assert_open_fails(struct fixture *spi, int code, const char *word)
{
    assert_int_equal(fixture_open(spi), -code);
    if (!strstr(spi->error.text, word))
        fail_msg("%s", spi->error.text);
    assert_non_null(strstr(spi->error.text, "device bench"));
    fixture_free(spi);
}

static void test_spi_open_of_what_is_not_there_says_so(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fake_chardev.open_error = ENOENT;
    assert_open_fails(spi, ENOENT, "ls /dev/spidev*");
}

static void test_spi_open_without_permission_names_the_group(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fake_chardev.open_error = EACCES;
    assert_open_fails(spi, EACCES, "group");
}

static void test_spi_open_names_the_mode_that_is_refused(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fixture_set(spi, "mode", "2");
    fixture_set(spi, "cs_high", "yes");
    fake_chardev.mode_error = EINVAL;
    assert_open_fails(spi, EINVAL, "refuses mode 2, cs_high");
}

static void test_spi_open_names_the_bits_that_are_refused(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fixture_set(spi, "bits", "12");
    fake_chardev.bits_error = EINVAL;
    assert_open_fails(spi, EINVAL, "refuses bits: 12");
}

static void test_spi_open_names_the_speed_that_is_refused(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fixture_set(spi, "speed_hz", "1000");
    fake_chardev.speed_error = EINVAL;
    assert_open_fails(spi, EINVAL, "refuses speed_hz: 1000");
}

static void test_spi_open_of_another_kind_of_file_says_so(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fake_chardev.mode_error = ENOTTY;
    assert_open_fails(spi, ENOTTY, "is no SPI device");
}

static void test_spi_open_refuses_a_period_too_short_for_its_bits(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    /* 125 bytes at 1 MHz take 1 ms. */
    fixture_set(spi, "sample_bytes", "125");
    fixture_set(spi, "period_us", "1000");
    assert_int_equal(fixture_check(spi), 0);
    assert_open_fails(spi, EINVAL, "raise speed_hz or period_us");
}

static void test_spi_open_refuses_a_message_beyond_spidevs_buffer(void **state)
{
    struct fixture *spi = new_spi();

    (void)state;
    fixture_set(spi, "sample_bytes", "65528");
    fixture_set(spi, "period_us", "1e6");
    assert_open_fails(spi, EINVAL, "bufsiz");
}

static void test_spi_describe_says_what_open_does(void **state)
{
    struct fixture *spi = new_spi();
    struct aw_link described = {.fd = -1};

    (void)state;
    fixture_set(spi, "sample_bytes", "12");
    fixture_set(spi, "period_us", "1e6");
    spi->driver->describe(&described, spi->values);
    assert_int_equal(fixture_open(spi), 0);
    assert_int_equal(described.kind, spi->link.kind);
    assert_int_equal(described.payload_bytes, 12);
    assert_int_equal(spi->link.payload_bytes, 12);
    assert_int_equal(described.start, AW_START_ATTACHED);
    assert_int_equal(spi->link.start, AW_START_ATTACHED);
    assert_true(described.can_send && spi->link.can_send);
    fixture_free(spi);
}

/* ---- transfers ---- */

/* A request for a transfer, with its reply behind it. */
struct request {
    struct aw_send *send;
    uint8_t reply[8192];
};

static struct request *make_request(uint32_t segments, const void *payload,
                                    uint16_t length)
{
    struct request *request = calloc(1, sizeof(*request));
    struct aw_frame header = {
        .kind = AW_KIND_BYTES, .id = segments, .length = length};

    assert_non_null(request);
    request->send = calloc(1, sizeof(struct aw_send) + aw_slot_bytes(length));
    assert_non_null(request->send);
    memcpy(request->send->frame, &header, sizeof(header));
    memcpy(request->send->frame + sizeof(header), payload, length);
    request->send->reply = request->reply;
    request->send->reply_capacity = sizeof(request->reply);
    return request;
}

static void free_request(struct request *request)
{
    free(request->send);
    free(request);
}

static int transfer(struct fixture *spi, struct request *request)
{
    aw_role_assume(&aw_role_reader);
    return spi->driver->send(&spi->link, request->send);
}

static void test_spi_transfer_replies_what_came_in(void **state)
{
    struct fixture *spi = open_plain();
    struct request *request = make_request(0, "hello", 5);

    (void)state;
    assert_int_equal(transfer(spi, request), 0);
    assert_int_equal(request->send->reply_bytes, 5);
    assert_memory_equal(request->reply, "hello", 5);
    assert_int_equal(fake_chardev.last_count, 1);
    assert_int_equal(fake_chardev.last[0].cs_change, 0);
    free_request(request);
    fixture_free(spi);
}

static void test_spi_transfer_of_segments_is_one_message(void **state)
{
    struct fixture *spi = open_plain();
    struct {
        struct aw_spi_segment segments[2];
        char bytes[5];
    } payload = {{{.bytes = 2, .cs_change = 1, .delay_us = 7},
                  {.bytes = 3, .speed_hz = 1000, .bits = 8}},
                 "abcde"};
    struct request *request = make_request(2, &payload, 29);

    (void)state;
    assert_int_equal(transfer(spi, request), 0);
    assert_int_equal(fake_chardev.messages, 1);
    assert_int_equal(fake_chardev.last_count, 2);
    assert_int_equal(fake_chardev.last[0].len, 2);
    assert_int_equal(fake_chardev.last[0].cs_change, 1);
    assert_int_equal(fake_chardev.last[0].delay_usecs, 7);
    assert_int_equal(fake_chardev.last[1].len, 3);
    assert_int_equal(fake_chardev.last[1].speed_hz, 1000);
    assert_int_equal(fake_chardev.last[1].bits_per_word, 8);
    assert_int_equal(request->send->reply_bytes, 5);
    assert_memory_equal(request->reply, "abcde", 5);
    free_request(request);
    fixture_free(spi);
}

static void assert_malformed(uint32_t segments, const void *payload,
                             uint16_t length)
{
    struct fixture *spi = open_plain();
    struct request *request = make_request(segments, payload, length);

    assert_int_equal(transfer(spi, request), -EINVAL);
    assert_int_equal(request->send->reply_bytes, 0);
    assert_int_equal(fake_chardev.messages, 0);
    free_request(request);
    fixture_free(spi);
}

static void test_spi_transfer_that_is_malformed_is_refused(void **state)
{
    struct {
        struct aw_spi_segment segment;
        char bytes[4];
    } payload = {{.bytes = 5}, "abcd"};

    (void)state;
    /* More than there is, less, no room for the heads, too many of them. */
    assert_malformed(1, &payload, 16);
    payload.segment.bytes = 3;
    assert_malformed(1, &payload, 16);
    assert_malformed(2, &payload, 16);
    assert_malformed(UINT32_MAX, &payload, 16);
    payload.segment.bytes = 4;
    payload.segment.cs_change = 2;
    assert_malformed(1, &payload, 16);
}

static void test_spi_transfer_without_reply_is_written_only(void **state)
{
    struct fixture *spi = open_plain();
    struct aw_frame header = {.kind = AW_KIND_BYTES, .length = 3};

    (void)state;
    assert_int_equal(fixture_send(spi, "", &header, "abc"), 0);
    assert_int_equal(fake_chardev.last[0].rx_buf, 0);
    fixture_free(spi);
}

static void test_spi_transfer_beyond_spidevs_buffer_is_refused(void **state)
{
    static const uint8_t zeros[4097];
    struct fixture *spi = open_plain();
    struct request *request = make_request(0, zeros, sizeof(zeros));

    (void)state;
    assert_int_equal(transfer(spi, request), -EMSGSIZE);
    assert_int_equal(fake_chardev.messages, 0);
    free_request(request);
    fixture_free(spi);
}

static void test_spi_transfer_that_fails_leaves_the_device(void **state)
{
    struct fixture *spi = open_plain();
    struct request *request = make_request(0, "hello", 5);

    (void)state;
    fake_chardev.message_error = EIO;
    fake_chardev.message_error_count = 1;
    assert_int_equal(transfer(spi, request), -EIO);
    assert_int_equal(request->send->reply_bytes, 0);
    assert_false(fixture_polls(spi, POLLIN, 0));
    assert_int_equal(transfer(spi, request), 0);
    free_request(request);
    fixture_free(spi);
}

static void test_spi_chip_that_is_gone_is_told_by_the_next_read(void **state)
{
    struct fixture *spi = open_plain();
    struct request *request = make_request(0, "hello", 5);

    (void)state;
    fake_chardev.message_error = ESHUTDOWN;
    fake_chardev.message_error_count = 1;
    assert_int_equal(transfer(spi, request), -ENODEV);
    assert_true(fixture_polls(spi, POLLIN, 0));
    assert_int_equal(fixture_read(spi, AW_BATCH_FRAMES), -ENODEV);
    free_request(request);
    fixture_free(spi);
}

/* ---- the watch ---- */

/* Has the watch look now. */
static int look(struct fixture *spi)
{
    const struct itimerspec now = {{1, 0}, {0, 1}};
    struct pollfd wait = {.fd = spi->link.aux_fd, .events = POLLIN};

    assert_int_equal(timerfd_settime(spi->link.aux_fd, 0, &now, NULL), 0);
    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    aw_role_assume(&aw_role_reader);
    return spi->driver->aux(&spi->link, &spi->batch);
}

static void test_spi_watch_finds_that_the_chip_is_gone(void **state)
{
    struct fixture *spi = open_plain();

    (void)state;
    assert_int_equal(look(spi), 0);
    fake_chardev.gone = true;
    assert_int_equal(look(spi), -ENODEV);
    assert_int_equal(fake_chardev.messages, 0);
    fixture_free(spi);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spi_sample_that_is_no_hexadecimal_is_refused),
        cmocka_unit_test(test_spi_sample_without_a_time_is_refused),
        cmocka_unit_test(test_spi_time_without_a_sample_is_refused),
        cmocka_unit_test(test_spi_period_and_edges_exclude_each_other),
        cmocka_unit_test(test_spi_sample_bytes_below_the_sample_are_refused),
        cmocka_unit_test(test_spi_sample_of_half_a_word_is_refused),
        cmocka_unit_test(test_spi_burst_on_edges_is_refused),
        cmocka_unit_test(test_spi_burst_that_keeps_the_bus_is_refused),
        cmocka_unit_test(test_spi_options_out_of_range_are_refused),
        cmocka_unit_test(test_spi_open_sets_mode_speed_and_bits),
        cmocka_unit_test(test_spi_open_without_speed_leaves_the_kernels),
        cmocka_unit_test(test_spi_open_warns_of_more_speed_than_is_stated),
        cmocka_unit_test(test_spi_open_of_what_is_not_there_says_so),
        cmocka_unit_test(test_spi_open_without_permission_names_the_group),
        cmocka_unit_test(test_spi_open_names_the_mode_that_is_refused),
        cmocka_unit_test(test_spi_open_names_the_bits_that_are_refused),
        cmocka_unit_test(test_spi_open_names_the_speed_that_is_refused),
        cmocka_unit_test(test_spi_open_of_another_kind_of_file_says_so),
        cmocka_unit_test(test_spi_open_refuses_a_period_too_short_for_its_bits),
        cmocka_unit_test(test_spi_open_refuses_a_message_beyond_spidevs_buffer),
        cmocka_unit_test(test_spi_describe_says_what_open_does),
        cmocka_unit_test(test_spi_transfer_replies_what_came_in),
        cmocka_unit_test(test_spi_transfer_of_segments_is_one_message),
        cmocka_unit_test(test_spi_transfer_that_is_malformed_is_refused),
        cmocka_unit_test(test_spi_transfer_without_reply_is_written_only),
        cmocka_unit_test(test_spi_transfer_beyond_spidevs_buffer_is_refused),
        cmocka_unit_test(test_spi_transfer_that_fails_leaves_the_device),
        cmocka_unit_test(test_spi_chip_that_is_gone_is_told_by_the_next_read),
        cmocka_unit_test(test_spi_watch_finds_that_the_chip_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
