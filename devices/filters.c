/* What all queues of a device want together, for a driver that can have the
 * kernel keep the rest back. Only what is exact is passed on; else everything
 * is wanted, and each queue's own filters decide, as they always do. */
#include "devices/reader.h"

/* One queue alone may want several filters passed at once. */
static bool only_joined(const struct aw_reader *reader)
{
    return reader->queue_count == 1 && reader->queues[0]->filters_joined;
}

/* Appends a queue's filters to the union. False if the union is everything:
 * the queue wants that, or what it wants cannot be said by alternatives. */
static bool add(const struct aw_queue *queue, bool joined,
                struct aw_filter *filters, size_t *count)
{
    if (queue->filter_count == 0 ||
        *count + queue->filter_count > AW_FILTERS_MAX)
        return false;
    if (queue->filters_joined && queue->filter_count > 1 && !joined)
        return false;
    memcpy(&filters[*count], queue->filters,
           queue->filter_count * sizeof(*filters));
    *count += queue->filter_count;
    return true;
}

void aw_filters_tell(struct aw_reader *reader)
{
    struct aw_filter filters[AW_FILTERS_MAX];
    bool joined = only_joined(reader);
    size_t count = 0;

    if (!reader->driver->filter || reader->away ||
        reader->state != AW_QUEUE_OPEN)
        return;
    for (size_t i = 0; i < reader->queue_count; i++) {
        if (!add(reader->queues[i], joined, filters, &count)) {
            count = 0;
            break;
        }
    }
    reader->driver->filter(&reader->link, filters, count, joined && count > 1);
}
