#include "pymod/waiter.h"

#include <structmember.h>

enum waiter_state { WAITER_PENDING, WAITER_DONE, WAITER_CANCELLED };

typedef struct {
    PyObject_HEAD PyObject *loop;
    PyObject *callback, *context; /* the task's; NULL: none yet */
    PyObject *others;             /* list of further (callback, context) */
    PyObject *message;            /* of cancel(), or NULL */
    PyObject *sleep; /* trio: the coroutine its task is in, or NULL */
    PyObject *next;  /* of a list it is in: aw_waiter_push() */
    bool listed;
    enum waiter_state state;
    char blocking; /* _asyncio_future_blocking */
    PyObject *weak_references;
} WaiterObject;

static struct aw_module *module_of(WaiterObject *self)
{
    return aw_module_of_type(Py_TYPE(self));
}

/* ---- waking ---- */

/* loop.METHOD(callback, self, context=context) */
static int schedule(WaiterObject *self, PyObject *method, PyObject *callback,
                    PyObject *context)
{
    PyObject *arguments[] = {self->loop, callback, (PyObject *)self, context};
    PyObject *handle = PyObject_VectorcallMethod(
        method, arguments, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET,
        module_of(self)->names.context_keyword);

    Py_XDECREF(handle);
    return handle ? 0 : -1;
}

/* context.run(callback, self), as a loop's handle does it. */
static int run_now(WaiterObject *self, PyObject *callback, PyObject *context)
{
    PyObject *arguments[] = {context, callback, (PyObject *)self};
    PyObject *result =
        PyObject_VectorcallMethod(module_of(self)->names.run, arguments,
                                  3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);

    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int call_back(WaiterObject *self, PyObject *callback, PyObject *context,
                     enum aw_wake how)
{
    const struct aw_names *names = &module_of(self)->names;

    switch (how) {
    case AW_WAKE_SOON:
        return schedule(self, names->call_soon, callback, context);
    case AW_WAKE_THREADSAFE:
        return schedule(self, names->call_soon_threadsafe, callback, context);
    case AW_WAKE_INLINE:
        break;
    }
    return run_now(self, callback, context);
}

/* The first one; it stays where there was no memory to schedule it. */
static int call_first_back(WaiterObject *self, enum aw_wake how)
{
    PyObject *callback = self->callback, *context = self->context;
    int result;

    if (!callback)
        return 0;
    self->callback = self->context = NULL;
    result = call_back(self, callback, context, how);
    if (result < 0 && how != AW_WAKE_INLINE && !self->callback &&
        PyErr_ExceptionMatches(PyExc_MemoryError)) {
        self->callback = callback;
        self->context = context;
        return result;
    }
    Py_DECREF(callback);
    Py_DECREF(context);
    return result;
}

/* Each callback once; they may come from several, though a task adds one. */
static int call_all_back(WaiterObject *self, enum aw_wake how)
{
    PyObject *others;
    int result = call_first_back(self, how);

    if (result < 0 && self->callback)
        return result;
    others = self->others;
    self->others = NULL;
    for (Py_ssize_t i = 0; result == 0 && others && i < PyList_GET_SIZE(others);
         i++) {
        PyObject *pair = PyList_GET_ITEM(others, i);

        result = call_back(self, PyTuple_GET_ITEM(pair, 0),
                           PyTuple_GET_ITEM(pair, 1), how);
    }
    Py_XDECREF(others);
    return result;
}

int aw_waiter_resolve(PyObject *waiter, enum aw_wake how)
{
    WaiterObject *self = (WaiterObject *)waiter;
    int result;

    if (self->state == WAITER_PENDING)
        self->state = WAITER_DONE;
    Py_INCREF(self);
    result = call_all_back(self, how);
    Py_DECREF(self);
    return result;
}

int aw_waiter_again(PyObject *waiter)
{
    WaiterObject *self = (WaiterObject *)waiter;
    PyObject *method, *handle = NULL;

    if (!self->callback)
        return 0;
    method = PyObject_GetAttrString(waiter, "_again");
    if (method)
        handle = PyObject_CallMethodOneArg(
            self->loop, module_of(self)->names.call_soon_threadsafe, method);
    Py_XDECREF(method);
    Py_XDECREF(handle);
    return handle ? 0 : -1;
}

void aw_waiter_push(PyObject *waiter, PyObject **list)
{
    WaiterObject *self = (WaiterObject *)waiter;

    if (self->listed)
        return;
    self->listed = true;
    self->next = *list;
    *list = Py_NewRef(waiter);
}

PyObject *aw_waiter_pop(PyObject **list)
{
    WaiterObject *first = (WaiterObject *)*list;

    if (first) {
        *list = first->next;
        first->next = NULL;
        first->listed = false;
    }
    return (PyObject *)first;
}

static PyObject *raise_cancelled(WaiterObject *self)
{
    PyObject *type = module_of(self)->cancelled_error;

    if (self->message)
        PyErr_SetObject(type, self->message);
    else
        PyErr_SetNone(type);
    return NULL;
}

/* A task of trio sends None once, and then how its sleep ended: None again is
 * another awaiter's. */
static PySendResult step_sleep(WaiterObject *self, PyObject *value,
                               PyObject **ret_value)
{
    if (self->sleep && value == Py_None) {
        *ret_value = Py_NewRef(self);
        return PYGEN_NEXT;
    }
    if (!self->sleep) {
        self->sleep = PyObject_CallMethod(self->loop, "suspend", "O", self);
        value = Py_None;
    }
    return self->sleep ? PyIter_Send(self->sleep, value, ret_value)
                       : PYGEN_ERROR;
}

PySendResult aw_waiter_step(PyObject *waiter, PyObject *value,
                            PyObject **ret_value)
{
    WaiterObject *self = (WaiterObject *)waiter;
    PySendResult result;

    *ret_value = NULL;
    if (self->sleep || (self->state == WAITER_PENDING &&
                        Py_TYPE(self->loop) == module_of(self)->trio_type)) {
        /* Python code runs: another thread's close() may drop it meanwhile. */
        Py_INCREF(self);
        result = step_sleep(self, value, ret_value);
        Py_DECREF(self);
        return result;
    }
    switch (self->state) {
    case WAITER_PENDING:
        self->blocking = 1;
        *ret_value = Py_NewRef(waiter);
        return PYGEN_NEXT;
    case WAITER_DONE:
        *ret_value = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    case WAITER_CANCELLED:
        break;
    }
    raise_cancelled(self);
    return PYGEN_ERROR;
}

/* ---- the future protocol ---- */

static PyObject *waiter_get_loop(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return Py_NewRef(((WaiterObject *)self)->loop);
}

static int keep_callback(WaiterObject *self, PyObject *callback,
                         PyObject *context)
{
    PyObject *pair;
    int result = -1;

    if (!self->callback) {
        self->callback = Py_NewRef(callback);
        self->context = Py_NewRef(context);
        return 0;
    }
    if (!self->others)
        self->others = PyList_New(0);
    pair = self->others ? PyTuple_Pack(2, callback, context) : NULL;
    if (pair)
        result = PyList_Append(self->others, pair);
    Py_XDECREF(pair);
    return result;
}

/* Is `names`, of keywords, ("context",)? Tasks pass one that is interned. */
static int only_context(WaiterObject *self, PyObject *names)
{
    PyObject *expected = module_of(self)->names.context_keyword;

    if (PyTuple_GET_SIZE(names) == 1 &&
        PyTuple_GET_ITEM(names, 0) == PyTuple_GET_ITEM(expected, 0))
        return 1;
    return PyObject_RichCompareBool(names, expected, Py_EQ);
}

/* add_done_callback(fn, *, context=None). By hand, as each wait comes here.
 * Returns the context, borrowed, or NULL for none; sets TypeError. */
static PyObject *parse_context(WaiterObject *self, PyObject *const *arguments,
                               Py_ssize_t count, PyObject *names)
{
    PyObject *context = NULL;
    int valid = count == 1;

    if (valid && names && PyTuple_GET_SIZE(names) > 0) {
        context = arguments[1];
        valid = only_context(self, names);
    }
    if (valid == 0)
        PyErr_SetString(PyExc_TypeError,
                        "add_done_callback() takes one function, and a "
                        "context by keyword");
    return valid == 1 && context != Py_None ? context : NULL;
}

static PyObject *waiter_add_done_callback(PyObject *object,
                                          PyObject *const *arguments,
                                          Py_ssize_t count, PyObject *names)
{
    WaiterObject *self = (WaiterObject *)object;
    PyObject *context = parse_context(self, arguments, count, names);
    int result;

    if (PyErr_Occurred())
        return NULL;
    context = context ? Py_NewRef(context) : PyContext_CopyCurrent();
    if (!context)
        return NULL;
    if (self->state == WAITER_PENDING)
        result = keep_callback(self, arguments[0], context);
    else
        result = call_back(self, arguments[0], context, AW_WAKE_SOON);
    Py_DECREF(context);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Returns 1 if it was there. */
static int drop_first(WaiterObject *self, PyObject *callback)
{
    int same = self->callback
                   ? PyObject_RichCompareBool(self->callback, callback, Py_EQ)
                   : 0;

    if (same == 1) {
        Py_CLEAR(self->callback);
        Py_CLEAR(self->context);
    }
    return same;
}

static Py_ssize_t drop_others(WaiterObject *self, PyObject *callback)
{
    Py_ssize_t dropped = 0;

    for (Py_ssize_t i = 0; self->others && i < PyList_GET_SIZE(self->others);) {
        PyObject *pair = PyList_GET_ITEM(self->others, i);
        int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(pair, 0), callback,
                                            Py_EQ);

        if (same < 0 ||
            (same && PyList_SetSlice(self->others, i, i + 1, NULL) < 0))
            return -1;
        dropped += same;
        i += !same;
    }
    return dropped;
}

static PyObject *waiter_remove_done_callback(PyObject *self, PyObject *callback)
{
    int first = drop_first((WaiterObject *)self, callback);
    Py_ssize_t others =
        first < 0 ? -1 : drop_others((WaiterObject *)self, callback);

    return others < 0 ? NULL : PyLong_FromSsize_t(first + others);
}

static PyObject *waiter_cancel(PyObject *object, PyObject *arguments,
                               PyObject *keywords)
{
    static const char *const names[] = {"msg", NULL};
    WaiterObject *self = (WaiterObject *)object;
    PyObject *message = NULL;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O", (char **)names,
                                     &message))
        return NULL;
    if (self->state != WAITER_PENDING)
        Py_RETURN_FALSE;
    self->state = WAITER_CANCELLED;
    if (message && message != Py_None)
        self->message = Py_NewRef(message);
    if (call_all_back(self, AW_WAKE_SOON) < 0) {
        /* It stayed: who asks again is heard. */
        if (self->callback) {
            self->state = WAITER_PENDING;
            Py_CLEAR(self->message);
        }
        return NULL;
    }
    Py_RETURN_TRUE;
}

/* On the loop, from the loop: what stayed. */
static PyObject *waiter_again(PyObject *self, PyObject *Py_UNUSED(unused))
{
    if (call_all_back((WaiterObject *)self, AW_WAKE_INLINE) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *waiter_done(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(((WaiterObject *)self)->state != WAITER_PENDING);
}

static PyObject *waiter_cancelled(PyObject *self, PyObject *Py_UNUSED(unused))
{
    return PyBool_FromLong(((WaiterObject *)self)->state == WAITER_CANCELLED);
}

/* result() and exception() are alike: there is never more than None. */
static PyObject *waiter_result(PyObject *object, PyObject *Py_UNUSED(unused))
{
    WaiterObject *self = (WaiterObject *)object;

    if (self->state == WAITER_PENDING) {
        PyErr_SetString(module_of(self)->invalid_state_error,
                        "Result is not set.");
        return NULL;
    }
    /* A task asks when it is woken: that it has been is known now. */
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    if (self->state == WAITER_CANCELLED)
        return raise_cancelled(self);
    Py_RETURN_NONE;
}

static PyObject *waiter_repr(PyObject *self)
{
    static const char *const states[] = {"pending", "done", "cancelled"};

    return PyUnicode_FromFormat("<Waiter %s>",
                                states[((WaiterObject *)self)->state]);
}

/* ---- life ---- */

PyObject *aw_waiter_new(struct aw_module *module, PyObject *loop)
{
    WaiterObject *self = PyObject_GC_New(WaiterObject, module->waiter_type);

    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->loop = Py_NewRef(loop);
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

PyObject *aw_waiter_here(struct aw_module *module)
{
    PyObject *loop = aw_module_running_loop(module);
    PyObject *waiter = loop ? aw_waiter_new(module, loop) : NULL;

    Py_XDECREF(loop);
    return waiter;
}

static int waiter_traverse(PyObject *object, visitproc visit, void *arg)
{
    WaiterObject *self = (WaiterObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->others);
    Py_VISIT(self->message);
    Py_VISIT(self->sleep);
    return 0;
}

static int waiter_clear(PyObject *object)
{
    WaiterObject *self = (WaiterObject *)object;

    Py_CLEAR(self->loop);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->others);
    Py_CLEAR(self->message);
    Py_CLEAR(self->sleep);
    return 0;
}

static void waiter_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (((WaiterObject *)object)->weak_references)
        PyObject_ClearWeakRefs(object);
    waiter_clear(object);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef waiter_methods[] = {
    {"get_loop", waiter_get_loop, METH_NOARGS, NULL},
    {"add_done_callback", METHOD(waiter_add_done_callback),
     METH_FASTCALL | METH_KEYWORDS, NULL},
    {"remove_done_callback", waiter_remove_done_callback, METH_O, NULL},
    {"cancel", METHOD(waiter_cancel), METH_VARARGS | METH_KEYWORDS, NULL},
    {"done", waiter_done, METH_NOARGS, NULL},
    {"cancelled", waiter_cancelled, METH_NOARGS, NULL},
    {"result", waiter_result, METH_NOARGS, NULL},
    {"exception", waiter_result, METH_NOARGS, NULL},
    {"_again", waiter_again, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef waiter_members[] = {
    {"_asyncio_future_blocking", T_BOOL, offsetof(WaiterObject, blocking), 0,
     NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(WaiterObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot waiter_slots[] = {
    {Py_tp_doc, (void *)"A future of a C awaitable: what its task waits for."},
    {Py_tp_dealloc, waiter_dealloc},
    {Py_tp_traverse, waiter_traverse},
    {Py_tp_clear, waiter_clear},
    {Py_tp_repr, waiter_repr},
    {Py_tp_methods, waiter_methods},
    {Py_tp_members, waiter_members},
    {0, NULL},
};

static PyType_Spec waiter_spec = {
    .name = "awaitd.Waiter",
    .basicsize = sizeof(WaiterObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = waiter_slots,
};

int aw_waiter_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->waiter_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &waiter_spec, NULL);
    return state->waiter_type ? 0 : -1;
}
