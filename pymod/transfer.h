/* DeviceTransfer: what `await device.transfer(tx)` awaits, on a SpiDevice.
 *
 * Like DeviceSend it is handed to the reader when it is awaited; the answer
 * comes back through the bridge. Cancelling it gives up waiting: a transfer
 * that the reader has is made all the same. */
#ifndef AW_PYMOD_TRANSFER_H
#define AW_PYMOD_TRANSFER_H

#include "pymod/device.h"

/* What the reader takes, with room for the answer behind it. */
struct aw_transfer {
    struct aw_send *send; /* the caller's to PyMem_RawFree() */
    bool segmented;       /* the result is a list, of one bytes a segment */
};

/* Makes it of bytes, or of a list of segments (transfer_make.c). 0, or -1 with
 * TypeError or ValueError. */
int aw_transfer_make(PyObject *tx,
                     struct aw_transfer *ret_transfer) AW_WITH_GIL;

/* What came in, as the script gets it. NULL with an exception. */
PyObject *aw_transfer_result(const struct aw_transfer *transfer) AW_WITH_GIL;

/* A new awaitable for it, which it takes over, also on failure. */
PyObject *aw_transfer_new(DeviceObject *device,
                          const struct aw_transfer *transfer) AW_WITH_GIL;

#endif
