/* Standard error as a pipe, written to by those who must not wait. */
#include "devices/queue/stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "tests/support/stderr_pipe.h"
#include "tests/support/unit.h"

static int begin(void **state)
{
    static struct stderr_pipe rig;

    *state = &rig;
    return stderr_pipe_begin(&rig);
}

static int end(void **state)
{
    stderr_pipe_end(*state);
    return 0;
}

static void test_stderr_takes_a_piece_at_a_time(void **state)
{
    struct stderr_pipe *rig = *state;
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
    struct stderr_pipe *rig = *state;
    int fd = aw_stderr_enter();

    stderr_pipe_leave(rig);
    assert_int_equal(aw_stderr_write(fd, "x", 1, 0), -EPIPE);
    aw_stderr_leave(fd);
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
