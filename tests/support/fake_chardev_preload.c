/* The fake spidev and GPIO of fake_chardev.c for a whole process, by
 * LD_PRELOAD: it stands before libc's open() and ioctl(). A script reaches its
 * state through ctypes.CDLL(None). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

#include "tests/support/fake_chardev.h"

#define EXPORTED __attribute__((visibility("default")))

/* In front of libc's own, which have no prototypes like these. */
EXPORTED int open(const char *path, int flags, ...);
EXPORTED int open64(const char *path, int flags, ...);
EXPORTED int ioctl(int fd, unsigned long request, ...);

/* For scripts. */
EXPORTED void fake_edge(uint64_t monotonic_ns, uint32_t dropped);
EXPORTED void fake_fail(int error, uint32_t count);
EXPORTED uint32_t fake_messages(void);
EXPORTED uint32_t fake_last(uint32_t index, const char *field);

static int result_of(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static bool is_ours(const char *path)
{
    return strncmp(path, "/dev/spidev", 11) == 0 ||
           strncmp(path, "/dev/gpiochip", 13) == 0;
}

static int open_next(const char *name, const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...);

    if (is_ours(path))
        return result_of(fake_chardev_open(path));
    *(void **)&next = dlsym(RTLD_NEXT, name);
    return next(path, flags, mode);
}

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        mode_t mode = 0;                                                       \
        va_list arguments;                                                     \
                                                                               \
        va_start(arguments, flags);                                            \
        if (flags & (O_CREAT | O_TMPFILE))                                     \
            mode = va_arg(arguments, mode_t);                                  \
        va_end(arguments);                                                     \
        return open_next(#name, path, flags, mode);                            \
    }

OPEN(open)
OPEN(open64)

int ioctl(int fd, unsigned long request, ...)
{
    int (*next)(int, unsigned long, ...);
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (_IOC_TYPE(request) == SPI_IOC_MAGIC ||
        _IOC_TYPE(request) == _IOC_TYPE(GPIO_V2_GET_LINE_IOCTL))
        return result_of(fake_chardev_ioctl(fd, request, argument));
    *(void **)&next = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
}

/* ---- for scripts ---- */

void fake_edge(uint64_t monotonic_ns, uint32_t dropped)
{
    fake_chardev_edge(monotonic_ns, dropped);
}

void fake_fail(int error, uint32_t count)
{
    /* Relaxed: the transfer that is to fail is posted after it. */
    atomic_store_explicit(&fake_chardev.message_error, error,
                          memory_order_relaxed);
    atomic_store_explicit(&fake_chardev.message_error_count, count,
                          memory_order_relaxed);
}

uint32_t fake_messages(void)
{
    /* Relaxed: what is counted has been answered, by way of the bridge. */
    return atomic_load_explicit(&fake_chardev.messages, memory_order_relaxed);
}

/* Of the last message's segments. */
uint32_t fake_last(uint32_t index, const char *field)
{
    const struct spi_ioc_transfer *transfer = &fake_chardev.last[index];

    if (strcmp(field, "count") == 0)
        return fake_chardev.last_count;
    if (strcmp(field, "len") == 0)
        return transfer->len;
    if (strcmp(field, "speed_hz") == 0)
        return transfer->speed_hz;
    if (strcmp(field, "delay_us") == 0)
        return transfer->delay_usecs;
    if (strcmp(field, "bits") == 0)
        return transfer->bits_per_word;
    return transfer->cs_change;
}
