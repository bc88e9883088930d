/* The steps that an awaitable has before it: a ring that grows, so that a step
 * goes to its end or to its front at the same low cost. The first few lie in
 * the awaitable itself: most have no more, and need no further memory.
 *
 * Everything here needs the GIL. None of it calls Python, but for what drops a
 * step's references: aw_steps_drop() and aw_step_drop(). */
#ifndef AW_COROUTINE_STEPS_H
#define AW_COROUTINE_STEPS_H

#include "pymod/include/awaitd/awaitable.h"

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/roles.h"

enum aw_step_kind {
    AW_STEP_AWAIT,  /* awaits; `callback` gets the result */
    AW_STEP_RESULT, /* awaits; the result is the awaitable's */
    AW_STEP_DEFER,  /* calls `defer` */
    AW_STEP_ENTER,  /* awaits __aenter__; `callback` is the block */
    AW_STEP_UNMADE, /* the exit of a block that is not entered yet: nothing */
    AW_STEP_EXIT,   /* awaits __aexit__, which `exit` is */
    AW_STEP_CALL,   /* calls the step function in `states.next` */
    AW_STEP_STATE,  /* awaits; the step function goes on in `states` */
};

struct aw_step {
    PyObject *object; /* what is awaited, or the context manager; owned */
    union {
        PyAwaitable_Callback callback;
        PyAwaitable_Defer defer;
        PyObject *exit; /* owned */
        struct {
            int next, error;
        } states;
    } then;
    PyAwaitable_Error error;
    enum aw_step_kind kind;
};

#define AW_STEPS_INLINE 2

struct aw_steps {
    struct aw_step *ring;             /* `inlined`, or memory of its own */
    size_t first, count, ring_length; /* a power of two */
    struct aw_step inlined[AW_STEPS_INLINE];
};

/* Makes `steps`, which must not be moved, an empty list. */
static inline void aw_steps_init(struct aw_steps *steps)
{
    steps->ring = steps->inlined;
    steps->first = steps->count = 0;
    steps->ring_length = AW_STEPS_INLINE;
}

/* The step that is `index` steps from the front; less than `count`. */
static inline struct aw_step *aw_steps_at(struct aw_steps *steps, size_t index)
{
    return &steps->ring[(steps->first + index) & (steps->ring_length - 1)];
}

/* Makes the ring longer. 0, or -1 with MemoryError. */
int aw_steps_grow(struct aw_steps *steps) AW_WITH_GIL;

/* A place at the end, or at the front, for the caller to fill in; NULL with
 * MemoryError. */
static inline struct aw_step *aw_steps_append(struct aw_steps *steps)
{
    if (steps->count == steps->ring_length && aw_steps_grow(steps) < 0)
        return NULL;
    return aw_steps_at(steps, steps->count++);
}

static inline struct aw_step *aw_steps_prepend(struct aw_steps *steps)
{
    if (steps->count == steps->ring_length && aw_steps_grow(steps) < 0)
        return NULL;
    steps->first--;
    steps->count++;
    return aw_steps_at(steps, 0);
}

/* Moves the front step to `*ret_step`. False: there is none. */
static inline bool aw_steps_pop(struct aw_steps *steps,
                                struct aw_step *ret_step)
{
    if (!steps->count)
        return false;
    *ret_step = *aw_steps_at(steps, 0);
    steps->first++;
    steps->count--;
    return true;
}

/* Moves out the step at `index`, which costs as many moves. */
struct aw_step aw_steps_remove(struct aw_steps *steps, size_t index);

/* The exit of a block, made or unmade: kept when other steps are dropped. */
static inline bool aw_step_is_exit(const struct aw_step *step)
{
    return step->kind == AW_STEP_EXIT || step->kind == AW_STEP_UNMADE;
}

/* The foremost exit, or NULL. */
struct aw_step *aw_steps_exit(struct aw_steps *steps);

int aw_step_visit(const struct aw_step *step, visitproc visit,
                  void *arg) AW_WITH_GIL;
int aw_steps_visit(struct aw_steps *steps, visitproc visit,
                   void *arg) AW_WITH_GIL;

/* Drops what the step holds, closing a coroutine that never began, as nobody
 * will. What that raises is reported as unraisable; the exception that is set
 * is kept. Calls Python. */
void aw_step_drop(struct aw_step *step) AW_WITH_GIL;

/* Drops all steps, and the ring. Calls Python. */
void aw_steps_drop(struct aw_steps *steps) AW_WITH_GIL;

#endif
