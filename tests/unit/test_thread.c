/* The signals that awaitd's own threads take. */
#include "devices/queue/thread.h"

#include <signal.h>

#include "tests/support/unit.h"

static void *look(void *mask)
{
    pthread_sigmask(SIG_SETMASK, NULL, mask);
    return mask;
}

static void test_thread_takes_only_the_signals_of_its_own_faults(void **state)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    static const int others[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
    sigset_t mask;
    pthread_t thread;
    void *done;

    (void)state;
    assert_int_equal(aw_thread_start(&thread, look, &mask), 0);
    assert_int_equal(pthread_join(thread, &done), 0);
    assert_ptr_equal(done, &mask);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        assert_false(sigismember(&mask, own[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_true(sigismember(&mask, others[i]));
}

static void test_thread_leaves_its_makers_signals_alone(void **state)
{
    sigset_t before, mask, after;
    pthread_t thread;

    (void)state;
    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(aw_thread_start(&thread, look, &mask), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(sigismember(&after, SIGUSR2));
    assert_false(sigismember(&after, SIGTERM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_takes_only_the_signals_of_its_own_faults),
        cmocka_unit_test(test_thread_leaves_its_makers_signals_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
