#include "devices/queue/filter.h"

static bool is_filtered(const struct aw_frame *frame)
{
    return frame->kind == AW_KIND_CAN || frame->kind == AW_KIND_CAN_XL;
}

static bool pass(const struct aw_filter *filter, const struct aw_frame *frame)
{
    bool match = ((frame->id ^ filter->id) & filter->mask) == 0;

    if ((frame->id & AW_CAN_ERROR & ~filter->mask) != 0)
        return false;
    return match != filter->invert;
}

bool aw_filter_pass(const struct aw_filter *filters, size_t count,
                    const struct aw_frame *frame)
{
    if (count == 0 || !is_filtered(frame))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (pass(&filters[i], frame))
            return true;
    }
    return false;
}

bool aw_filter_pass_all(const struct aw_filter *filters, size_t count,
                        const struct aw_frame *frame)
{
    if (!is_filtered(frame))
        return true;
    for (size_t i = 0; i < count; i++) {
        if (!pass(&filters[i], frame))
            return false;
    }
    return true;
}
