/* The driver `j1939`, as far as it goes without a bus. Its messages are tested
 * in the guests. */
#include "driver_fixture.h"

#include <errno.h>

#include "devices/j1939.h"
#include "devices/queue/key.h"

static struct fixture *configure(const char *name, const char *text)
{
    struct fixture *j1939 = fixture_new(&aw_j1939_driver);

    fixture_set(j1939, "interface", "can0");
    if (name)
        fixture_set(j1939, name, text);
    return j1939;
}

static int checked(const char *name, const char *text)
{
    struct fixture *j1939 = configure(name, text);
    int result = fixture_check(j1939);

    fixture_free(j1939);
    return result;
}

static void test_j1939_names_that_are_some_are_accepted(void **state)
{
    (void)state;
    assert_int_equal(checked("ecu_name", "1A2B3C4D5E6F7080"), 0);
    assert_int_equal(checked("ecu_name", "0xffffffffffffffff"), 0);
    assert_int_equal(checked("ecu_name", "1"), 0);
}

static void test_j1939_names_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_int_equal(checked("ecu_name", "0"), -EINVAL);
    assert_int_equal(checked("ecu_name", ""), -EINVAL);
    assert_int_equal(checked("ecu_name", "0x"), -EINVAL);
    assert_int_equal(checked("ecu_name", "1A2B3C4D5E6F70801"), -EINVAL);
    assert_int_equal(checked("ecu_name", "truck"), -EINVAL);
}

static void test_j1939_group_with_a_destination_ends_in_zeros(void **state)
{
    (void)state;
    assert_int_equal(checked("pgn", "0xEF00"), 0);
    assert_int_equal(checked("pgn", "0xFEF1"), 0);
    assert_int_equal(checked("pgn", "0x1EF00"), 0);
    assert_int_equal(checked("pgn", "0xEF20"), -EINVAL);
    assert_int_equal(checked("pgn", "0x1EF20"), -EINVAL);
}

static void test_j1939_numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    assert_true(fixture_takes(&aw_j1939_driver, "address", "0xFD"));
    assert_false(fixture_takes(&aw_j1939_driver, "address", "0xFE"));
    assert_false(fixture_takes(&aw_j1939_driver, "pgn", "0x40000"));
    assert_false(fixture_takes(&aw_j1939_driver, "destination", "256"));
    assert_false(fixture_takes(&aw_j1939_driver, "send_priority", "8"));
    assert_false(fixture_takes(&aw_j1939_driver, "max_payload", "65505"));
    assert_int_equal(checked("interface", "any"), -EINVAL);
}

static bool sends(const char *name, const char *text)
{
    struct fixture *j1939 = configure(name, text);
    bool can_send;

    aw_j1939_driver.describe(&j1939->link, j1939->values);
    assert_int_equal(j1939->link.kind, AW_KIND_J1939);
    assert_int_equal(j1939->link.payload_bytes,
                     1785 + sizeof(struct aw_j1939_head));
    can_send = j1939->link.can_send;
    fixture_free(j1939);
    return can_send;
}

static void test_j1939_sends_only_with_an_address_or_a_name(void **state)
{
    (void)state;
    assert_false(sends(NULL, NULL));
    assert_true(sends("address", "0"));
    assert_true(sends("ecu_name", "1"));
}

/* ---- the message in its slot ---- */

static void test_j1939_groups_below_240_have_a_destination(void **state)
{
    (void)state;
    assert_true(aw_j1939_is_pdu1(0xEF00));
    assert_false(aw_j1939_is_pdu1(0xF000));
    assert_true(aw_j1939_is_pdu1(0x3EF00));
    assert_false(aw_j1939_is_pdu1(0x3F000));
}

static void test_j1939_key_is_group_and_source(void **state)
{
    struct aw_frame one = {.kind = AW_KIND_J1939, .id = 0xFEF120};
    struct aw_frame two = {.kind = AW_KIND_J1939, .id = 0xFEF121};
    struct aw_frame can = {.kind = AW_KIND_CAN, .id = 0xFEF120};
    struct aw_key key = aw_key_of(&one), same = aw_key_of_j1939(0xFEF120);
    struct aw_key other = aw_key_of(&two), alien = aw_key_of(&can);

    (void)state;
    assert_true(aw_key_equal(&key, &same));
    assert_false(aw_key_equal(&key, &other));
    assert_false(aw_key_equal(&key, &alien));
}

static void
test_j1939_frame_without_its_whole_head_is_not_plausible(void **state)
{
    struct aw_frame frame = {.kind = AW_KIND_J1939,
                             .length = sizeof(struct aw_j1939_head)};

    (void)state;
    assert_true(aw_frame_plausible(&frame, AW_PAYLOAD_2K));
    frame.length--;
    assert_false(aw_frame_plausible(&frame, AW_PAYLOAD_2K));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_j1939_names_that_are_some_are_accepted),
        cmocka_unit_test(test_j1939_names_that_are_none_are_refused),
        cmocka_unit_test(test_j1939_group_with_a_destination_ends_in_zeros),
        cmocka_unit_test(test_j1939_numbers_out_of_range_are_refused),
        cmocka_unit_test(test_j1939_sends_only_with_an_address_or_a_name),
        cmocka_unit_test(test_j1939_groups_below_240_have_a_destination),
        cmocka_unit_test(test_j1939_key_is_group_and_source),
        cmocka_unit_test(
            test_j1939_frame_without_its_whole_head_is_not_plausible),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
