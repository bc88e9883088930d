/* A heartbeat, as the script's Python code tells it. */
#ifndef AW_HEARTBEAT_OBJECT_H
#define AW_HEARTBEAT_OBJECT_H

#include <Python.h>

#include "pymod/heartbeat.h"

/* The callables (awake, asleep, probe), without arguments, which keep the
 * heartbeat; asleep() tells whether a turn was under way, probe() in how many
 * seconds it is to be called again. A new reference, or NULL with an exception.
 */
PyObject *aw_heartbeat_callables(struct aw_heartbeat *heartbeat);

#endif
