/* The main thread's half of the host: messages to the bridge, events from it.
 * No Python in this file, nor in anything it calls. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "pymod/host_state.h"

/* ---- events ---- */

/* Room for one more; where there is no memory for it the event is lost, and
 * with it a script's end: then only a forced stop ends the process. */
static bool reserve_event(struct aw_host *host)
{
    size_t capacity = host->event_capacity ? host->event_capacity * 2 : 8;
    struct aw_host_event *events;

    if (host->event_count < host->event_capacity)
        return true;
    events = reallocarray(host->events, capacity, sizeof(*events));
    if (!events)
        return false;
    host->events = events;
    host->event_capacity = capacity;
    return true;
}

void aw_host_post(struct aw_host *host, const struct aw_host_event *event)
{
    bool posted;

    pthread_mutex_lock(&host->lock);
    posted = reserve_event(host);
    if (posted)
        host->events[host->event_count++] = *event;
    pthread_mutex_unlock(&host->lock);
    if (!posted)
        aw_log(AW_LOG_ERROR, "out of memory: an event of a script is lost");
    aw_eventfd_ring(host->event_fd);
}

int aw_host_fd(const struct aw_host *host)
{
    return host->event_fd;
}

bool aw_host_next(struct aw_host *host, struct aw_host_event *ret_event)
{
    bool found;

    aw_eventfd_clear(host->event_fd);
    pthread_mutex_lock(&host->lock);
    found = host->event_count > 0;
    if (found) {
        *ret_event = host->events[0];
        host->event_count--;
        memmove(host->events, host->events + 1,
                host->event_count * sizeof(*host->events));
    }
    pthread_mutex_unlock(&host->lock);
    if (found)
        aw_eventfd_ring(host->event_fd);
    return found;
}

/* ---- requests ---- */

static void request(struct aw_host *host, const struct aw_host_request *wanted)
{
    struct aw_host_request *copy = malloc(sizeof(*copy));

    if (!copy) {
        aw_log(AW_LOG_ERROR, "out of memory: a script was not %s",
               wanted->kind == AW_REQUEST_CANCEL ? "stopped" : "started");
        aw_device_unref(wanted->device);
        aw_host_script_free(wanted->settings);
        return;
    }
    *copy = *wanted;
    copy->next = NULL;
    pthread_mutex_lock(&host->lock);
    *host->requests_end = copy;
    host->requests_end = &copy->next;
    pthread_mutex_unlock(&host->lock);
    aw_eventfd_ring(host->bell);
}

struct aw_host_request *aw_host_take_requests(struct aw_host *host)
{
    struct aw_host_request *oldest;

    pthread_mutex_lock(&host->lock);
    oldest = host->requests;
    host->requests = NULL;
    host->requests_end = &host->requests;
    pthread_mutex_unlock(&host->lock);
    return oldest;
}

void aw_host_start_script(struct aw_host *host, size_t script,
                          uint64_t generation, enum aw_host_start how)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_START,
                                            .script = script,
                                            .generation = generation,
                                            .start = how});
}

void aw_host_admit(struct aw_host *host, size_t script, uint64_t generation)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_ADMIT,
                                            .script = script,
                                            .generation = generation});
}

void aw_host_discard(struct aw_host *host, size_t script, uint64_t generation)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_DISCARD,
                                            .script = script,
                                            .generation = generation});
}

void aw_host_drop_queues(struct aw_host *host, size_t script)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_DROP,
                                            .script = script});
}

void aw_host_cancel(struct aw_host *host, size_t script, uint64_t generation,
                    enum aw_host_why why, int signal, bool again)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_CANCEL,
                                            .script = script,
                                            .generation = generation,
                                            .why = why,
                                            .signal = signal,
                                            .again = again});
}

void aw_host_configure(struct aw_host *host, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s)
{
    struct aw_host_script *copy = aw_host_script_copy(settings);

    if (!copy) {
        aw_log(AW_LOG_ERROR, "out of memory: script %s is not configured anew",
               settings->name);
        return;
    }
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_CONFIGURE,
                                            .script = script,
                                            .settings = copy,
                                            .executor_timeout_s =
                                                executor_timeout_s});
}

void aw_host_remove(struct aw_host *host, size_t script)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_REMOVE,
                                            .script = script});
}

void aw_host_add_device(struct aw_host *host, struct aw_device *device,
                        uint64_t replaced)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_ADD_DEVICE,
                                            .device = aw_device_ref(device),
                                            .number = replaced});
}

static void request_by_name(struct aw_host *host, enum aw_request_kind kind,
                            const char *name, uint64_t number)
{
    struct aw_host_request wanted = {.kind = kind, .number = number};

    snprintf(wanted.name, sizeof(wanted.name), "%s", name);
    request(host, &wanted);
}

void aw_host_remove_device(struct aw_host *host, const char *name,
                           uint64_t number)
{
    request_by_name(host, AW_REQUEST_REMOVE_DEVICE, name, number);
}

void aw_host_tell_users(struct aw_host *host, const char *name, uint64_t number)
{
    request_by_name(host, AW_REQUEST_TELL_USERS, name, number);
}

void aw_host_finish(struct aw_host *host)
{
    atomic_store_explicit(&host->finish, true, memory_order_release);
    aw_eventfd_ring(host->bell);
}

void aw_host_dump_stacks(struct aw_host *host)
{
    bool dumped = false;

    pthread_mutex_lock(&host->lock);
    for (struct aw_host_thread *own = host->threads; own && !dumped;
         own = own->next) {
        /* Acquire: partner of script_main(), though it orders nothing else. */
        int tid = atomic_load_explicit(&own->tid, memory_order_acquire);

        /* One thread's handler writes the stacks of all. */
        dumped = tid != 0 &&
                 syscall(SYS_tgkill, getpid(), tid, aw_host_dump_signal()) == 0;
    }
    pthread_mutex_unlock(&host->lock);
}

/* ---- life ---- */

static void free_requests(struct aw_host *host)
{
    struct aw_host_request *oldest = aw_host_take_requests(host);

    while (oldest) {
        struct aw_host_request *next = oldest->next;

        aw_host_request_free(oldest);
        oldest = next;
    }
}

static void free_host(struct aw_host *host)
{
    if (host->bridge)
        aw_host_bridge_free(host);
    free_requests(host);
    aw_eventfd_close(host->event_fd);
    pthread_mutex_destroy(&host->lock);
    free(host->events);
    free(host);
}

static int fill_host(struct aw_host *host, const struct aw_host_config *config)
{
    host->config = config;
    host->event_fd = aw_eventfd_new();
    if (host->event_fd < 0)
        return host->event_fd;
    return aw_host_bridge_new(host);
}

/* A thread inherits its maker's signal mask: the bridge takes no signals. */
static int start_bridge(struct aw_host *host)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&host->thread, NULL, aw_host_bridge_main, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int aw_host_start(const struct aw_host_config *config,
                  struct aw_host **ret_host, struct aw_error *error)
{
    struct aw_host *host = calloc(1, sizeof(*host));
    int result;

    if (!host)
        return aw_error_set(error, ENOMEM, "cannot host Python: no memory");
    host->event_fd = -1;
    host->requests_end = &host->requests;
    pthread_mutex_init(&host->lock, NULL);
    result = fill_host(host, config);
    if (result == 0)
        result = start_bridge(host);
    if (result < 0) {
        free_host(host);
        return aw_error_set(error, -result, "cannot host Python: %s",
                            strerror(-result));
    }
    *ret_host = host;
    return 0;
}

void aw_host_free(struct aw_host *host)
{
    pthread_join(host->thread, NULL);
    free_host(host);
}
