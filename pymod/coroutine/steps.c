#include "pymod/coroutine/steps.h"

#include <string.h>

#include "pymod/coroutine/awaitable.h"

int aw_steps_grow(struct aw_steps *steps)
{
    size_t length = steps->ring_length;
    size_t head = length - (steps->first & (length - 1));
    struct aw_step *ring = NULL;

    if (length <= PY_SSIZE_T_MAX / sizeof(*ring) / 2)
        ring = PyMem_Malloc(2 * length * sizeof(*ring));
    if (!ring) {
        PyErr_NoMemory();
        return -1;
    }
    /* The front comes first, what had wrapped around behind it. */
    memcpy(ring, aw_steps_at(steps, 0), head * sizeof(*ring));
    memcpy(ring + head, steps->ring, (length - head) * sizeof(*ring));
    if (steps->ring != steps->inlined)
        PyMem_Free(steps->ring);
    steps->ring = ring;
    steps->first = 0;
    steps->ring_length = 2 * length;
    return 0;
}

struct aw_step aw_steps_remove(struct aw_steps *steps, size_t index)
{
    struct aw_step step = *aw_steps_at(steps, index);

    for (; index > 0; index--)
        *aw_steps_at(steps, index) = *aw_steps_at(steps, index - 1);
    steps->first++;
    steps->count--;
    return step;
}

struct aw_step *aw_steps_exit(struct aw_steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (aw_step_is_exit(aw_steps_at(steps, i)))
            return aw_steps_at(steps, i);
    }
    return NULL;
}

/* ---- references ---- */

int aw_step_visit(const struct aw_step *step, visitproc visit, void *arg)
{
    Py_VISIT(step->object);
    if (aw_step_is_exit(step))
        Py_VISIT(step->then.exit);
    return 0;
}

int aw_steps_visit(struct aw_steps *steps, visitproc visit, void *arg)
{
    for (size_t i = 0; i < steps->count; i++) {
        int result = aw_step_visit(aw_steps_at(steps, i), visit, arg);

        if (result)
            return result;
    }
    return 0;
}

static bool is_true(PyObject *object, const char *name)
{
    PyObject *value = PyObject_GetAttrString(object, name);

    if (!value)
        PyErr_Clear();
    Py_XDECREF(value);
    return value == Py_True;
}

/* True for a coroutine that nobody has begun: what another awaits is his. What
 * is no coroutine, a future for instance, may have a close() that means
 * something else. */
static bool may_close(PyObject *object)
{
    if (PyCoro_CheckExact(object))
        return !is_true(object, "cr_running") &&
               !is_true(object, "cr_suspended");
    if (PyGen_CheckExact(object))
        return !is_true(object, "gi_running") &&
               !is_true(object, "gi_suspended");
    return PyObject_HasAttrString(object, "send") &&
           PyObject_HasAttrString(object, "throw") &&
           PyObject_HasAttrString(object, "close");
}

static void close_coroutine(PyObject *object)
{
    PyObject *result;

    /* One of ours drops its steps when it goes itself: however many are
     * nested, none of them calls the next. */
    if (aw_awaitable_check(object)) {
        aw_awaitable_silence((AwaitableObject *)object);
        return;
    }
    if (!may_close(object))
        return;
    result = PyObject_CallMethod(object, "close", NULL);
    if (!result)
        PyErr_WriteUnraisable(object);
    Py_XDECREF(result);
}

void aw_step_drop(struct aw_step *step)
{
    bool exits = aw_step_is_exit(step);
    PyObject *object = step->object, *exit = exits ? step->then.exit : NULL;
    PyObject *type, *value, *traceback;

    if (!object && !exit)
        return;
    step->object = NULL;
    if (exits)
        step->then.exit = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    if (object && !exits && step->kind != AW_STEP_ENTER)
        close_coroutine(object);
    Py_XDECREF(object);
    Py_XDECREF(exit);
    PyErr_Restore(type, value, traceback);
}

void aw_steps_drop(struct aw_steps *steps)
{
    struct aw_step step;

    while (aw_steps_pop(steps, &step))
        aw_step_drop(&step);
    if (steps->ring != steps->inlined)
        PyMem_Free(steps->ring);
    aw_steps_init(steps);
}
