#include "pymod/lease.h"

#include <structmember.h>

#include "devices/queue/eventfd.h"
#include "pymod/coroutine/awaitable.h"

enum lease_state { LEASE_NEW, LEASE_AWAITED, LEASE_HELD, LEASE_ENDED };

typedef struct {
    PyObject_HEAD QueueObject *queue;
    Py_ssize_t limit;
    double timeout_s;
    enum lease_state state;
    struct aw_claim claim; /* LEASE_HELD */
    PyObject *weak_references;
} LeaseObject;

/* ---- the claim ---- */

static int check_room(QueueObject *queue)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));

    if (aw_module_check_fork(module) < 0)
        return -1;
    if (aw_queue_claims(queue->queue) < AW_LEASES_MAX)
        return 0;
    PyErr_Format(module->error,
                 "queue %U of device %U has %u leases at once already: end one "
                 "before the next, or take more frames with one",
                 queue->name, queue->device->name, AW_LEASES_MAX);
    return -1;
}

PyObject *aw_lease_take(PyObject *object)
{
    LeaseObject *self = (LeaseObject *)object;
    struct aw_queue *queue = self->queue->queue;
    struct aw_claim claim;
    PyObject *frames;

    if (check_room(self->queue) < 0 ||
        aw_queue_claim(queue, (uint64_t)self->limit, &claim) == 0)
        return NULL;
    frames = aw_queue_list(self->queue, &claim);
    if (frames) {
        aw_queue_given(self->queue, &claim);
        self->claim = claim;
        self->state = LEASE_HELD;
    } else {
        aw_queue_return(queue, &claim);
    }
    return frames;
}

/* Ends the claim, if it is held: delivered, or pending again. */
static void end(LeaseObject *self, bool delivered)
{
    QueueObject *queue = self->queue;
    bool held = self->state == LEASE_HELD;

    self->state = LEASE_ENDED;
    /* A retired queue's frames have been written off, ours among them. */
    if (!held || queue->retired ||
        aw_module_forked(aw_module_of_type(Py_TYPE(self))))
        return;
    if (delivered)
        aw_queue_release(queue->queue, &self->claim);
    else
        aw_queue_return(queue->queue, &self->claim);
    /* A recv() that waits in a thread looks again. */
    if (queue->receiver)
        aw_eventfd_ring(queue->bell.fd);
}

/* ---- async with ---- */

static PyObject *lease_enter(PyObject *object, PyObject *Py_UNUSED(unused))
{
    LeaseObject *self = (LeaseObject *)object;
    PyObject *get;

    if (self->state != LEASE_NEW) {
        PyErr_SetString(PyExc_RuntimeError,
                        "a lease is used once: call lease() for each block");
        return NULL;
    }
    get = aw_get_new(self->queue, GET_LEASE, self->limit, self->timeout_s);
    if (!get)
        return NULL;
    ((GetObject *)get)->lease = Py_NewRef(object);
    self->state = LEASE_AWAITED;
    return get;
}

static PyObject *lease_exit(PyObject *object, PyObject *const *arguments,
                            Py_ssize_t count)
{
    LeaseObject *self = (LeaseObject *)object;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "__aexit__() takes three arguments");
        return NULL;
    }
    if (self->state != LEASE_HELD) {
        PyErr_SetString(PyExc_RuntimeError, "the lease holds no frames");
        return NULL;
    }
    end(self, arguments[0] == Py_None);
    if (aw_queue_settle(self->queue) < 0)
        return NULL;
    return aw_awaitable_new(); /* nothing to wait for */
}

static PyObject *lease_repr(PyObject *object)
{
    static const char *const states[] = {"new", "awaited", "held", "ended"};
    LeaseObject *self = (LeaseObject *)object;

    return PyUnicode_FromFormat("<Lease on queue %U of device %U, %s>",
                                self->queue->name, self->queue->device->name,
                                states[self->state]);
}

/* ---- life ---- */

PyObject *aw_queue_lease(PyObject *queue, PyObject *arguments,
                         PyObject *keywords)
{
    static const char *const names[] = {"n", "timeout", NULL};
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    PyObject *timeout = NULL;
    Py_ssize_t limit = 1;
    double timeout_s;
    LeaseObject *self;

    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|nO:lease",
                                     (char **)names, &limit, &timeout) ||
        aw_parse_timeout(timeout, &timeout_s) < 0)
        return NULL;
    if (limit < 1)
        return PyErr_Format(PyExc_ValueError,
                            "lease() takes at least 1, not %zd", limit);
    self = PyObject_GC_New(LeaseObject, module->lease_type);
    if (!self)
        return NULL;
    memset((char *)self + sizeof(PyObject), 0,
           sizeof(*self) - sizeof(PyObject));
    self->queue = (QueueObject *)Py_NewRef(queue);
    self->limit = limit;
    self->timeout_s = timeout_s;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int lease_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((LeaseObject *)object)->queue);
    return 0;
}

/* Dropped while it holds frames: whoever waits for some gets them. */
static int lease_clear(PyObject *object)
{
    LeaseObject *self = (LeaseObject *)object;
    PyObject *type, *value, *traceback;

    if (self->state != LEASE_HELD)
        return 0;
    PyErr_Fetch(&type, &value, &traceback);
    end(self, false);
    /* Its loop may be half taken apart, if both are garbage. */
    if (aw_queue_settle_soon(self->queue) < 0)
        PyErr_Clear();
    PyErr_Restore(type, value, traceback);
    return 0;
}

static void lease_dealloc(PyObject *object)
{
    LeaseObject *self = (LeaseObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->weak_references)
        PyObject_ClearWeakRefs(object);
    lease_clear(object);
    Py_CLEAR(self->queue);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyMethodDef lease_methods[] = {
    {"__aenter__", lease_enter, METH_NOARGS,
     "__aenter__($self, /)\n--\n\nAwait the frames, as a list."},
    {"__aexit__", (PyCFunction)(void (*)(void))lease_exit, METH_FASTCALL,
     "__aexit__($self, exc_type, exc, traceback, /)\n--\n\n"
     "The frames are delivered or, after an exception, pending again."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef lease_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(LeaseObject, weak_references),
     READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot lease_slots[] = {
    {Py_tp_doc, (void *)"Frames on trial: see Queue.lease()."},
    {Py_tp_dealloc, lease_dealloc},
    {Py_tp_traverse, lease_traverse},
    {Py_tp_clear, lease_clear},
    {Py_tp_repr, lease_repr},
    {Py_tp_methods, lease_methods},
    {Py_tp_members, lease_members},
    {0, NULL},
};

static PyType_Spec lease_spec = {
    .name = "awaitd.Lease",
    .basicsize = sizeof(LeaseObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = lease_slots,
};

int aw_lease_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->lease_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &lease_spec, NULL);
    return state->lease_type ? 0 : -1;
}
