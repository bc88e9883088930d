/* What the two files of CanFrame share. */
#ifndef AW_PYMOD_CAN_FRAME_H
#define AW_PYMOD_CAN_FRAME_H

#include "pymod/frame_base.h"

#define AW_CAN_DATA_MAX 8u

/* The 4-bit DLC of a CAN or CAN FD frame with room for `data_bytes`. */
unsigned aw_can_dlc_code(size_t data_bytes);

/* True if a CAN FD frame can carry exactly so many bytes. */
bool aw_can_is_fd_length(size_t data_bytes);

/* What to say if not; for PyErr_Format(), with the size_t. */
#define AW_CAN_FD_LENGTHS                                                      \
    "a CAN FD frame carries 0 to 8, 12, 16, 20, 24, 32, 48 or 64 bytes, not "  \
    "%zu"

/* tp_new of CanFrame: a frame made by hand, checked against the standard.
 * ValueError for what no bus could carry. */
PyObject *aw_can_frame_new(PyTypeObject *type, PyObject *args,
                           PyObject *kwargs) AW_WITH_GIL;

#endif
