/* Gap: what a queue opened with gaps=True gives before a frame that follows a
 * loss. A named tuple, so it prints, compares and pickles. */
#ifndef AW_PYMOD_GAP_H
#define AW_PYMOD_GAP_H

#include "pymod/queue.h"

/* The Gap to be given before `frame`, which stays where it is; NULL without an
 * exception where there is none: the queue gives none, nothing was lost, or it
 * has been given. */
PyObject *aw_gap_before(QueueObject *queue,
                        const struct aw_frame *frame) AW_WITH_GIL;

#endif
