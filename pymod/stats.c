#include "pymod/stats.h"

static PyStructSequence_Field queue_fields[] = {
    {"received", "frames that reached the reader or were lost before it"},
    {"filtered", "refused by this queue's filters"},
    {"delivered", "taken by the script"},
    {"dropped", "lost, in all"},
    {"pending", "can be taken now"},
    {"dropped_kernel", "lost in the kernel's receive buffer"},
    {"dropped_overflow", "lost because the queue was full"},
    {"dropped_cleared", "thrown away by clear()"},
    {"dropped_closed", "pending when the script let go of the queue"},
    {"high_water", "the most that was ever pending"},
    {"wakes", "how often a waiter was woken"},
    {"stalls", "how often its device was held up by it (overflow='block')"},
    {"stalled_ns", "for how long, in all"},
    {NULL, NULL},
};

static PyStructSequence_Desc queue_desc = {
    .name = "awaitd.QueueStats",
    .doc = "The ledger of a queue, in frames: received == filtered + "
           "delivered + dropped + pending.",
    .fields = queue_fields,
    .n_in_sequence = 13,
};

static PyStructSequence_Field send_fields[] = {
    {"submitted", "frames accepted for sending"},
    {"sent", "handed to the kernel"},
    {"expired", "too old when their turn came"},
    {"timed_out", "not taken by the kernel within send_timeout_s"},
    {"failed", "refused by the kernel"},
    {"pending", "waiting"},
    {NULL, NULL},
};

static PyStructSequence_Desc send_desc = {
    .name = "awaitd.SendStats",
    .doc = "A device's ledger of frames sent: submitted == sent + expired + "
           "timed_out + failed + pending.",
    .fields = send_fields,
    .n_in_sequence = 6,
};

static PyObject *fill(PyTypeObject *type, const uint64_t *values,
                      Py_ssize_t count)
{
    PyObject *stats = PyStructSequence_New(type);

    for (Py_ssize_t i = 0; stats && i < count; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(values[i]);

        if (value)
            PyStructSequence_SetItem(stats, i, value);
        else
            Py_CLEAR(stats);
    }
    return stats;
}

PyObject *aw_stats_from(struct aw_module *module, const struct aw_stats *stats)
{
    const uint64_t values[] = {
        stats->received,         stats->filtered,        stats->delivered,
        aw_stats_dropped(stats), stats->pending,         stats->dropped_kernel,
        stats->dropped_overflow, stats->dropped_cleared, stats->dropped_closed,
        stats->high_water,       stats->wakes,           stats->stalls,
        stats->stalled_ns,
    };

    return fill(module->stats_type, values, 13);
}

PyObject *aw_stats_new(struct aw_module *module, const struct aw_queue *queue)
{
    struct aw_stats stats;

    if (aw_queue_stats(queue, &stats) < 0) {
        PyErr_SetString(module->error, "the ledger changes too fast to read");
        return NULL;
    }
    return aw_stats_from(module, &stats);
}

PyObject *aw_send_stats_new(struct aw_module *module,
                            const struct aw_send_stats *stats)
{
    const uint64_t values[] = {
        stats->submitted, stats->sent,   stats->expired,
        stats->timed_out, stats->failed, stats->pending,
    };

    return fill(module->send_stats_type, values, 6);
}

int aw_stats_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->stats_type = PyStructSequence_NewType(&queue_desc);
    state->send_stats_type = PyStructSequence_NewType(&send_desc);
    if (!state->stats_type || !state->send_stats_type ||
        PyModule_AddType(module, state->stats_type) < 0)
        return -1;
    return PyModule_AddType(module, state->send_stats_type);
}
