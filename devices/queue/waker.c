#include "devices/queue/waker.h"

#include "devices/queue/eventfd.h"
#include "devices/queue/queue.h"

int aw_waker_init(struct aw_waker *waker, bool listing)
{
    int fd = aw_eventfd_new();

    if (fd < 0)
        return fd;
    atomic_init(&waker->ready, NULL);
    waker->fd = fd;
    waker->listing = listing;
    return 0;
}

void aw_waker_deinit(struct aw_waker *waker)
{
    struct aw_queue *queue = aw_waker_take(waker);

    while (queue) {
        struct aw_queue *next = aw_waker_next(queue);

        aw_queue_unref(queue);
        queue = next;
    }
    aw_eventfd_close(waker->fd);
    waker->fd = -1;
}

/* Returns true if the list was empty before. */
static bool list(struct aw_waker *waker, struct aw_queue *queue)
{
    struct aw_queue *first;

    /* Acquire: the last walk over the list has read `ready_next`. Release: a
     * reader that finds it listed leaves the announcement to the waker's
     * thread, which clears `listed` before it looks at the ring, and so sees
     * what was published before this. Partner of both: aw_waker_next(). */
    if (atomic_exchange_explicit(&queue->listed, true, memory_order_acq_rel))
        return false;
    aw_queue_ref(queue);
    first = atomic_load_explicit(&waker->ready, memory_order_relaxed);
    do {
        queue->ready_next = first;
        /* Release: `ready_next` before the list shows it. Partner: the
         * acquire in aw_waker_take(). */
    } while (!atomic_compare_exchange_weak_explicit(&waker->ready, &first,
                                                    queue, memory_order_release,
                                                    memory_order_relaxed));
    return !first;
}

void aw_waker_announce(struct aw_waker *waker, struct aw_queue *queue)
{
    if (!waker->listing || list(waker, queue))
        aw_eventfd_ring(waker->fd);
}

struct aw_queue *aw_waker_take(struct aw_waker *waker)
{
    /* Silenced first: a queue listed after the exchange rings again. */
    aw_eventfd_clear(waker->fd);
    /* Acquire: each `ready_next`, since every push continues the release
     * sequence of those before it. Partner: list(). */
    return atomic_exchange_explicit(&waker->ready, NULL, memory_order_acquire);
}

struct aw_queue *aw_waker_next(struct aw_queue *queue)
{
    struct aw_queue *next = queue->ready_next;

    /* Release: `ready_next` is read before the queue can be listed again.
     * Acquire, and so an exchange rather than a store: a reader that found it
     * listed published before its own exchange. Partner of both: list(). */
    atomic_exchange_explicit(&queue->listed, false, memory_order_acq_rel);
    return next;
}
