# The length of an FD frame is believed.
# Found as: buffer-overflow .* in aw_can_frame_import\>
s/smaller\(wire->len, CANFD_MAX_DLEN\)/wire->len/
