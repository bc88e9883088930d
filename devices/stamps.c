#include "devices/stamps.h"

#include "devices/queue/clock.h"

/* What two readings of the clocks may differ by, at once and with time: ten
 * times the kernel's fastest slew, 500 ppm. */
#define SLACK_NS      AW_NS_PER_MS
#define SLEW_PER_TIME 200u

static struct aw_frame *first_stamped(struct aw_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct aw_frame *frame = aw_batch_at(batch, i);

        if (aw_frame_stamp(frame) == AW_STAMP_KERNEL)
            return frame;
    }
    return NULL;
}

static bool has_moved(const struct aw_stamp_watch *watch, uint64_t distance_ns,
                      uint64_t now_ns)
{
    uint64_t by = distance_ns - watch->distance_ns;

    if (watch->seen_ns == 0)
        return false;
    /* Either way round: it may have gone back. */
    if (by > UINT64_MAX / 2)
        by = -by;
    return by > SLACK_NS + (now_ns - watch->seen_ns) / SLEW_PER_TIME;
}

/* As drivers do where they see that a stamp cannot be. */
static void forget_moments(struct aw_batch *batch, uint64_t now_ns)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct aw_frame *frame = aw_batch_at(batch, i);

        if (aw_frame_stamp(frame) == AW_STAMP_KERNEL)
            frame->monotonic_ns = now_ns;
    }
}

bool aw_stamps_check(struct aw_stamp_watch *watch, struct aw_batch *batch,
                     uint64_t now_ns)
{
    /* A batch is read at one moment: the first is older than a step if any is.
     */
    const struct aw_frame *frame = first_stamped(batch);
    uint64_t distance_ns;
    bool moved;

    AW_ASSERT_ROLE(READER);
    if (!frame)
        return false;
    distance_ns = frame->timestamp_ns - frame->monotonic_ns;
    moved = has_moved(watch, distance_ns, now_ns);
    *watch = (struct aw_stamp_watch){distance_ns, now_ns};
    if (moved)
        forget_moments(batch, now_ns);
    return moved;
}
