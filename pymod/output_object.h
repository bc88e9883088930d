/* Where scripts' lines go, as the host's Python half calls it. */
#ifndef AW_OUTPUT_OBJECT_H
#define AW_OUTPUT_OBJECT_H

#include <Python.h>

#include "pymod/host.h"

/* The triple (put, drain, located), or None if `output` takes nothing:
 *
 *   put(script: int, stream: int, priority: int, file: str | None, line: int,
 *       text: str, cut: int) takes lines, of which the last one may lack its
 * end, and of whose first one `cut` bytes were left out at its end; script -1
 * is none. BrokenPipeError when nobody reads them any more. drain(timeout_s:
 * float) waits until all is written.
 *
 * `output` must stay as long as they do. A new reference, or NULL with an
 * exception. */
PyObject *aw_output_callables(const struct aw_host_output *output);

#endif
