#include "pymod/coroutine/completion.h"

#include <errno.h>
#include <stdlib.h>

#include "pymod/coroutine/inbox.h"

int aw_completion_new(aw_completion_free_value *free_value,
                      struct PyAwaitable_Completion **ret_completion)
{
    struct PyAwaitable_Completion *self = calloc(1, sizeof(*self));

    if (!self)
        return -ENOMEM;
    atomic_init(&self->state, AW_COMPLETION_IDLE);
    atomic_init(&self->references, 2);
    self->free_value = free_value;
    *ret_completion = self;
    return 0;
}

/* The value is used, or nobody wants it. Once done, on any side. */
static void drop_value(struct PyAwaitable_Completion *self)
{
    if (!self->full)
        return;
    self->full = false;
    if (self->free_value)
        self->free_value(self->value);
}

void aw_completion_unref(struct PyAwaitable_Completion *self)
{
    /* Release: what this side did with the value comes before the other side
     * frees it. Acquire: the same, seen from that side. Each is the other's
     * partner. */
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) >
        1)
        return;
    drop_value(self);
    free(self);
}

/* ---- the completing side ---- */

static void finish(struct PyAwaitable_Completion *self)
{
    /* Release: the value before DONE. Partners: the acquires in
     * aw_completion_is_done(), _arm() and _leave(). Acquire: the inbox, if it
     * is armed. Partner: the release in aw_completion_arm(). */
    enum aw_completion_state before = atomic_exchange_explicit(
        &self->state, AW_COMPLETION_DONE, memory_order_acq_rel);
    /* Armed when it became DONE: nobody else looks at the inbox any more, and
     * its reference is ours. */
    struct aw_inbox *inbox = before == AW_COMPLETION_ARMED ? self->inbox : NULL;

    if (!inbox || !aw_inbox_put(inbox, self))
        aw_completion_unref(self);
    if (inbox)
        aw_inbox_unref(inbox);
}

void aw_completion_complete(struct PyAwaitable_Completion *self, void *value)
{
    self->value = value;
    self->full = true;
    finish(self);
}

void aw_completion_abandon(struct PyAwaitable_Completion *self)
{
    finish(self);
}

/* ---- the awaiting side ---- */

bool aw_completion_is_done(const struct PyAwaitable_Completion *self)
{
    /* Acquire: the value. Partner: the exchange in finish(). */
    return atomic_load_explicit(&self->state, memory_order_acquire) ==
           AW_COMPLETION_DONE;
}

bool aw_completion_arm(struct PyAwaitable_Completion *self,
                       struct aw_inbox *inbox)
{
    enum aw_completion_state before = AW_COMPLETION_IDLE;

    aw_inbox_ref(inbox);
    self->inbox = inbox;
    /* Release: the inbox before ARMED. Acquire where it was done already: the
     * value. Partner of both: the exchange in finish(). */
    if (atomic_compare_exchange_strong_explicit(
            &self->state, &before, AW_COMPLETION_ARMED, memory_order_acq_rel,
            memory_order_acquire))
        return true;
    aw_inbox_unref(inbox);
    return false;
}

void aw_completion_leave(struct PyAwaitable_Completion *self)
{
    enum aw_completion_state before = AW_COMPLETION_ARMED;

    /* Acquire where it was done: the value. Partner: the exchange in finish().
     * Where it was armed relaxed would do, had C no rule against it: finish()
     * finds IDLE then and reads nothing of ours but the counter. */
    if (atomic_compare_exchange_strong_explicit(
            &self->state, &before, AW_COMPLETION_IDLE, memory_order_acquire,
            memory_order_acquire))
        aw_inbox_unref(self->inbox);
    else if (before == AW_COMPLETION_DONE)
        drop_value(self);
    aw_completion_unref(self);
}
