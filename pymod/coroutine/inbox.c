#include "pymod/coroutine/inbox.h"

#include <errno.h>
#include <stdlib.h>

#include "devices/queue/eventfd.h"
#include "pymod/coroutine/completion.h"

/* On top of the stack once it is closed: an address that no completion has. */
static struct PyAwaitable_Completion *closed_mark(struct aw_inbox *inbox)
{
    return (struct PyAwaitable_Completion *)(void *)inbox;
}

int aw_inbox_new(int bell, struct aw_inbox **ret_inbox)
{
    struct aw_inbox *inbox = calloc(1, sizeof(*inbox));
    int copy = inbox ? aw_eventfd_dup(bell) : -ENOMEM;

    if (copy < 0) {
        free(inbox);
        return copy;
    }
    atomic_init(&inbox->newest, NULL);
    atomic_init(&inbox->references, 1);
    inbox->bell = copy;
    *ret_inbox = inbox;
    return 0;
}

void aw_inbox_ref(struct aw_inbox *inbox)
{
    /* Relaxed: whoever takes one has the GIL, without which the bridge does not
     * give up its own as long as there is a Python. */
    atomic_fetch_add_explicit(&inbox->references, 1, memory_order_relaxed);
}

void aw_inbox_unref(struct aw_inbox *inbox)
{
    /* Release: the last ring comes before the bell is closed. Acquire: the same
     * from the side that closes it. Each is the other's partner. */
    if (atomic_fetch_sub_explicit(&inbox->references, 1, memory_order_acq_rel) >
        1)
        return;
    aw_eventfd_close(inbox->bell);
    free(inbox);
}

bool aw_inbox_put(struct aw_inbox *inbox,
                  struct PyAwaitable_Completion *completion)
{
    /* Relaxed: only compared, and linked to; what it points to is not read. */
    struct PyAwaitable_Completion *newest =
        atomic_load_explicit(&inbox->newest, memory_order_relaxed);

    do {
        if (newest == closed_mark(inbox))
            return false;
        completion->next = newest;
        /* Release: `next` before the stack shows it. Partner: the exchange in
         * take(). */
    } while (!atomic_compare_exchange_weak_explicit(
        &inbox->newest, &newest, completion, memory_order_release,
        memory_order_relaxed));
    /* It may be gone by now; the inbox is not. */
    aw_eventfd_ring(inbox->bell);
    return true;
}

static struct PyAwaitable_Completion *take(struct aw_inbox *inbox,
                                           struct PyAwaitable_Completion *top)
{
    struct PyAwaitable_Completion *newest, *oldest = NULL;

    /* Relaxed: this thread has closed it, if anybody has. */
    if (atomic_load_explicit(&inbox->newest, memory_order_relaxed) ==
        closed_mark(inbox))
        return NULL;
    /* Acquire: each `next`, since every put continues the release sequence of
     * those before it. Partner: aw_inbox_put(). */
    newest =
        atomic_exchange_explicit(&inbox->newest, top, memory_order_acquire);
    while (newest) {
        struct PyAwaitable_Completion *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

struct PyAwaitable_Completion *aw_inbox_take(struct aw_inbox *inbox)
{
    return take(inbox, NULL);
}

struct PyAwaitable_Completion *aw_inbox_close(struct aw_inbox *inbox)
{
    return take(inbox, closed_mark(inbox));
}
