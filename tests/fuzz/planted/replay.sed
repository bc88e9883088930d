# A frame that is somewhat longer than its slot.
# Found as: fuzz_replay\.c:[0-9]+: does not hold: aw_frame_plausible
s/frame->length > link->payload_bytes\)/frame->length > link->payload_bytes + 8)/
