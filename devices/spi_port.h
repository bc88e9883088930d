/* An open /dev/spidevB.C: its settings, and messages on its bus. */
#ifndef AW_SPI_PORT_H
#define AW_SPI_PORT_H

#include <linux/spi/spidev.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"

/* As configured. */
struct aw_spi_settings {
    const char *path;
    uint32_t mode;     /* SPI_MODE_0…3, SPI_CS_HIGH, …, or-ed */
    uint32_t speed_hz; /* 0: what the kernel knows of the chip */
    uint8_t bits;      /* per word */
};

struct aw_spi_port {
    int fd;
    uint32_t speed_hz;
    uint8_t bits;
    uint32_t message_bytes; /* the longest message that spidev takes */
};

/* Bytes that a word of so many bits takes in memory: 1, 2 or 4. */
static inline uint32_t aw_spi_word_bytes(uint32_t bits)
{
    return bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
}

/* Opens the device and has it set up; `name` is ours, for messages. Returns 0
 * or a negative errno with a sentence, and nothing is open. Any thread. */
int aw_spi_port_init(struct aw_spi_port *port, const char *name,
                     const struct aw_spi_settings *settings,
                     struct aw_error *error);

void aw_spi_port_deinit(struct aw_spi_port *port);

/* Makes one message of `count` transfers, and lasts as long as it does. Returns
 * 0 or a negative errno: -ENODEV when the chip is gone, -EMSGSIZE for more than
 * `message_bytes`. */
int aw_spi_port_message(const struct aw_spi_port *port,
                        struct spi_ioc_transfer *transfers, uint32_t count)
    AW_ON(reader);

/* Is the chip still there? Puts nothing on the bus. Returns 0 or -ENODEV. */
int aw_spi_port_check(const struct aw_spi_port *port) AW_ON(reader);

/* Makes the transfer that a frame asks for (spi.h), and fills in its reply.
 * Returns as above, or -EINVAL for what is no transfer. */
int aw_spi_port_transfer(const struct aw_spi_port *port, struct aw_send *send)
    AW_ON(reader);

#endif
