/* What is sent on a device of the driver `spi`: a transfer, full duplex.
 *
 * A frame of kind BYTES whose `id` is 0 is clocked out as it is, with the chip
 * selected from its first byte to its last. One whose `id` is n, 1 to
 * AW_SPI_SEGMENTS_MAX, has n of the heads below in front of its bytes, one for
 * each segment: all of them are one message, which no other transfer gets into.
 * What came in meanwhile, as many bytes as went out, is the send's reply. */
#ifndef AW_SPI_H
#define AW_SPI_H

#include <stdint.h>

#define AW_SPI_SEGMENTS_MAX 64u

/* Zero means: as the device is configured. */
struct aw_spi_segment {
    uint32_t bytes;
    uint32_t speed_hz;
    uint16_t delay_us; /* behind its last bit */
    uint8_t bits;      /* per word */
    uint8_t cs_change; /* 1: deselect the chip behind it; behind the last one:
                          leave it selected */
};

_Static_assert(sizeof(struct aw_spi_segment) == 12, "no padding");

#endif
