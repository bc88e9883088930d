#include "devices/spi_sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/queue/clock.h"
#include "devices/queue/log.h"

/* ---- what is to be sampled ---- */

static double transfer_ns(const struct aw_spi_port *port, uint32_t bytes)
{
    return port->speed_hz > 0 ? bytes * 8.0 * 1e9 / port->speed_hz : 0;
}

/* Does it fit the bus, and spidev? */
static int check_message(const struct aw_spi_port *port, const char *name,
                         const struct aw_spi_sampling *sampling,
                         struct aw_error *error)
{
    uint64_t bytes = (uint64_t)sampling->bytes * sampling->burst;
    double needed_ns = transfer_ns(port, sampling->bytes);

    if (bytes > port->message_bytes)
        return aw_error_set(error, EINVAL,
                            "device %s: %u samples of %u bytes are more than "
                            "the %u of a message: lower samples_per_call, or "
                            "load spidev with a larger bufsiz",
                            name, (unsigned)sampling->burst,
                            (unsigned)sampling->bytes,
                            (unsigned)port->message_bytes);
    if (sampling->period_ns > 0 && needed_ns >= (double)sampling->period_ns)
        return aw_error_set(error, EINVAL,
                            "device %s: at %u Hz a sample of %u bytes takes "
                            "%.1f us, and there is one every %.1f us: raise "
                            "speed_hz or period_us",
                            name, (unsigned)port->speed_hz,
                            (unsigned)sampling->bytes, needed_ns / 1e3,
                            (double)sampling->period_ns / 1e3);
    return 0;
}

/* One transfer for each sample. Between two of them the chip is deselected, and
 * the kernel waits for what the bits leave of the period. */
static void compose(struct aw_spi_sampler *sampler)
{
    double rest_ns =
        (double)sampler->period_ns - transfer_ns(sampler->port, sampler->bytes);

    for (uint32_t i = 0; i < sampler->burst; i++) {
        bool last = i == sampler->burst - 1;

        sampler->transfers[i] = (struct spi_ioc_transfer){
            .tx_buf = (uintptr_t)sampler->tx,
            .rx_buf = (uintptr_t)(sampler->rx + (size_t)i * sampler->bytes),
            .len = sampler->bytes,
            .delay_usecs = last ? 0 : (uint16_t)(rest_ns / 1e3),
            .cs_change = last ? 0 : 1,
        };
    }
}

static int allocate(struct aw_spi_sampler *sampler, const uint8_t *tx)
{
    sampler->tx = malloc(sampler->bytes);
    sampler->rx = calloc(sampler->burst, sampler->bytes);
    sampler->transfers =
        calloc(sampler->burst, sizeof(struct spi_ioc_transfer));
    if (!sampler->tx || !sampler->rx || !sampler->transfers)
        return -ENOMEM;
    memcpy(sampler->tx, tx, sampler->bytes);
    return 0;
}

/* The source of its ticks or edges. */
static int open_source(struct aw_spi_sampler *sampler,
                       const struct aw_gpio_settings *line,
                       struct aw_error *error)
{
    if (sampler->period_ns == 0)
        return aw_gpio_line_init(&sampler->line, sampler->name, line, error);
    sampler->timer =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (sampler->timer >= 0)
        return 0;
    return aw_error_set(error, errno, "device %s: cannot make a timer: %s",
                        sampler->name, strerror(errno));
}

static int set_up(struct aw_spi_sampler *sampler,
                  const struct aw_spi_sampling *sampling,
                  struct aw_error *error)
{
    int result = check_message(sampler->port, sampler->name, sampling, error);

    if (result < 0)
        return result;
    if (allocate(sampler, sampling->tx) < 0)
        return aw_error_set(error, ENOMEM, "device %s: out of memory",
                            sampler->name);
    compose(sampler);
    return open_source(sampler, &sampling->line, error);
}

int aw_spi_sampler_new(const struct aw_spi_port *port, const char *name,
                       const struct aw_spi_sampling *sampling,
                       struct aw_spi_sampler **ret_sampler,
                       struct aw_error *error)
{
    struct aw_spi_sampler *sampler = calloc(1, sizeof(*sampler));
    int result;

    if (!sampler)
        return aw_error_set(error, ENOMEM, "device %s: out of memory", name);
    *sampler = (struct aw_spi_sampler){
        .port = port,
        .name = name,
        .bytes = sampling->bytes,
        .burst = sampling->burst,
        .period_ns = sampling->period_ns,
        .newest = sampling->newest,
        .timer = -1,
        .line.fd = -1,
    };
    result = set_up(sampler, sampling, error);
    if (result < 0) {
        aw_spi_sampler_free(sampler);
        return result;
    }
    *ret_sampler = sampler;
    return 0;
}

void aw_spi_sampler_free(struct aw_spi_sampler *sampler)
{
    if (!sampler)
        return;
    if (sampler->timer >= 0)
        close(sampler->timer);
    aw_gpio_line_deinit(&sampler->line);
    free(sampler->tx);
    free(sampler->rx);
    free(sampler->transfers);
    free(sampler);
}

/* ---- samples ---- */

/* Events first, then the frame that comes after what they tell. Those for which
 * there is no room are told with the next batch. */
static void tell(struct aw_batch *batch, enum aw_event_kind kind,
                 uint64_t *untold)
{
    uint64_t told = *untold < UINT32_MAX ? *untold : UINT32_MAX;

    if (told > 0 && aw_batch_add_event(batch, kind, 0, (uint32_t)told, 0))
        *untold -= told;
}

static void lose(struct aw_spi_sampler *sampler, uint32_t count)
{
    sampler->lost += count;
    sampler->unplaced += count;
}

/* A message failed. Returns 0, or why the device is lost. */
static int judge_failure(struct aw_spi_sampler *sampler, uint32_t count,
                         int result)
{
    if (result == -ENODEV)
        return result;
    lose(sampler, count);
    sampler->failures++;
    if (sampler->failures >= AW_SPI_FAILURES_MAX)
        return result;
    if (sampler->failures == 1)
        aw_log(AW_LOG_WARNING,
               "device %s: a sample failed, and counts as lost: %s",
               sampler->name, strerror(-result));
    return 0;
}

/* Makes one message of `count` samples. Returns 0 with `taken` of them there,
 * 0 with none when it failed, or why the device is lost. */
static int take(struct aw_spi_sampler *sampler, struct aw_link_status *status,
                uint32_t count, uint64_t due_ns) AW_ON(reader)
{
    uint64_t now_ns = aw_clock_monotonic_ns();
    int result;

    if (now_ns > due_ns && now_ns - due_ns > status->late_max_ns)
        status->late_max_ns = now_ns - due_ns;
    sampler->taken_ns = now_ns;
    sampler->realtime_offset_ns = aw_clock_realtime_ns() - now_ns;
    sampler->given = 0;
    sampler->taken = 0;
    result = aw_spi_port_message(sampler->port, sampler->transfers, count);
    if (result < 0)
        return judge_failure(sampler, count, result);
    sampler->failures = 0;
    sampler->taken = count;
    return 0;
}

/* Moves the next sample that was taken into the batch, which has room. */
static void give(struct aw_spi_sampler *sampler, struct aw_batch *batch,
                 uint64_t monotonic_ns, enum aw_stamp stamp)
{
    struct aw_frame *frame = aw_batch_at(batch, batch->count++);
    const uint8_t *rx = sampler->rx + (size_t)sampler->given++ * sampler->bytes;

    *frame = (struct aw_frame){
        .timestamp_ns = monotonic_ns + sampler->realtime_offset_ns,
        .monotonic_ns = monotonic_ns,
        .lost_before = sampler->unplaced,
        .length = (uint16_t)sampler->bytes,
        .kind = AW_KIND_BYTES,
        .lost_cause = sampler->unplaced ? AW_LOSS_KERNEL : AW_LOSS_NONE,
    };
    aw_frame_set_stamp(frame, stamp);
    memcpy(frame->payload, rx, sampler->bytes);
    sampler->unplaced = 0;
}

/* ---- on a period ---- */

static uint64_t interval_ns(const struct aw_spi_sampler *sampler)
{
    return sampler->period_ns * sampler->burst;
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / AW_NS_PER_S),
                             (long)(ns % AW_NS_PER_S)};
}

/* The first tick is now. */
static void start_timer(struct aw_spi_sampler *sampler)
{
    uint64_t now_ns = aw_clock_monotonic_ns();
    const struct itimerspec when = {timespec_of(interval_ns(sampler)),
                                    timespec_of(now_ns)};

    sampler->due_ns = now_ns - interval_ns(sampler);
    timerfd_settime(sampler->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Returns how many ticks there were since the last time. */
static uint64_t take_ticks(const struct aw_spi_sampler *sampler)
{
    uint64_t ticks;

    return read(sampler->timer, &ticks, sizeof(ticks)) == sizeof(ticks) ? ticks
                                                                        : 0;
}

/* Serves the last tick; those before it had no time. */
static int serve_ticks(struct aw_spi_sampler *sampler,
                       struct aw_link_status *status, uint64_t ticks,
                       struct aw_batch *batch) AW_ON(reader)
{
    uint64_t overruns = (ticks - 1) * sampler->burst;

    sampler->due_ns += ticks * interval_ns(sampler);
    sampler->overruns_untold += overruns;
    status->overruns += overruns;
    tell(batch, AW_EVENT_OVERRUN, &sampler->overruns_untold);
    return take(sampler, status, sampler->burst, sampler->due_ns);
}

static int read_period(struct aw_spi_sampler *sampler,
                       struct aw_link_status *status, struct aw_batch *batch)
    AW_ON(reader)
{
    uint64_t ticks = aw_spi_sampler_pending(sampler) ? 0 : take_ticks(sampler);
    int result = 0;

    if (ticks > 0)
        result = serve_ticks(sampler, status, ticks, batch);
    while (sampler->given < sampler->taken && batch->count < batch->limit)
        give(sampler, batch,
             sampler->taken_ns + sampler->given * sampler->period_ns,
             AW_STAMP_OWN);
    return result;
}

/* ---- on edges ---- */

/* Edges of before are nobody's; but a line that waits to be served may have no
 * further edge until it is. */
static void start_edges(struct aw_spi_sampler *sampler) AW_ON(reader)
{
    while (aw_gpio_line_read(&sampler->line, sampler->edges) > 0)
        ;
    sampler->edge_next = 0;
    sampler->edge_count = aw_gpio_line_asserted(&sampler->line) ? 1 : 0;
    sampler->edge_stamp = AW_STAMP_OWN;
    sampler->edges[0] =
        (struct aw_gpio_event){.monotonic_ns = aw_clock_monotonic_ns()};
}

/* Of several edges only the newest has its datum left. */
static void skip_to_newest(struct aw_spi_sampler *sampler)
{
    struct aw_gpio_event *newest;

    if (sampler->edge_count < 2)
        return;
    newest = &sampler->edges[sampler->edge_count - 1];
    for (uint32_t i = 0; i < sampler->edge_count - 1; i++)
        newest->missed += sampler->edges[i].missed + 1;
    sampler->edge_next = sampler->edge_count - 1;
}

static int take_edges(struct aw_spi_sampler *sampler) AW_ON(reader)
{
    int count = aw_gpio_line_read(&sampler->line, sampler->edges);

    if (count < 0)
        return count;
    sampler->edge_next = 0;
    sampler->edge_count = (uint32_t)count;
    sampler->edge_stamp = AW_STAMP_KERNEL;
    if (sampler->newest)
        skip_to_newest(sampler);
    return 0;
}

static void note_missed(struct aw_spi_sampler *sampler,
                        struct aw_link_status *status,
                        struct aw_gpio_event *edge, struct aw_batch *batch)
{
    lose(sampler, edge->missed);
    status->missed += edge->missed;
    sampler->missed_untold += edge->missed;
    edge->missed = 0;
    tell(batch, AW_EVENT_MISSED, &sampler->missed_untold);
}

/* Serves the next edge, if the batch has room for its frame. Returns 0 or why
 * the device is lost. */
static int serve_edge(struct aw_spi_sampler *sampler,
                      struct aw_link_status *status, struct aw_batch *batch)
    AW_ON(reader)
{
    struct aw_gpio_event *edge = &sampler->edges[sampler->edge_next];
    int result;

    note_missed(sampler, status, edge, batch);
    if (batch->count == batch->limit)
        return 0;
    sampler->edge_next++;
    result = take(sampler, status, 1, edge->monotonic_ns);
    if (sampler->taken > 0)
        give(sampler, batch, edge->monotonic_ns, sampler->edge_stamp);
    return result;
}

static int read_edges(struct aw_spi_sampler *sampler,
                      struct aw_link_status *status, struct aw_batch *batch)
    AW_ON(reader)
{
    int result = 0;

    if (!aw_spi_sampler_pending(sampler))
        result = take_edges(sampler);
    while (result == 0 && sampler->edge_next < sampler->edge_count &&
           batch->count < batch->limit)
        result = serve_edge(sampler, status, batch);
    return result;
}

/* ---- both ---- */

void aw_spi_sampler_start(struct aw_spi_sampler *sampler)
{
    if (sampler->period_ns > 0)
        start_timer(sampler);
    else
        start_edges(sampler);
}

int aw_spi_sampler_read(struct aw_spi_sampler *sampler,
                        struct aw_link_status *status, struct aw_batch *batch)
{
    tell(batch, AW_EVENT_OVERRUN, &sampler->overruns_untold);
    tell(batch, AW_EVENT_MISSED, &sampler->missed_untold);
    return sampler->period_ns > 0 ? read_period(sampler, status, batch)
                                  : read_edges(sampler, status, batch);
}
