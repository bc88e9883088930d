/* Sending from Python: what Device.send(), send_many() and send_nowait() have
 * in common.
 *
 * A script's frame becomes a struct aw_send, which the reader has until it
 * calls done(). The frames that one awaitable sends are its parts: they go to
 * the reader together, and the bridge hears of them once, when the last is
 * settled.
 *
 * Three files: send_make.c reads the arguments, send.c is the awaitable,
 * send_result.c makes of what became of the frames what a script gets. */
#ifndef AW_PYMOD_SEND_H
#define AW_PYMOD_SEND_H

#include "pymod/bridge_signal.h"
#include "pymod/device.h"

/* One frame of an awaitable. Stays at its address while it is under way. */
struct aw_send_part {
    struct aw_send *send; /* freed with free() */
    struct aw_pending_send pending;
};

struct aw_send_parts {
    struct aw_send_part *parts;
    size_t count;
    size_t left;   /* not settled; the reader's while they are under way */
    bool many;     /* of send_many() */
    bool confirm;  /* frames are what a script gets */
    bool reported; /* return_exceptions=True: a failure is no exception */
};

/* Frees what it holds, which must not be under way. */
void aw_send_parts_clear(struct aw_send_parts *parts);

/* A new awaitable that sends `parts` when it is awaited, and takes over what
 * they hold, also on failure (send.c). */
PyObject *aw_send_new(DeviceObject *device,
                      struct aw_send_parts *parts) AW_WITH_GIL;

/* What a script gets of settled parts: None, a frame or a list; or NULL with an
 * exception (send_result.c). */
PyObject *aw_send_result(DeviceObject *device,
                         struct aw_send_parts *parts) AW_WITH_GIL;

/* Raises why a frame was not sent; `code` is a positive errno that
 * aw_device_send() or aw_send.done() gave, `count` how many were to be accepted
 * at once. Returns NULL. */
PyObject *aw_send_raise(DeviceObject *device, int code, bool confirm,
                        size_t count) AW_WITH_GIL;

/* The methods of Device (send_make.c). */
PyObject *aw_device_send_method(PyObject *self, PyObject *const *arguments,
                                Py_ssize_t count,
                                PyObject *keywords) AW_WITH_GIL;
PyObject *aw_device_send_nowait_method(PyObject *self,
                                       PyObject *const *arguments,
                                       Py_ssize_t count,
                                       PyObject *keywords) AW_WITH_GIL;
PyObject *aw_device_send_many_method(PyObject *self, PyObject *const *arguments,
                                     Py_ssize_t count,
                                     PyObject *keywords) AW_WITH_GIL;

#endif
