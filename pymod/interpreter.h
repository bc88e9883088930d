/* The daemon's Python: how it is set up, before awaitd's own Python begins. */
#ifndef AW_INTERPRETER_H
#define AW_INTERPRETER_H

#include <Python.h>

/* Initialises Python on this thread, which it takes for its main one, with
 * `_awaitd` as a built-in; `venv` is a virtual environment, or NULL. Once in a
 * process. */
PyStatus aw_interpreter_init(const char *venv);

/* Puts `folder` before all others of sys.path. 0, or -1 with an exception. */
int aw_interpreter_add_path(const char *folder);

#endif
