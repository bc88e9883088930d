#include "daemon/log_ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/queue/eventfd.h"

struct aw_log_ring {
    struct aw_log_tap tap; /* first: the tap is the ring */
    pthread_mutex_t lock;
    int fd;
    uint64_t next; /* under `lock`, as the lines */
    struct aw_log_line lines[AW_LOG_RING_LINES];
};

static void take(struct aw_log_tap *tap, enum aw_log_level level,
                 const char *text, size_t length)
{
    struct aw_log_ring *ring = (struct aw_log_ring *)tap;
    struct aw_log_line *line;
    uint64_t now_ns = aw_clock_realtime_ns();

    if (length > sizeof(line->text) - 1)
        length = sizeof(line->text) - 1;
    pthread_mutex_lock(&ring->lock);
    line = &ring->lines[ring->next % AW_LOG_RING_LINES];
    line->number = ring->next++;
    line->time_ns = now_ns;
    line->level = level;
    memcpy(line->text, text, length);
    line->text[length] = '\0';
    pthread_mutex_unlock(&ring->lock);
    aw_eventfd_ring(ring->fd);
}

static int init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int error = pthread_mutexattr_init(&attributes);

    if (error)
        return -error;
    /* A reader may run at a real-time priority, and main does not. */
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    error = pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -error;
}

int aw_log_ring_new(struct aw_log_ring **ret_ring)
{
    struct aw_log_ring *ring = calloc(1, sizeof(*ring));
    int result;

    if (!ring)
        return -ENOMEM;
    ring->tap.line = take;
    ring->fd = aw_eventfd_new();
    result = ring->fd < 0 ? ring->fd : init_lock(&ring->lock);
    if (result < 0) {
        aw_eventfd_close(ring->fd);
        free(ring);
        return result;
    }
    aw_log_set_tap(&ring->tap);
    *ret_ring = ring;
    return 0;
}

void aw_log_ring_free(struct aw_log_ring *ring)
{
    if (!ring)
        return;
    aw_log_set_tap(NULL);
    aw_eventfd_close(ring->fd);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

int aw_log_ring_fd(const struct aw_log_ring *ring)
{
    return ring->fd;
}

void aw_log_ring_clear(struct aw_log_ring *ring)
{
    aw_eventfd_clear(ring->fd);
}

void aw_log_ring_span(struct aw_log_ring *ring, uint64_t *ret_oldest,
                      uint64_t *ret_next)
{
    uint64_t next;

    pthread_mutex_lock(&ring->lock);
    next = ring->next;
    pthread_mutex_unlock(&ring->lock);
    *ret_oldest = next > AW_LOG_RING_LINES ? next - AW_LOG_RING_LINES : 0;
    *ret_next = next;
}

bool aw_log_ring_get(struct aw_log_ring *ring, uint64_t number,
                     struct aw_log_line *ret_line)
{
    const struct aw_log_line *line = &ring->lines[number % AW_LOG_RING_LINES];
    bool found;

    pthread_mutex_lock(&ring->lock);
    found = number < ring->next && line->number == number;
    if (found)
        *ret_line = *line;
    pthread_mutex_unlock(&ring->lock);
    return found;
}
