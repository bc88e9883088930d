/* The main thread's half of the host: messages to the bridge, events from it.
 * No Python in this file, nor in anything it calls. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/queue/eventfd.h"
#include "devices/queue/log.h"
#include "devices/queue/thread.h"
#include "pymod/host_state.h"

/* Requests and events that there is always memory for: more than a script that
 * is started, reloaded and stopped makes while nobody takes them. */
#define KEPT_BASE       8u
#define KEPT_PER_SCRIPT 4u

/* ---- events ---- */

/* Room for one more; where there is no memory for it the event is lost, and
 * with it a script's end: then only a forced stop ends the process. */
static bool reserve_event(struct aw_host *host)
{
    size_t capacity = host->event_capacity * 2;
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

static struct aw_host_request *take_spare(struct aw_host *host)
{
    struct aw_host_request *spare;

    pthread_mutex_lock(&host->lock);
    spare = host->spares;
    if (spare)
        host->spares = spare->next;
    pthread_mutex_unlock(&host->lock);
    return spare;
}

/* A script whose request is lost would wait for ever for what it asks. */
static struct aw_host_request *new_request(struct aw_host *host)
{
    struct aw_host_request *made = malloc(sizeof(*made));

    if (!made)
        return take_spare(host);
    made->spare = false;
    return made;
}

void aw_host_free_request(struct aw_host *host, struct aw_host_request *request)
{
    aw_host_request_deinit(request);
    if (!request->spare) {
        free(request);
        return;
    }
    pthread_mutex_lock(&host->lock);
    request->next = host->spares;
    host->spares = request;
    pthread_mutex_unlock(&host->lock);
}

static void request(struct aw_host *host, const struct aw_host_request *wanted)
{
    struct aw_host_request *copy = new_request(host);
    bool spare;

    if (!copy) {
        struct aw_host_request lost = *wanted;

        aw_log(AW_LOG_ERROR, "out of memory: a script was not %s",
               wanted->kind == AW_REQUEST_CANCEL ? "stopped" : "started");
        aw_host_request_deinit(&lost);
        return;
    }
    spare = copy->spare;
    *copy = *wanted;
    copy->spare = spare;
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

void aw_host_drop_queues(struct aw_host *host, size_t script,
                         uint64_t generation)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_DROP,
                                            .script = script,
                                            .generation = generation});
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

void aw_host_interrupt(struct aw_host *host, size_t script, uint64_t generation)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_INTERRUPT,
                                            .script = script,
                                            .generation = generation});
}

/* ---- places ---- */

/* For `count` more requests, and as many events. */
static int keep_room(struct aw_host *host, size_t count)
{
    struct aw_host_event *events;

    for (size_t i = 0; i < count; i++) {
        struct aw_host_request *spare = calloc(1, sizeof(*spare));

        if (!spare)
            return -ENOMEM;
        spare->spare = true;
        aw_host_free_request(host, spare);
    }
    pthread_mutex_lock(&host->lock);
    events = reallocarray(host->events, host->event_capacity + count,
                          sizeof(*events));
    if (events) {
        host->events = events;
        host->event_capacity += count;
    }
    pthread_mutex_unlock(&host->lock);
    return events ? 0 : -ENOMEM;
}

/* One more, with room for what it asks and tells. */
static int add_place(struct aw_host *host)
{
    struct aw_host_place *places;

    if (keep_room(host, KEPT_PER_SCRIPT) < 0)
        return -ENOMEM;
    pthread_mutex_lock(&host->lock);
    places = reallocarray(host->places, host->place_count + 1, sizeof(*places));
    if (places) {
        host->places = places;
        places[host->place_count++] = (struct aw_host_place){.stall_ns = 0};
    }
    pthread_mutex_unlock(&host->lock);
    return places ? 0 : -ENOMEM;
}

/* What holds at once. Threads that run look for the stalls of now. */
static int set_place(struct aw_host *host, size_t script,
                     const struct aw_host_script *settings)
{
    const struct aw_host_output *output = &host->config->output;
    int result = script < host->place_count ? 0 : add_place(host);

    if (result == 0 && output->name)
        result = output->name(output->context, script, settings->name);
    if (result < 0)
        return result;
    pthread_mutex_lock(&host->lock);
    host->places[script].stall_ns = settings->stall_ns;
    for (struct aw_host_thread *own = host->threads; own; own = own->next)
        if (own->script == script)
            aw_heartbeat_set_stall(own->heartbeat, settings->stall_ns);
    pthread_mutex_unlock(&host->lock);
    return 0;
}

/* Another script may have it. */
static void clear_place(struct aw_host *host, size_t script)
{
    pthread_mutex_lock(&host->lock);
    if (script < host->place_count)
        host->places[script] = (struct aw_host_place){.stall_ns = 0};
    for (struct aw_host_thread *own = host->threads; own; own = own->next)
        if (own->script == script)
            own->forgotten = true;
    pthread_mutex_unlock(&host->lock);
}

/* ---- another configuration ---- */

void aw_host_configure(struct aw_host *host, size_t script,
                       const struct aw_host_script *settings,
                       double executor_timeout_s)
{
    struct aw_host_script *copy = aw_host_script_copy(settings);

    if (!copy || set_place(host, script, settings) < 0) {
        aw_host_script_free(copy);
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
    clear_place(host, script);
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

void aw_host_settled(struct aw_host *host)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_SETTLED});
}

void aw_host_finish(struct aw_host *host)
{
    atomic_store_explicit(&host->finish, true, memory_order_release);
    aw_eventfd_ring(host->bell);
}

/* ---- stacks and stalls ---- */

/* With the host's lock, so that the thread is not freed meanwhile. */
static bool signal_thread(const struct aw_host_thread *own, int signal)
{
    /* Acquire: partner of script_main(), though it orders nothing else. */
    int tid = atomic_load_explicit(&own->tid, memory_order_acquire);

    return tid != 0 && syscall(SYS_tgkill, getpid(), tid, signal) == 0;
}

void aw_host_dump_stacks(struct aw_host *host)
{
    bool dumped = false;

    pthread_mutex_lock(&host->lock);
    /* One thread's handler writes the stacks of all. */
    for (const struct aw_host_thread *own = host->threads; own && !dumped;
         own = own->next) {
        dumped = signal_thread(own, aw_host_dump_signal());
    }
    pthread_mutex_unlock(&host->lock);
}

void aw_host_turns(struct aw_host *host, size_t script,
                   struct aw_turns *ret_turns)
{
    pthread_mutex_lock(&host->lock);
    *ret_turns = script < host->place_count ? host->places[script].ended
                                            : (struct aw_turns){0};
    ret_turns->stall_ns =
        script < host->place_count ? host->places[script].stall_ns : 0;
    for (const struct aw_host_thread *own = host->threads; own;
         own = own->next) {
        struct aw_turns before = *ret_turns;

        if (own->script != script || own->forgotten)
            continue;
        aw_heartbeat_add(own->heartbeat, own->generation, ret_turns);
        if (own->discarded) {
            ret_turns->began_ns = before.began_ns;
            ret_turns->generation = before.generation;
        }
    }
    pthread_mutex_unlock(&host->lock);
}

static size_t read_stack(struct aw_host *host, char *buffer, size_t size)
{
    size_t length = 0;

    while (length < size - 1) {
        ssize_t got =
            read(host->stack_read_fd, buffer + length, size - 1 - length);

        if (got <= 0)
            break;
        length += (size_t)got;
    }
    buffer[length] = '\0';
    return length;
}

bool aw_host_ask_stack(struct aw_host *host, size_t script, uint64_t generation)
{
    bool asked = false;
    char old[512];

    while (read_stack(host, old, sizeof(old)) > 0)
        continue;
    host->stack_script = script;
    host->stack_generation = generation;
    pthread_mutex_lock(&host->lock);
    for (const struct aw_host_thread *own = host->threads; own && !asked;
         own = own->next)
        asked = own->script == script && own->generation == generation &&
                signal_thread(own, aw_host_stack_signal());
    pthread_mutex_unlock(&host->lock);
    return asked;
}

size_t aw_host_read_stack(struct aw_host *host, size_t script,
                          uint64_t generation, char *buffer, size_t size)
{
    buffer[0] = '\0';
    if (host->stack_script != script || host->stack_generation != generation)
        return 0;
    return read_stack(host, buffer, size);
}

/* ---- life ---- */

static void free_list(struct aw_host_request *oldest)
{
    while (oldest) {
        struct aw_host_request *next = oldest->next;

        aw_host_request_deinit(oldest);
        free(oldest);
        oldest = next;
    }
}

/* Neither end blocks: not main, and not a handler in a script's thread. */
static int open_pipe(struct aw_host *host)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    host->stack_read_fd = ends[0];
    host->stack_write_fd = ends[1];
    return 0;
}

static void close_pipe(struct aw_host *host)
{
    if (host->stack_read_fd < 0)
        return;
    close(host->stack_read_fd);
    close(host->stack_write_fd);
}

static void free_host(struct aw_host *host)
{
    if (host->bridge)
        aw_host_bridge_free(host);
    free_list(host->requests);
    free_list(host->spares);
    aw_eventfd_close(host->event_fd);
    close_pipe(host);
    pthread_mutex_destroy(&host->lock);
    free(host->events);
    free(host->places);
    free(host);
}

static int fill_host(struct aw_host *host, const struct aw_host_config *config)
{
    int result;

    host->config = config;
    if (keep_room(host, KEPT_BASE) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < config->script_count; i++)
        if (set_place(host, i, &config->scripts[i]) < 0)
            return -ENOMEM;
    host->event_fd = aw_eventfd_new();
    if (host->event_fd < 0)
        return host->event_fd;
    result = open_pipe(host);
    if (result < 0)
        return result;
    return aw_host_bridge_new(host);
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
    host->stack_read_fd = -1;
    pthread_mutex_init(&host->lock, NULL);
    result = fill_host(host, config);
    if (result == 0)
        result = aw_thread_start(&host->thread, aw_host_bridge_main, host);
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

int aw_host_check_scripts(const struct aw_host_config *config, FILE *to)
{
    struct aw_host_check check = {.config = config, .to = to};
    pthread_t thread;
    int result = aw_thread_start(&thread, aw_host_check_main, &check);

    if (result < 0) {
        fprintf(to, "cannot host Python: %s\n", strerror(-result));
        return result;
    }
    pthread_join(thread, NULL);
    return check.result;
}
