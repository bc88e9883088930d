#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/queue/log.h"

/* Standard error, as it was before libFuzzer closed it. */
static int report_fd = STDERR_FILENO;

_Noreturn void fuzz_fail(const char *file, int line, const char *condition)
{
    dprintf(report_fd, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

static void take_line(struct aw_log_tap *tap, enum aw_log_level level,
                      const char *text, size_t length)
{
    (void)tap;
    (void)level;
    FUZZ_REQUIRE(length < AW_LOG_LINE_MAX);
    FUZZ_REQUIRE(memchr(text, '\n', length) == NULL);
}

void fuzz_begin(bool tapped)
{
    static struct aw_log_tap tap = {take_line};

    report_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (tapped)
        aw_log_set_tap(&tap);
}

const char *fuzz_file(const void *data, size_t size)
{
    static char path[40];
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_REQUIRE(fd >= 0);
    FUZZ_REQUIRE(ftruncate(fd, 0) == 0);
    FUZZ_REQUIRE(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return path;
}

uint64_t fuzz_take(struct fuzz_input *input, unsigned bytes)
{
    uint64_t value = 0;

    fuzz_take_bytes(input, &value, bytes);
    return value;
}

size_t fuzz_take_bytes(struct fuzz_input *input, void *target, size_t size)
{
    size_t taken = size < input->left ? size : input->left;

    if (taken > 0)
        memcpy(target, input->at, taken);
    input->at += taken;
    input->left -= taken;
    return taken;
}

bool fuzz_is_sentence(const char *text)
{
    return text[0] != '\0' && strpbrk(text, "\r\n\t\v\f\033\x7f") == NULL;
}
