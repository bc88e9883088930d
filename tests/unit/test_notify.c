/* Telling the service manager, which is a socket of the test's. */
#include "tests/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/notify.h"

#define MANY 100000

static char path[60];

/* A manager that listens at `name`, which may begin with an @. */
static int manage(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = (socklen_t)sizeof(address.sun_family);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(address.sun_path, name, strlen(name));
    length += (socklen_t)strlen(name);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/awaitd-notify-%d", getpid());
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void expect(int manager, const char *text)
{
    char found[100] = "";

    assert_true(recv(manager, found, sizeof(found) - 1, MSG_DONTWAIT) >= 0);
    assert_string_equal(found, text);
}

static void check_told(const char *name)
{
    struct aw_error error;
    int manager = manage(name), fd;

    assert_int_equal(aw_notify_connect(&fd, &error), 0);
    assert_int_equal(aw_notify_send(fd, "READY=1"), 0);
    expect(manager, "READY=1");
    assert_null(getenv("NOTIFY_SOCKET"));
    close(fd);
    close(manager);
}

static void test_notify_path_is_told(void **state)
{
    (void)state;
    check_told(path);
}

static void test_notify_abstract_name_is_told(void **state)
{
    char name[60];

    (void)state;
    snprintf(name, sizeof(name), "@awaitd-notify-%d", getpid());
    check_told(name);
}

static void test_notify_without_a_manager_is_nobody(void **state)
{
    struct aw_error error;
    int fd = 7;

    (void)state;
    assert_int_equal(aw_notify_connect(&fd, &error), 0);
    assert_int_equal(fd, -1);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(aw_notify_connect(&fd, &error), 0);
    assert_int_equal(fd, -1);
}

static void check_refused(const char *name, int code)
{
    struct aw_error error = {""};
    int fd;

    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(aw_notify_connect(&fd, &error), -code);
    assert_non_null(strstr(error.text, name));
}

static void test_notify_wrong_address_is_refused_by_name(void **state)
{
    char too_long[200];

    (void)state;
    check_refused("relative", EINVAL);
    check_refused("@", EINVAL);
    memset(too_long, 'x', sizeof(too_long));
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    check_refused(too_long, EINVAL);
    check_refused("/nonexistent/notify", ENOENT);
}

/* pid 1 is slow, or stopped: we are not. */
static void test_notify_full_manager_is_not_waited_for(void **state)
{
    struct aw_error error;
    int manager = manage(path), fd, sent = 0;

    (void)state;
    assert_int_equal(aw_notify_connect(&fd, &error), 0);
    while (sent < MANY && aw_notify_send(fd, "WATCHDOG=1") == 0)
        sent++;
    assert_in_range(sent, 1, MANY - 1);
    assert_int_equal(aw_notify_send(fd, "READY=1"), -EAGAIN);
    /* With room again it goes on. */
    expect(manager, "WATCHDOG=1");
    assert_int_equal(aw_notify_send(fd, "READY=1"), 0);
    close(fd);
    close(manager);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_notify_path_is_told),
        TEST(test_notify_abstract_name_is_told),
        TEST(test_notify_without_a_manager_is_nobody),
        TEST(test_notify_wrong_address_is_refused_by_name),
        TEST(test_notify_full_manager_is_not_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
