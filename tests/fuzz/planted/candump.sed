# A frame of one byte more than there is room for.
# Found as: fuzz_candump\.c:[0-9]+: does not hold: (length > 0|aw_frame_plausible)
s/if \(count == room\)/if (count > room)/
