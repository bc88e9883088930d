#include "devices/queue/eventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/support/unit.h"

static int open_bell(void **state)
{
    static int bell;

    bell = aw_eventfd_new();
    *state = &bell;
    return bell < 0 ? bell : 0;
}

static int close_bell(void **state)
{
    aw_eventfd_close(*(int *)*state);
    return 0;
}

static void test_eventfd_new_closes_on_exec(void **state)
{
    int bell = *(int *)*state;

    assert_int_equal(fcntl(bell, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void test_eventfd_new_never_blocks(void **state)
{
    int bell = *(int *)*state;

    assert_int_equal(fcntl(bell, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

static void test_eventfd_silent_clear_says_so(void **state)
{
    assert_false(aw_eventfd_clear(*(int *)*state));
}

static void test_eventfd_rings_coalesce(void **state)
{
    int bell = *(int *)*state;

    aw_eventfd_ring(bell);
    aw_eventfd_ring(bell);
    assert_true(aw_eventfd_clear(bell));
    assert_false(aw_eventfd_clear(bell));
}

static void test_eventfd_ring_when_full_still_rings(void **state)
{
    int bell = *(int *)*state;
    uint64_t most = UINT64_MAX - 1;

    assert_int_equal(write(bell, &most, sizeof(most)), sizeof(most));
    aw_eventfd_ring(bell);
    assert_true(aw_eventfd_clear(bell));
}

static void test_eventfd_wait_silent_times_out(void **state)
{
    assert_int_equal(aw_eventfd_wait(*(int *)*state, 1000), 0);
}

static void test_eventfd_wait_ringing_returns_and_leaves_it(void **state)
{
    int bell = *(int *)*state;

    aw_eventfd_ring(bell);
    assert_int_equal(aw_eventfd_wait(bell, -1), 1);
    assert_int_equal(aw_eventfd_wait(bell, 0), 1);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void test_eventfd_wait_signal_interrupts(void **state)
{
    const struct itimerval every_5_ms = {{0, 5000}, {0, 5000}}, never = {0};
    struct sigaction action = {.sa_handler = on_alarm}, before;

    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &every_5_ms, NULL);
    assert_int_equal(aw_eventfd_wait(*(int *)*state, -1), -EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
}

static void test_eventfd_dup_is_the_same_bell(void **state)
{
    int bell = *(int *)*state;
    int copy = aw_eventfd_dup(bell);

    assert_int_not_equal(copy, bell);
    aw_eventfd_ring(copy);
    assert_true(aw_eventfd_clear(bell));
    aw_eventfd_close(copy);
}

static void test_eventfd_dup_closes_on_exec(void **state)
{
    int copy = aw_eventfd_dup(*(int *)*state);

    assert_int_equal(fcntl(copy, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    aw_eventfd_close(copy);
}

static void test_eventfd_dup_of_nothing_gives_ebadf(void **state)
{
    (void)state;
    assert_int_equal(aw_eventfd_dup(-1), -EBADF);
}

static void test_eventfd_close_of_nothing_is_harmless(void **state)
{
    (void)state;
    aw_eventfd_close(-1);
}

#define BELL_TEST(test)                                                        \
    cmocka_unit_test_setup_teardown(test, open_bell, close_bell)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BELL_TEST(test_eventfd_new_closes_on_exec),
        BELL_TEST(test_eventfd_new_never_blocks),
        BELL_TEST(test_eventfd_silent_clear_says_so),
        BELL_TEST(test_eventfd_rings_coalesce),
        BELL_TEST(test_eventfd_ring_when_full_still_rings),
        BELL_TEST(test_eventfd_wait_silent_times_out),
        BELL_TEST(test_eventfd_wait_ringing_returns_and_leaves_it),
        BELL_TEST(test_eventfd_wait_signal_interrupts),
        BELL_TEST(test_eventfd_dup_is_the_same_bell),
        BELL_TEST(test_eventfd_dup_closes_on_exec),
        cmocka_unit_test(test_eventfd_dup_of_nothing_gives_ebadf),
        cmocka_unit_test(test_eventfd_close_of_nothing_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
