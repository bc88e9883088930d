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
#include "pymod/host_state.h"

/* ---- events ---- */

void aw_host_post(struct aw_host *host, const struct aw_host_event *event)
{
    pthread_mutex_lock(&host->lock);
    if (host->event_count < host->event_capacity)
        host->events[host->event_count++] = *event;
    pthread_mutex_unlock(&host->lock);
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

void aw_host_cancel(struct aw_host *host, size_t script, int signal, bool again)
{
    unsigned request = AW_REQUEST_CANCEL | (again ? AW_REQUEST_AGAIN : 0) |
                       ((unsigned)signal & AW_REQUEST_SIGNAL_MASK);

    /* Release: nothing but the word itself; the bell orders it. */
    atomic_fetch_or_explicit(&host->threads[script].request, request,
                             memory_order_release);
    aw_eventfd_ring(host->bell);
}

void aw_host_interrupt(struct aw_host *host, size_t script)
{
    /* Release: as for a cancel. */
    atomic_fetch_or_explicit(&host->threads[script].request,
                             AW_REQUEST_INTERRUPT, memory_order_release);
    aw_eventfd_ring(host->bell);
}

void aw_host_finish(struct aw_host *host)
{
    atomic_store_explicit(&host->finish, true, memory_order_release);
    aw_eventfd_ring(host->bell);
}

/* ---- stacks and stalls ---- */

static bool signal_script(struct aw_host *host, size_t script, int signal)
{
    /* Acquire: with the release of script_main(), which knows no more. */
    int tid =
        atomic_load_explicit(&host->threads[script].tid, memory_order_acquire);

    return tid != 0 && syscall(SYS_tgkill, getpid(), tid, signal) == 0;
}

void aw_host_dump_stacks(struct aw_host *host)
{
    for (size_t i = 0; i < host->config->script_count; i++) {
        /* One thread's handler writes the stacks of all. */
        if (signal_script(host, i, aw_host_dump_signal()))
            return;
    }
}

void aw_host_turns(const struct aw_host *host, size_t script,
                   struct aw_turns *ret_turns)
{
    aw_heartbeat_read(&host->threads[script].heartbeat, ret_turns);
}

bool aw_host_ask_stack(struct aw_host *host, size_t script)
{
    char old[512];

    while (aw_host_read_stack(host, old, sizeof(old)) > 0)
        continue;
    return signal_script(host, script, aw_host_stack_signal());
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
    aw_eventfd_close(host->event_fd);
    close_pipe(host);
    pthread_mutex_destroy(&host->lock);
    free(host->threads);
    free(host->events);
    free(host);
}

static int fill_host(struct aw_host *host, const struct aw_host_config *config)
{
    size_t scripts = config->script_count;
    int result;

    host->config = config;
    host->event_capacity = scripts + 3;
    host->events = calloc(host->event_capacity, sizeof(*host->events));
    host->threads = calloc(scripts + 1, sizeof(*host->threads));
    if (!host->events || !host->threads)
        return -ENOMEM;
    for (size_t i = 0; i < scripts; i++) {
        host->threads[i].host = host;
        host->threads[i].script = i;
        host->threads[i].heartbeat.stall_ns = config->stall_ns;
    }
    host->event_fd = aw_eventfd_new();
    if (host->event_fd < 0)
        return host->event_fd;
    result = open_pipe(host);
    if (result < 0)
        return result;
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
    host->stack_read_fd = -1;
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
