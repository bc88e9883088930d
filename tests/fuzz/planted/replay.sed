# A frame that is somewhat longer than its slot.
s/frame->length > link->payload_bytes\)/frame->length > link->payload_bytes + 8)/
