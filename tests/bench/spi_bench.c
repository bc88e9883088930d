/* How regularly a chip is sampled: awaitd's reader against a bare loop, with
 * the same stub in place of the ioctl that makes a transfer.
 *
 *     spi_bench ROUNDS SECONDS
 *
 * Contenders take turns, each for SECONDS a round, at 1 kHz. Jitter is, for
 * each tick of the period, how long after it the next transfer began. Prints a
 * line for each contender: p50, p99 and maximum in ns (the medians of the
 * rounds'), ticks, and transfers fewer than that; then its name. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "devices/chardev.h"
#include "devices/device_config.h"
#include "devices/queue/clock.h"
#include "tests/support/fake_chardev.h"

#define PERIOD_NS   AW_NS_PER_MS
#define ROUNDS_MAX  1000
#define SAMPLES_MAX 100000u
#define PRIORITY    50 /* of SCHED_FIFO */

/* When each message of a turn began; the one thread that samples writes it. */
static uint64_t began_ns[SAMPLES_MAX];
static uint32_t count;

/* CLOCK_MONOTONIC of the first tick of a turn. */
static uint64_t start_ns;

static uint64_t ns_of(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * AW_NS_PER_S + (uint64_t)time->tv_nsec;
}

/* By the linker's --wrap: awaitd's reader tells it to its timer alone. */
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old);

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
                           struct itimerspec *old)
{
    start_ns = ns_of(&when->it_value);
    return __real_timerfd_settime(fd, flags, when, old);
}

static void note(void)
{
    if (count < SAMPLES_MAX)
        began_ns[count++] = aw_clock_monotonic_ns();
}

struct turn {
    double seconds;
    unsigned long slack_ns; /* the kernel's timer slack; 0: as it is */
    int priority;           /* of SCHED_FIFO; 0: a thread like any other */
};

/* ---- contenders ---- */

static void add_period(struct timespec *time)
{
    time->tv_nsec += (long)PERIOD_NS;
    if (time->tv_nsec >= (long)AW_NS_PER_S) {
        time->tv_nsec -= (long)AW_NS_PER_S;
        time->tv_sec++;
    }
}

static void *sleep_and_sample(void *argument)
{
    const struct turn *turn = argument;
    uint32_t ticks = (uint32_t)(turn->seconds * 1e9 / (double)PERIOD_NS);
    int fd = aw_chardev_open("/dev/spidev0.0");
    uint8_t tx[6] = {FAKE_READ}, rx[6];
    struct spi_ioc_transfer transfer = {
        .tx_buf = (uintptr_t)tx, .rx_buf = (uintptr_t)rx, .len = sizeof(tx)};
    struct timespec due;

    const struct sched_param priority = {.sched_priority = turn->priority};

    if (turn->priority &&
        pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) != 0)
        return NULL;
    if (turn->slack_ns)
        prctl(PR_SET_TIMERSLACK, turn->slack_ns);
    clock_gettime(CLOCK_MONOTONIC, &due);
    start_ns = ns_of(&due);
    for (uint32_t i = 0; i < ticks; i++) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        aw_chardev_ioctl(fd, SPI_IOC_MESSAGE(1), &transfer);
        add_period(&due);
    }
    return NULL;
}

static int run_bare(const struct turn *turn)
{
    struct turn copy = *turn;
    pthread_t thread;
    int error = pthread_create(&thread, NULL, sleep_and_sample, &copy);

    if (error == 0)
        pthread_join(thread, NULL);
    return -error;
}

static int attach(struct aw_device *device, struct aw_queue **ret_queue)
{
    struct aw_queue_config config = {
        .name = "1",
        .device = "adc",
        .owner = "bench",
        .depth = 4096,
        .payload_bytes = aw_device_payload_bytes(device),
        .overflow = AW_OVERFLOW_DROP_OLDEST,
    };
    int result = aw_queue_new(&config, ret_queue);

    return result < 0 ? result : aw_device_attach(device, *ret_queue);
}

static int run_awaitd(const struct turn *turn)
{
    uint64_t length_ns = (uint64_t)(turn->seconds * 1e9);
    struct timespec time = {(time_t)(length_ns / AW_NS_PER_S),
                            (long)(length_ns % AW_NS_PER_S)};
    struct aw_device_config *config = NULL;
    struct aw_device *device = NULL;
    struct aw_queue *queue = NULL;
    char text[128];
    int result;

    snprintf(text, sizeof(text),
             "adc=spi:/dev/spidev0.0,sample=80,sample_bytes=6,period_us=1000,"
             "priority=%d",
             turn->priority);
    result = aw_device_config_parse(text, &config, NULL);

    if (result == 0)
        result = aw_device_open(config, &device, NULL);
    if (result == 0)
        result = attach(device, &queue);
    if (result == 0) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
        aw_device_retire(device, queue);
    }
    aw_queue_unref(queue);
    aw_device_unref(device);
    aw_device_config_free(config);
    return result;
}

struct contender {
    const char *name;
    int (*run)(const struct turn *turn);
    unsigned long slack_ns;
    int priority;
};

static const struct contender contenders[] = {
    {"a bare clock_nanosleep() loop in C", run_bare, 0, 0},
    {"the same, timer slack 1 ns", run_bare, 1, 0},
    {"awaitd's sampling reader", run_awaitd, 0, 0},
    {"bare loop, SCHED_FIFO", run_bare, 1, PRIORITY},
    {"awaitd, priority: 50", run_awaitd, 0, PRIORITY},
};

#define CONTENDERS (sizeof(contenders) / sizeof(contenders[0]))

/* ---- jitter ---- */

struct result {
    uint64_t p50_ns, p99_ns, max_ns, ticks, skipped;
};

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* What became of each tick up to the last transfer. Returns how many. */
static uint32_t measure_ticks(uint64_t late_ns[SAMPLES_MAX])
{
    uint64_t due_ns = start_ns;
    uint32_t ticks = 0;

    for (uint32_t i = 0; i < count; i++) {
        while (due_ns <= began_ns[i] && ticks < SAMPLES_MAX) {
            late_ns[ticks++] = began_ns[i] - due_ns;
            due_ns += PERIOD_NS;
        }
    }
    return ticks;
}

static struct result evaluate(void)
{
    static uint64_t late_ns[SAMPLES_MAX];
    uint32_t ticks = measure_ticks(late_ns);

    qsort(late_ns, ticks, sizeof(late_ns[0]), compare);
    return (struct result){
        .p50_ns = late_ns[ticks / 2],
        .p99_ns = late_ns[ticks - 1 - ticks / 100],
        .max_ns = late_ns[ticks - 1],
        .ticks = ticks,
        .skipped = ticks > count ? ticks - count : 0,
    };
}

static int take_turn(const struct contender *contender, double seconds,
                     struct result *ret_result)
{
    const struct turn turn = {seconds, contender->slack_ns,
                              contender->priority};
    int result;

    fake_chardev_reset();
    fake_chardev.on_message = note;
    count = 0;
    result = contender->run(&turn);
    if (result == 0 && count < 2)
        result = -ENODATA;
    if (result == 0)
        *ret_result = evaluate();
    return result;
}

static uint64_t median(const struct result *results, int rounds, size_t field)
{
    static uint64_t values[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++)
        memcpy(&values[i], (const char *)&results[i] + field,
               sizeof(values[i]));
    qsort(values, (size_t)rounds, sizeof(values[0]), compare);
    return values[rounds / 2];
}

static void print(const struct contender *contender,
                  const struct result *results, int rounds)
{
    uint64_t ticks = 0, skipped = 0;

    for (int i = 0; i < rounds; i++) {
        ticks += results[i].ticks;
        skipped += results[i].skipped;
    }
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
           median(results, rounds, offsetof(struct result, p50_ns)),
           median(results, rounds, offsetof(struct result, p99_ns)),
           median(results, rounds, offsetof(struct result, max_ns)), ticks,
           skipped, contender->name);
}

int main(int argc, char **argv)
{
    static struct result results[CONTENDERS][ROUNDS_MAX];
    int rounds = argc == 3 ? atoi(argv[1]) : 0;
    double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;

    if (rounds < 1 || rounds > ROUNDS_MAX || seconds < 0.01 || seconds > 60) {
        fputs("usage: spi_bench ROUNDS SECONDS\n", stderr);
        return 64;
    }
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CONTENDERS; i++) {
            int result = take_turn(&contenders[i], seconds, &results[i][round]);

            if (result < 0) {
                fprintf(stderr, "spi_bench: %s: %s\n", contenders[i].name,
                        strerror(-result));
                return 1;
            }
        }
    }
    for (size_t i = 0; i < CONTENDERS; i++)
        print(&contenders[i], results[i], rounds);
    return 0;
}
