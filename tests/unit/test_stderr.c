/* Standard error as a pipe, written to by those who must not wait. */
#include "devices/queue/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/unit.h"

struct rig {
    int saved;
    int reader;
};

static int begin(void **state)
{
    static struct rig rig;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    rig.saved = dup(STDERR_FILENO);
    rig.reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    signal(SIGPIPE, SIG_IGN);
    /* A write that waits would wait for ever. */
    alarm(30);
    *state = &rig;
    return 0;
}

static int end(void **state)
{
    struct rig *rig = *state;

    alarm(0);
    dup2(rig->saved, STDERR_FILENO);
    close(rig->saved);
    close(rig->reader);
    return 0;
}

static void test_stderr_takes_a_piece_at_a_time(void **state)
{
    struct rig *rig = *state;
    static char text[PIPE_BUF + 1] = "x";
    char read_back[PIPE_BUF + 1];
    int fd = aw_stderr_enter();

    assert_int_equal(aw_stderr_write(fd, text, sizeof(text), 0), PIPE_BUF);
    assert_int_equal(read(rig->reader, read_back, sizeof(read_back)), PIPE_BUF);
    assert_int_equal(aw_stderr_write(fd, "short", 5, 0), 5);
    assert_int_equal(read(rig->reader, read_back, sizeof(read_back)), 5);
    assert_memory_equal(read_back, "short", 5);
    aw_stderr_leave(fd);
}

static void test_stderr_that_is_full_takes_nothing(void **state)
{
    static const char text[PIPE_BUF] = "x";
    int fd = aw_stderr_enter();
    ssize_t size = fcntl(fd, F_GETPIPE_SZ);

    (void)state;
    for (ssize_t taken = 0; taken < size; taken += PIPE_BUF)
        assert_int_equal(aw_stderr_write(fd, text, sizeof(text), 0), PIPE_BUF);
    assert_int_equal(aw_stderr_write(fd, text, 1, 10), 0);
    aw_stderr_leave(fd);
}

static void test_stderr_without_a_reader_is_an_error(void **state)
{
    struct rig *rig = *state;
    int fd = aw_stderr_enter();

    close(rig->reader);
    assert_int_equal(aw_stderr_write(fd, "x", 1, 0), -EPIPE);
    aw_stderr_leave(fd);
    rig->reader = dup(STDERR_FILENO);
}

#define STDERR_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STDERR_TEST(test_stderr_takes_a_piece_at_a_time),
        STDERR_TEST(test_stderr_that_is_full_takes_nothing),
        STDERR_TEST(test_stderr_without_a_reader_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
