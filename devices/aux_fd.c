/* The second descriptor of a device: what is told there becomes events in the
 * stream, and the driver's status. */
#include <errno.h>

#include "devices/reader.h"

/* Events as well lose nothing where frames do not: the room of the fullest
 * queue that gets them and that the device waits for. */
static uint32_t room(const struct aw_reader *reader) AW_ON(reader)
{
    uint64_t slots = AW_BATCH_FRAMES;

    for (size_t i = 0; i < reader->queue_count; i++) {
        struct aw_queue *queue = reader->queues[i];
        uint64_t free_slots = AW_BATCH_FRAMES;

        if (queue->events &&
            (reader->link.paced || queue->overflow == AW_OVERFLOW_BLOCK))
            free_slots = aw_queue_room(queue);
        if (free_slots < slots)
            slots = free_slots;
    }
    return (uint32_t)slots;
}

bool aw_aux_wanted(const struct aw_reader *reader)
{
    return reader->driver->aux && reader->link.aux_fd >= 0 &&
           reader->state == AW_QUEUE_OPEN && room(reader) > 0;
}

void aw_aux_read(struct aw_reader *reader)
{
    struct aw_batch *batch = &reader->batch;
    int result;

    /* It may have been lost since it was polled. */
    if (!aw_aux_wanted(reader))
        return;
    aw_batch_begin(batch, room(reader));
    result = reader->driver->aux(&reader->link, batch);
    aw_reader_distribute(reader);
    if (result < 0)
        aw_reopen_lost(reader, -result);
    /* A link that has come up is what some may be waiting for. */
    else if (reader->send_blocked == -ENETDOWN)
        aw_sender_pump(reader, NULL);
}
