/* Stamps whose clock was set meanwhile.
 *
 * The kernel stamps a frame by CLOCK_REALTIME, and a driver that reads it works
 * out the moment on CLOCK_MONOTONIC by how far apart the two are now. Where the
 * clock was set between stamp and reading, that moment is off by as much. It
 * shows: the distance of a frame's two times is not that of the frames before.
 * A clock that is being slewed (adjtime(3)) moves it too, but slowly.
 *
 * Private to devices/. The reader's. */
#ifndef AW_STAMPS_H
#define AW_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"

struct aw_stamp_watch {
    uint64_t distance_ns; /* CLOCK_REALTIME ahead of CLOCK_MONOTONIC, modulo */
    uint64_t seen_ns;     /* CLOCK_MONOTONIC when it was that; 0: not yet */
};

/* Looks at a batch that was read just now. True if its kernel's stamps cannot
 * be trusted; then the moment of each such frame is `now_ns`, when it was read.
 */
bool aw_stamps_check(struct aw_stamp_watch *watch, struct aw_batch *batch,
                     uint64_t now_ns) AW_ON(reader);

#endif
