/* A heartbeat, as the script's Python code tells it. */
#ifndef AW_HEARTBEAT_OBJECT_H
#define AW_HEARTBEAT_OBJECT_H

#include <Python.h>

#include "pymod/heartbeat.h"

/* The pair (awake, asleep) of callables without arguments, which keep the
 * heartbeat; asleep() tells whether a turn was under way. A new reference, or
 * NULL with an exception. */
PyObject *aw_heartbeat_callables(struct aw_heartbeat *heartbeat);

#endif
