/* Inbox: how completions whose task sleeps come to the bridge.
 *
 * A stack that any thread pushes to and only the bridge pops from, always all
 * of it, so there is no ABA. A thread of somebody else's may complete at any
 * time, also after the bridge has gone: so the inbox is counted by those who
 * may still put something in, has a descriptor of the bell of its own, and once
 * closed it refuses. No Python here, nor in anything that it calls. */
#ifndef AW_INBOX_H
#define AW_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>

struct PyAwaitable_Completion;

struct aw_inbox {
    _Atomic(struct PyAwaitable_Completion *) newest;
    _Atomic(unsigned) references;
    int bell; /* a descriptor of the bridge's eventfd */
};

/* An empty inbox that rings the eventfd `bell`, of which it takes a copy. 0 or
 * a negative errno. */
int aw_inbox_new(int bell, struct aw_inbox **ret_inbox);

void aw_inbox_ref(struct aw_inbox *inbox);
void aw_inbox_unref(struct aw_inbox *inbox);

/* Hands over `completion` with its reference and rings; false, nothing of which
 * has happened, once it is closed. Any thread that has a reference to the
 * inbox; lock-free, does not block. */
bool aw_inbox_put(struct aw_inbox *inbox,
                  struct PyAwaitable_Completion *completion);

/* All there are, the oldest first, linked by `next`; with their references. The
 * bridge, after it has silenced the bell. */
struct PyAwaitable_Completion *aw_inbox_take(struct aw_inbox *inbox);

/* The same, and no more will come. Any number of times. */
struct PyAwaitable_Completion *aw_inbox_close(struct aw_inbox *inbox);

#endif
