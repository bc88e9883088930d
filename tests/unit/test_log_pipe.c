/* Standard error is a pipe that others write to: it may be full by the time
 * that a line is written, although there was room when that was asked for. */
#include "devices/queue/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/support/stderr_pipe.h"
#include "tests/support/unit.h"

struct rig {
    struct stderr_pipe pipe;
    char text[4096]; /* what was read last, of awaitd's own */
};

static bool fills_up;

int __real_poll(struct pollfd *places, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *places, nfds_t count, int timeout_ms);

/* As another thread would that prints meanwhile. */
static void fill(void)
{
    static const char text[64] = "x";
    int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    while (write(fd, text, sizeof(text)) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

int __wrap_poll(struct pollfd *places, nfds_t count, int timeout_ms)
{
    int result = __real_poll(places, count, timeout_ms);

    if (fills_up)
        fill();
    return result;
}

static int begin(void **state)
{
    static struct rig rig;

    if (stderr_pipe_begin(&rig.pipe) < 0)
        return -1;
    fcntl(rig.pipe.reader, F_SETFL, O_NONBLOCK);
    fills_up = false;
    *state = &rig;
    return 0;
}

static int end(void **state)
{
    struct rig *rig = *state;

    stderr_pipe_end(&rig->pipe);
    return 0;
}

/* Empties the pipe; returns the text of awaitd's in it. */
static const char *read_all(struct rig *rig)
{
    char piece[4096];
    size_t length = 0;
    ssize_t count;

    while ((count = read(rig->pipe.reader, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < count; i++)
            if (piece[i] != 'x' && piece[i] != '\0')
                rig->text[length++] = piece[i];
    rig->text[length] = '\0';
    return rig->text;
}

static void test_log_line_into_a_pipe_is_written(void **state)
{
    aw_log(AW_LOG_ERROR, "here");
    assert_string_equal(read_all(*state), "awaitd: error: here\n");
}

static void test_log_pipe_that_fills_up_meanwhile_loses_the_line(void **state)
{
    fills_up = true;
    aw_log(AW_LOG_ERROR, "first");
    assert_string_equal(read_all(*state), "");
    /* Nor can that be said. */
    aw_log(AW_LOG_ERROR, "second");
    assert_string_equal(read_all(*state), "");
    fills_up = false;
    aw_log(AW_LOG_ERROR, "third");
    assert_string_equal(
        read_all(*state),
        "awaitd: warning: nobody read here: 2 of these lines lost\n"
        "awaitd: error: third\n");
}

static void test_log_pipe_without_a_reader_is_survived(void **state)
{
    struct rig *rig = *state;

    stderr_pipe_leave(&rig->pipe);
    aw_log(AW_LOG_ERROR, "nobody reads this");
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_log_line_into_a_pipe_is_written),
        LOG_TEST(test_log_pipe_that_fills_up_meanwhile_loses_the_line),
        LOG_TEST(test_log_pipe_without_a_reader_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
