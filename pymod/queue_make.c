/* Device.queue(): from what a script asks for to an attached Queue. */
#include <errno.h>
#include <unistd.h>

#include "devices/queue/clock.h"
#include "pymod/filters.h"
#include "pymod/queue.h"

/* More than this is no latency budget but a mistake. */
#define BUDGET_US_MAX 10000000

/* Two seconds of a full CAN bus; less where a slot is large (design: at most
 * about 8 MiB a queue). */
static uint32_t default_depth(const struct aw_device *device)
{
    uint32_t payload_bytes = aw_device_payload_bytes(device);

    if (payload_bytes <= AW_PAYLOAD_FD + sizeof(struct aw_address))
        return 16384;
    return payload_bytes <= AW_PAYLOAD_2K ? 4096 : 512;
}

struct queue_arguments {
    PyObject *filters, *name, *depth;
    const char *overflow, *wakeup;
    Py_ssize_t budget_us;
    int gaps, events, filters_joined;
};

static bool is_given(PyObject *object)
{
    return object && object != Py_None;
}

static int parse_depth(DeviceObject *self, PyObject *depth,
                       struct aw_queue_config *config)
{
    long count;
    int overflow;

    config->depth = default_depth(self->device);
    if (!depth || depth == Py_None)
        return 0;
    count = PyLong_AsLongAndOverflow(depth, &overflow);
    if (count == -1 && PyErr_Occurred())
        return -1;
    if (overflow || count < 1 || count > (long)AW_RING_SLOTS_MAX) {
        PyErr_Format(PyExc_ValueError, "depth must be 1..%lu frames, not %S",
                     (unsigned long)AW_RING_SLOTS_MAX, depth);
        return -1;
    }
    config->depth = (uint32_t)count;
    return 0;
}

/* Memory that fills up where there is none ends the process: half of what the
 * machine has is more than any queue needs. What was mapped is counted: slots
 * are a power of two, and three for each key under policy latest. */
static bool fits(const struct aw_queue *queue)
{
    uint64_t needed = queue->ring.mapped_bytes + queue->latest.mapped_bytes;
    uint64_t there =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    return needed <= there / 2;
}

/* It stands in tables and messages: text in one line. */
static int is_name(PyObject *name, size_t size)
{
    Py_ssize_t length;
    PyObject *printable;
    int result;

    if (!PyUnicode_AsUTF8AndSize(name, &length))
        return -1;
    if (length == 0 || (size_t)length >= size)
        return 0;
    printable = PyObject_CallMethod(name, "isprintable", NULL);
    result = printable ? PyObject_IsTrue(printable) : -1;
    Py_XDECREF(printable);
    return result;
}

static int parse_name(DeviceObject *self, PyObject *name, char *buffer,
                      size_t size)
{
    int good;

    if (!is_given(name)) {
        PyOS_snprintf(buffer, size, "%u", aw_device_next_number(self->device));
        return 0;
    }
    good = is_name(name, size);
    if (good < 0)
        return -1;
    if (!good) {
        PyErr_Format(PyExc_ValueError,
                     "a queue's name has 1..%zu bytes, all printable, not %R",
                     size - 1, name);
        return -1;
    }
    PyOS_snprintf(buffer, size, "%s", PyUnicode_AsUTF8(name));
    return 0;
}

/* The index of `text` in `words`, or -1 with ValueError. */
static int parse_word(const char *key, const char *text,
                      const char *const *words)
{
    int index = 0;

    while (words[index] && strcmp(words[index], text) != 0)
        index++;
    if (words[index])
        return index;
    PyErr_Format(PyExc_ValueError, "%s=\"%s\" is not known: %s%s%s%s%s%s%s is",
                 key, text, words[0], ", ", words[1], words[2] ? ", " : "",
                 words[2] ? words[2] : "", words[2] && words[3] ? ", " : "",
                 words[2] && words[3] ? words[3] : "");
    return -1;
}

static int parse_policy(const struct queue_arguments *given,
                        struct aw_queue_config *config)
{
    static const char *const policies[] = {
        [AW_OVERFLOW_DROP_NEWEST] = "drop-newest",
        [AW_OVERFLOW_DROP_OLDEST] = "drop-oldest",
        [AW_OVERFLOW_LATEST] = "latest",
        [AW_OVERFLOW_BLOCK] = "block",
        NULL,
    };
    int policy = parse_word("overflow", given->overflow, policies);

    if (policy < 0)
        return -1;
    if (given->budget_us < 0 || given->budget_us > BUDGET_US_MAX) {
        PyErr_Format(PyExc_ValueError,
                     "budget_us must be 0..%d microseconds, not %zd",
                     BUDGET_US_MAX, given->budget_us);
        return -1;
    }
    config->overflow = (enum aw_overflow)policy;
    config->budget_ns = (uint64_t)given->budget_us * AW_NS_PER_US;
    return 0;
}

/* True with wakeup="fd", as given or as configured. -1 with ValueError. */
static int parse_wakeup(DeviceObject *self, const struct queue_arguments *given)
{
    static const char *const ways[] = {"bridge", "fd", NULL};

    if (!given->wakeup)
        return aw_device_wakes_by_fd(self->device);
    return parse_word("wakeup", given->wakeup, ways);
}

static void raise_too_large(DeviceObject *self, const struct aw_queue *queue)
{
    PyErr_Format(PyExc_ValueError,
                 "depth %llu would take %zu MiB on device %U, more than half "
                 "of this machine's memory",
                 (unsigned long long)aw_queue_depth(queue),
                 (queue->ring.mapped_bytes + queue->latest.mapped_bytes) >> 20,
                 self->name);
}

/* Makes and attaches the C queue. NULL with an exception. */
static struct aw_queue *attach(DeviceObject *self,
                               const struct aw_queue_config *config)
{
    struct aw_queue *queue = NULL;
    int result;

    Py_BEGIN_ALLOW_THREADS
    result = aw_queue_new(config, &queue);
    if (result == 0)
        result = fits(queue) ? aw_device_attach(self->device, queue) : -EFBIG;
    Py_END_ALLOW_THREADS
    if (result == 0)
        return queue;
    if (result == -EEXIST)
        PyErr_Format(PyExc_ValueError, "device %U already has a queue named %s",
                     self->name, config->name);
    else if (result == -EPERM)
        PyErr_Format(PyExc_ValueError,
                     "queue %s of device %U: a queue with overflow=\"block\" "
                     "holds up every script of its device; allow_block: yes "
                     "in its configuration permits that",
                     config->name, self->name);
    else if (queue && result == -EFBIG)
        raise_too_large(self, queue);
    else
        aw_device_raise(self, -result, NULL);
    aw_queue_unref(queue);
    return NULL;
}

static PyObject *new_queue(DeviceObject *self, struct aw_queue *queue,
                           PyObject *owner, int by_fd,
                           const struct queue_arguments *given)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    PyObject *object, *adopted;

    if (!queue)
        return NULL;
    object =
        aw_queue_object_new(module, self, queue, owner, by_fd, given->gaps);
    if (object)
        ((QueueObject *)object)->unnamed = !is_given(given->name);
    if (!object || !owner)
        return object;
    /* The script keeps track of it, and ends it when it ends. */
    adopted = PyObject_CallMethod(owner, "adopt", "O", object);
    if (!adopted)
        Py_CLEAR(object);
    Py_XDECREF(adopted);
    return object;
}

/* The C queue: what an earlier version of the script has left, or a new one. */
static struct aw_queue *find_or_make(DeviceObject *self, PyObject *owner,
                                     const struct queue_arguments *given,
                                     struct aw_queue_config *config, char *name,
                                     size_t name_size)
{
    PyObject *wanted = is_given(given->name) ? given->name : NULL;
    QueueObject *old = owner ? aw_queue_inherit(owner, self, wanted) : NULL;
    struct aw_queue *queue = NULL;

    if (old) {
        PyOS_snprintf(name, name_size, "%s", old->queue->name);
        queue = aw_queue_pass_on(old, config);
        Py_DECREF(old);
    } else if (!PyErr_Occurred() &&
               parse_name(self, given->name, name, name_size) == 0) {
        queue = attach(self, config);
    }
    return queue;
}

static PyObject *make_queue(DeviceObject *self,
                            const struct queue_arguments *given)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(self));
    char name[64], owner_name[64];
    struct aw_filter *filters = NULL;
    struct aw_queue_config config = {
        .name = name,
        .device = aw_device_name(self->device),
        .owner = owner_name,
        .payload_bytes = aw_device_payload_bytes(self->device),
    };
    PyObject *queue = NULL, *owner;
    int by_fd = parse_wakeup(self, given);
    Py_ssize_t count = aw_filters_parse(given->filters, self, &filters);

    if (count < 0 || by_fd < 0) {
        PyMem_Free(filters);
        return NULL;
    }
    config.filters = filters;
    config.filter_count = (size_t)count;
    config.filters_joined = given->filters_joined;
    config.events = given->events;
    owner = aw_module_owner(module);
    if (!PyErr_Occurred() && parse_policy(given, &config) == 0 &&
        parse_depth(self, given->depth, &config) == 0 &&
        aw_module_owner_name(module, owner_name, sizeof(owner_name)) == 0)
        queue = new_queue(
            self, find_or_make(self, owner, given, &config, name, sizeof(name)),
            owner, by_fd, given);
    Py_XDECREF(owner);
    PyMem_Free(filters);
    return queue;
}

PyObject *aw_device_queue(PyObject *self, PyObject *arguments,
                          PyObject *keywords)
{
    static const char *const names[] = {
        "filters", "name",   "depth",  "overflow",       "budget_us",
        "gaps",    "wakeup", "events", "filters_joined", NULL};
    struct queue_arguments given = {.overflow = "drop-newest"};

    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "|OOOsnpzpp:queue", (char **)names,
            &given.filters, &given.name, &given.depth, &given.overflow,
            &given.budget_us, &given.gaps, &given.wakeup, &given.events,
            &given.filters_joined) ||
        aw_module_check_fork(aw_module_of_type(Py_TYPE(self))) < 0 ||
        aw_module_pass_gate(aw_module_of_type(Py_TYPE(self))) < 0)
        return NULL;
    return make_queue((DeviceObject *)self, &given);
}
