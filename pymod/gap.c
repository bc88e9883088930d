#include "pymod/gap.h"

#include "pymod/frame.h"

static PyStructSequence_Field fields[] = {
    {"device", "the device's name"},
    {"lost", "how many frames are missing here, as far as they are known"},
    {"cause", "\"kernel\", \"overflow\", \"away\", or several with + between"},
    {"seq", "of the frame behind the gap"},
    {"timestamp_ns", "of the frame behind the gap"},
    {NULL, NULL},
};

static PyStructSequence_Desc description = {
    .name = "awaitd.Gap",
    .doc = "Frames that are missing at this place of the stream. Given by a "
           "queue opened with gaps=True, before the frame that follows.",
    .fields = fields,
    .n_in_sequence = 5,
};

static PyObject *new_gap(QueueObject *queue, const struct aw_frame *frame)
{
    struct aw_module *module = aw_module_of_type(Py_TYPE(queue));
    PyObject *gap = PyStructSequence_New(module->gap_type);
    PyObject *values[] = {
        Py_NewRef(queue->device->name),
        PyLong_FromUnsignedLong(frame->lost_before),
        PyUnicode_InternFromString(aw_frame_loss_name(frame)),
        PyLong_FromUnsignedLongLong(frame->seq),
        PyLong_FromUnsignedLongLong(frame->timestamp_ns),
    };

    for (Py_ssize_t i = 0; i < 5; i++) {
        if (gap && values[i])
            PyStructSequence_SetItem(gap, i, values[i]);
        else {
            Py_CLEAR(gap);
            Py_XDECREF(values[i]);
        }
    }
    return gap;
}

/* Of the same seq as a frame are the events before it. */
static bool is_given(const QueueObject *queue, const struct aw_frame *frame)
{
    return queue->gap_given && queue->gap_seq == frame->seq &&
           queue->gap_ns == frame->monotonic_ns;
}

PyObject *aw_gap_before(QueueObject *queue, const struct aw_frame *frame)
{
    bool gap_there = frame->lost_before > 0 || frame->lost_cause & AW_LOSS_AWAY;
    PyObject *gap;

    if (!queue->gaps || !gap_there || is_given(queue, frame))
        return NULL;
    gap = new_gap(queue, frame);
    if (gap) {
        queue->gap_given = true;
        queue->gap_seq = frame->seq;
        queue->gap_ns = frame->monotonic_ns;
    }
    return gap;
}

int aw_gap_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    state->gap_type = PyStructSequence_NewType(&description);
    return state->gap_type ? PyModule_AddType(module, state->gap_type) : -1;
}
