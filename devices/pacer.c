#include "devices/pacer.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/options.h"
#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"

/* Farthest a frame can be due, 250 years: a log may claim anything, and the sum
 * with CLOCK_MONOTONIC must fit a signed 64 bits. */
#define DUE_MAX_NS (UINT64_C(8000000000) * AW_NS_PER_S)

int aw_pacer_parse_speed(const char *text, double *ret_factor,
                         struct aw_error *error)
{
    static const struct aw_option number = {.name = "speed",
                                            .type = AW_OPTION_NUMBER,
                                            .minimum = 0.001,
                                            .maximum = 1000};
    struct aw_value value = {.set = false};

    if (strcmp(text, "max") == 0) {
        *ret_factor = 0;
        return 0;
    }
    if (aw_option_parse(&number, text, &value, NULL) < 0)
        return aw_error_set(error, EINVAL,
                            "speed takes max or a factor from 0.001 to 1000, "
                            "such as 2 or 0.5, not \"%.60s\"",
                            text);
    *ret_factor = value.number;
    aw_value_deinit(&value);
    return 0;
}

static int new_timer(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int aw_pacer_init(struct aw_pacer *pacer, double factor)
{
    int fd = factor > 0 ? new_timer() : aw_eventfd_new();

    if (fd < 0)
        return fd;
    *pacer = (struct aw_pacer){.factor = factor, .fd = fd};
    return 0;
}

void aw_pacer_deinit(struct aw_pacer *pacer)
{
    if (pacer->fd > 0)
        close(pacer->fd);
}

void aw_pacer_advance(struct aw_pacer *pacer, uint64_t timestamp_ns)
{
    if (pacer->passes == 0 && pacer->records == 0)
        pacer->first_ns = timestamp_ns;
    if (timestamp_ns > pacer->first_ns + pacer->at_ns)
        pacer->at_ns = timestamp_ns - pacer->first_ns;
    pacer->records++;
}

void aw_pacer_next_pass(struct aw_pacer *pacer)
{
    /* Any time at all takes two frames. */
    uint64_t length_ns =
        pacer->at_ns > 0 ? pacer->at_ns + pacer->at_ns / (pacer->records - 1)
                         : AW_NS_PER_S;

    pacer->pass_ns += length_ns;
    pacer->passes++;
    pacer->at_ns = 0;
    pacer->records = 0;
}

uint64_t aw_pacer_due_ns(const struct aw_pacer *pacer)
{
    double after_ns;

    if (aw_pacer_full_speed(pacer))
        return 0;
    after_ns = (double)(pacer->pass_ns + pacer->at_ns) / pacer->factor;
    return pacer->start_ns +
           (after_ns < (double)DUE_MAX_NS ? (uint64_t)after_ns : DUE_MAX_NS);
}

/* `due_ns` is absolute; one that is past rings at once, 0 never. */
static void set_timer(struct aw_pacer *pacer, uint64_t due_ns)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due_ns / AW_NS_PER_S),
                     .tv_nsec = (long)(due_ns % AW_NS_PER_S)}};

    timerfd_settime(pacer->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void aw_pacer_start(struct aw_pacer *pacer)
{
    pacer->start_ns = aw_clock_monotonic_ns();
    if (aw_pacer_full_speed(pacer))
        aw_eventfd_ring(pacer->fd);
}

void aw_pacer_arm(struct aw_pacer *pacer)
{
    if (!aw_pacer_full_speed(pacer))
        set_timer(pacer, aw_pacer_due_ns(pacer));
}

void aw_pacer_arm_now(struct aw_pacer *pacer)
{
    if (!aw_pacer_full_speed(pacer))
        set_timer(pacer, 1);
}

void aw_pacer_disarm(struct aw_pacer *pacer)
{
    if (aw_pacer_full_speed(pacer))
        aw_eventfd_clear(pacer->fd);
    else
        set_timer(pacer, 0);
}
