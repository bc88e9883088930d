/* The driver `isotp`, as far as it goes without a bus: which options go
 * together. Its messages are tested in the QEMU guest. */
#include "driver_fixture.h"

#include <errno.h>

struct setting {
    const char *name, *text;
};

#define SETTINGS_MAX 4

static struct fixture *configure(const struct setting settings[SETTINGS_MAX])
{
    struct fixture *isotp = fixture_new(&aw_isotp_driver);

    fixture_set(isotp, "interface", "can0");
    fixture_set(isotp, "tx_id", "0x7E0");
    fixture_set(isotp, "rx_id", "0x7E8");
    for (size_t i = 0; i < SETTINGS_MAX && settings[i].name; i++)
        fixture_set(isotp, settings[i].name, settings[i].text);
    return isotp;
}

static void test_isotp_settings_that_go_together_are_accepted(void **state)
{
    static const struct setting good[][SETTINGS_MAX] = {
        {{0}},
        {{"tx_id", "0x18DA10F1"}, {"rx_id", "0x18DAF110"}},
        {{"tx_id", "0x18DA10F1"}, {"extended_id", "yes"}},
        {{"extended_address", "0xF1"}, {"rx_extended_address", "0x10"}},
        {{"padding", "0xCC"}, {"check_padding", "all"}},
        {{"stmin", "0x7F"}, {"blocksize", "255"}},
        {{"stmin", "0xF1"}, {"wftmax", "3"}},
        {{"stmin", "0xF9"}},
        {{"fd", "yes"}, {"tx_dl", "48"}},
        {{"tx_dl", "8"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fixture *isotp = configure(good[i]);

        if (fixture_check(isotp) < 0)
            fail_msg("%zu: %s", i, isotp->error.text);
        fixture_free(isotp);
    }
}

static void test_isotp_settings_that_contradict_are_refused(void **state)
{
    static const struct {
        struct setting settings[SETTINGS_MAX];
        const char *says;
    } bad[] = {
        {{{"interface", "any"}}, "takes one, not any"},
        {{{"rx_id", "0x7E0"}}, "are the same"},
        {{{"tx_id", "0x800"}, {"extended_id", "no"}}, "needs extended_id"},
        {{{"stmin", "0x80"}}, "reserved"},
        {{{"stmin", "0xF0"}}, "reserved"},
        {{{"stmin", "0xFA"}}, "reserved"},
        {{{"tx_dl", "9"}, {"fd", "yes"}}, "tx_dl is 8, 12"},
        {{{"tx_dl", "12"}}, "needs CAN FD"},
        {{{"rx_extended_address", "1"}}, "needs extended_address"},
        {{{"check_padding", "length"}}, "needs padding"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture *isotp = configure(bad[i].settings);

        assert_int_equal(fixture_check(isotp), -EINVAL);
        if (!strstr(isotp->error.text, bad[i].says))
            fail_msg("%zu: %s", i, isotp->error.text);
        fixture_free(isotp);
    }
}

static void test_isotp_numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_true(fixture_takes(&aw_isotp_driver, "tx_id", "0x1FFFFFFF"));
    assert_false(fixture_takes(&aw_isotp_driver, "tx_id", "0x20000000"));
    assert_false(fixture_takes(&aw_isotp_driver, "padding", "256"));
    assert_false(fixture_takes(&aw_isotp_driver, "max_payload", "65529"));
    assert_false(fixture_takes(&aw_isotp_driver, "check_padding", "some"));
}

static void test_isotp_says_what_its_messages_need_without_a_bus(void **state)
{
    static const struct setting settings[SETTINGS_MAX] = {
        {"max_payload", "5000"}};
    struct fixture *isotp = configure(settings);

    (void)state;
    aw_isotp_driver.describe(&isotp->link, isotp->values);
    assert_int_equal(isotp->link.payload_bytes, 5000);
    assert_int_equal(isotp->link.kind, AW_KIND_BYTES);
    assert_true(isotp->link.can_send);
    fixture_free(isotp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_isotp_settings_that_go_together_are_accepted),
        cmocka_unit_test(test_isotp_settings_that_contradict_are_refused),
        cmocka_unit_test(test_isotp_numbers_out_of_range_are_refused),
        cmocka_unit_test(test_isotp_says_what_its_messages_need_without_a_bus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
