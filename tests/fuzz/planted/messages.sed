# The length of an FD frame is believed.
s/smaller\(wire->len, CANFD_MAX_DLEN\)/wire->len/
