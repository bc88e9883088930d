/* A queue that outlives a version of its script.
 *
 * The C queue stays on its device while one version ends and the next begins;
 * what changes is the Python object. The old object may still be in use, by a
 * thread that the old version has left: it gets a queue of its own, closed and
 * empty, and so whoever waits there hears that it was closed. */
#include "pymod/queue.h"

#include "devices/queue/eventfd.h"
#include "pymod/errors.h"

int aw_queue_is_left(QueueObject *self, PyObject *arguments)
{
    bool failed = PyTuple_GET_SIZE(arguments) > 0 &&
                  PyTuple_GET_ITEM(arguments, 0) != Py_None;
    PyObject *leaves;
    int result;

    if (!self->owner)
        return 0;
    leaves = PyObject_CallMethod(self->owner, "leaves", "O",
                                 failed ? Py_True : Py_False);
    result = leaves ? PyObject_IsTrue(leaves) : -1;
    Py_XDECREF(leaves);
    return result;
}

QueueObject *aw_queue_inherit(PyObject *owner, DeviceObject *device,
                              PyObject *name)
{
    PyObject *old = PyObject_CallMethod(owner, "inherit", "OO", device,
                                        name ? name : Py_None);

    if (old == Py_None)
        Py_CLEAR(old);
    return (QueueObject *)old;
}

static bool is_as_wanted(const struct aw_queue *queue,
                         const struct aw_queue_config *config)
{
    /* Only set_filters() changes these, and who could call it has ended. */
    return queue->overflow == config->overflow &&
           aw_queue_depth(queue) == config->depth &&
           queue->budget_ns == config->budget_ns &&
           queue->events == config->events &&
           queue->filters_joined == config->filters_joined &&
           queue->filter_count == config->filter_count &&
           (config->filter_count == 0 ||
            memcmp(queue->filters, config->filters,
                   config->filter_count * sizeof(*config->filters)) == 0);
}

/* A closed, empty queue by the same name. */
static struct aw_queue *make_husk(const struct aw_queue *queue)
{
    struct aw_queue_config config = {
        .name = queue->name,
        .device = queue->device,
        .owner = queue->owner,
        .depth = 1,
        .payload_bytes = AW_PAYLOAD_CAN,
    };
    struct aw_queue *husk = NULL;

    if (aw_queue_new(&config, &husk) == 0)
        aw_queue_end(husk);
    return husk;
}

/* Who waits on the old object looks again, and finds it closed. */
static void wake_waiters(QueueObject *old)
{
    if (old->receiver)
        aw_eventfd_ring(old->bell.fd);
    if (aw_queue_settle_soon(old) < 0)
        PyErr_WriteUnraisable((PyObject *)old);
}

/* Takes the C queue, with the reference, out of the object. */
static struct aw_queue *take_out(QueueObject *old)
{
    struct aw_queue *queue = old->queue, *husk = make_husk(queue);

    if (!husk) {
        PyErr_NoMemory();
        return NULL;
    }
    old->queue = husk;
    husk->user = old;
    old->retired = true;
    queue->user = NULL;
    aw_queue_disarm(queue);
    wake_waiters(old);
    /* A lease that is still held ends without effect, as on a retired queue. */
    aw_runs_return_all(&queue->runs);
    return queue;
}

/* A queue as wanted, on the device in place of `old`. NULL with an exception.
 */
static struct aw_queue *replace(DeviceObject *device, struct aw_queue *old,
                                const struct aw_queue_config *config)
{
    struct aw_queue *queue = NULL;
    int result;

    Py_BEGIN_ALLOW_THREADS
    result = aw_queue_new(config, &queue);
    if (result == 0)
        result = aw_device_replace(device->device, old, queue);
    if (result < 0)
        aw_device_retire(device->device, old);
    Py_END_ALLOW_THREADS
    if (result == 0)
        return queue;
    aw_queue_unref(queue);
    aw_raise(aw_module_of_type(Py_TYPE(device)), -result, config->device, NULL);
    return NULL;
}

struct aw_queue *aw_queue_pass_on(QueueObject *old,
                                  const struct aw_queue_config *config)
{
    struct aw_queue *queue = take_out(old), *next;

    if (!queue)
        return NULL;
    /* After this the reader does not ring for the old object any more. */
    Py_BEGIN_ALLOW_THREADS
    aw_device_sync(old->device->device);
    Py_END_ALLOW_THREADS
    if (is_as_wanted(queue, config))
        return queue;
    next = replace(old->device, queue, config);
    aw_queue_unref(queue);
    return next;
}
