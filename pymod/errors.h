/* The exceptions of awaitd, and the one place where an errno becomes one. */
#ifndef AW_PYMOD_ERRORS_H
#define AW_PYMOD_ERRORS_H

#include "pymod/module.h"

#include "devices/queue/error.h"
#include "devices/queue/queue.h"

/* What a SendTimeout says, whatever was late. */
#define AW_TEXT_LATE   "a frame was not sent in time"
#define AW_ADVICE_LATE "timeout=, or send_timeout_s, is how long to wait"

/* Raises what `code` (a positive errno) means for `device` (its name, or NULL
 * where it is about a configuration): DeviceError with errno, device and
 * `error`'s sentence (or, without, the errno's and what to do); SendTimeout for
 * ETIMEDOUT; SendExpired for ECANCELED; SendQueueFull for ENOBUFS; DeviceDown
 * for ENETDOWN; DeviceLost for ENODEV; without a device, ConfigError for EINVAL
 * and ENOENT. Returns NULL. */
PyObject *aw_raise(struct aw_module *module, int code, const char *device,
                   const struct aw_error *error) AW_WITH_GIL;

/* The same, in these words. */
PyObject *aw_raise_advised(struct aw_module *module, int code,
                           const char *device, const char *text,
                           const char *advice) AW_WITH_GIL;

/* Raises why a queue gives no more frames: QueueClosed with `.reason` ("end",
 * "closed", "stopped"), or DeviceLost. Returns NULL. */
PyObject *aw_raise_closed(struct aw_module *module,
                          const struct aw_queue *queue) AW_WITH_GIL;

#endif
