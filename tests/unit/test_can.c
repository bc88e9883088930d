/* The driver `can`, as far as it goes on a machine without AF_CAN; with a real
 * interface it is tested in the guests. */
#include "driver_fixture.h"

#include <errno.h>
#include <sys/socket.h>

static bool has_can_sockets(void)
{
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, 1);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static struct fixture *configure(const char *interface)
{
    struct fixture *can = fixture_new(&aw_can_driver);

    fixture_set(can, "interface", interface);
    return can;
}

static void test_can_interface_is_the_main_option_and_required(void **state)
{
    const struct aw_option *options = aw_can_driver.options;
    int index = aw_options_find(options, aw_can_driver.option_count,
                                aw_can_driver.main_option);

    (void)state;
    assert_true(index >= 0);
    assert_true(options[index].required);
    assert_string_equal(options[index].name, "interface");
}

static void test_can_fd_without_a_word_is_left_to_the_interface(void **state)
{
    int index = aw_options_find(aw_can_driver.options,
                                aw_can_driver.option_count, "fd");

    (void)state;
    assert_true(index >= 0);
    assert_null(aw_can_driver.options[index].fallback);
}

static void test_can_receive_buffer_out_of_range_is_refused(void **state)
{
    (void)state;
    assert_true(fixture_takes(&aw_can_driver, "receive_buffer", "16M"));
    assert_false(fixture_takes(&aw_can_driver, "receive_buffer", "0"));
    assert_false(fixture_takes(&aw_can_driver, "receive_buffer", "2048M"));
}

/* What is known of an interface that is not there. */
static struct aw_link described(const char *interface, const char *fd)
{
    struct fixture *can = configure(interface);
    struct aw_link link;

    if (fd)
        fixture_set(can, "fd", fd);
    aw_can_driver.describe(&can->link, can->values);
    link = can->link;
    fixture_free(can);
    return link;
}

static void test_can_not_there_may_come_with_fd_unless_told(void **state)
{
    (void)state;
    assert_int_equal(described("can0", NULL).payload_bytes,
                     AW_PAYLOAD_FD + AW_HW_STAMP_BYTES);
    assert_int_equal(described("can0", "yes").payload_bytes,
                     AW_PAYLOAD_FD + AW_HW_STAMP_BYTES);
    assert_int_equal(described("can0", "no").payload_bytes,
                     AW_PAYLOAD_CAN + AW_HW_STAMP_BYTES);
    assert_int_equal(described("can0", NULL).kind, AW_KIND_CAN);
    assert_int_equal(described("can0", NULL).fd, -1);
    assert_true(described("can0", NULL).can_send);
    assert_false(described("any", NULL).can_send);
}

static void test_can_interface_names_that_can_be_are_accepted(void **state)
{
    const char *const names[] = {"can0", "vcan0", "any", "fifteen-chars--"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct fixture *can = configure(names[i]);

        assert_int_equal(fixture_check(can), 0);
        fixture_free(can);
    }
}

static void test_can_interface_names_that_cannot_be_are_refused(void **state)
{
    const char *const names[] = {"", "serial=", "can 0", "../can0"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct fixture *can = configure(names[i]);

        assert_int_equal(fixture_check(can), -EINVAL);
        assert_non_null(strstr(can->error.text, "name of a network interface"));
        fixture_free(can);
    }
}

static void test_can_bit_rates_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *interface, *bitrate, *dbitrate, *words;
    } rows[] = {
        {"can0", NULL, "2000000", "dbitrate needs bitrate"},
        {"any", "500000", NULL, "of one interface"},
        {"can0", "500000.5", NULL, "whole bit/s"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *can = configure(rows[i].interface);

        if (rows[i].bitrate)
            fixture_set(can, "bitrate", rows[i].bitrate);
        if (rows[i].dbitrate)
            fixture_set(can, "dbitrate", rows[i].dbitrate);
        assert_int_equal(fixture_check(can), -EINVAL);
        assert_non_null(strstr(can->error.text, rows[i].words));
        fixture_free(can);
    }
}

/* Elsewhere k is 1024: a bit rate written so would be another one. */
static void test_can_bit_rate_with_a_k_is_refused(void **state)
{
    (void)state;
    assert_true(fixture_takes(&aw_can_driver, "bitrate", "500000"));
    assert_true(fixture_takes(&aw_can_driver, "bitrate", "5e5"));
    assert_false(fixture_takes(&aw_can_driver, "bitrate", "500k"));
    assert_false(fixture_takes(&aw_can_driver, "bitrate", "2000000"));
}

static void test_can_without_can_sockets_names_the_module(void **state)
{
    struct fixture *can = configure("can0");

    (void)state;
    if (has_can_sockets()) {
        fixture_free(can);
        print_message("SKIPPED: this kernel has AF_CAN\n");
        skip();
    }
    assert_int_equal(fixture_open(can), -EAFNOSUPPORT);
    assert_non_null(strstr(can->error.text, "device bench: "));
    assert_non_null(strstr(can->error.text, "modprobe can-raw"));
    fixture_free(can);
}

static void test_can_interface_that_is_missing_is_named(void **state)
{
    struct fixture *can = configure("can-missing");

    (void)state;
    if (!has_can_sockets()) {
        fixture_free(can);
        print_message("SKIPPED: no AF_CAN in this kernel; the guest's tests "
                      "cover it\n");
        skip();
    }
    assert_int_equal(fixture_open(can), -ENODEV);
    assert_non_null(strstr(can->error.text, "no interface can-missing"));
    fixture_free(can);
}

static void test_can_interface_of_another_type_is_refused(void **state)
{
    struct fixture *can = configure("lo");

    (void)state;
    if (!has_can_sockets()) {
        fixture_free(can);
        print_message("SKIPPED: no AF_CAN in this kernel; the guest's tests "
                      "cover it\n");
        skip();
    }
    assert_int_equal(fixture_open(can), -ENODEV);
    assert_non_null(strstr(can->error.text, "lo is no CAN interface"));
    fixture_free(can);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_interface_is_the_main_option_and_required),
        cmocka_unit_test(test_can_fd_without_a_word_is_left_to_the_interface),
        cmocka_unit_test(test_can_receive_buffer_out_of_range_is_refused),
        cmocka_unit_test(test_can_not_there_may_come_with_fd_unless_told),
        cmocka_unit_test(test_can_interface_names_that_can_be_are_accepted),
        cmocka_unit_test(test_can_interface_names_that_cannot_be_are_refused),
        cmocka_unit_test(test_can_bit_rates_that_make_no_sense_are_refused),
        cmocka_unit_test(test_can_bit_rate_with_a_k_is_refused),
        cmocka_unit_test(test_can_without_can_sockets_names_the_module),
        cmocka_unit_test(test_can_interface_that_is_missing_is_named),
        cmocka_unit_test(test_can_interface_of_another_type_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
