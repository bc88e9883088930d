#include "pymod/wait_object.h"

#include <structmember.h>

#include "pymod/wait.h"

/* ---- steps ---- */

PySendResult aw_wait_object_refuse(const WaitObject *self)
{
    PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited %s",
                 self->kind->call);
    return PYGEN_ERROR;
}

static PySendResult refuse_second(const WaitObject *self)
{
    PyErr_Format(PyExc_RuntimeError, "%s is being awaited already",
                 self->kind->what);
    return PYGEN_ERROR;
}

PySendResult aw_wait_object_await(WaitObject *self, bool resuming,
                                  PyObject *value, PyObject **ret_value)
{
    PySendResult result = aw_waiter_step(self->waiter, value, ret_value);

    if (result != PYGEN_NEXT) {
        if (result == PYGEN_RETURN)
            Py_CLEAR(*ret_value);
        Py_CLEAR(self->waiter);
        return result;
    }
    if (!resuming)
        return result;
    Py_CLEAR(*ret_value);
    return refuse_second(self);
}

static void end_wait(WaitObject *self, enum aw_wait_end end)
{
    self->finished = true;
    if (self->kind->leave)
        self->kind->leave(self, end);
    Py_CLEAR(self->waiter);
}

PySendResult aw_wait_object_step(PyObject *object, PyObject *value,
                                 PyObject **ret_value)
{
    WaitObject *self = (WaitObject *)object;
    bool resuming = self->begun;
    PySendResult step = PYGEN_RETURN;

    *ret_value = NULL;
    if (self->finished)
        return aw_wait_object_refuse(self);
    /* It begins at this moment, on another thread. */
    if (resuming && !self->waiter)
        return refuse_second(self);
    self->begun = true;
    if (!resuming && self->kind->begin(self) < 0)
        step = PYGEN_ERROR;
    else if (self->waiter)
        step = aw_wait_object_await(self, resuming, value, ret_value);
    /* An error of a wait whose waiter is still there is another awaiter's. */
    if (step == PYGEN_NEXT || (step == PYGEN_ERROR && resuming && self->waiter))
        return step;
    self->finished = true;
    if (step == PYGEN_RETURN)
        *ret_value = self->kind->outcome(self);
    end_wait(self, AW_WAIT_OVER);
    return *ret_value ? PYGEN_RETURN : PYGEN_ERROR;
}

/* ---- methods ---- */

static PyObject *wait_iternext(PyObject *self)
{
    return aw_wait_iternext(self, ((WaitObject *)self)->kind->step);
}

PyObject *aw_wait_object_send(PyObject *self, PyObject *value)
{
    return aw_wait_send(self, value, ((WaitObject *)self)->kind->step);
}

PyObject *aw_wait_object_throw(PyObject *self, PyObject *const *arguments,
                               Py_ssize_t count)
{
    end_wait((WaitObject *)self, AW_WAIT_OVER);
    aw_wait_raise(arguments, count);
    return NULL;
}

PyObject *aw_wait_object_close(PyObject *self, PyObject *Py_UNUSED(unused))
{
    end_wait((WaitObject *)self, AW_WAIT_CLOSED);
    Py_RETURN_NONE;
}

const char *aw_wait_object_state(const WaitObject *self)
{
    if (self->finished)
        return ", finished";
    return self->waiter ? ", waiting" : "";
}

/* ---- life ---- */

void *aw_wait_object_new(PyTypeObject *type, const struct aw_wait_kind *kind)
{
    WaitObject *self = PyObject_GC_New(WaitObject, type);

    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           (size_t)kind->bytes - sizeof(PyObject));
    self->kind = kind;
    return self;
}

static int wait_traverse(PyObject *object, visitproc visit, void *arg)
{
    WaitObject *self = (WaitObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->waiter);
    return self->kind->traverse ? self->kind->traverse(object, visit, arg) : 0;
}

static int wait_clear(PyObject *object)
{
    end_wait((WaitObject *)object, AW_WAIT_COLLECTED);
    return 0;
}

static void wait_dealloc(PyObject *object)
{
    WaitObject *self = (WaitObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    if (type->tp_finalize && PyObject_CallFinalizerFromDealloc(object) < 0)
        return;
    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    wait_clear(object);
    if (self->kind->drop)
        self->kind->drop(self);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

void aw_wait_object_warn_unawaited(PyObject *object, const char *format, ...)
{
    const WaitObject *self = (const WaitObject *)object;
    PyObject *type, *value, *traceback, *text;
    const char *words;
    va_list values;

    if (self->begun || self->finished)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    va_start(values, format);
    text = PyUnicode_FromFormatV(format, values);
    va_end(values);
    words = text ? PyUnicode_AsUTF8(text) : NULL;
    if (!words || PyErr_WarnEx(PyExc_RuntimeWarning, words, 1) < 0)
        PyErr_WriteUnraisable(object);
    Py_XDECREF(text);
    PyErr_Restore(type, value, traceback);
}

/* ---- the types ---- */

static PyMethodDef methods[] = {AW_WAIT_METHODS, {NULL, NULL, 0, NULL}};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(WaitObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

int aw_wait_object_setup(PyObject *module, const struct aw_wait_kind *kind,
                         PyTypeObject **ret_type)
{
    PyType_Slot slots[] = {
        {Py_tp_doc, (void *)kind->doc},
        {Py_tp_dealloc, kind->dealloc ? kind->dealloc : wait_dealloc},
        {Py_tp_traverse, wait_traverse},
        {Py_tp_clear, wait_clear},
        {Py_tp_repr, kind->repr},
        {Py_am_await, PyObject_SelfIter},
        {Py_am_send, kind->step},
        {Py_tp_iter, PyObject_SelfIter},
        {Py_tp_iternext, wait_iternext},
        {Py_tp_methods, kind->methods ? kind->methods : methods},
        {Py_tp_members, members},
        {kind->finalize ? Py_tp_finalize : 0, kind->finalize},
        {0, NULL},
    };
    PyType_Spec spec = {
        .name = kind->name,
        .basicsize = kind->bytes,
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                 Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };

    *ret_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return *ret_type ? 0 : -1;
}
