/* Events: what happens to a device, told in its stream. */
#include <string.h>

#include "devices/queue/clock.h"
#include "devices/reader.h"

static void fill(struct aw_frame *frame, enum aw_event_kind kind,
                 struct aw_event event, uint16_t channel)
{
    *frame = (struct aw_frame){
        .timestamp_ns = aw_clock_realtime_ns(),
        .monotonic_ns = aw_clock_monotonic_ns(),
        .id = kind,
        .length = sizeof(event),
        .channel = channel,
        .kind = AW_KIND_EVENT,
    };
    aw_frame_set_stamp(frame, AW_STAMP_OWN);
    memcpy(frame->payload, &event, sizeof(event));
}

bool aw_batch_add_event(struct aw_batch *batch, enum aw_event_kind kind,
                        int32_t value, uint32_t detail, uint16_t channel)
{
    if (batch->count >= batch->limit)
        return false;
    fill(aw_batch_at(batch, batch->count++), kind,
         (struct aw_event){value, detail}, channel);
    return true;
}

void aw_reader_tell(struct aw_reader *reader, enum aw_event_kind kind,
                    int32_t value, uint32_t detail)
{
    _Alignas(8) unsigned char
        slot[sizeof(struct aw_frame) + sizeof(struct aw_event)];
    void *memory = slot;
    struct aw_frame *frame = memory;

    fill(frame, kind, (struct aw_event){value, detail}, 0);
    frame->seq = reader->seq;
    for (size_t i = 0; i < reader->queue_count; i++) {
        aw_queue_offer(reader->queues[i], frame);
        aw_queue_publish(reader->queues[i]);
    }
}
