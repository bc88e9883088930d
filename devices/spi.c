/* The driver `spi`: a chip on an SPI bus, by /dev/spidevB.C.
 *
 * Two ways to use it, also at once: transfers, which scripts ask for and which
 * are made on the reader's thread, in order; and samples, a transfer that the
 * reader repeats by itself (spi_sampler.c) and whose answers are the frames of
 * the device. Sampling begins with the first queue, so that a script can set up
 * its chip before.
 *
 * A bell beside the sampler's descriptor tells what that does not know: that
 * the chip is gone, or that frames are left of the last batch. And since spidev
 * does not say that its chip is gone until it is asked, it is asked once a
 * second, so that nobody waits for an edge that cannot come. */
#include "devices/spi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/drivers.h"
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"
#include "devices/spi_sampler.h"

/* Bytes that a slot has at least, for events. */
#define SLOT_BYTES_MIN 8u

#define CHECK_S 1 /* between two looks whether the chip is there */

enum option {
    PATH,
    MODE,
    SPEED_HZ,
    BITS,
    LSB_FIRST,
    CS_HIGH,
    NO_CS,
    LOOPBACK,
    SAMPLE,
    SAMPLE_BYTES,
    PERIOD_US,
    SAMPLES_PER_CALL,
    DATA_READY,
    EDGE,
    BIAS,
    LATE_EDGES,
};

enum late_edges { LATE_EDGES_SAMPLE, LATE_EDGES_MISS };

static const char *const edges[] = {[AW_GPIO_RISING] = "rising",
                                    [AW_GPIO_FALLING] = "falling",
                                    [AW_GPIO_BOTH] = "both",
                                    NULL};
static const char *const biases[] = {[AW_GPIO_BIAS_AS_IS] = "as-is",
                                     [AW_GPIO_BIAS_PULL_UP] = "pull-up",
                                     [AW_GPIO_BIAS_PULL_DOWN] = "pull-down",
                                     [AW_GPIO_BIAS_DISABLED] = "disabled",
                                     NULL};
static const char *const late_choices[] = {
    [LATE_EDGES_SAMPLE] = "sample", [LATE_EDGES_MISS] = "miss", NULL};

static const struct aw_option options[] = {
    [PATH] = {.name = "path",
              .type = AW_OPTION_PATH,
              .required = true,
              .help = "the SPI device, as /dev/spidev0.0"},
    [MODE] = {.name = "mode",
              .type = AW_OPTION_INT,
              .fallback = "0",
              .maximum = 3,
              .help = "clock polarity (2) and phase (1), added"},
    [SPEED_HZ] = {.name = "speed_hz",
                  .type = AW_OPTION_NUMBER,
                  .minimum = 1,
                  .maximum = 4e9,
                  .help = "clock, such as 10e6; by default what the machine "
                          "states for the chip"},
    [BITS] = {.name = "bits",
              .type = AW_OPTION_INT,
              .fallback = "8",
              .minimum = 1,
              .maximum = 32,
              .help = "bits in a word; beyond 8 and 16 a word is 2 and 4 "
                      "bytes, in this machine's order"},
    [LSB_FIRST] = {.name = "lsb_first",
                   .type = AW_OPTION_BOOL,
                   .fallback = "no",
                   .help = "send the least significant bit first"},
    [CS_HIGH] = {.name = "cs_high",
                 .type = AW_OPTION_BOOL,
                 .fallback = "no",
                 .help = "the chip is selected by a high level"},
    [NO_CS] = {.name = "no_cs",
               .type = AW_OPTION_BOOL,
               .fallback = "no",
               .help = "leave the chip select alone"},
    [LOOPBACK] = {.name = "loopback",
                  .type = AW_OPTION_BOOL,
                  .fallback = "no",
                  .help = "have the controller receive what it sends"},
    [SAMPLE] = {.name = "sample",
                .type = AW_OPTION_TEXT,
                .help = "bytes to send for each sample, in hexadecimal, as "
                        "\"80 00 00\""},
    [SAMPLE_BYTES] = {.name = "sample_bytes",
                      .type = AW_OPTION_INT,
                      .minimum = 1,
                      .maximum = AW_PAYLOAD_MAX,
                      .help = "length of a sample: zeros follow the bytes to "
                              "send"},
    [PERIOD_US] = {.name = "period_us",
                   .type = AW_OPTION_NUMBER,
                   .minimum = 10,
                   .maximum = 3600e6,
                   .help = "microseconds from one sample to the next"},
    [SAMPLES_PER_CALL] = {.name = "samples_per_call",
                          .type = AW_OPTION_INT,
                          .fallback = "1",
                          .minimum = 1,
                          .maximum = AW_BATCH_FRAMES,
                          .help = "samples that the kernel takes for one "
                                  "system call"},
    [DATA_READY] = {.name = "data_ready",
                    .type = AW_OPTION_TEXT,
                    .help = "sample on each edge of this GPIO line: its name, "
                            "or gpiochipN:OFFSET"},
    [EDGE] = {.name = "edge",
              .type = AW_OPTION_CHOICE,
              .fallback = "rising",
              .choices = edges,
              .help = "which edge says that data is ready"},
    [BIAS] = {.name = "bias",
              .type = AW_OPTION_CHOICE,
              .fallback = "as-is",
              .choices = biases,
              .help = "the data-ready line's pull resistor"},
    [LATE_EDGES] = {.name = "late_edges",
                    .type = AW_OPTION_CHOICE,
                    .fallback = "sample",
                    .choices = late_choices,
                    .help = "an edge that another has followed: sample for it "
                            "too, or count it as missed"},
};

struct spi {
    struct aw_spi_port port;
    struct aw_spi_sampler *sampler; /* NULL: transfers only */
    int bell;
    int watch; /* a timer */
    bool gone;
};

/* ---- options ---- */

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at =
        digit
            ? strchr(digits, digit >= 'A' && digit <= 'F' ? digit + 32 : digit)
            : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Bytes of two digits each, with or without blanks between them. Returns how
 * many, at most `size` of them in `bytes`, or -EINVAL. */
static int parse_hex(const char *text, uint8_t *bytes, size_t size)
{
    int count = 0;

    for (; *text; text += 2, count++) {
        int high, low;

        text += strspn(text, " ");
        if (!*text)
            break;
        high = hex_digit(text[0]);
        low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return -EINVAL;
        if ((size_t)count < size)
            bytes[count] = (uint8_t)(high << 4 | low);
    }
    return count;
}

static uint64_t period_ns(const struct aw_value *values)
{
    return values[PERIOD_US].set ? (uint64_t)(values[PERIOD_US].number * 1e3)
                                 : 0;
}

/* Bytes of a sample, 0 if there is none to take, or -EINVAL. */
static int sample_bytes(const struct aw_value *values)
{
    int given =
        values[SAMPLE].set ? parse_hex(values[SAMPLE].text, NULL, 0) : 0;

    if (given >= 0 && values[SAMPLE_BYTES].set)
        return values[SAMPLE_BYTES].integer >= given
                   ? (int)values[SAMPLE_BYTES].integer
                   : -EINVAL;
    return given;
}

static int check_sample(const struct aw_value *values, struct aw_error *error)
{
    int bytes = sample_bytes(values);
    uint32_t word = aw_spi_word_bytes((uint32_t)values[BITS].integer);

    if (values[SAMPLE].set && parse_hex(values[SAMPLE].text, NULL, 0) <= 0)
        return aw_error_set(error, EINVAL,
                            "sample takes bytes in hexadecimal, two digits "
                            "each, as \"80 00 00\", not \"%.60s\"",
                            values[SAMPLE].text);
    if (bytes < 0)
        return aw_error_set(error, EINVAL,
                            "sample_bytes %lld is less than sample has",
                            (long long)values[SAMPLE_BYTES].integer);
    if (bytes > (int)AW_PAYLOAD_MAX)
        return aw_error_set(error, EINVAL, "sample is longer than %u bytes",
                            AW_PAYLOAD_MAX);
    if ((uint32_t)bytes % word != 0)
        return aw_error_set(error, EINVAL,
                            "a sample of %d bytes is no number of words of %u "
                            "bytes, as `bits: %lld` has them",
                            bytes, (unsigned)word,
                            (long long)values[BITS].integer);
    return 0;
}

/* A sample, and one thing that says when. */
static int check_trigger(const struct aw_value *values, struct aw_error *error)
{
    bool sampled = sample_bytes(values) > 0;
    bool timed = values[PERIOD_US].set, edged = values[DATA_READY].set;

    if (timed && edged)
        return aw_error_set(error, EINVAL,
                            "period_us and data_ready exclude each other: a "
                            "sample is taken on time or on an edge");
    if (sampled && !timed && !edged)
        return aw_error_set(error, EINVAL,
                            "sample says what to sample; say when by "
                            "period_us or data_ready");
    if (!sampled && (timed || edged))
        return aw_error_set(error, EINVAL,
                            "%s says when to sample; say what by sample or "
                            "sample_bytes",
                            timed ? "period_us" : "data_ready");
    if (edged && values[DATA_READY].text[0] == '\0')
        return aw_error_set(error, EINVAL, "data_ready names no GPIO line");
    return 0;
}

static int check_burst(const struct aw_value *values, struct aw_error *error)
{
    uint64_t burst = (uint64_t)values[SAMPLES_PER_CALL].integer;

    if (burst == 1)
        return 0;
    if (!values[PERIOD_US].set)
        return aw_error_set(error, EINVAL,
                            "samples_per_call needs period_us: edges come one "
                            "by one");
    if (burst * period_ns(values) > AW_SPI_MESSAGE_NS)
        return aw_error_set(error, EINVAL,
                            "%u samples, one every %.15g us, would keep the "
                            "bus for more than %u ms: lower samples_per_call",
                            (unsigned)burst, values[PERIOD_US].number,
                            (unsigned)(AW_SPI_MESSAGE_NS / AW_NS_PER_MS));
    return 0;
}

static int check(const struct aw_value *values, struct aw_error *error)
{
    int result = check_sample(values, error);

    if (result == 0)
        result = check_trigger(values, error);
    return result < 0 ? result : check_burst(values, error);
}

static uint32_t mode_of(const struct aw_value *values)
{
    return (uint32_t)values[MODE].integer |
           (values[LSB_FIRST].flag ? SPI_LSB_FIRST : 0) |
           (values[CS_HIGH].flag ? SPI_CS_HIGH : 0) |
           (values[NO_CS].flag ? SPI_NO_CS : 0) |
           (values[LOOPBACK].flag ? SPI_LOOP : 0);
}

/* ---- open ---- */

static void describe(struct aw_link *link, const struct aw_value *values)
{
    uint32_t bytes = (uint32_t)sample_bytes(values);

    link->payload_bytes = bytes > SLOT_BYTES_MIN ? bytes : SLOT_BYTES_MIN;
    link->kind = AW_KIND_BYTES;
    /* Without samples there is nothing to begin with a queue; but a chip that
     * is gone has to be noticed. */
    link->start = bytes > 0 ? AW_START_ATTACHED : AW_START_OPEN;
    link->can_send = true;
    link->blocking_send = true;
}

/* Returns 0, also when there is nothing to sample, or a negative errno. */
static int open_sampler(struct spi *spi, const char *name,
                        const struct aw_value *values, struct aw_error *error)
{
    struct aw_spi_sampling sampling = {
        .bytes = (uint32_t)sample_bytes(values),
        .period_ns = period_ns(values),
        .burst = (uint32_t)values[SAMPLES_PER_CALL].integer,
        .line = {.line = values[DATA_READY].text,
                 .edge = (enum aw_gpio_edge)values[EDGE].integer,
                 .bias = (enum aw_gpio_bias)values[BIAS].integer},
        .newest = values[LATE_EDGES].integer == LATE_EDGES_MISS,
    };
    uint8_t *tx;
    int result;

    if (sampling.bytes == 0)
        return 0;
    tx = calloc(1, sampling.bytes);
    if (!tx)
        return aw_error_set(error, ENOMEM, "device %s: out of memory", name);
    if (values[SAMPLE].set)
        parse_hex(values[SAMPLE].text, tx, sampling.bytes);
    sampling.tx = tx;
    result =
        aw_spi_sampler_new(&spi->port, name, &sampling, &spi->sampler, error);
    free(tx);
    return result;
}

static int open_port(struct spi *spi, const char *name,
                     const struct aw_value *values, struct aw_error *error)
{
    const struct aw_spi_settings settings = {
        .path = values[PATH].text,
        .mode = mode_of(values),
        .speed_hz =
            values[SPEED_HZ].set ? (uint32_t)values[SPEED_HZ].number : 0,
        .bits = (uint8_t)values[BITS].integer,
    };
    int result = aw_spi_port_init(&spi->port, name, &settings, error);

    if (result < 0)
        return result;
    result = open_sampler(spi, name, values, error);
    if (result < 0)
        aw_spi_port_deinit(&spi->port);
    return result;
}

static void free_spi(struct spi *spi)
{
    aw_eventfd_close(spi->bell);
    if (spi->watch >= 0)
        close(spi->watch);
    free(spi);
}

/* Its two descriptors. Returns 0, -ENOMEM or why there is none. */
static int make_spi(struct spi **ret_spi)
{
    const struct itimerspec each = {{CHECK_S, 0}, {CHECK_S, 0}};
    struct spi *spi = calloc(1, sizeof(*spi));
    int result;

    if (!spi)
        return -ENOMEM;
    spi->bell = aw_eventfd_new();
    spi->watch = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    result = spi->watch < 0 ? -errno : spi->bell < 0 ? spi->bell : 0;
    if (result < 0) {
        free_spi(spi);
        return result;
    }
    timerfd_settime(spi->watch, 0, &each, NULL);
    *ret_spi = spi;
    return 0;
}

static int open_spi(struct aw_link *link, const struct aw_value *values,
                    struct aw_error *error)
{
    struct spi *spi;
    int result = make_spi(&spi);

    if (result < 0)
        return aw_error_set(error, -result, "device %s: cannot prepare it: %s",
                            link->name, strerror(-result));
    result = open_port(spi, link->name, values, error);
    if (result < 0) {
        free_spi(spi);
        return result;
    }
    describe(link, values);
    link->state = spi;
    link->fd = spi->bell;
    link->aux_fd = spi->watch;
    return 0;
}

static void close_spi(struct aw_link *link)
{
    struct spi *spi = link->state;

    aw_spi_sampler_free(spi->sampler);
    aw_spi_port_deinit(&spi->port);
    free_spi(spi);
}

/* ---- on the reader's thread ---- */

/* The reader waits for the next sample, or, where something is there already,
 * is called again at once. */
static void choose_fd(struct spi *spi, struct aw_link *link)
{
    bool ring =
        spi->gone || (spi->sampler && aw_spi_sampler_pending(spi->sampler));

    if (ring)
        aw_eventfd_ring(spi->bell);
    else if (link->fd == spi->bell)
        aw_eventfd_clear(spi->bell);
    link->fd =
        ring || !spi->sampler ? spi->bell : aw_spi_sampler_fd(spi->sampler);
}

static void start_spi(struct aw_link *link) AW_ON(reader)
{
    struct spi *spi = link->state;

    if (spi->sampler)
        aw_spi_sampler_start(spi->sampler);
    choose_fd(spi, link);
}

static int read_spi(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    struct spi *spi = link->state;
    int result = 0;

    if (spi->gone)
        return -ENODEV;
    if (spi->sampler)
        result = aw_spi_sampler_read(spi->sampler, &link->status, batch);
    choose_fd(spi, link);
    return result;
}

/* The timer of the watch. */
static int aux_spi(struct aw_link *link, struct aw_batch *batch) AW_ON(reader)
{
    const struct spi *spi = link->state;
    uint64_t ticks;

    (void)batch;
    if (read(spi->watch, &ticks, sizeof(ticks)) < 0)
        return 0;
    return aw_spi_port_check(&spi->port);
}

static int send_spi(struct aw_link *link, struct aw_send *send) AW_ON(reader)
{
    struct spi *spi = link->state;
    int result = aw_spi_port_transfer(&spi->port, send);

    if (result == -ENODEV) {
        spi->gone = true;
        choose_fd(spi, link);
    }
    return result;
}

static uint64_t count_losses(struct aw_link *link) AW_ON(reader)
{
    const struct spi *spi = link->state;

    return spi->sampler ? spi->sampler->lost : 0;
}

const struct aw_driver aw_spi_driver = {
    AW_DRIVER_HEAD,
    .name = "spi",
    .main_option = "path",
    .help = "a chip on an SPI bus: transfers and samples, by spidev",
    .late_advice = "see how long the transfers before it take: one is made at "
                   "a time",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .check = check,
    .describe = describe,
    .open = open_spi,
    .start = start_spi,
    .read = read_spi,
    .aux = aux_spi,
    .send = send_spi,
    .losses = count_losses,
    .close = close_spi,
};
