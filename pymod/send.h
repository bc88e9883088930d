/* DeviceSend: what `await device.send(frame)` awaits.
 *
 * The frame is handed to the reader when it is awaited, like the body of a
 * coroutine; the result comes back through the bridge. Cancelling it gives up
 * waiting; a frame that the reader has may still be sent, and is in the
 * device's ledger either way. */
#ifndef AW_PYMOD_SEND_H
#define AW_PYMOD_SEND_H

#include "pymod/bridge.h"
#include "pymod/device.h"
#include "pymod/wait.h"

#endif
