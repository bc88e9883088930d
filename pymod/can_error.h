/* CanError: what an error frame of a CAN controller says (linux/can/error.h).
 */
#ifndef AW_PYMOD_CAN_ERROR_H
#define AW_PYMOD_CAN_ERROR_H

#include "pymod/module.h"

#include "devices/queue/frame.h"

/* The CanError of an error frame. A new reference, or NULL with an exception.
 */
PyObject *aw_can_error_object(struct aw_module *module,
                              const struct aw_frame *frame) AW_WITH_GIL;

#endif
