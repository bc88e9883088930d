#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these four before it. */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "devices/address.h"

static struct aw_endpoint parse(const char *text)
{
    struct aw_endpoint endpoint;
    struct aw_error error;

    assert_int_equal(aw_endpoint_parse(text, &endpoint, &error), 0);
    return endpoint;
}

static void test_endpoint_of_ipv4_is_taken_apart(void **state)
{
    struct aw_endpoint endpoint = parse("127.0.0.1:5005");

    (void)state;
    assert_string_equal(endpoint.host, "127.0.0.1");
    assert_int_equal(endpoint.port, 5005);
}

static void test_endpoint_of_ipv6_loses_its_brackets(void **state)
{
    struct aw_endpoint endpoint = parse("[fe80::1%lo]:65535");

    (void)state;
    assert_string_equal(endpoint.host, "fe80::1%lo");
    assert_int_equal(endpoint.port, 65535);
}

static void test_endpoint_of_a_name_and_port_0_is_taken_apart(void **state)
{
    struct aw_endpoint endpoint = parse("localhost:0");

    (void)state;
    assert_string_equal(endpoint.host, "localhost");
    assert_int_equal(endpoint.port, 0);
}

static void test_endpoint_that_is_none_is_refused_with_examples(void **state)
{
    static const char *const texts[] = {
        "",           "5005",     ":5005",
        "host",       "host:",    "host:65536",
        "host:-1",    "host:+1",  "host:5005x",
        "host: 5005", "::1:5005", "[::1]5005",
        "[::1:5005",  "[]:5005",  "[::1]",
        "host:0x10",  "a:b:5005", "host:99999999999999999999",
    };
    struct aw_endpoint endpoint = {.port = 7};
    struct aw_error error;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(aw_endpoint_parse(texts[i], &endpoint, &error),
                         -EINVAL);
        assert_non_null(strstr(error.text, "HOST:PORT"));
        assert_int_equal(endpoint.port, 7);
    }
}

static void test_endpoint_with_a_host_too_long_is_refused(void **state)
{
    char text[80];
    struct aw_endpoint endpoint;

    (void)state;
    memset(text, 'a', 64);
    strcpy(text + 64, ":1");
    assert_int_equal(aw_endpoint_parse(text, &endpoint, NULL), -EINVAL);
    parse(text + 1);
}

static void assert_resolves(const char *text, const char *expected)
{
    struct aw_endpoint endpoint = parse(text);
    struct sockaddr_storage address;
    char found[AW_ADDRESS_TEXT];

    assert_true(aw_endpoint_resolve(&endpoint, &address) > 0);
    aw_address_format((struct sockaddr *)&address, found);
    assert_string_equal(found, expected);
}

static void test_endpoint_that_is_numeric_resolves_to_itself(void **state)
{
    (void)state;
    assert_resolves("0.0.0.0:5005", "0.0.0.0:5005");
    assert_resolves("[::]:0", "[::]:0");
    assert_resolves("[2001:DB8:0::1]:80", "[2001:db8::1]:80");
}

static void test_endpoint_of_localhost_resolves_without_network(void **state)
{
    struct aw_endpoint endpoint = parse("LocalHost:9");
    struct sockaddr_storage address;

    (void)state;
    assert_true(aw_endpoint_resolve(&endpoint, &address) > 0);
    assert_int_equal(((struct sockaddr_in *)&address)->sin_port, htons(9));
}

static void test_endpoint_of_an_unknown_name_is_not_found(void **state)
{
    struct aw_endpoint endpoint = parse("nowhere.invalid:9");
    struct sockaddr_storage address;

    (void)state;
    assert_int_equal(aw_endpoint_resolve(&endpoint, &address), -ENOENT);
}

static void test_address_that_is_no_number_does_not_parse(void **state)
{
    struct sockaddr_storage address;

    (void)state;
    assert_int_equal(aw_address_parse("localhost", &address), -EINVAL);
    assert_int_equal(aw_address_parse("1.2.3.4.5", &address), -EINVAL);
}

/* ---- frames ---- */

static struct aw_address import(const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    struct aw_address frame;

    assert_true(aw_address_parse(host, &address) > 0);
    ((struct sockaddr_in *)&address)->sin_port = htons(port);
    aw_address_import((struct sockaddr *)&address, &frame);
    return frame;
}

static void test_address_of_ipv4_is_imported(void **state)
{
    struct aw_address frame = import("192.0.2.7", 5005);

    (void)state;
    assert_int_equal(frame.family, 4);
    assert_int_equal(frame.port, 5005);
    assert_memory_equal(frame.ip, "\xc0\0\2\7\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_address_of_ipv6_is_imported_with_its_scope(void **state)
{
    struct aw_address frame = import("fe80::1%lo", 1);

    (void)state;
    assert_int_equal(frame.family, 6);
    assert_int_equal(frame.ip[0], 0xfe);
    assert_int_equal(frame.ip[15], 1);
    assert_int_not_equal(frame.scope_id, 0);
}

static void test_address_of_mapped_ipv4_is_imported_as_ipv4(void **state)
{
    struct aw_address frame = import("::ffff:192.0.2.7", 5005);

    (void)state;
    assert_int_equal(frame.family, 4);
    assert_memory_equal(frame.ip, "\xc0\0\2\7\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_address_of_another_family_is_imported_as_none(void **state)
{
    struct sockaddr address = {.sa_family = AF_UNIX};
    struct aw_address frame = {.family = 9};

    (void)state;
    aw_address_import(&address, &frame);
    assert_int_equal(frame.family, 0);
}

static void assert_exports(const char *host, int family, const char *expected)
{
    struct aw_address frame = import(host, 5005);
    struct sockaddr_storage address;
    char text[AW_ADDRESS_TEXT];

    assert_true(aw_address_export(&frame, family, &address) > 0);
    assert_int_equal(address.ss_family, family);
    aw_address_format((struct sockaddr *)&address, text);
    assert_string_equal(text, expected);
}

static void test_address_exported_is_what_was_imported(void **state)
{
    (void)state;
    assert_exports("192.0.2.7", AF_INET, "192.0.2.7:5005");
    assert_exports("fe80::1%lo", AF_INET6, "[fe80::1%lo]:5005");
}

static void test_address_of_ipv4_on_an_ipv6_socket_is_mapped(void **state)
{
    (void)state;
    assert_exports("192.0.2.7", AF_INET6, "[::ffff:192.0.2.7]:5005");
}

static void test_address_of_ipv6_on_an_ipv4_socket_is_refused(void **state)
{
    struct aw_address frame = import("::1", 5005);
    struct sockaddr_storage address;

    (void)state;
    assert_int_equal(aw_address_export(&frame, AF_INET, &address),
                     -EAFNOSUPPORT);
}

static void test_address_without_family_is_no_destination(void **state)
{
    struct aw_address none = {0}, wrong = {.family = 5};
    struct sockaddr_storage address;

    (void)state;
    assert_int_equal(aw_address_export(&none, AF_INET, &address),
                     -EDESTADDRREQ);
    assert_int_equal(aw_address_export(&wrong, AF_INET6, &address),
                     -EDESTADDRREQ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_of_ipv4_is_taken_apart),
        cmocka_unit_test(test_endpoint_of_ipv6_loses_its_brackets),
        cmocka_unit_test(test_endpoint_of_a_name_and_port_0_is_taken_apart),
        cmocka_unit_test(test_endpoint_that_is_none_is_refused_with_examples),
        cmocka_unit_test(test_endpoint_with_a_host_too_long_is_refused),
        cmocka_unit_test(test_endpoint_that_is_numeric_resolves_to_itself),
        cmocka_unit_test(test_endpoint_of_localhost_resolves_without_network),
        cmocka_unit_test(test_endpoint_of_an_unknown_name_is_not_found),
        cmocka_unit_test(test_address_that_is_no_number_does_not_parse),
        cmocka_unit_test(test_address_of_ipv4_is_imported),
        cmocka_unit_test(test_address_of_ipv6_is_imported_with_its_scope),
        cmocka_unit_test(test_address_of_mapped_ipv4_is_imported_as_ipv4),
        cmocka_unit_test(test_address_of_another_family_is_imported_as_none),
        cmocka_unit_test(test_address_exported_is_what_was_imported),
        cmocka_unit_test(test_address_of_ipv4_on_an_ipv6_socket_is_mapped),
        cmocka_unit_test(test_address_of_ipv6_on_an_ipv4_socket_is_refused),
        cmocka_unit_test(test_address_without_family_is_no_destination),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
