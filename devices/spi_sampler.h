/* A transfer that is repeated, on a period or on each edge of a data-ready
 * line, each time giving a frame.
 *
 * A period is kept in absolute time, by a timerfd: what comes late makes what
 * follows no later, and ticks that passed meanwhile are counted. Where many
 * samples go into one message, the kernel spaces them out by delays, and only
 * the first of them is on the timer.
 *
 * For an edge there is one sample, with the edge's timestamp. Edges that the
 * kernel could not keep are losses, and so are samples that failed. */
#ifndef AW_SPI_SAMPLER_H
#define AW_SPI_SAMPLER_H

#include "devices/device.h"
#include "devices/gpio_edges.h"
#include "devices/spi_port.h"

/* Samples that may fail one after another before the device counts as lost. */
#define AW_SPI_FAILURES_MAX 10u

/* A message keeps the bus, and the reader, no longer than this. */
#define AW_SPI_MESSAGE_NS (100 * AW_NS_PER_MS)

struct aw_spi_sampling {
    const uint8_t *tx; /* copied */
    uint32_t bytes;
    uint64_t period_ns;           /* 0: on edges */
    uint32_t burst;               /* samples in a message, 1 on edges */
    struct aw_gpio_settings line; /* on edges */
    bool newest;                  /* only for the newest edge of several */
};

struct aw_spi_sampler {
    const struct aw_spi_port *port;
    const char *name; /* the device's */
    uint32_t bytes, burst;
    uint64_t period_ns;
    bool newest;
    int timer;                /* -1: on edges */
    struct aw_gpio_line line; /* fd -1: on a period */
    uint8_t *tx, *rx;
    struct spi_ioc_transfer *transfers; /* a message */

    uint64_t due_ns; /* of the last tick; CLOCK_MONOTONIC */
    /* The last message: when it began, and which of its samples have not been
     * given to a batch. */
    uint64_t taken_ns, realtime_offset_ns;
    uint32_t taken, given;
    /* The edges taken from the kernel, and which are still to be served. */
    struct aw_gpio_event edges[AW_GPIO_EDGES_BATCH];
    uint32_t edge_count, edge_next;
    enum aw_stamp edge_stamp;

    uint64_t lost;     /* edges missed and samples failed */
    uint32_t unplaced; /* of these, not yet in a frame's lost_before */
    uint32_t failures; /* in a row */
    uint64_t overruns_untold, missed_untold; /* by an event */
};

/* Prepares sampling, and requests the line if there is one. The port must stay
 * where it is. Returns 0 or a negative errno with a sentence; then there is
 * nothing to undo. Any thread. */
int aw_spi_sampler_new(const struct aw_spi_port *port, const char *name,
                       const struct aw_spi_sampling *sampling,
                       struct aw_spi_sampler **ret_sampler,
                       struct aw_error *error);

/* Accepts NULL. */
void aw_spi_sampler_free(struct aw_spi_sampler *sampler);

/* Samples from now on. */
void aw_spi_sampler_start(struct aw_spi_sampler *sampler) AW_ON(reader);

/* What tells that a sample is due: readable then. */
static inline int aw_spi_sampler_fd(const struct aw_spi_sampler *sampler)
{
    return sampler->timer >= 0 ? sampler->timer : sampler->line.fd;
}

/* Is there something to give that the descriptor above does not tell of? */
static inline bool aw_spi_sampler_pending(const struct aw_spi_sampler *sampler)
{
    return sampler->given < sampler->taken ||
           sampler->edge_next < sampler->edge_count;
}

/* Takes the samples that are due, as an aw_driver.read does. */
int aw_spi_sampler_read(struct aw_spi_sampler *sampler,
                        struct aw_link_status *status, struct aw_batch *batch)
    AW_ON(reader);

#endif
