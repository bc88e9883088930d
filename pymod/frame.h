/* Frame objects: a slot's content, copied out of the ring.
 *
 * One C layout serves Frame and the types below it: the slot follows the object
 * header, payload included, and `data` becomes a bytes object only when it is
 * asked for. Frames hold no reference that could close a cycle, so the
 * collector does not know them. Immutable. */
#ifndef AW_PYMOD_FRAME_H
#define AW_PYMOD_FRAME_H

#include "pymod/module.h"

#include "devices/device.h"
#include "devices/queue/frame.h"

typedef struct {
    PyObject_VAR_HEAD     /* ob_size: bytes behind the slot's header */
        PyObject *device; /* str, or NULL for a frame made by hand */
    PyObject *channel;    /* str, or NULL */
    _Alignas(8) unsigned char slot[]; /* a struct aw_frame and its payload */
} FrameObject;

static inline struct aw_frame *aw_frame_slot(PyObject *frame)
{
    void *slot = ((FrameObject *)frame)->slot;

    return slot;
}

/* A new object of the type that fits frame->kind, with a copy of the slot. The
 * names are borrowed and may be NULL. NULL with MemoryError. */
PyObject *aw_frame_from_slot(struct aw_module *module,
                             const struct aw_frame *frame, PyObject *device,
                             PyObject *channel) AW_WITH_GIL;

/* Why frames were lost before this one, in words; "" if none were. Any thread.
 */
const char *aw_frame_loss_name(const struct aw_frame *frame);

/* Makes what aw_device_send() takes of a frame object, or for a device of kind
 * BYTES, DATAGRAM or ETHERNET of any bytes-like object. The caller frees
 * `*ret_send` with free(). 0, or -1 with TypeError (not a frame for such a
 * device), ValueError (bytes longer than a slot) or MemoryError. */
int aw_frame_to_send(struct aw_module *module, PyObject *frame,
                     enum aw_kind kind, struct aw_send **ret_send) AW_WITH_GIL;

#endif
