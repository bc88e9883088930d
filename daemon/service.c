#include "daemon/service.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/notify.h"
#include "daemon/pulse.h"
#include "daemon/report.h"
#include "devices/queue/clock.h"
#include "devices/queue/log.h"

/* Looks in a period of the watchdog: see pulse.h. */
#define LOOKS        4
#define STATUS_S     2.0
#define STATUS_BYTES 200
#define STOP_MARGIN_S                                                          \
    20. /* Python's end, what is left to be sent or written, the ledger */

/* What the manager was last told, in the order of a life. */
enum told { TOLD_NOTHING, TOLD_READY, TOLD_RELOADING, TOLD_STOPPING };

struct aw_service {
    struct aw_service_config config;
    int fd;
    uint64_t watchdog_us; /* 0: there is none */
    struct ev_loop *loop; /* NULL: not started */
    struct aw_pulse *pulse;
    ev_timer tick;
    ev_prepare turn;
    enum told told;
    uint64_t rounds; /* of reloads of the configuration, told of */
    bool was_ready;
    char status[STATUS_BYTES]; /* the last that was taken */
};

/* ---- what there is to say ---- */

static bool is_reloading(const struct aw_service *service) AW_ON(main) AW_NO_GIL
{
    const struct aw_supervisor *supervisor =
        aw_runtime_supervisor(service->config.runtime);
    size_t count = supervisor ? aw_supervisor_count(supervisor) : 0;
    struct aw_script_status status;

    if (aw_reconfigure_is_busy(service->config.reconfigure))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (!aw_supervisor_has(supervisor, i))
            continue;
        aw_supervisor_status(supervisor, i, &status);
        if (status.reloading)
            return true;
    }
    return false;
}

static size_t count_running(const struct aw_service *service)
    AW_ON(main) AW_NO_GIL
{
    const struct aw_supervisor *supervisor =
        aw_runtime_supervisor(service->config.runtime);
    size_t count = supervisor ? aw_supervisor_count(supervisor) : 0;
    size_t running = 0;
    struct aw_script_status status;

    for (size_t i = 0; i < count; i++) {
        if (!aw_supervisor_has(supervisor, i))
            continue;
        aw_supervisor_status(supervisor, i, &status);
        running += status.state == AW_SCRIPT_RUNNING;
    }
    return running;
}

/* A frame counts once for each queue that it came to, as in the ledger. */
static void count_frames(const struct aw_report *report, uint64_t *ret_received,
                         uint64_t *ret_lost)
{
    uint64_t received = 0, lost = 0;

    for (size_t i = 0; i < report->device_count; i++) {
        const struct aw_device_report *device = &report->devices[i];

        for (size_t j = 0; j < device->queue_count; j++) {
            const struct aw_stats *stats = &device->queues[j].stats;

            if (device->queues[j].observer)
                continue;
            received += stats->received;
            lost += stats->dropped_kernel + stats->dropped_overflow;
        }
    }
    *ret_received = received;
    *ret_lost = lost;
}

/* What a reload has not brought, until one does: "; reload failed: ..." or "".
 */
static void write_failure(const struct aw_service *service, char *text,
                          size_t size) AW_ON(main) AW_NO_GIL
{
    const struct aw_supervisor *supervisor =
        aw_runtime_supervisor(service->config.runtime);
    size_t count = supervisor ? aw_supervisor_count(supervisor) : 0;
    size_t failed = 0;
    const char *last = "";
    struct aw_script_status status;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (!aw_supervisor_has(supervisor, i))
            continue;
        aw_supervisor_status(supervisor, i, &status);
        if (!status.reload_failed)
            continue;
        last = status.name;
        failed++;
    }
    if (aw_reconfigure_has_failed(service->config.reconfigure))
        snprintf(text, size, "; reload failed: the configuration");
    else if (failed == 1)
        snprintf(text, size, "; reload failed: script %.40s", last);
    else if (failed > 1)
        snprintf(text, size, "; reload failed: %zu scripts", failed);
}

static void write_status(const struct aw_service *service,
                         char text[STATUS_BYTES]) AW_ON(main) AW_NO_GIL
{
    const struct aw_device_table *table = service->config.devices;
    const char *stuck = service->pulse ? aw_pulse_stuck(service->pulse) : NULL;
    size_t running = count_running(service);
    uint64_t received = 0, lost = 0;
    struct aw_report report;
    char failure[80];

    write_failure(service, failure, sizeof(failure));
    if (aw_report_collect(table->devices, table->count, &report) == 0) {
        count_frames(&report, &received, &lost);
        aw_report_deinit(&report);
    }
    snprintf(text, STATUS_BYTES,
             "%zu script%s run%s, %llu frame%s received, %llu lost%s%s%s",
             running, running == 1 ? "" : "s", running == 1 ? "s" : "",
             (unsigned long long)received, received == 1 ? "" : "s",
             (unsigned long long)lost, failure,
             stuck ? "; stuck: the reader of device " : "", stuck ? stuck : "");
}

/* ---- saying it ---- */

static void tell_status(struct aw_service *service) AW_ON(main) AW_NO_GIL
{
    char text[STATUS_BYTES], lines[STATUS_BYTES + 10];

    write_status(service, text);
    if (strcmp(text, service->status) == 0)
        return;
    snprintf(lines, sizeof(lines), "STATUS=%s", text);
    if (aw_notify_send(service->fd, lines) == 0)
        memcpy(service->status, text, sizeof(text));
}

static int tell_ready(struct aw_service *service) AW_ON(main) AW_NO_GIL
{
    int result = aw_notify_send(service->fd, "READY=1");

    if (result == 0)
        service->was_ready = true;
    return result;
}

static int tell_reloading(const struct aw_service *service)
{
    char lines[80];

    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(aw_clock_monotonic_ns() / AW_NS_PER_US));
    return aw_notify_send(service->fd, lines);
}

static int tell_stopping(const struct aw_service *service)
{
    double limit_s = service->config.times->stop_timeout_s + STOP_MARGIN_S;
    char lines[80];

    snprintf(lines, sizeof(lines), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%.0f",
             limit_s * 1e6);
    return aw_notify_send(service->fd, lines);
}

static enum told what_to_tell(const struct aw_service *service)
    AW_ON(main) AW_NO_GIL
{
    switch (aw_runtime_state(service->config.runtime)) {
    case AW_RUNTIME_STARTING:
        break;
    case AW_RUNTIME_UP:
        return is_reloading(service) ? TOLD_RELOADING : TOLD_READY;
    case AW_RUNTIME_STOPPING:
        return TOLD_STOPPING;
    }
    return TOLD_NOTHING;
}

static int tell(struct aw_service *service, enum told what)
    AW_ON(main) AW_NO_GIL
{
    /* Scripts may have come to their end in the turn that they began in: a
     * service that was never ready would have failed. */
    if (!service->was_ready && aw_runtime_was_up(service->config.runtime)) {
        int result = tell_ready(service);

        if (result < 0 || what == TOLD_READY)
            return result;
    }
    switch (what) {
    case TOLD_NOTHING:
        break;
    case TOLD_READY:
        return tell_ready(service);
    case TOLD_RELOADING:
        return tell_reloading(service);
    case TOLD_STOPPING:
        return tell_stopping(service);
    }
    return 0;
}

/* A reload of the configuration may be over in the turn that it began in, for
 * an error in a file: whoever asked for it waits for it to begin and to end.
 * Returns 0 or a negative errno: not told. */
static int tell_rounds(struct aw_service *service, enum told what)
    AW_ON(main) AW_NO_GIL
{
    uint64_t rounds = aw_reconfigure_rounds(service->config.reconfigure);
    int result = 0;

    if (rounds == service->rounds)
        return 0;
    if (what == TOLD_READY && service->told == TOLD_READY)
        result = tell_reloading(service);
    if (result < 0)
        return result;
    service->rounds = rounds;
    if (what == TOLD_READY && service->told == TOLD_READY)
        service->told = TOLD_RELOADING;
    return 0;
}

/* ---- callbacks of the loop ---- */

/* Before main sleeps: whatever has changed has changed since it last did. What
 * cannot be told now is told in a later turn. */
static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_service *service = watcher->data;
    enum told what = what_to_tell(service);

    (void)loop;
    (void)events;
    if (tell_rounds(service, what) < 0 || what == service->told ||
        tell(service, what) < 0)
        return;
    service->told = what;
    tell_status(service);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int events)
    AW_ON(main) AW_NO_GIL
{
    struct aw_service *service = watcher->data;

    (void)loop;
    (void)events;
    /* While it stops, the manager's own limit holds: a ping would set its
     * watchdog going again, and nobody pings behind the main loop. */
    if (service->pulse && service->told != TOLD_STOPPING &&
        aw_pulse_look(service->pulse))
        (void)aw_notify_send(service->fd, "WATCHDOG=1");
    if (service->was_ready)
        tell_status(service);
}

/* ---- life ---- */

int aw_service_new(struct aw_service **ret_service, struct aw_error *error)
{
    struct aw_service *service;
    uint64_t watchdog_us = 0;
    int fd, result = aw_notify_connect(&fd, error);

    AW_ASSERT_ROLE(MAIN);
    if (sd_watchdog_enabled(1, &watchdog_us) <= 0)
        watchdog_us = 0;
    *ret_service = NULL;
    if (result < 0 || fd < 0)
        return result;
    service = calloc(1, sizeof(*service));
    if (!service) {
        close(fd);
        return aw_error_set(error, ENOMEM, "out of memory");
    }
    service->fd = fd;
    service->watchdog_us = watchdog_us;
    *ret_service = service;
    return 0;
}

int aw_service_start(struct aw_service *service,
                     const struct aw_service_config *config)
{
    double interval_s = STATUS_S;

    if (!service)
        return 0;
    service->config = *config;
    if (service->watchdog_us > 0) {
        interval_s = (double)service->watchdog_us / 1e6 / LOOKS;
        if (aw_pulse_new(config->devices, &service->pulse) < 0)
            return -ENOMEM;
    }
    service->loop = aw_runtime_loop(config->runtime);
    ev_prepare_init(&service->turn, on_turn);
    service->turn.data = service;
    ev_prepare_start(service->loop, &service->turn);
    ev_timer_init(&service->tick, on_tick, interval_s, interval_s);
    service->tick.data = service;
    ev_timer_start(service->loop, &service->tick);
    return 0;
}

void aw_service_free(struct aw_service *service)
{
    if (!service)
        return;
    if (service->loop) {
        ev_prepare_stop(service->loop, &service->turn);
        ev_timer_stop(service->loop, &service->tick);
    }
    aw_pulse_free(service->pulse);
    close(service->fd);
    free(service);
}
