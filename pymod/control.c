/* The main thread's half of the host: messages to the bridge, events from it.
 * No Python in this file, nor in anything it calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

void aw_host_interrupt(struct aw_host *host, size_t script, uint64_t generation)
{
    request(host, &(struct aw_host_request){.kind = AW_REQUEST_INTERRUPT,
                                            .script = script,
                                            .generation = generation});
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
    *ret_turns = host->ended_turns[script];
    for (const struct aw_host_thread *own = host->threads; own;
         own = own->next) {
        struct aw_turns before = *ret_turns;

        if (own->script != script)
            continue;
        aw_heartbeat_add(own->heartbeat, own->generation, ret_turns);
        if (own->discarded) {
            ret_turns->began_ns = before.began_ns;
            ret_turns->generation = before.generation;
        }
    }
    pthread_mutex_unlock(&host->lock);
}

bool aw_host_ask_stack(struct aw_host *host, size_t script, uint64_t generation)
{
    bool asked = false;
    char old[512];

    while (aw_host_read_stack(host, old, sizeof(old)) > 0)
        continue;
    pthread_mutex_lock(&host->lock);
    for (const struct aw_host_thread *own = host->threads; own && !asked;
         own = own->next)
        asked = own->script == script && own->generation == generation &&
                signal_thread(own, aw_host_stack_signal());
    pthread_mutex_unlock(&host->lock);
    return asked;
}

size_t aw_host_read_stack(struct aw_host *host, char *buffer, size_t size)
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

/* ---- life ---- */

static void free_requests(struct aw_host *host)
{
    struct aw_host_request *oldest = aw_host_take_requests(host);

    while (oldest) {
        struct aw_host_request *next = oldest->next;

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
    free_requests(host);
    aw_eventfd_close(host->event_fd);
    close_pipe(host);
    pthread_mutex_destroy(&host->lock);
    free(host->events);
    free(host->ended_turns);
    free(host);
}

static int fill_host(struct aw_host *host, const struct aw_host_config *config)
{
    int result;

    host->config = config;
    host->ended_turns =
        calloc(config->script_count + 1, sizeof(*host->ended_turns));
    if (!host->ended_turns)
        return -ENOMEM;
    host->event_fd = aw_eventfd_new();
    if (host->event_fd < 0)
        return host->event_fd;
    result = open_pipe(host);
    if (result < 0)
        return result;
    return aw_host_bridge_new(host);
}

/* A thread inherits its maker's signal mask: those of Python's own take no
 * signals. */
static int start_thread(pthread_t *thread, void *(*entry)(void *),
                        void *argument)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, NULL, entry, argument);
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
    host->stack_read_fd = -1;
    pthread_mutex_init(&host->lock, NULL);
    result = fill_host(host, config);
    if (result == 0)
        result = start_thread(&host->thread, aw_host_bridge_main, host);
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
    int result = start_thread(&thread, aw_host_check_main, &check);

    if (result < 0) {
        fprintf(to, "cannot host Python: %s\n", strerror(-result));
        return result;
    }
    pthread_join(thread, NULL);
    return check.result;
}
