/* Who may open a node, asked by a user who is not root: the test becomes one
 * for the question. */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/list.h"
#include "tests/support/unit.h"

#define NOBODY 65534

/* The group `dialout` of every Debian. */
#define DIALOUT 20

static char node[32];
static char advice[320];

static int set_up(void **state)
{
    int fd;

    (void)state;
    strcpy(node, "/tmp/awaitd-node-XXXXXX");
    fd = mkstemp(node);
    close(fd);
    return fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(node);
}

/* As nobody, if we are root; else as who we are. */
static bool may_open(void)
{
    bool root = geteuid() == 0, may;

    if (root)
        assert_int_equal(setgroups(0, NULL) | setegid(NOBODY) | seteuid(NOBODY),
                         0);
    may = aw_list_may_open(node, advice, sizeof(advice));
    if (root)
        assert_int_equal(seteuid(0) | setegid(0), 0);
    return may;
}

static void test_list_access_open_to_all_needs_no_advice(void **state)
{
    (void)state;
    assert_int_equal(chmod(node, 0666), 0);
    assert_true(may_open());
    assert_string_equal(advice, "");
}

static void test_list_access_read_alone_is_not_enough(void **state)
{
    (void)state;
    assert_int_equal(chmod(node, 0444), 0);
    assert_false(may_open());
}

static void test_list_access_of_a_group_names_it(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(node, 0, DIALOUT), 0);
    assert_int_equal(chmod(node, 0660), 0);
    assert_false(may_open());
    assert_non_null(strstr(advice, "SupplementaryGroups=dialout"));
    assert_non_null(strstr(advice, "adduser $USER dialout"));
}

static void test_list_access_of_a_group_without_a_name_numbers_it(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(node, 0, 54321), 0);
    assert_int_equal(chmod(node, 0660), 0);
    assert_false(may_open());
    assert_non_null(strstr(advice, "the group 54321 may"));
}

static void test_list_access_of_the_owner_wants_a_rule(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(node, 0600), 0);
    assert_false(may_open());
    assert_non_null(strstr(advice, "udev"));
}

static void test_list_access_to_the_group_of_root_is_not_advised(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(node, 0, 0), 0);
    assert_int_equal(chmod(node, 0660), 0);
    assert_false(may_open());
    assert_null(strstr(advice, "adduser"));
}

static void test_list_access_to_nothing_says_so(void **state)
{
    (void)state;
    assert_false(
        aw_list_may_open("/tmp/awaitd-no-such-node", advice, sizeof(advice)));
    assert_non_null(strstr(advice, "is not there"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_list_access_open_to_all_needs_no_advice),
        TEST(test_list_access_read_alone_is_not_enough),
        TEST(test_list_access_of_a_group_names_it),
        TEST(test_list_access_of_a_group_without_a_name_numbers_it),
        TEST(test_list_access_of_the_owner_wants_a_rule),
        TEST(test_list_access_to_the_group_of_root_is_not_advised),
        TEST(test_list_access_to_nothing_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
