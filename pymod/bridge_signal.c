#include "pymod/bridge_signal.h"

#include <stdlib.h>

#include "devices/queue/eventfd.h"

void aw_bridge_stop(struct aw_bridge *bridge)
{
    /* Release: what was done before the stop is visible after it. Partner: the
     * load in aw_bridge_run(). */
    atomic_store_explicit(&bridge->stopping, true, memory_order_release);
    aw_eventfd_ring(bridge->waker.fd);
}

void aw_bridge_complete(struct aw_send *send, int result)
{
    struct aw_pending_send *pending = send->user;
    struct aw_bridge *bridge = pending->bridge;
    struct aw_send *top;

    pending->result = result;
    if (pending->left && --*pending->left > 0)
        return;
    top = atomic_load_explicit(&bridge->completions, memory_order_relaxed);
    do {
        send->next = top;
        /* Release: the result before the list shows it. Partner: the exchange
         * in finish_sends(). */
    } while (!atomic_compare_exchange_weak_explicit(&bridge->completions, &top,
                                                    send, memory_order_release,
                                                    memory_order_relaxed));
    aw_eventfd_ring(bridge->waker.fd);
}

void aw_send_discard(struct aw_send *send, int result)
{
    (void)result;
    free(send);
}
