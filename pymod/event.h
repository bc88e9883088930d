/* Event: what happened to a device, told in its stream to a queue opened with
 * events=True.
 *
 * It lies in the ring as a frame does, so its object is laid out as a frame's
 * (frame.h), but it is none to a script: it has no data and cannot be sent. */
#ifndef AW_PYMOD_EVENT_H
#define AW_PYMOD_EVENT_H

#include "pymod/module.h"

#include "devices/queue/frame.h"
#include "devices/queue/key.h"

/* What a snapshot() calls the event: "event:bus-state"; of one about a watched
 * frame with its identifier behind, "event:timeout:123". A new reference. */
PyObject *aw_event_key_name(const struct aw_frame *frame) AW_WITH_GIL;

/* The key of such a name: 1; 0 if it is none. Any thread. */
int aw_event_key_parse(const char *name, struct aw_key *ret_key);

#endif
