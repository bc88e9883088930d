/* Device: what a script may ask of an opened device. */
#ifndef AW_PYMOD_DEVICE_H
#define AW_PYMOD_DEVICE_H

#include "pymod/module.h"

#include "devices/device.h"

typedef struct {
    PyObject_HEAD struct aw_device *device; /* a reference */
    PyObject *name;                         /* str */
    PyObject *channels;                     /* list of str: names used so far */
    bool hosted; /* the daemon's: a script cannot close it */
    PyObject *weak_references;
} DeviceObject;

/* A Device for `device`, whose reference it takes over, also on failure. */
PyObject *aw_device_object_new(struct aw_module *module,
                               struct aw_device *device,
                               bool hosted) AW_WITH_GIL;

/* The name of a frame's channel as a str (borrowed), or NULL without an
 * exception if it has none. */
PyObject *aw_device_channel_name(DeviceObject *self,
                                 uint16_t index) AW_WITH_GIL;

/* Raises what the device refused a call with, as aw_raise(); of one that was
 * closed it says so. Returns NULL. */
PyObject *aw_device_raise(DeviceObject *self, int code,
                          const struct aw_error *error) AW_WITH_GIL;

/* The method queue() (queue_make.c). */
PyObject *aw_device_queue(PyObject *self, PyObject *arguments,
                          PyObject *keywords) AW_WITH_GIL;

/* The method send_periodic() of CanDevice (periodic.c). */
PyObject *aw_device_send_periodic(PyObject *self, PyObject *arguments,
                                  PyObject *keywords) AW_WITH_GIL;

#endif
