/* Completion: what one thread completes, without the GIL, and a coroutine
 * awaits. This is the part of it that both see; the awaitable is in
 * completion_wait.c. No Python here, nor in anything that it calls.
 *
 * Each side has a reference and gives it up once: the completing side when it
 * completes, the awaiting side when its wait is over, however it ended. The
 * last one frees what nobody has taken. The state says who looks after whom:
 * IDLE, nobody waits (not yet, or no more); ARMED, a task sleeps, and whoever
 * completes must wake it by the bridge's inbox, to which the reference then
 * passes; DONE, the value is there. Only the awaiting side arms and disarms,
 * only the completing side goes to DONE, once, and nothing leaves DONE. */
#ifndef AW_COMPLETION_H
#define AW_COMPLETION_H

#include <stdatomic.h>
#include <stdbool.h>

struct aw_inbox;

enum aw_completion_state {
    AW_COMPLETION_IDLE,
    AW_COMPLETION_ARMED,
    AW_COMPLETION_DONE,
};

typedef void aw_completion_free_value(void *value);

/* The tag is that of the public header, where it is opaque. */
struct PyAwaitable_Completion {
    _Atomic(enum aw_completion_state) state;
    _Atomic(unsigned) references;
    aw_completion_free_value *free_value; /* or NULL */
    void *awaiter;          /* of the awaiting side, used with the GIL alone */
    struct aw_inbox *inbox; /* while ARMED, a reference */

    /* Of the completing side until DONE, of the awaiting side after it. */
    void *value;
    bool full; /* the value is there and not taken; never, if abandoned */

    struct PyAwaitable_Completion *next; /* in the inbox */
};

/* An idle completion with both references. 0 or -ENOMEM. */
int aw_completion_new(aw_completion_free_value *free_value,
                      struct PyAwaitable_Completion **ret_completion);

/* ---- the completing side ---- */

/* Gives `value` and the reference away; the completion must not be touched
 * after it. Any thread, with or without the GIL; lock-free, does not block,
 * except in free_value, which it calls if nobody awaits any more. */
void aw_completion_complete(struct PyAwaitable_Completion *completion,
                            void *value);

/* The same without a value. */
void aw_completion_abandon(struct PyAwaitable_Completion *completion);

/* ---- the awaiting side: one thread at a time, which the GIL sees to ---- */

bool aw_completion_is_done(const struct PyAwaitable_Completion *completion);

/* From here on, completing puts it into `inbox`. False: it is done already. */
bool aw_completion_arm(struct PyAwaitable_Completion *completion,
                       struct aw_inbox *inbox);

/* The wait is over: gives the reference up, and the value if it is there. */
void aw_completion_leave(struct PyAwaitable_Completion *completion);

/* Gives up the reference that came by the inbox. The bridge. */
void aw_completion_unref(struct PyAwaitable_Completion *completion);

#endif
