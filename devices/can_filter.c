#include "devices/can_filter.h"

#include <string.h>

/* What one filter means for frames that are no error frames. */
enum reach { REACH_NONE, REACH_SOME, REACH_ALL };

static enum reach whole(const struct aw_filter *wanted, bool match)
{
    return match != wanted->invert ? REACH_ALL : REACH_NONE;
}

/* Fills in the kernel's form where it is neither all nor none. */
static enum reach convert(const struct aw_filter *wanted,
                          struct can_filter *ret)
{
    uint32_t mask = wanted->mask & ~AW_CAN_ERROR;

    /* The kernel knows this bit of a mask as a sign for error frames. */
    if (wanted->mask & wanted->id & AW_CAN_ERROR)
        return whole(wanted, false);
    if (mask == 0)
        return whole(wanted, true);
    /* A base id has 11 bits. The kernel would ignore the rest here. */
    if ((mask & AW_CAN_EXTENDED) && !(wanted->id & AW_CAN_EXTENDED) &&
        (wanted->id & mask & AW_CAN_ID_MASK & ~AW_CAN_SFF_MASK) != 0)
        return whole(wanted, false);
    ret->can_id =
        (wanted->id & ~AW_CAN_ERROR) | (wanted->invert ? CAN_INV_FILTER : 0);
    ret->can_mask = mask;
    return REACH_SOME;
}

/* Can an error frame pass it? */
static bool takes_errors(const struct aw_filter *wanted)
{
    return (wanted->mask & AW_CAN_ERROR) != 0 &&
           (wanted->invert || (wanted->id & AW_CAN_ERROR) != 0);
}

static bool all_take_errors(const struct aw_filter *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!takes_errors(&wanted[i]))
            return false;
    }
    return true;
}

/* Any of them: those that want nothing are left out, and one that wants all
 * decides. Joined it is the other way round. */
static bool collect(struct aw_can_filter *filter,
                    const struct aw_filter *wanted, size_t count, bool joined)
{
    enum reach deciding = joined ? REACH_NONE : REACH_ALL;

    for (size_t i = 0; i < count; i++) {
        struct can_filter entry;
        enum reach reach = convert(&wanted[i], &entry);

        if (reach == deciding) {
            filter->count = 0;
            return joined;
        }
        if (reach != REACH_SOME)
            continue;
        if (filter->count == CAN_RAW_FILTER_MAX)
            return false;
        filter->entries[filter->count++] = entry;
    }
    return filter->count > 0 || !joined;
}

void aw_can_filter_make(struct aw_can_filter *filter,
                        const struct aw_filter *wanted, size_t count,
                        bool joined)
{
    filter->count = 0;
    filter->active = count > 0 && collect(filter, wanted, count, joined);
    filter->joined = joined && filter->count > 1;
    if (filter->joined && all_take_errors(wanted, count))
        filter->active = false;
}
