/* The waker: how a reader wakes the thread that waits for frames.
 *
 * A queue that wants to be announced is *armed* with a waker (queue.h), and a
 * reader that finds it armed announces it there. There are two kinds. A plain
 * waker is a bell: it serves whoever waits for one queue only. A listing waker
 * serves a thread that sleeps for many queues, the bridge: the reader puts the
 * queue on its ready list, and the bell rings once however many queues are put
 * there before the thread has taken the list. A queue is only ever armed with
 * one listing waker.
 *
 * The list is a stack of queues linked through the queue itself. Any reader
 * pushes, only the waker's own thread pops, and it always takes the whole
 * stack, so there is no ABA. */
#ifndef AW_WAKER_H
#define AW_WAKER_H

#include <stdatomic.h>
#include <stdbool.h>

struct aw_queue;

struct aw_waker {
    _Atomic(struct aw_queue *) ready;
    int fd; /* the bell, an eventfd; may be polled by its owner */
    bool listing;
};

/* Returns 0 or a negative errno. */
int aw_waker_init(struct aw_waker *waker, bool listing);

/* Drops the references that the ready list holds. A reader that found a queue
 * armed may be about to ring even after aw_queue_disarm(): so a waker lives at
 * least until every queue that was ever armed with it is detached from its
 * device, which waits for the reader. */
void aw_waker_deinit(struct aw_waker *waker);

/* Rings the bell for `queue`. A listing waker first puts it on the ready list,
 * unless it is there already, and then rings only if the list was empty; it
 * holds a reference to the queue while it is listed. Any thread; lock-free;
 * never blocks. */
void aw_waker_announce(struct aw_waker *waker, struct aw_queue *queue);

/* Silences the bell and takes the whole ready list. Walk it with
 * aw_waker_next(). The waker's own thread. */
struct aw_queue *aw_waker_take(struct aw_waker *waker);

/* Unlinks `queue` from the list taken and returns the one behind it (NULL: the
 * end). From here on the queue may be listed again. The reference that the list
 * held is now the caller's: aw_queue_unref() when done. */
struct aw_queue *aw_waker_next(struct aw_queue *queue);

#endif
