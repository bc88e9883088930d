#include "tests/support/fake_chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHIPS 2u
#define LINES 4u

struct fake_chardev fake_chardev = {.edges = -1};

static const char *const line_names[CHIPS][LINES] = {
    {"", "alpha", "twin", "ready"}, {"twin", "beta"}};
static const uint32_t line_counts[CHIPS] = {4, 2};

void fake_chardev_reset(void)
{
    if (fake_chardev.edges >= 0)
        close(fake_chardev.edges);
    memset(&fake_chardev, 0, sizeof(fake_chardev));
    fake_chardev.edges = -1;
}

void fake_chardev_edge(uint64_t monotonic_ns, uint32_t dropped)
{
    struct gpio_v2_line_event event = {.timestamp_ns = monotonic_ns};

    fake_chardev.seqno += dropped + 1;
    event.id = GPIO_V2_LINE_EVENT_RISING_EDGE;
    event.seqno = fake_chardev.seqno;
    event.line_seqno = fake_chardev.seqno;
    if (write(fake_chardev.edges, &event, sizeof(event)) < 0)
        perror("fake_chardev_edge");
}

void fake_chardev_unplug_line(void)
{
    close(fake_chardev.edges);
    fake_chardev.edges = -1;
}

/* ---- open ---- */

int fake_chardev_open(const char *path)
{
    bool gpio = strncmp(path, "/dev/gpiochip", 13) == 0;
    int error = gpio ? fake_chardev.gpio_open_error : fake_chardev.open_error;
    int fd;

    if (error)
        return -error;
    if (gpio &&
        (path[13] < '0' || path[13] >= (char)('0' + CHIPS) || path[14] != '\0'))
        return -ENOENT;
    if (!gpio && strncmp(path, "/dev/spidev", 11) != 0)
        return -ENOENT;
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* A number that a descriptor can carry, so that no table is needed. */
    if (gpio)
        fcntl(fd, F_SETSIG, path[13] - '0' + 1);
    return fd;
}

/* ---- SPI ---- */

static void answer(const struct spi_ioc_transfer *transfer)
{
    const uint8_t *tx = (const uint8_t *)(uintptr_t)transfer->tx_buf;
    uint8_t *rx = (uint8_t *)(uintptr_t)transfer->rx_buf;
    uint32_t number;

    if (!tx || transfer->len == 0)
        return;
    if (rx)
        memmove(rx, tx, transfer->len);
    if (tx[0] != FAKE_READ)
        return;
    number = fake_chardev.samples++;
    for (uint32_t i = 1; rx && i < transfer->len && i < 5; i++)
        rx[i] = (uint8_t)(number >> (32 - 8 * i));
}

static int make_message(const struct spi_ioc_transfer *transfers,
                        uint32_t count)
{
    /* Relaxed, all of them: tests that set these from another thread wait for
     * what the reader did before. */
    uint32_t failing = atomic_load_explicit(&fake_chardev.message_error_count,
                                            memory_order_relaxed);
    int error =
        atomic_load_explicit(&fake_chardev.message_error, memory_order_relaxed);

    memcpy(fake_chardev.last, transfers, count * sizeof(transfers[0]));
    fake_chardev.last_count = count;
    if (fake_chardev.on_message)
        fake_chardev.on_message();
    atomic_fetch_add_explicit(&fake_chardev.messages, 1, memory_order_relaxed);
    if (failing > 0) {
        atomic_store_explicit(&fake_chardev.message_error_count, failing - 1,
                              memory_order_relaxed);
        return -error;
    }
    for (uint32_t i = 0; i < count; i++)
        answer(&transfers[i]);
    return 0;
}

static int ask_spi(unsigned long request, void *argument)
{
    switch (request) {
    case SPI_IOC_WR_MODE32:
        memcpy(&fake_chardev.mode, argument, sizeof(fake_chardev.mode));
        return -fake_chardev.mode_error;
    case SPI_IOC_RD_MODE32:
        memcpy(argument, &fake_chardev.mode, sizeof(fake_chardev.mode));
        /* Relaxed: it guards nothing. */
        return atomic_load_explicit(&fake_chardev.gone, memory_order_relaxed)
                   ? -ESHUTDOWN
                   : 0;
    case SPI_IOC_WR_BITS_PER_WORD:
        memcpy(&fake_chardev.bits, argument, sizeof(fake_chardev.bits));
        return -fake_chardev.bits_error;
    case SPI_IOC_RD_MAX_SPEED_HZ:
        memcpy(argument, &(uint32_t){FAKE_MAX_SPEED_HZ}, sizeof(uint32_t));
        return 0;
    case SPI_IOC_WR_MAX_SPEED_HZ:
        memcpy(&fake_chardev.speed_hz, argument, sizeof(uint32_t));
        return -fake_chardev.speed_error;
    default:
        return make_message(argument, (uint32_t)(_IOC_SIZE(request) /
                                                 sizeof(fake_chardev.last[0])));
    }
}

/* ---- GPIO ---- */

/* The chip of a descriptor, or -1. */
static int chip_of(int fd)
{
    return fcntl(fd, F_GETSIG) - 1;
}

static int tell_line(int chip, struct gpio_v2_line_info *info)
{
    uint32_t offset = info->offset;

    if (offset >= line_counts[chip])
        return -EINVAL;
    *info = (struct gpio_v2_line_info){.offset = offset};
    snprintf(info->name, sizeof(info->name), "%s", line_names[chip][offset]);
    if (fake_chardev.line_error == EBUSY)
        snprintf(info->consumer, sizeof(info->consumer), "button");
    return 0;
}

static int give_line(int chip, struct gpio_v2_line_request *request)
{
    int ends[2];

    if (fake_chardev.line_error)
        return -fake_chardev.line_error;
    if (request->offsets[0] >= line_counts[chip])
        return -EINVAL;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    fake_chardev.request = *request;
    fake_chardev.seqno = 0;
    if (fake_chardev.edges >= 0)
        close(fake_chardev.edges);
    fake_chardev.edges = ends[1];
    request->fd = ends[0];
    return 0;
}

static int ask_gpio(int fd, unsigned long request, void *argument)
{
    struct gpiochip_info *chip = argument;
    struct gpio_v2_line_values *values = argument;

    switch (request) {
    case GPIO_GET_CHIPINFO_IOCTL:
        chip->lines = line_counts[chip_of(fd)];
        return 0;
    case GPIO_V2_GET_LINEINFO_IOCTL:
        return tell_line(chip_of(fd), argument);
    case GPIO_V2_GET_LINE_IOCTL:
        return give_line(chip_of(fd), argument);
    case GPIO_V2_LINE_GET_VALUES_IOCTL:
        values->bits = fake_chardev.level ? 1 : 0;
        return 0;
    default:
        return -ENOTTY;
    }
}

int fake_chardev_ioctl(int fd, unsigned long request, void *argument)
{
    return _IOC_TYPE(request) == SPI_IOC_MAGIC
               ? ask_spi(request, argument)
               : ask_gpio(fd, request, argument);
}

/* ---- in place of chardev.c ---- */

#ifndef FAKE_CHARDEV_PRELOAD
#include "devices/chardev.h"

int aw_chardev_open(const char *path)
{
    return fake_chardev_open(path);
}

int aw_chardev_ioctl(int fd, unsigned long request, void *argument)
{
    return fake_chardev_ioctl(fd, request, argument);
}
#endif
