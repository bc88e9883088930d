#include "devices/queue/filter.h"

bool aw_filter_pass(const struct aw_filter *filters, size_t count,
                    const struct aw_frame *frame)
{
    if (count == 0 ||
        (frame->kind != AW_KIND_CAN && frame->kind != AW_KIND_CAN_XL))
        return true;
    for (size_t i = 0; i < count; i++) {
        bool match = ((frame->id ^ filters[i].id) & filters[i].mask) == 0;

        if ((frame->id & AW_CAN_ERROR & ~filters[i].mask) != 0)
            continue;
        if (match != filters[i].invert)
            return true;
    }
    return false;
}
