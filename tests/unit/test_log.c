/* Standard error becomes a socket that keeps records apart, so that one write
 * is one record. */
#include "devices/queue/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* How many writes fail from now on, and how. */
static struct {
    int count;
    int error;
} fault;

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (fault.count == 0)
        return __real_write(fd, data, size);
    fault.count--;
    errno = fault.error;
    return -1;
}

/* The same of poll(). */
static int interrupted_polls;

int __real_poll(struct pollfd *places, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *places, nfds_t count, int timeout_ms);

int __wrap_poll(struct pollfd *places, nfds_t count, int timeout_ms)
{
    if (interrupted_polls == 0)
        return __real_poll(places, count, timeout_ms);
    interrupted_polls--;
    errno = EINTR;
    return -1;
}

struct capture {
    int saved;
    int reader;
    char line[4096];
};

static int begin(void **state)
{
    static struct capture capture;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   ends) < 0)
        return -1;
    capture.saved = dup(STDERR_FILENO);
    capture.reader = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    aw_log_limit(AW_LOG_INFO);
    *state = &capture;
    return 0;
}

static int end(void **state)
{
    struct capture *capture = *state;

    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    close(capture->reader);
    return 0;
}

/* The next write's length, or -EAGAIN if there was none. */
static ssize_t next_line(struct capture *capture)
{
    ssize_t length =
        read(capture->reader, capture->line, sizeof(capture->line) - 1);

    if (length < 0)
        return -errno;
    capture->line[length] = '\0';
    return length;
}

static void expect_line(struct capture *capture, const char *text)
{
    next_line(capture);
    assert_string_equal(capture->line, text);
}

static void test_log_line_is_one_write(void **state)
{
    struct capture *capture = *state;

    aw_log(AW_LOG_WARNING, "queue %d is %s", 3, "full");
    expect_line(capture, "awaitd: warning: queue 3 is full\n");
    assert_int_equal(next_line(capture), -EAGAIN);
}

static void test_log_info_has_no_level(void **state)
{
    struct capture *capture = *state;

    aw_log(AW_LOG_INFO, "ready");
    expect_line(capture, "awaitd: ready\n");
}

static void test_log_error_says_so(void **state)
{
    struct capture *capture = *state;

    aw_log(AW_LOG_ERROR, "gone");
    expect_line(capture, "awaitd: error: gone\n");
}

static void test_log_below_limit_is_left_out(void **state)
{
    struct capture *capture = *state;

    aw_log_limit(AW_LOG_WARNING);
    aw_log(AW_LOG_INFO, "chatter");
    assert_int_equal(next_line(capture), -EAGAIN);
}

static void test_log_at_limit_is_written(void **state)
{
    struct capture *capture = *state;

    aw_log_limit(AW_LOG_WARNING);
    aw_log(AW_LOG_WARNING, "loss");
    assert_true(next_line(capture) > 0);
}

static void test_log_long_line_is_cut_and_ended(void **state)
{
    struct capture *capture = *state;

    aw_log(AW_LOG_INFO, "%2000d", 1);
    assert_int_equal(next_line(capture), 1024);
    assert_int_equal(capture->line[1023], '\n');
}

static void test_log_closed_stderr_is_survived(void **state)
{
    struct capture *capture = *state;
    int kept = dup(STDERR_FILENO);

    close(STDERR_FILENO);
    aw_log(AW_LOG_ERROR, "nobody reads this");
    dup2(kept, STDERR_FILENO);
    close(kept);
    aw_log(AW_LOG_ERROR, "this they do");
    expect_line(capture,
                "awaitd: warning: nobody read here: 1 of these lines lost\n");
    expect_line(capture, "awaitd: error: this they do\n");
}

/* As far as one line of awaitd's no longer fits. */
static void fill(void)
{
    static const char line[AW_LOG_LINE_MAX] = "x";

    while (write(STDERR_FILENO, line, sizeof(line)) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
}

static void test_log_that_nobody_reads_is_lost_and_told_of_later(void **state)
{
    struct capture *capture = *state;
    ssize_t length;

    fill();
    aw_log(AW_LOG_ERROR, "first");
    aw_log(AW_LOG_ERROR, "second");
    while ((length = next_line(capture)) > 0)
        assert_int_equal(capture->line[0], 'x');
    assert_int_equal(length, -EAGAIN);
    aw_log(AW_LOG_ERROR, "third");
    expect_line(capture,
                "awaitd: warning: nobody read here: 2 of these lines lost\n");
    expect_line(capture, "awaitd: error: third\n");
    aw_log(AW_LOG_ERROR, "fourth");
    expect_line(capture, "awaitd: error: fourth\n");
}

static void test_log_write_that_a_signal_interrupts_is_repeated(void **state)
{
    struct capture *capture = *state;

    fault.count = 2;
    fault.error = EINTR;
    aw_log(AW_LOG_ERROR, "interrupted");
    assert_int_equal(fault.count, 0);
    expect_line(capture, "awaitd: error: interrupted\n");
    assert_int_equal(next_line(capture), -EAGAIN);
}

/* What interrupts it has not said that there is room. */
static void test_log_wait_that_a_signal_interrupts_is_repeated(void **state)
{
    struct capture *capture = *state;

    interrupted_polls = 2;
    aw_log(AW_LOG_ERROR, "waited for");
    expect_line(capture, "awaitd: error: waited for\n");
    interrupted_polls = 3;
    fault.count = 1; /* which would be met by a write */
    aw_log(AW_LOG_ERROR, "given up");
    assert_int_equal(interrupted_polls, 0);
    assert_int_equal(fault.count, 1);
    fault.count = 0;
    aw_log(AW_LOG_ERROR, "after it");
    expect_line(capture,
                "awaitd: warning: nobody read here: 1 of these lines lost\n");
}

static void test_log_line_that_cannot_be_written_is_counted(void **state)
{
    struct capture *capture = *state;

    fault.count = 6; /* the line; then what is told of it */
    fault.error = EIO;
    aw_log(AW_LOG_ERROR, "first");
    aw_log(AW_LOG_ERROR, "second");
    assert_int_equal(fault.count, 0);
    aw_log(AW_LOG_ERROR, "third");
    expect_line(capture,
                "awaitd: warning: nobody read here: 2 of these lines lost\n");
    expect_line(capture, "awaitd: error: third\n");
}

/* A tap that keeps the last line it was told. */
struct tap {
    struct aw_log_tap tap;
    enum aw_log_level level;
    int calls;
    char text[AW_LOG_LINE_MAX];
};

static void keep(struct aw_log_tap *tap, enum aw_log_level level,
                 const char *text, size_t length)
{
    struct tap *kept = (struct tap *)tap;

    kept->level = level;
    kept->calls++;
    memcpy(kept->text, text, length);
    kept->text[length] = '\0';
}

static void test_log_tap_sees_the_text_alone(void **state)
{
    struct tap tap = {.tap = {keep}};

    aw_log_set_tap(&tap.tap);
    aw_log(AW_LOG_WARNING, "queue %d is full", 3);
    assert_string_equal(tap.text, "queue 3 is full");
    assert_int_equal(tap.level, AW_LOG_WARNING);
    next_line(*state);
    aw_log_limit(AW_LOG_WARNING);
    aw_log(AW_LOG_INFO, "chatter");
    assert_int_equal(tap.calls, 1);
    aw_log_set_tap(NULL);
    aw_log(AW_LOG_ERROR, "gone");
    assert_int_equal(tap.calls, 1);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_log_line_is_one_write),
        LOG_TEST(test_log_info_has_no_level),
        LOG_TEST(test_log_error_says_so),
        LOG_TEST(test_log_below_limit_is_left_out),
        LOG_TEST(test_log_at_limit_is_written),
        LOG_TEST(test_log_long_line_is_cut_and_ended),
        LOG_TEST(test_log_closed_stderr_is_survived),
        LOG_TEST(test_log_that_nobody_reads_is_lost_and_told_of_later),
        LOG_TEST(test_log_write_that_a_signal_interrupts_is_repeated),
        LOG_TEST(test_log_wait_that_a_signal_interrupts_is_repeated),
        LOG_TEST(test_log_line_that_cannot_be_written_is_counted),
        LOG_TEST(test_log_tap_sees_the_text_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
