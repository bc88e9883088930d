/* The kernel's side of spidev and GPIO, for machines that have neither: linked
 * in place of devices/chardev.c, or preloaded (fake_chardev_preload.c).
 *
 * /dev/spidevB.C, whatever B and C, is a chip that answers what begins with
 * FAKE_READ by the sample's number, big-endian in the bytes behind the first,
 * and sends everything else back. There are the GPIO chips 0, with the lines
 * "", "alpha", "twin" and "ready", and 1, with "twin" and "beta". */
#ifndef AW_FAKE_CHARDEV_H
#define AW_FAKE_CHARDEV_H

#include <linux/gpio.h>
#include <linux/spi/spidev.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAKE_READ         0x80u
#define FAKE_MESSAGE_MAX  128u
#define FAKE_MAX_SPEED_HZ 1000000u
#define FAKE_READY_OFFSET 3u

struct fake_chardev {
    /* What is refused: positive errnos, 0 for nothing. */
    int open_error, gpio_open_error, mode_error, bits_error, speed_error,
        line_error;
    _Atomic(bool) gone;                    /* the chip */
    _Atomic(int) message_error;            /* of messages, */
    _Atomic(uint32_t) message_error_count; /* so many from now on */

    /* What was asked for. */
    uint32_t mode, speed_hz;
    uint8_t bits;
    struct gpio_v2_line_request request;

    /* The last message, and how many there were. */
    struct spi_ioc_transfer last[FAKE_MESSAGE_MAX];
    uint32_t last_count;
    _Atomic(uint32_t) messages;
    uint32_t samples;
    void (*on_message)(void); /* called in each message; NULL: nothing */

    /* The line that was requested. */
    int edges;      /* a pipe's end to write to; -1: none requested */
    uint32_t seqno; /* of its last edge */
    bool level;
};

extern struct fake_chardev fake_chardev;

/* All as in the beginning. */
void fake_chardev_reset(void);

/* An edge at `monotonic_ns`, after `dropped` that nobody will hear of. */
void fake_chardev_edge(uint64_t monotonic_ns, uint32_t dropped);

/* The GPIO chip is gone. */
void fake_chardev_unplug_line(void);

/* As aw_chardev_open() and aw_chardev_ioctl(). */
int fake_chardev_open(const char *path);
int fake_chardev_ioctl(int fd, unsigned long request, void *argument);

#endif
