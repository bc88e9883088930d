/* What an extension keeps on an awaitable between steps: objects, which are
 * held, and pointers, which are only handed back. */
#include <stdarg.h>

#include "pymod/coroutine/awaitable.h"

/* Its extras, made if need be; NULL with an exception. */
static struct aw_extras *extras_of(PyObject *aw)
{
    AwaitableObject *self = aw_awaitable_cast(aw);

    return self ? aw_awaitable_extras(self) : NULL;
}

/* ---- what both have in common ---- */

/* Makes room for `count` more. 0, or -1 with an exception. */
static int reserve(struct aw_kept *kept, Py_ssize_t count)
{
    void **items;

    if (count < 0)
        return aw_raise_format(PyExc_ValueError, "cannot save %zd values",
                               count);
    if (count > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(void *) - kept->count) {
        PyErr_NoMemory();
        return -1;
    }
    items = PyMem_Realloc(kept->items,
                          (size_t)(kept->count + count) * sizeof(void *));
    if (!items) {
        PyErr_NoMemory();
        return -1;
    }
    kept->items = items;
    return 0;
}

/* 0, or -1 with an exception: there is no item `index`. */
static int check_index(const struct aw_kept *kept, Py_ssize_t index)
{
    if (index >= 0 && index < kept->count)
        return 0;
    return aw_raise_format(PyExc_IndexError,
                           "there is no value %zd: the awaitable has %zd",
                           index, kept->count);
}

static int check_any(const struct aw_kept *kept)
{
    if (kept->count)
        return 0;
    return aw_raise_format(PyExc_RuntimeError,
                           "the awaitable has no saved values");
}

/* ---- objects ---- */

int aw_save_values(PyObject *aw, Py_ssize_t count, ...)
{
    struct aw_extras *extras = extras_of(aw);
    struct aw_kept *kept;
    va_list values;
    bool complete = true;

    if (!extras || reserve(&extras->values, count) < 0)
        return -1;
    kept = &extras->values;
    va_start(values, count);
    for (Py_ssize_t i = 0; i < count; i++) {
        kept->items[kept->count + i] = va_arg(values, PyObject *);
        complete = complete && kept->items[kept->count + i];
    }
    va_end(values);
    if (!complete)
        return aw_raise_null("a value to save");
    for (; count > 0; count--)
        Py_INCREF((PyObject *)kept->items[kept->count++]);
    return 0;
}

int aw_unpack_values(PyObject *aw, ...)
{
    struct aw_extras *extras = extras_of(aw);
    va_list values;

    if (!extras || check_any(&extras->values) < 0)
        return -1;
    va_start(values, aw);
    for (Py_ssize_t i = 0; i < extras->values.count; i++) {
        PyObject **value = va_arg(values, PyObject **);

        if (value)
            *value = extras->values.items[i];
    }
    va_end(values);
    return 0;
}

PyObject *aw_get_value(PyObject *aw, Py_ssize_t index)
{
    struct aw_extras *extras = extras_of(aw);

    if (!extras || check_index(&extras->values, index) < 0)
        return NULL;
    return extras->values.items[index];
}

int aw_set_value(PyObject *aw, Py_ssize_t index, PyObject *value)
{
    struct aw_extras *extras = extras_of(aw);
    PyObject *old;

    if (!extras || check_index(&extras->values, index) < 0)
        return -1;
    if (!value)
        return aw_raise_null("a value to save");
    old = extras->values.items[index];
    extras->values.items[index] = Py_NewRef(value);
    Py_DECREF(old);
    return 0;
}

/* ---- pointers ---- */

int aw_save_arb_values(PyObject *aw, Py_ssize_t count, ...)
{
    struct aw_extras *extras = extras_of(aw);
    va_list values;

    if (!extras || reserve(&extras->arbs, count) < 0)
        return -1;
    va_start(values, count);
    for (; count > 0; count--)
        extras->arbs.items[extras->arbs.count++] = va_arg(values, void *);
    va_end(values);
    return 0;
}

int aw_unpack_arb_values(PyObject *aw, ...)
{
    struct aw_extras *extras = extras_of(aw);
    va_list values;

    if (!extras || check_any(&extras->arbs) < 0)
        return -1;
    va_start(values, aw);
    for (Py_ssize_t i = 0; i < extras->arbs.count; i++) {
        void **value = va_arg(values, void **);

        if (value)
            *value = extras->arbs.items[i];
    }
    va_end(values);
    return 0;
}

void *aw_get_arb_value(PyObject *aw, Py_ssize_t index)
{
    struct aw_extras *extras = extras_of(aw);

    if (!extras || check_index(&extras->arbs, index) < 0)
        return NULL;
    return extras->arbs.items[index];
}

int aw_set_arb_value(PyObject *aw, Py_ssize_t index, void *value)
{
    struct aw_extras *extras = extras_of(aw);

    if (!extras || check_index(&extras->arbs, index) < 0)
        return -1;
    extras->arbs.items[index] = value;
    return 0;
}
