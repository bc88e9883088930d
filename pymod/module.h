/* `_awaitd`: the extension's state. One C file a type; each file makes its type
 * in aw_<type>_setup() and keeps it here. All of it is used with the GIL. */
#ifndef AW_MODULE_H
#define AW_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "devices/queue/roles.h"

struct aw_bridge;

struct aw_module {
    /* Exceptions (errors.c), awaitd.Error and below. */
    PyObject *error, *queue_empty, *queue_closed, *device_error, *device_lost,
        *device_down, *send_timeout, *send_queue_full, *config_error;

    /* Types. */
    PyTypeObject *frame_type;     /* frame.c: Frame, the base of the others */
    PyTypeObject *can_frame_type; /* can_frame.c: CanFrame */
    PyTypeObject *datagram_type;  /* datagram.c: Datagram */
    PyTypeObject *device_type;    /* device.c: Device */
    PyTypeObject *queue_type;     /* queue.c: Queue */
    PyTypeObject *get_type;       /* get.c: what `await queue.get()` awaits */

    /* Interned and imported once (module.c). */
    PyObject *get_running_loop;   /* asyncio's own */
    PyObject *empty_string;

    struct aw_bridge *bridge;     /* bridge.c; started when first needed */
};

/* The state of the module object, or of the module that made a type of ours. */
struct aw_module *aw_module_state(PyObject *module) AW_WITH_GIL;
struct aw_module *aw_module_of_type(PyTypeObject *type) AW_WITH_GIL;

/* Each adds to the module what its file makes. 0, or -1 with an exception. */
int aw_errors_setup(PyObject *module) AW_WITH_GIL;
int aw_frame_setup(PyObject *module) AW_WITH_GIL;
int aw_can_frame_setup(PyObject *module) AW_WITH_GIL;
int aw_datagram_setup(PyObject *module) AW_WITH_GIL;
int aw_device_setup(PyObject *module) AW_WITH_GIL;
int aw_queue_setup(PyObject *module) AW_WITH_GIL;
int aw_get_setup(PyObject *module) AW_WITH_GIL;

/* The inittab entry of the built-in, and the extension's entry. */
PyMODINIT_FUNC PyInit__awaitd(void);

#endif
