#include "devices/queue/key.h"

#include "tests/support/queue_support.h"

static struct aw_key key_of(enum aw_kind kind, uint32_t id)
{
    struct test_frame memory;

    return aw_key_of(make_frame(&memory, kind, id, 8));
}

static void assert_same(struct aw_key a, struct aw_key b)
{
    assert_true(aw_key_equal(&a, &b));
}

static void assert_apart(struct aw_key a, struct aw_key b)
{
    assert_false(aw_key_equal(&a, &b));
}

static struct aw_address ipv4(uint8_t last, uint16_t port)
{
    return (struct aw_address){
        .ip = {192, 0, 2, last}, .port = port, .family = 4};
}

static void test_key_can_is_the_id(void **state)
{
    (void)state;
    assert_same(key_of(AW_KIND_CAN, 0x123), aw_key_of_can(0x123));
    assert_apart(key_of(AW_KIND_CAN, 0x123), aw_key_of_can(0x124));
}

static void test_key_can_extended_flag_counts(void **state)
{
    (void)state;
    assert_apart(aw_key_of_can(0x123), aw_key_of_can(0x123 | AW_CAN_EXTENDED));
}

static void test_key_can_remote_flag_does_not_count(void **state)
{
    (void)state;
    assert_same(aw_key_of_can(0x123), aw_key_of_can(0x123 | AW_CAN_REMOTE));
}

static void test_key_can_error_frames_are_apart(void **state)
{
    (void)state;
    assert_apart(aw_key_of_can(0x20), aw_key_of_can(0x20 | AW_CAN_ERROR));
    assert_apart(aw_key_of_can(0x40 | AW_CAN_ERROR),
                 aw_key_of_can(0x20 | AW_CAN_ERROR));
}

static void test_key_can_xl_is_apart(void **state)
{
    (void)state;
    assert_same(key_of(AW_KIND_CAN_XL, 5), aw_key_of_can_xl(5));
    assert_apart(aw_key_of_can_xl(5), aw_key_of_can(5));
}

static void test_key_j1939_is_group_and_source(void **state)
{
    (void)state;
    assert_same(key_of(AW_KIND_J1939, 0xFECA20), aw_key_of_j1939(0xFECA20));
    assert_apart(aw_key_of_j1939(0xFECA20), aw_key_of_j1939(0xFECA21));
    assert_apart(aw_key_of_j1939(5), aw_key_of_can(5));
}

static void test_key_bytes_have_one(void **state)
{
    (void)state;
    assert_same(key_of(AW_KIND_BYTES, 0), key_of(AW_KIND_BYTES, 0));
    assert_apart(key_of(AW_KIND_BYTES, 0), aw_key_of_can(0));
}

static void test_key_datagram_is_its_sender(void **state)
{
    struct aw_address sender = ipv4(1, 5000);
    struct test_frame memory;
    struct aw_frame *frame = make_frame(&memory, AW_KIND_DATAGRAM, 99, 30);

    (void)state;
    memcpy(frame->payload, &sender, sizeof(sender));
    assert_same(aw_key_of(frame), aw_key_of_address(&sender));
}

static void test_key_address_and_port_count(void **state)
{
    struct aw_address one = ipv4(1, 5000), host = ipv4(2, 5000),
                      port = ipv4(1, 5001);

    (void)state;
    assert_apart(aw_key_of_address(&one), aw_key_of_address(&host));
    assert_apart(aw_key_of_address(&one), aw_key_of_address(&port));
}

static void test_key_unused_bytes_of_an_address_do_not_count(void **state)
{
    struct aw_address one = ipv4(1, 5000), same = ipv4(1, 5000);

    (void)state;
    same.ip[9] = 7;
    same.scope_id = 3;
    same.reserved = 1;
    assert_same(aw_key_of_address(&one), aw_key_of_address(&same));
}

static void test_key_ipv6_scope_counts(void **state)
{
    struct aw_address one = {.ip = {0xFE, 0x80}, .scope_id = 1, .family = 6};
    struct aw_address other = one;

    (void)state;
    other.scope_id = 2;
    assert_apart(aw_key_of_address(&one), aw_key_of_address(&other));
    other = one;
    other.ip[15] = 1;
    assert_apart(aw_key_of_address(&one), aw_key_of_address(&other));
}

static void test_key_datagram_without_its_head_is_harmless(void **state)
{
    struct aw_address none = {0};

    (void)state;
    assert_same(key_of(AW_KIND_DATAGRAM, 0), aw_key_of_address(&none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_can_is_the_id),
        cmocka_unit_test(test_key_can_extended_flag_counts),
        cmocka_unit_test(test_key_can_remote_flag_does_not_count),
        cmocka_unit_test(test_key_can_error_frames_are_apart),
        cmocka_unit_test(test_key_can_xl_is_apart),
        cmocka_unit_test(test_key_j1939_is_group_and_source),
        cmocka_unit_test(test_key_bytes_have_one),
        cmocka_unit_test(test_key_datagram_is_its_sender),
        cmocka_unit_test(test_key_address_and_port_count),
        cmocka_unit_test(test_key_unused_bytes_of_an_address_do_not_count),
        cmocka_unit_test(test_key_ipv6_scope_counts),
        cmocka_unit_test(test_key_datagram_without_its_head_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
