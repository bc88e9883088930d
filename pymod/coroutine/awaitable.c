#include "pymod/coroutine/awaitable.h"

#include <stddef.h>
#include <string.h>
#include <structmember.h>

/* The module's state: PyAwaitable_New() is told of no module. Only the main
 * interpreter has one (module_make.c). With the GIL. */
static struct aw_module *current;

AwaitableObject *aw_awaitable_cast(PyObject *object)
{
    if (!object) {
        aw_raise_null("the awaitable");
        return NULL;
    }
    if (aw_awaitable_check(object))
        return (AwaitableObject *)object;
    aw_raise_format(
        PyExc_TypeError,
        "expected an awaitable made by PyAwaitable_New(), not %.200s",
        Py_TYPE(object)->tp_name);
    return NULL;
}

PyTypeObject *aw_awaitable_get_type(void)
{
    if (!current)
        aw_raise_format(PyExc_RuntimeError, "the module _awaitd is gone");
    return current ? current->awaitable_type : NULL;
}

PyObject *aw_awaitable_new(void)
{
    PyTypeObject *type = aw_awaitable_get_type();
    AwaitableObject *self;

    if (!type)
        return NULL;
    self = PyObject_GC_New(AwaitableObject, type);
    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           offsetof(AwaitableObject, steps) - sizeof(PyObject));
    aw_steps_init(&self->steps);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

/* ---- extras ---- */

struct aw_extras *aw_awaitable_extras(AwaitableObject *self)
{
    if (!self->extras) {
        self->extras = PyMem_Calloc(1, sizeof(*self->extras));
        if (!self->extras)
            PyErr_NoMemory();
    }
    return self->extras;
}

static int visit_extras(struct aw_extras *extras, visitproc visit, void *arg)
{
    Py_VISIT(extras->qualname);
    Py_VISIT(extras->arguments);
    for (Py_ssize_t i = 0; i < extras->values.count; i++)
        Py_VISIT((PyObject *)extras->values.items[i]);
    return 0;
}

static void free_extras(AwaitableObject *self)
{
    struct aw_extras *extras = self->extras;

    if (!extras)
        return;
    aw_step_function_forget(self);
    self->extras = NULL;
    for (Py_ssize_t i = 0; i < extras->values.count; i++)
        Py_DECREF((PyObject *)extras->values.items[i]);
    Py_XDECREF(extras->qualname);
    Py_XDECREF(extras->arguments);
    PyMem_Free(extras->values.items);
    PyMem_Free(extras->arbs.items);
    PyMem_Free(extras->format);
    PyMem_Free(extras);
}

/* ---- the end ---- */

void aw_awaitable_silence(AwaitableObject *self)
{
    if (self->life == AW_LIFE_NEW)
        self->life = AW_LIFE_ENDED;
}

/* Most are, once they have ended: the result has gone to whoever awaited. */
static bool is_empty(const AwaitableObject *self)
{
    return !self->awaited && !self->result && !self->exception &&
           !self->extras && !self->steps.count &&
           self->steps.ring == self->steps.inlined;
}

/* The steps' and the step function's destructors may call anything: the state
 * is that of one that has ended by then. */
void aw_awaitable_end(AwaitableObject *self)
{
    PyObject *type, *value, *traceback;

    self->life = AW_LIFE_ENDED;
    if (is_empty(self))
        return;
    PyErr_Fetch(&type, &value, &traceback);
    Py_CLEAR(self->awaited);
    Py_CLEAR(self->exception);
    aw_step_drop(&self->step);
    aw_steps_drop(&self->steps);
    if (self->extras)
        aw_step_function_forget(self);
    PyErr_Restore(type, value, traceback);
}

static int awaitable_traverse(PyObject *object, visitproc visit, void *arg)
{
    AwaitableObject *self = (AwaitableObject *)object;
    int result = aw_step_visit(&self->step, visit, arg);

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->awaited);
    Py_VISIT(self->result);
    Py_VISIT(self->exception);
    if (!result)
        result = aw_steps_visit(&self->steps, visit, arg);
    if (!result && self->extras)
        result = visit_extras(self->extras, visit, arg);
    return result;
}

static int awaitable_clear(PyObject *object)
{
    AwaitableObject *self = (AwaitableObject *)object;

    aw_awaitable_end(self);
    Py_CLEAR(self->result);
    free_extras(self);
    return 0;
}

/* As a coroutine's: what waits is closed. */
static void awaitable_finalize(PyObject *object)
{
    AwaitableObject *self = (AwaitableObject *)object;
    PyObject *type, *value, *traceback, *result;

    if (self->life == AW_LIFE_ENDED)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (self->life == AW_LIFE_NEW && !self->silent)
        aw_awaitable_warn(self);
    result = aw_awaitable_close(object, NULL);
    if (!result)
        PyErr_WriteUnraisable(object);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

static void free_awaitable(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* The trashcan bounds how deep the deallocation of nested ones goes. */
static void free_with_contents(PyObject *object)
{
    Py_TRASHCAN_BEGIN(object, aw_awaitable_dealloc) awaitable_clear(object);
    free_awaitable(object);
    Py_TRASHCAN_END
}

void aw_awaitable_dealloc(PyObject *object)
{
    AwaitableObject *self = (AwaitableObject *)object;

    if (self->life != AW_LIFE_ENDED &&
        PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    if (is_empty(self))
        free_awaitable(object);
    else
        free_with_contents(object);
}

/* ---- what can be seen ---- */

static const char *const lives[] = {"not awaited yet", "suspended", "running",
                                    "ended"};

static PyObject *get_qualname(PyObject *object, void *Py_UNUSED(closure))
{
    struct aw_extras *extras = ((AwaitableObject *)object)->extras;

    if (extras && extras->qualname)
        return Py_NewRef(extras->qualname);
    return PyUnicode_FromString("PyAwaitable");
}

/* What follows the last dot. */
static PyObject *get_name(PyObject *object, void *closure)
{
    PyObject *qualname = get_qualname(object, closure), *name;
    Py_ssize_t length, dot;

    if (!qualname)
        return NULL;
    length = PyUnicode_GET_LENGTH(qualname);
    dot = PyUnicode_FindChar(qualname, '.', 0, length, -1);
    name = dot < -1 ? NULL : PyUnicode_Substring(qualname, dot + 1, length);
    Py_DECREF(qualname);
    return name;
}

static PyObject *awaitable_repr(PyObject *object)
{
    AwaitableObject *self = (AwaitableObject *)object;
    PyObject *qualname = get_qualname(object, NULL);
    PyObject *text =
        qualname ? PyUnicode_FromFormat("<awaitable %U, %s, at %p>", qualname,
                                        lives[self->life], self)
                 : NULL;

    Py_XDECREF(qualname);
    return text;
}

static PyObject *get_awaited(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *awaited = ((AwaitableObject *)object)->awaited;

    return Py_NewRef(awaited ? awaited : Py_None);
}

static PyObject *get_running(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((AwaitableObject *)object)->life ==
                           AW_LIFE_RUNNING);
}

static PyObject *get_suspended(PyObject *object, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((AwaitableObject *)object)->life ==
                           AW_LIFE_SUSPENDED);
}

static PyObject *get_none(PyObject *Py_UNUSED(object), void *Py_UNUSED(closure))
{
    Py_RETURN_NONE;
}

int aw_awaitable_set_name(PyObject *aw, const char *qualname)
{
    AwaitableObject *self = aw_awaitable_cast(aw);
    struct aw_extras *extras = self ? aw_awaitable_extras(self) : NULL;
    PyObject *text;

    if (!extras)
        return -1;
    if (!qualname)
        return aw_raise_null("the name");
    text = PyUnicode_FromString(qualname);
    if (!text)
        return -1;
    Py_XSETREF(extras->qualname, text);
    return 0;
}

/* ---- the type ---- */

/* Where `await` begins. */
static PyObject *awaitable_await(PyObject *object)
{
    if (((AwaitableObject *)object)->life != AW_LIFE_SUSPENDED)
        return Py_NewRef(object);
    aw_raise_format(PyExc_RuntimeError,
                    "the awaitable is being awaited already");
    return NULL;
}

static PyMethodDef methods[] = {
    {"send", aw_awaitable_send_method, METH_O,
     "send(value)\n--\n\nRun to the next suspension, as a coroutine's send."},
    {"throw", (PyCFunction)(void (*)(void))aw_awaitable_throw, METH_FASTCALL,
     "throw(typ, val=None, tb=None)\n--\n\nRaise an exception where it waits."},
    {"close", aw_awaitable_close, METH_NOARGS,
     "close()\n--\n\nEnd it, raising GeneratorExit where it waits."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET,
     offsetof(AwaitableObject, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef getters[] = {
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_qualname, NULL, NULL, NULL},
    {"cr_await", get_awaited, NULL, "What it waits for, or None.", NULL},
    {"cr_running", get_running, NULL, NULL, NULL},
    {"cr_suspended", get_suspended, NULL, NULL, NULL},
    {"cr_frame", get_none, NULL, "None: it has no frame.", NULL},
    {"cr_code", get_none, NULL, "None: it has no code.", NULL},
    {"cr_origin", get_none, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"A coroutine written in C: see awaitd/awaitable.h."},
    {Py_tp_dealloc, aw_awaitable_dealloc},
    {Py_tp_finalize, awaitable_finalize},
    {Py_tp_traverse, awaitable_traverse},
    {Py_tp_clear, awaitable_clear},
    {Py_tp_repr, awaitable_repr},
    {Py_am_await, awaitable_await},
    {Py_am_send, aw_awaitable_send},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, aw_awaitable_iternext},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_getset, getters},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "awaitd.Awaitable",
    .basicsize = sizeof(AwaitableObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* What tells whether somebody awaits a coroutine: its attribute, without the
 * look-up, which would cost as much as all else. */
static getter find_getter(PyTypeObject *type, const char *name)
{
    for (PyGetSetDef *def = type->tp_getset; def && def->name; def++) {
        if (strcmp(def->name, name) == 0)
            return def->get;
    }
    return NULL;
}

int aw_awaitable_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->awaitable_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (!state->awaitable_type)
        return -1;
    state->coroutine_awaits = find_getter(&PyCoro_Type, "cr_await");
    current = state;
    return 0;
}

void aw_awaitable_forget(struct aw_module *state)
{
    if (current == state)
        current = NULL;
}
